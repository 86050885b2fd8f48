"""Average the time steps of overlapping clips on cells of equal length (overlap-add).

Each clip brings one row of values per model time step, scores or features. A step is weighted by
its place in the clip and by how much of a cell it covers, so step edges may fall anywhere. Rows
that no later clip can change go to a temporary file in half precision, so that memory does not
grow with the video.
"""

from __future__ import annotations

import math
from array import array
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vswin_cli.timeline.cells import AveragedCells
from vswin_cli.timeline.overlaps import UNSEEN, half_inside, highest, overlaps_of
from vswin_cli.timeline.scores import SLIVER
from vswin_cli.timeline.spool import ScoreSpool

__all__ = ["CellAverage", "Weighting"]

Weighting = Literal["hamming", "flat"]


class CellAverage:
    """Overlap-add the steps of clips, which must come in the order of their start.

    Args:
        width: values per step, K.
        step_seconds: length of a cell; two sampled frames is the network's own resolution.
        start_seconds: left edge of the axis.
        weighting: weight of a step by its place in the clip: `hamming` gives most to the middle,
            where the network has context on both sides.
        instants: columns in which a cell takes the highest value of any clip that has a step at
            least half inside it. An instant, such as a cut, scores high in a clip that has it in
            the middle and low in one that has it at the edge; a mean would hide it.
    """

    def __init__(
        self,
        width: int,
        step_seconds: float,
        *,
        start_seconds: float = 0.0,
        weighting: Weighting = "hamming",
        instants: NDArray[np.intp] | None = None,
    ) -> None:
        if not step_seconds > 0:
            raise ValueError(f"a cell must have a length, got {step_seconds} s")
        self._step = float(step_seconds)
        self._start = float(start_seconds)
        self._weighting = weighting
        self._spool = ScoreSpool(width)
        self._valid = bytearray()  # one byte per finished cell
        self._sum = np.zeros((0, width))  # of open cells: a later clip may still change them
        self._weight = np.zeros(0)
        self._instants = np.zeros(0, np.intp) if instants is None else instants
        self._best = np.zeros((0, len(self._instants)))  # of the same cells
        self._clip_starts = array("d")
        self._clip_ends = array("d")
        self._spans: list[tuple[float, float]] = []

    @property
    def last_start_seconds(self) -> float:
        """Where the latest clip begins; minus infinity before the first."""
        return self._clip_starts[-1] if self._clip_starts else -math.inf

    def add(self, edges: NDArray[np.float64], values: NDArray[np.float32], num_steps: int) -> None:
        """Add the steps of one clip.

        Args:
            edges: (d+1,) times in seconds that bound its valid steps.
            values: (d, K).
            num_steps: D, the steps of the clip with those that only repeat.

        Raises:
            OutputError: the disk for temporary files is full.
        """
        first, stop = self._cells(edges[0], edges[-1])
        self._finalise(first)  # later clips start no earlier, so cells before are complete
        self._open(stop)
        cells = self._start + np.arange(first, stop + 1, dtype=np.float64) * self._step
        overlaps = overlaps_of(cells, edges)
        shares = overlaps * _step_weights(num_steps, self._weighting)[: len(values)]
        # A cell with a tiny overlap would get its value from rounding errors.
        shares[shares.sum(axis=1) < SLIVER * SLIVER * self._step] = 0.0
        rows = slice(first - len(self._valid), stop - len(self._valid))
        self._sum[rows] += shares @ values  # (cells, d) @ (d, K)
        self._weight[rows] += shares.sum(axis=1)
        # Instants have no weights: the maximum over clips is kept beside the weighted sum.
        if len(self._instants):
            inside = half_inside(overlaps, cells, edges)
            best = highest(values[:, self._instants], inside)
            self._best[rows] = np.maximum(self._best[rows], best)
        self._note_span(float(edges[0]), float(edges[-1]))

    def finish(self, duration_seconds: float) -> AveragedCells:
        """Finish the axis.

        Args:
            duration_seconds: end of the analysed part on the video's time axis.
        """
        end = max(duration_seconds, self._start)
        _, cells = self._cells(self._start, end)
        self._finalise(max(cells, len(self._valid)))
        clip_starts = np.array(self._clip_starts, np.float64)
        clip_ends = np.minimum(np.array(self._clip_ends, np.float64), end)
        return AveragedCells(
            start_seconds=self._start,
            step_seconds=self._step,
            end_seconds=end,
            valid=np.frombuffer(bytes(self._valid[:cells]), np.bool_),
            spans=tuple((a, min(b, end)) for a, b in self._spans if a < end),
            clip_starts_seconds=clip_starts[clip_starts < end],
            clip_ends_seconds=clip_ends[clip_starts < end],
            spool=self._spool,
        )

    def _cells(self, start: float, end: float) -> tuple[int, int]:
        """Return the half-open range of cells that `[start, end)` touches beyond rounding."""
        first = math.floor((start - self._start) / self._step + SLIVER)
        stop = math.ceil((end - self._start) / self._step - SLIVER)
        return max(first, 0), max(stop, first, 0)

    def _open(self, stop: int) -> None:
        """Extend the open cells up to `stop`."""
        missing = stop - len(self._valid) - len(self._weight)
        if missing > 0:
            self._sum = np.concatenate([self._sum, np.zeros((missing, self._sum.shape[1]))])
            self._weight = np.concatenate([self._weight, np.zeros(missing)])
            unseen = np.full((missing, len(self._instants)), UNSEEN)
            self._best = np.concatenate([self._best, unseen])

    def _finalise(self, stop: int) -> None:
        """Move the cells before `stop`, which no later clip can change, to the spool."""
        count = min(stop - len(self._valid), len(self._weight))
        if count > 0:
            weight = self._weight[:count]
            seen = weight > 0
            rows = self._sum[:count] / np.where(seen, weight, 1.0)[:, None]
            best = np.where(seen[:, None], self._best[:count], UNSEEN)
            # An instant has the mean where no step lies in the cell by half.
            rows[:, self._instants] = np.where(best >= 0, best, rows[:, self._instants])
            self._spool.append(rows)
            self._valid += seen.tobytes()
            self._sum, self._weight = self._sum[count:].copy(), self._weight[count:].copy()
            self._best = self._best[count:].copy()
        unseen = stop - len(self._valid)
        if unseen > 0:
            self._spool.append_zeros(unseen)
            self._valid += bytes(unseen)

    def _note_span(self, start: float, end: float) -> None:
        """Extend the last span by a clip, or start a new one after more than half a cell."""
        self._clip_starts.append(start)
        self._clip_ends.append(end)
        if self._spans and start <= self._spans[-1][1] + self._step / 2:
            before, until = self._spans[-1]
            self._spans[-1] = (before, max(until, end))
        else:
            self._spans.append((start, end))


def _step_weights(num_steps: int, weighting: Weighting) -> NDArray[np.float64]:
    """Return the weight of each step of a clip (D,), never zero: one clip may be the only one."""
    weights = np.hamming(num_steps) if weighting == "hamming" else np.ones(num_steps)
    return weights.astype(np.float64)

"""Build a score track from clips by overlap-add.

The network gives logits for every model time step (two sampled frames) of every clip and crop.
Here they become scores, are averaged over crops, and are overlap-added onto cells of equal
length; for instant labels the best clip counts in place of the mean. Rows that no later clip can
change go to a temporary file in half precision, so that memory does not grow with the video.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Collection, Iterable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vswin_cli.errors import VswinError
from vswin_cli.models.architecture import Activation
from vswin_cli.timeline.overlaps import UNSEEN, half_inside, highest, overlaps_of
from vswin_cli.timeline.scores import SLIVER, ClipLogits, ScoreTrack, activate
from vswin_cli.timeline.spool import ScoreSpool
from vswin_cli.video.info import Gap

__all__ = ["TrackBuilder", "Weighting"]

Weighting = Literal["hamming", "flat"]


class TrackBuilder:
    """Build a score track by overlap-adding clips, which must come in the order of their start.

    Each clip's steps are weighted by their place in the clip (`hamming`: most in the middle, where
    the network has context on both sides) and by how much of a cell they cover, so step edges may
    fall anywhere.

    An instant, such as a cut, scores high in a clip that has it in the middle and low in one that
    has it at the edge, so for instant labels a cell takes the highest score of any clip that has a
    step at least half inside it.

    Args:
        labels: K names.
        activation: how the weights' logits become scores.
        step_seconds: length of a cell; two sampled frames is the network's own resolution.
        weighting: weight of a step by its place in the clip.
        instants: labels of instants; names that the labels lack are ignored.
        start_seconds: left edge of the axis.
    """

    def __init__(
        self,
        labels: Sequence[str],
        activation: Activation,
        step_seconds: float,
        *,
        weighting: Weighting = "hamming",
        instants: Collection[str] = (),
        start_seconds: float = 0.0,
    ) -> None:
        if not step_seconds > 0:
            raise ValueError(f"a cell must have a length, got {step_seconds} s")
        self._labels = tuple(labels)
        self._activation = activation
        self._step = float(step_seconds)
        self._start = float(start_seconds)
        self._weighting = weighting
        self._spool = ScoreSpool(len(self._labels))
        self._valid = bytearray()  # one byte per finished cell
        self._sum = np.zeros(
            (0, len(self._labels))
        )  # of open cells, those that a later clip may still change
        self._weight = np.zeros(0)
        self._instants = np.flatnonzero([label in instants for label in self._labels])
        self._best = np.zeros((0, len(self._instants)))  # of the same cells
        self._clip_starts = array("d")
        self._clip_ends = array("d")
        self._spans: list[tuple[float, float]] = []

    def add(self, clip: ClipLogits) -> None:
        """Add one clip.

        Raises:
            VswinError: the logits hold values that are not numbers.
            OutputError: the disk for temporary files is full.
            ValueError: wrong number of classes, or the clip starts before the one ahead of it.
        """
        edges = clip.step_edges_seconds[: clip.num_valid_steps + 1]
        self._check(clip, edges)
        first, stop = self._cells(edges[0], edges[-1])
        self._finalise(first)
        self._open(stop)
        scores = activate(clip.logits[:, : clip.num_valid_steps], self._activation).mean(axis=0)
        weights = _step_weights(clip.logits.shape[1], self._weighting)[: clip.num_valid_steps]
        cells = self._start + np.arange(first, stop + 1, dtype=np.float64) * self._step
        overlaps = overlaps_of(cells, edges)
        shares = overlaps * weights
        # a cell that is only grazed would get its score from rounding errors
        shares[shares.sum(axis=1) < SLIVER * SLIVER * self._step] = 0.0
        rows = slice(first - len(self._valid), stop - len(self._valid))
        self._sum[rows] += shares @ scores  # (cells, D) @ (D, K)
        self._weight[rows] += shares.sum(axis=1)
        if len(self._instants):
            inside = half_inside(overlaps, cells, edges)
            best = highest(scores[:, self._instants], inside)
            self._best[rows] = np.maximum(self._best[rows], best)
        self._note_span(float(edges[0]), float(edges[-1]))

    def finish(self, duration_seconds: float, gaps: Iterable[Gap] = ()) -> ScoreTrack:
        """Finish the axis and return the track.

        Args:
            duration_seconds: end of the analysed part on the video's time axis.
            gaps: parts that could not be decoded.
        """
        end = max(duration_seconds, self._start)
        _, cells = self._cells(self._start, end)
        self._finalise(max(cells, len(self._valid)))
        valid = np.frombuffer(bytes(self._valid[:cells]), np.bool_)
        spans = [(a, min(b, end)) for a, b in self._spans if a < end]
        clip_starts = np.array(self._clip_starts, np.float64)
        clip_ends = np.minimum(np.array(self._clip_ends, np.float64), end)[clip_starts < end]
        return ScoreTrack(
            labels=self._labels,
            activation=self._activation,
            start_seconds=self._start,
            step_seconds=self._step,
            end_seconds=end,
            valid=valid,
            spans=tuple(spans),
            gaps=tuple(sorted(gaps, key=lambda gap: (gap.start_seconds, gap.end_seconds))),
            clip_starts_seconds=clip_starts[clip_starts < end],
            clip_ends_seconds=clip_ends,
            spool=self._spool,
        )

    def _check(self, clip: ClipLogits, edges: NDArray[np.float64]) -> None:
        classes = clip.logits.shape[2]
        if classes != len(self._labels):
            raise ValueError(f"{len(self._labels)} labels, but logits of {classes} classes")
        if not np.all(np.diff(edges) >= 0):
            raise ValueError(f"step edges of clip {clip.index} must rise, got {edges}")
        if self._clip_starts and edges[0] < self._clip_starts[-1]:
            raise ValueError(f"clip {clip.index} starts before the clip ahead of it")
        if not np.isfinite(clip.logits).all():
            raise VswinError(
                f"the network's values for the clip at {edges[0]:.2f} s are not numbers",
                hint="try again with `--precision float32`",
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
            self._sum = np.concatenate([self._sum, np.zeros((missing, len(self._labels)))])
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
        """Extend the last span by a clip, or begin a new one after a hole of over half a cell."""
        self._clip_starts.append(start)
        self._clip_ends.append(end)
        if self._spans and start <= self._spans[-1][1] + self._step / 2:
            before, until = self._spans[-1]
            self._spans[-1] = (before, max(until, end))
        else:
            self._spans.append((start, end))


def _step_weights(num_steps: int, weighting: Weighting) -> NDArray[np.float64]:
    """Return the weight of each step of a clip (D,); never zero, so a lone clip fills its cells."""
    weights = np.hamming(num_steps) if weighting == "hamming" else np.ones(num_steps)
    return weights.astype(np.float64)

"""Build a score track from clips.

The network computes logits for every model time step (two sampled frames) of every clip and crop.
Here they are converted to scores, averaged over crops, and overlap-added on cells of equal length.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from vswin_cli.errors import VswinError
from vswin_cli.models.architecture import Activation
from vswin_cli.timeline.cell_average import CellAverage, Weighting
from vswin_cli.timeline.cells import AveragedCells
from vswin_cli.timeline.scores import ClipLogits, ScoreTrack, activate
from vswin_cli.video.info import Gap

__all__ = ["TrackBuilder", "Weighting"]


class TrackBuilder:
    """Build a score track by overlap-adding clips, which must come in the order of their start.

    Args:
        labels: K names.
        activation: how the weights' logits become scores.
        step_seconds: length of a cell; two sampled frames is the network's own resolution.
        weighting: weight of a step by its place in the clip.
        instants: labels of instants, for which the highest score counts in place of the mean;
            names that the labels lack are ignored.
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
        self._labels = tuple(labels)
        self._activation = activation
        self._cells = CellAverage(
            len(self._labels),
            step_seconds,
            start_seconds=start_seconds,
            weighting=weighting,
            instants=np.flatnonzero([label in instants for label in self._labels]),
        )
        self._marks: list[tuple[int, float]] = []  # column and time

    def add(self, clip: ClipLogits) -> None:
        """Add one clip.

        Raises:
            VswinError: the logits hold values that are not numbers.
            OutputError: the disk for temporary files is full.
            ValueError: wrong number of classes, or the clip starts before the one ahead of it.
        """
        edges = clip.step_edges_seconds[: clip.num_valid_steps + 1]
        self._check(clip, edges)
        # Views are averaged as scores and not as logits, as in the published protocols.
        scores = activate(clip.logits[:, : clip.num_valid_steps], self._activation).mean(axis=0)
        self._cells.add(edges, scores, clip.logits.shape[1])

    def mark(self, label: str, times_seconds: Iterable[float]) -> None:
        """Set a label's score to 1 at times that are known without the network.

        No clip crosses a change of the frames' shape, so the network cannot detect the cut there.
        Does nothing if the model does not have the label.
        """
        if label in self._labels:
            column = self._labels.index(label)
            self._marks += ((column, seconds) for seconds in times_seconds)

    def finish(self, duration_seconds: float, gaps: Iterable[Gap] = ()) -> ScoreTrack:
        """Finish the axis and return the track.

        Args:
            duration_seconds: end of the analysed part on the video's time axis.
            gaps: parts that could not be decoded.
        """
        cells = self._cells.finish(duration_seconds)
        self._write_marks(cells)
        return ScoreTrack(
            labels=self._labels,
            activation=self._activation,
            gaps=tuple(sorted(gaps, key=lambda gap: (gap.start_seconds, gap.end_seconds))),
            **cells.values(),
        )

    def _write_marks(self, cells: AveragedCells) -> None:
        """Store the marks in the cells whose left edges are nearest, or in a neighbour."""
        for column, seconds in self._marks:
            # The segment after a cut begins with the cell whose left edge is nearest to it.
            nearest = round((seconds - cells.start_seconds) / cells.step_seconds)
            for cell in (nearest, nearest + 1, nearest - 1):
                if 0 <= cell < len(cells.valid) and cells.valid[cell]:
                    cells.spool.write_score(cell, column, 1.0)
                    break

    def _check(self, clip: ClipLogits, edges: NDArray[np.float64]) -> None:
        classes = clip.logits.shape[2]
        if classes != len(self._labels):
            raise ValueError(f"{len(self._labels)} labels, but logits of {classes} classes")
        if not np.all(np.diff(edges) >= 0):
            raise ValueError(f"step edges of clip {clip.index} must rise, got {edges}")
        if edges[0] < self._cells.last_start_seconds:
            raise ValueError(f"clip {clip.index} starts before the clip ahead of it")
        if not np.isfinite(clip.logits).all():
            raise VswinError(
                f"the network's values for the clip at {edges[0]:.2f} s are not numbers",
                hint="try again with `--precision float32`",
            )

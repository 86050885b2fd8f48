"""Collect the logits of cells while clips pass by, and find those at the peaks of segments.

The logits of the last grid's cells, whose mean is the logit of a time step, go to a temporary file
for the steps and labels that a segment can have its peak in: 100 bytes per step and label of a
7×7 grid. So no second pass over the video is needed, and a video at an address is read once.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vswin_cli.config import SegmentOptions
from vswin_cli.timeline.evidence import Evidence, box_of, merge_views
from vswin_cli.timeline.scores import CellLogits, ClipLogits, activate
from vswin_cli.timeline.segments import Segment
from vswin_cli.timeline.selection import LabelView
from vswin_cli.timeline.spool import ScoreSpool

__all__ = ["EvidenceBuilder"]

_SLACK = 0.9  # scores are stored in half precision, so those at an onset may fall below it


class EvidenceBuilder:
    """Collect the cells of the steps in which a segment of a label can have its peak.

    The score of a time cell is an average over clips, so where it reaches an onset, a step of at
    least one clip there does, too: only such steps are kept.

    Args:
        view: which labels are reported, alone or in groups.
        options: their onsets.
    """

    def __init__(self, view: LabelView, options: SegmentOptions) -> None:
        least = _least_scores(view, options)
        self.classes = np.flatnonzero(np.isfinite(least))
        """(k,) rows of the head that clips must bring the cells of."""
        self._view = view
        self._least = least[self.classes]
        self._spool: ScoreSpool | None = None
        self._shape = (0, 0, 0)  # V, H', W'
        self._areas: list[
            tuple[int, NDArray[np.float64]]
        ] = []  # first row of each change, and (V, 4)
        self._starts, self._ends, self._scores = array("d"), array("d"), array("d")
        self._columns = array("l")

    def add(self, clip: ClipLogits) -> None:
        """Add one clip.

        Raises:
            OutputError: the disk for temporary files is full.
            ValueError: the clip has no cells.
        """
        if clip.cells is None:
            raise ValueError(f"clip {clip.index} has no cells: see `Engine.with_cells`")
        valid = clip.logits[:, : clip.num_valid_steps]
        scores = activate(valid, self._view.activation).mean(axis=0)[:, self.classes]  # (d, k)
        steps, columns = np.nonzero(scores >= self._least)
        if not len(steps):
            return
        rows = clip.cells.logits[:, steps, :, :, columns]  # (n, V, H', W')
        spool = self._spool_for(clip.cells)
        spool.append(rows.reshape(len(rows), -1))
        self._starts.extend(clip.step_edges_seconds[steps])
        self._ends.extend(clip.step_edges_seconds[steps + 1])
        self._scores.extend(scores[steps, columns].astype(np.float64))
        self._columns.extend(columns.tolist())

    def attach(self, segments: Sequence[Segment], step_seconds: float) -> tuple[Segment, ...]:
        """Return the segments with their evidence; without, where no clip shows it.

        Args:
            segments: found in the track of the same clips.
            step_seconds: length of the track's cells.
        """
        found = (self._find(segment, step_seconds) for segment in segments)
        return tuple(
            replace(segment, evidence=evidence)
            for segment, evidence in zip(segments, found, strict=True)
        )

    def close(self) -> None:
        """Release memory and temporary file; calling it again does nothing."""
        if self._spool is not None:
            self._spool.close()

    def _spool_for(self, cells: CellLogits) -> ScoreSpool:
        """Return the spool, and note where in the frame the next rows lie."""
        views, _, height, width, _ = cells.logits.shape
        if self._spool is None:
            self._shape = views, height, width
            self._spool = ScoreSpool(views * height * width)
        if not self._areas or not np.array_equal(self._areas[-1][1], cells.areas):
            self._areas.append((self._spool.num_rows, cells.areas))
        return self._spool

    def _find(self, segment: Segment, step_seconds: float) -> Evidence | None:
        """Take the step with the highest score among those that the peak's cell touches."""
        if self._spool is None:
            return None
        wanted = np.searchsorted(self.classes, self._classes_of(segment))
        reach = step_seconds / 2
        touches = (np.array(self._starts) < segment.peak_seconds + reach) & (
            np.array(self._ends) > segment.peak_seconds - reach
        )
        rows = np.flatnonzero(touches & np.isin(np.array(self._columns), wanted))
        if not len(rows):
            return None
        row = int(rows[np.argmax(np.array(self._scores)[rows])])
        views = self._spool.read(row, row + 1).reshape(self._shape).astype(np.float64)
        cells, area = merge_views(views, self._area_of(row))
        return Evidence(
            start_seconds=self._starts[row],
            end_seconds=self._ends[row],
            class_id=int(self.classes[self._columns[row]]),
            area=area,
            cells=tuple(tuple(line) for line in cells.round(3).tolist()),
            box=box_of(cells, area),
        )

    def _classes_of(self, segment: Segment) -> NDArray[np.intp]:
        if segment.class_id is not None:
            return np.array([segment.class_id], np.intp)
        groups = self._view.names[len(self._view.singles) :]
        return self._view.members[groups.index(segment.label)]

    def _area_of(self, row: int) -> NDArray[np.float64]:
        return next(areas for first, areas in reversed(self._areas) if first <= row)


def _least_scores(view: LabelView, options: SegmentOptions) -> NDArray[np.float32]:
    """Return the score (K,) from which on a class can be at a segment's peak; else infinity."""
    columns = [*(np.array([i]) for i in view.singles), *view.members]
    least = np.full(max(int(classes.max()) for classes in columns) + 1, np.inf, np.float32)
    for column in np.flatnonzero(view.reported):
        classes = columns[column]
        # The scores of a group's members add up (softmax): one of them has at least its share.
        share = 1 if view.activation == "sigmoid" else len(classes)
        least[classes] = np.minimum(
            least[classes], _SLACK * options.onset_of(view.names[column]) / share
        )
    return least

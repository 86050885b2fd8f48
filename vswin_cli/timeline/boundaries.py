"""Find boundaries, such as cuts, at which segments of other labels must end.

They are searched in the raw scores, before labels are selected, grouped or gated: a cut that is
not reported still ends the shot. They are not smoothed, because a moving average would lower a
peak of one or two cells below its onset and move it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vswin_cli.config import SegmentOptions
from vswin_cli.storage.json_records import named
from vswin_cli.timeline.runs import peaks_of
from vswin_cli.timeline.scores import ScoreTrack

__all__ = ["Boundary", "boundary_cells", "find_boundaries"]


@dataclass(frozen=True, slots=True)
class Boundary:
    """A peak in the score of a boundary label."""

    cell: int
    """Index on the track; the segment after the boundary begins with this cell."""
    label: str
    score: float = field(metadata=named(digits=6))


def find_boundaries(
    track: ScoreTrack, labels: Sequence[str], at_least: float
) -> tuple[Boundary, ...]:
    """Find the score peaks of the given labels, by label and time.

    Names that the track does not have are ignored: models differ in their boundary labels.

    Args:
        track: all scores.
        labels: boundary labels.
        at_least: lowest score that counts.
    """
    return tuple(_peaks(track, labels, at_least))


def _peaks(track: ScoreTrack, labels: Sequence[str], at_least: float) -> Iterator[Boundary]:
    """Yield the peaks of each label, section by section."""
    for label in labels:
        if label not in track.labels:
            continue
        scores = _column(track, track.labels.index(label))
        # Section by section: scores on both sides of a gap do not follow each other.
        for section in track.sections():
            cells = np.arange(section.first_cell, section.stop_cell)
            # Cells that no clip covers hold zeros, beside which any score would be a peak.
            cells = cells[track.valid[cells]]
            for peak, _ in peaks_of(scores[cells], at_least):
                yield Boundary(int(cells[peak]), label, float(scores[cells[peak]]))


def _column(track: ScoreTrack, column: int) -> NDArray[np.float32]:
    """Read the scores of one class (N,)."""
    scores = np.zeros(track.num_cells, np.float32)
    for first, rows in track.chunks():
        scores[first : first + len(rows)] = rows[:, column]
    return scores


def boundary_cells(track: ScoreTrack, options: SegmentOptions) -> NDArray[np.intp]:
    """List the cells at which segments end and others begin, rising.

    Only peaks that reach the onset of their label count, the same rule by which a boundary is
    reported as a segment of its own.
    """
    found = [
        boundary.cell
        for label in options.boundaries
        for boundary in find_boundaries(track, [label], options.onset_of(label))
    ]
    return np.unique(np.array(found, np.intp))

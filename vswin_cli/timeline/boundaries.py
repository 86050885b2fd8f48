"""Moments that nothing lasts beyond, such as cuts: where they lie on a score track.

They are looked for in the scores as they are, whatever is reported, grouped or silenced: a cut
that nobody wants to see listed still ends the shot.
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
    """A peak in the score of a label that may divide what else holds."""

    cell: int
    """Of the whole track; what comes after begins with it."""
    label: str
    score: float = field(metadata=named(digits=6))


def find_boundaries(
    track: ScoreTrack, labels: Sequence[str], at_least: float
) -> tuple[Boundary, ...]:
    """Peaks of these labels, by label and time; names that the track does not have are ignored.

    Args:
        track: all scores.
        labels: which ones divide.
        at_least: lowest score that counts.
    """
    return tuple(_peaks(track, labels, at_least))


def _peaks(track: ScoreTrack, labels: Sequence[str], at_least: float) -> Iterator[Boundary]:
    for label in labels:
        if label not in track.labels:
            continue
        scores = _column(track, track.labels.index(label))
        for stretch in track.stretches():
            cells = np.arange(stretch.first_cell, stretch.stop_cell)
            cells = cells[track.valid[cells]]
            for peak, _ in peaks_of(scores[cells], at_least):
                yield Boundary(int(cells[peak]), label, float(scores[cells[peak]]))


def _column(track: ScoreTrack, column: int) -> NDArray[np.float32]:
    scores = np.zeros(track.num_cells, np.float32)
    for first, rows in track.chunks():
        scores[first : first + len(rows)] = rows[:, column]
    return scores


def boundary_cells(track: ScoreTrack, options: SegmentOptions) -> NDArray[np.intp]:
    """Cells at which segments end and others begin, rising.

    Of a label's peaks those count that reach its onset, as they do to be reported.
    """
    found = [
        boundary.cell
        for label in options.boundaries
        for boundary in find_boundaries(track, [label], options.onset_of(label))
    ]
    return np.unique(np.array(found, np.intp))

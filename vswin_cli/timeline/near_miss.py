"""Describe the highest scores of a result without segments and the thresholds they missed."""

from __future__ import annotations

import numpy as np

from vswin_cli.config import SegmentOptions
from vswin_cli.storage.humanize import clock_text
from vswin_cli.timeline.scores import ScoreTrack
from vswin_cli.timeline.selection import LabelView

__all__ = ["describe_near_miss"]


def describe_near_miss(track: ScoreTrack, options: SegmentOptions) -> str:
    """Describe the reported label that came nearest to its onset, with its score, time and onset.

    Raises:
        OptionError: an option names a label that the track does not have.
    """
    view = LabelView.of(track.labels, track.activation, options)
    columns = np.flatnonzero(view.reported)
    onsets = np.array([options.onset_of(view.names[i]) for i in columns], np.float32)
    best: tuple[float, float, int, int] | None = None
    for first, rows in track.chunks():
        cells = np.flatnonzero(track.valid[first : first + len(rows)])
        if not len(cells):
            continue
        scores = view.apply(rows[cells], columns)
        # Distance to the label's own onset, which the card may recommend for single labels.
        cell, column = divmod(int((scores - onsets).argmax()), len(columns))
        found = (
            float(scores[cell, column] - onsets[column]),
            float(scores[cell, column]),
            int(cells[cell]) + first,
            column,
        )
        best = found if best is None else max(best, found)
    if best is None:
        return "no segments: nothing could be analysed"
    distance, score, cell, column = best
    where = f"`{view.names[columns[column]]}` at {clock_text(track.cell_start_seconds(cell))}"
    if distance < 0:
        low, high = _apart(score, float(onsets[column]))
        return f"no segments: the best score is {low} for {where}, below its onset of {high}"
    return (
        f"no segments: {where} has a score of {score:.2f}, but smoothing, the minimum duration, "
        "margin or entropy removed it"
    )


def _apart(low: float, high: float) -> tuple[str, str]:
    """Format two different scores with as many decimals, from two up, as tell them apart."""
    digits = next((n for n in range(2, 7) if round(low, n) != round(high, n)), 7)
    return f"{low:.{digits}f}", f"{high:.{digits}f}"

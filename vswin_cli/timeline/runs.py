"""Pure functions from scores on cells to runs of cells, each with its guarantees.

A cell is one step of a regular axis without holes. A run is a half-open range of cells. No seconds,
label names or videos here.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Run",
    "drop_short",
    "hysteresis",
    "limit_labels",
    "merge_runs",
    "peaks_of",
    "runs_of",
    "smooth",
    "split_runs",
]

Run = tuple[int, int]
"""Half-open range of cells."""
Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]


def runs_of(flags: Flags) -> list[Run]:
    """List the maximal runs of true cells."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def smooth(scores: Floats, width: int) -> Floats:
    """Smooth scores (n,) or (n, L) by a centred raised-cosine average over `width` cells.

    The result has the same length and lies between the smallest and largest value; a constant is
    unchanged. At the ends the average is over the existing cells.
    """
    width = min(width | 1, 2 * len(scores) - 1)  # odd, so that it has a middle
    if width <= 1 or not len(scores):
        return scores
    weights = np.hanning(width + 2)[1:-1]  # without its zeros
    # Dividing by the weights that fell inside keeps the ends from sinking towards zero, which
    # would end every segment before the end of the video.
    total = np.convolve(np.ones(len(scores)), weights, mode="full")[width // 2 :][: len(scores)]
    columns = scores.reshape(len(scores), -1)
    out = np.empty(columns.shape, np.float32)
    for i in range(columns.shape[1]):
        summed = np.convolve(columns[:, i], weights, mode="full")[width // 2 :][: len(scores)]
        out[:, i] = summed / total
    return out.reshape(scores.shape)


def hysteresis(scores: Floats, onset: float, offset: float) -> list[Run]:
    """Find the maximal runs that stay at `offset` or above and reach `onset` somewhere.

    With a single threshold a score that fluctuates around it would give many short segments; a
    lower second one keeps a segment together. The runs are sorted and disjoint, no two touch, and
    a higher onset or offset never covers a cell that a lower one did not.
    """
    return [
        (start, stop)
        for start, stop in runs_of(scores >= offset)
        if scores[start:stop].max() >= onset
    ]


def peaks_of(scores: Floats, onset: float) -> list[Run]:
    """Find the peaks that reach `onset`, as runs of one cell; no two touch.

    A peak is higher than the cell before and at least as high as the one after, so that a plateau
    has one peak, its first cell.
    """
    # Infinite neighbours make the first and the last cell possible peaks, too.
    above = np.diff(scores, prepend=-np.inf) > 0
    holds = np.diff(scores, append=-np.inf) <= 0
    cells = np.flatnonzero(above & holds & (scores >= onset))
    return [(int(cell), int(cell) + 1) for cell in cells]


def split_runs(runs: Sequence[Run], breaks: Sequence[int]) -> list[Run]:
    """Divide runs at the breaks inside them; a break is the first cell of the part after it.

    Args:
        runs: sorted and disjoint.
        breaks: cells, rising.
    """
    # `bisect_right`, because a break at the first cell of a run does not divide it.
    pieces: list[Run] = []
    for start, stop in runs:
        inside = breaks[bisect_right(breaks, start) : bisect_left(breaks, stop)]
        pieces += pairwise([start, *inside, stop])
    return pieces


def merge_runs(runs: Sequence[Run], max_gap: int, breaks: Sequence[int] = ()) -> list[Run]:
    """Join neighbours that are at most `max_gap` cells apart, with no break between them.

    Covers every cell that was covered; two runs of the result are more than `max_gap` cells apart
    or have a break between them.
    """

    def is_divided(left: int, right: int) -> bool:
        # both ends count: a break at `right` begins the next run, one at `left` ended the last
        return bisect_left(breaks, left) < bisect_right(breaks, right)

    merged: list[Run] = []
    for start, stop in runs:
        is_near = bool(merged) and start - merged[-1][1] <= max_gap
        if is_near and not is_divided(merged[-1][1], start):
            merged[-1] = (merged[-1][0], max(merged[-1][1], stop))
        else:
            merged.append((start, stop))
    return merged


def drop_short(runs: Sequence[Run], min_length: int) -> list[Run]:
    """Keep the runs of at least `min_length` cells, unchanged."""
    return [(start, stop) for start, stop in runs if stop - start >= min_length]


def limit_labels(scores: Floats, active: Flags, max_labels: int, switch_cost: float) -> Flags:
    """Keep at most `max_labels` of the active labels in each cell.

    The assignment with the largest total score wins, where each change from one label to
    another costs `switch_cost`, so that two labels at nearly the same score do not alternate.
    It is found greedily: the best path over the active labels (Viterbi), then the best path over
    those that remain. A cell with no more than `max_labels` active ones keeps all.

    Args:
        scores: (n, L).
        active: (n, L).
        max_labels: at least 1.
        switch_cost: in score times cells.
    """
    kept = np.zeros_like(active)
    left = active.copy()
    for _ in range(max_labels):
        for start, stop in runs_of(left.any(axis=1)):
            best = _best_path(scores[start:stop], left[start:stop], switch_cost)
            kept[np.arange(start, stop), best] = True
        left &= ~kept
    return kept


def _best_path(scores: Floats, active: Flags, switch_cost: float) -> NDArray[np.intp]:
    """Choose one active label per cell (n,) with the largest total (Viterbi).

    Every cell must have an active label. Ties go to the lower index.
    """
    # Only labels active somewhere in the run are states, usually a few of hundreds.
    labels = np.flatnonzero(active.any(axis=0))
    if len(labels) == 1:
        return np.full(len(active), labels[0])
    gains = np.where(active[:, labels], scores[:, labels], -np.inf)  # (n, L')
    came_from = np.empty(gains.shape, np.int32)
    total = gains[0]
    stay = np.arange(len(labels))
    for cell in range(1, len(gains)):
        # All switches cost the same, so the best label before is the only one to come from: one
        # comparison per label instead of one per pair.
        best = int(total.argmax())
        changes = total[best] - switch_cost > total
        came_from[cell] = np.where(changes, best, stay)
        total = np.where(changes, total[best] - switch_cost, total) + gains[cell]
    path = np.empty(len(gains), np.intp)
    path[-1] = int(total.argmax())
    for cell in range(len(gains) - 1, 0, -1):
        path[cell - 1] = came_from[cell, path[cell]]
    return labels[path]

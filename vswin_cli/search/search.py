"""Search an index for the moments that are most like a query.

Up to a size, every window is compared with the query. In a larger index the features of clips are
compared first, and the query is then moved step by step over the steps near the best ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vswin_cli.search.moments import (
    Windows,
    best_of_several,
    box_means,
    cosines,
    unit_rows,
    windows_like,
)
from vswin_cli.search.query import Query
from vswin_cli.timeline.feature_files import FeatureFile

__all__ = ["EXACT_VALUES", "Match", "search"]

EXACT_VALUES = 1 << 26
"""Values of features, rows × C, up to which all windows are compared: a tenth of a second."""

_CANDIDATES_PER_MATCH = 20
_MIN_CANDIDATES = 200


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """A moment that is like the query."""

    file: FeatureFile
    """Features of its video."""
    start_seconds: float
    end_seconds: float
    """Exclusive."""
    similarity: float
    """Mean cosine of its time steps with those of the query, in [-1, 1]."""


def search(
    query: Query,
    files: Sequence[FeatureFile],
    *,
    top: int = 20,
    min_similarity: float = 0.0,
    exact_values: int = EXACT_VALUES,
) -> list[Match]:
    """Find the moments most similar to a query, best first; none overlaps another.

    Args:
        query: what to look for; a moment is about as long.
        files: the index.
        top: how many moments at most.
        min_similarity: what is less similar is left out.
        exact_values: size of the index up to which all windows are compared.
    """
    if sum(file.features.size for file in files) <= exact_values:
        ranges = [[(0, len(file.features))] for file in files]
    else:
        ranges = _near_best_clips(query, files, max(_MIN_CANDIDATES, _CANDIDATES_PER_MATCH * top))
    windows = [_compare(query, file, parts) for file, parts in zip(files, ranges, strict=True)]
    lengths = [len(file.features) for file in files]
    return [
        Match(
            file=files[number],
            start_seconds=float(files[number].start_seconds[first]),
            end_seconds=float(files[number].end_seconds[stop - 1]),
            similarity=min(similarity, 1.0),
        )
        for number, first, stop, similarity in best_of_several(
            windows, lengths, top, min_similarity
        )
    ]


def _compare(query: Query, file: FeatureFile, ranges: Sequence[tuple[int, int]]) -> Windows:
    """Compare the query with the windows in ranges of a file's rows."""
    step_seconds = float(np.median(file.end_seconds - file.start_seconds))
    units = query.with_step(step_seconds).units
    parts = []
    for first, stop in ranges:
        part = slice(first, stop)
        rows, starts, ends = file.features[part], file.start_seconds[part], file.end_seconds[part]
        parts.append(windows_like(units, rows, starts, ends).moved(first))
    return Windows.joined(parts)


def _near_best_clips(
    query: Query, files: Sequence[FeatureFile], count: int
) -> list[list[tuple[int, int]]]:
    """Return ranges of each file's rows around the clips most similar to the query's mean."""
    unit = unit_rows(query.units.mean(axis=0, keepdims=True))
    seconds = query.end_seconds - query.start_seconds
    windows = [_clip_windows(file, unit, seconds) for file in files]
    lengths = [len(file.clip_features) for file in files]
    chosen: list[list[int]] = [[] for _ in files]
    for number, first, _, _ in best_of_several(windows, lengths, count):
        chosen[number].append(first)
    return [_rows_around(file, clips, seconds) for file, clips in zip(files, chosen, strict=True)]


def _clip_windows(file: FeatureFile, unit: NDArray[np.float32], seconds: float) -> Windows:
    """Average the similarity of clips over as many as the query is long."""
    similarity = cosines(file.clip_features, unit)[:, 0]
    starts, ends = file.clip_start_seconds, file.clip_end_seconds
    if not len(starts):
        return Windows.joined([])
    stride = float(np.median(np.diff(starts))) if len(starts) > 1 else 1.0
    length = float(np.median(ends - starts))
    width = round(max(0.0, seconds - length) / max(stride, 1e-6)) + 1
    means = box_means(similarity, min(width, len(starts)))
    first = np.arange(len(means))
    return Windows(first, first + 1, means)


def _rows_around(file: FeatureFile, clips: Sequence[int], seconds: float) -> list[tuple[int, int]]:
    """Return the ranges of rows, disjoint and rising, that begin in a clip or next to it."""
    ranges: list[tuple[int, int]] = []
    for clip in sorted(clips):
        start, end = float(file.clip_start_seconds[clip]), float(file.clip_end_seconds[clip])
        margin = end - start
        first = int(np.searchsorted(file.end_seconds, start - margin, side="right"))
        stop = int(np.searchsorted(file.start_seconds, end + margin + seconds, side="left"))
        if ranges and first <= ranges[-1][1]:
            ranges[-1] = ranges[-1][0], max(stop, ranges[-1][1])
        else:
            ranges.append((first, stop))
    return ranges

"""Align two sets of labelled intervals in time: which labels hold in each, span by span.

Exact: time is cut where any interval begins or ends, so no frame rate is involved.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from vswin_cli.evaluation.intervals import AnnotatedVideo, Interval

__all__ = ["AlignedSpan", "align", "common_end", "merge_touching"]


@dataclass(frozen=True, slots=True)
class AlignedSpan:
    """An interval `[start_seconds, end_seconds)` over which no label begins or ends."""

    start_seconds: float
    end_seconds: float
    first: frozenset[str]
    """Labels that hold in the first set."""
    second: frozenset[str]
    """Labels that hold in the second."""

    @property
    def seconds(self) -> float:
        """Length."""
        return self.end_seconds - self.start_seconds

    @property
    def agrees(self) -> bool:
        """Whether both sets have the same labels here, or none."""
        return self.first == self.second


def align(
    first: Sequence[Interval],
    second: Sequence[Interval],
    end_seconds: float,
    *,
    excluded: Iterable[tuple[float, float]] = (),
) -> Iterator[AlignedSpan]:
    """Cut `[0, end_seconds)` where labels change, without the `excluded` parts.

    Neighbouring spans may hold the same labels.
    """
    limit = max(end_seconds, 0.0)
    changes: dict[float, list[tuple[int, str, int]]] = {0.0: [], limit: []}
    sides = [(first, 0), (second, 1)]
    spans = [
        (a.start_seconds, a.end_seconds, side, a.label)
        for intervals, side in sides
        for a in intervals
    ]
    spans += [(start, end, 2, "") for start, end in excluded]
    for start, end, side, label in spans:
        start, end = min(max(start, 0.0), limit), min(end, limit)
        if end > start:
            changes.setdefault(start, []).append((side, label, 1))
            changes.setdefault(end, []).append((side, label, -1))
    held: tuple[Counter[str], Counter[str], Counter[str]] = (Counter(), Counter(), Counter())
    times = sorted(changes)
    # A sweep over the sorted changes; counters, because intervals of one label may overlap.
    for time, following in pairwise(times):
        for side, label, step in changes[time]:
            held[side][label] += step
        if not any(held[2].values()):
            yield AlignedSpan(time, following, _present(held[0]), _present(held[1]))


def _present(held: Counter[str]) -> frozenset[str]:
    return frozenset(label for label, count in held.items() if count > 0)


def common_end(first: AnnotatedVideo, second: AnnotatedVideo) -> float:
    """Return the end of the time to compare.

    That is the longer of the known durations; without any, the end of the last interval.
    """
    known = [video.duration_seconds for video in (first, second) if video.duration_seconds]
    if known:
        return max(known)
    ends = (interval.end_seconds for video in (first, second) for interval in video.intervals)
    return max(ends, default=0.0)


def merge_touching(intervals: Iterable[Interval]) -> list[Interval]:
    """Merge intervals of one label that touch or overlap; sorted by start.

    A merged interval has the largest score of its parts.
    """
    by_label: dict[str, list[Interval]] = {}
    for interval in sorted(intervals, key=lambda interval: interval.start_seconds):
        group = by_label.setdefault(interval.label, [])
        if group and interval.start_seconds <= group[-1].end_seconds:
            last = group[-1]
            end = max(last.end_seconds, interval.end_seconds)
            group[-1] = Interval(last.start_seconds, end, interval.label, _larger(last, interval))
        else:
            group.append(interval)
    merged = [interval for group in by_label.values() for interval in group]
    return sorted(
        merged, key=lambda interval: (interval.start_seconds, interval.end_seconds, interval.label)
    )


def _larger(first: Interval, second: Interval) -> float | None:
    scores = [interval.score for interval in (first, second) if interval.score is not None]
    return max(scores, default=-math.inf) if scores else None

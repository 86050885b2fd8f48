"""Cut labelled intervals of one video into parts in which the labels do not change.

Intervals may overlap: `[0, 4) a` and `[3, 6) b` become `[0, 3) a`, `[3, 4) a b` and `[4, 6) b`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Span", "cut_spans", "unlabelled_spans"]

_SHORTEST_SECONDS = 0.1  # shorter parts come from boundaries that were meant to be the same


@dataclass(frozen=True, slots=True)
class Span:
    """A part `[start_seconds, end_seconds)` of a video with its labels, sorted."""

    start_seconds: float
    end_seconds: float
    labels: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """Length."""
        return self.end_seconds - self.start_seconds


def cut_spans(intervals: Iterable[tuple[float, float, str]]) -> list[Span]:
    """Cut (start, end, label) into spans, in the order of time; parts without labels are left out.

    An interval of no length, as of a cut between shots, has no part.
    """
    found = [(start, end, label) for start, end, label in intervals if end > start]
    edges = sorted({edge for start, end, _ in found for edge in (start, end)})
    found.sort()
    spans: list[Span] = []
    active: list[tuple[float, float, str]] = []
    position = 0
    for left, right in pairwise(edges):
        while position < len(found) and found[position][0] <= left:
            active.append(found[position])
            position += 1
        active = [each for each in active if each[1] > left]
        labels = tuple(sorted({label for _, _, label in active}))
        if labels and (right - left >= _SHORTEST_SECONDS or len(active) == 1):
            spans.append(Span(left, right, labels))
    return spans


def unlabelled_spans(
    labelled: Sequence[tuple[float, float]],
    end_seconds: float,
    *,
    margin_seconds: float,
    length_seconds: float,
) -> list[Span]:
    """Cut the rest of a video into background spans of about equal length.

    Args:
        labelled: (start, end) of what is labelled or not known.
        end_seconds: length of the video.
        margin_seconds: distance kept from labelled parts, whose edges are not exact.
        length_seconds: of a span; shorter rests are left out.
    """
    spans: list[Span] = []
    start = 0.0
    for left, right in [*sorted(labelled), (end_seconds + margin_seconds, end_seconds)]:
        stop = left - margin_seconds
        count = int((stop - start) / length_seconds)
        for i in range(count):
            step = (stop - start) / count
            spans.append(Span(start + i * step, start + (i + 1) * step, ()))
        start = max(start, right + margin_seconds)
    return spans

"""Cut overlapping segments into disjoint parts, for formats in which one thing shows at a time."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from vswin_cli.export.timecodes import milliseconds
from vswin_cli.timeline.segments import Segment

__all__ = ["disjoint_parts", "span"]


def span(segment: Segment) -> tuple[int, int]:
    """Return start and end in milliseconds, at least one apart.

    Both edges are rounded on their own, so that a segment that ends where the next begins still
    does so after rounding; a rounded length would leave gaps or overlaps of a millisecond.
    """
    start = milliseconds(segment.start_seconds)
    return start, max(start + 1, milliseconds(segment.end_seconds))


def disjoint_parts(
    segments: Sequence[Segment], text_of: Callable[[Segment], str], separator: str
) -> list[tuple[int, int, str]]:
    """Cut segments, sorted by start, into disjoint (start, end, text), in milliseconds.

    The texts of segments that hold at the same time are joined, each once. Neighbours with the
    same text become one part; time without a segment is in no part.
    """
    waiting = [(*span(segment), segment) for segment in segments]
    edges = sorted({edge for start, end, _ in waiting for edge in (start, end)})
    holding: list[tuple[int, int, Segment]] = []
    parts: list[tuple[int, int, str]] = []
    begun = 0
    # Between two neighbouring edges the set of segments does not change: one part each.
    for start, end in itertools.pairwise(edges):
        while begun < len(waiting) and waiting[begun][0] <= start:
            holding.append(waiting[begun])
            begun += 1
        holding = [item for item in holding if item[1] > start]
        text = separator.join(dict.fromkeys(text_of(segment) for _, _, segment in holding))
        if text and parts and parts[-1][1:] == (start, text):
            parts[-1] = (parts[-1][0], end, text)
        elif text:
            parts.append((start, end, text))
    return parts

"""Cut overlapping segments into disjoint parts, for formats in which one thing shows at a time."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from vswin_cli.export.timecodes import milliseconds
from vswin_cli.timeline.segments import Segment

__all__ = ["disjoint_parts", "span"]

_SHORTEST_MS = 400  # too short to be read

Part = tuple[int, int, tuple[str, ...]]
"""Start and end in milliseconds, texts that hold in between."""


def span(segment: Segment) -> tuple[int, int]:
    """Return start and end in milliseconds, at least one apart, as ELAN and players require.

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
    same text become one part; time without a segment is in no part. Where two segments overlap by
    less than 0.4 s, the second begins where the first ends: a part of its own would repeat both.
    """
    parts: list[Part] = []
    for part in _without_short_overlaps(_cut(segments, text_of)):
        if parts and parts[-1][1:] == (part[0], part[2]):
            parts[-1] = (parts[-1][0], *part[1:])
        else:
            parts.append(part)
    return [(start, end, separator.join(texts)) for start, end, texts in parts]


def _cut(segments: Sequence[Segment], text_of: Callable[[Segment], str]) -> list[Part]:
    """Cut at every edge of a segment; time without a segment is in no part."""
    waiting = [(*span(segment), text_of(segment)) for segment in segments]
    edges = sorted({edge for start, end, _ in waiting for edge in (start, end)})
    holding: list[tuple[int, int, str]] = []
    parts: list[Part] = []
    begun = 0
    # Between two neighbouring edges the set of segments does not change: one part each.
    for start, end in itertools.pairwise(edges):
        while begun < len(waiting) and waiting[begun][0] <= start:
            holding.append(waiting[begun])
            begun += 1
        holding = [item for item in holding if item[1] > start]
        texts = tuple(dict.fromkeys(text for _, _, text in holding if text))
        if texts:
            parts.append((start, end, texts))
    return parts


def _without_short_overlaps(parts: Sequence[Part]) -> list[Part]:
    """Give the time of a short part to the part before it, if its neighbours have all its texts."""
    kept: list[Part] = []
    for i, (start, end, texts) in enumerate(parts):
        after = parts[i + 1] if i + 1 < len(parts) else None
        if (
            end - start < _SHORTEST_MS
            and kept
            and after is not None
            and kept[-1][1] == start
            and after[0] == end
            and set(texts) == {*kept[-1][2], *after[2]}
        ):
            kept[-1] = (kept[-1][0], end, kept[-1][2])
        else:
            kept.append((start, end, texts))
    return kept

"""Leave segments out of finished timelines by their labels."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace

from vswin_cli.errors import SelectionError
from vswin_cli.timeline.record import Timeline
from vswin_cli.timeline.selection import match_labels

__all__ = ["with_labels"]


def with_labels(
    timelines: Sequence[Timeline], include: Sequence[str] = (), exclude: Sequence[str] = ()
) -> tuple[list[Timeline], list[str]]:
    """Keep the segments of some labels only; scores and boundaries stay as they are.

    Args:
        timelines: finished results.
        include: labels to keep, or patterns such as `pan-*`, ignoring case; empty for all.
        exclude: labels to leave out, likewise.

    Returns:
        The timelines, and the patterns that match no label in any of them.
    """
    models = [model for one in timelines for model in one.each_model()]
    known = sorted({segment.label for one in models for segment in one.segments})
    kept, unknown = _matched(include, known) if include else (set(known), [])
    left_out, unknown_too = _matched(exclude, known)
    kept -= left_out
    return [_with_labels(one, kept) for one in timelines], [*unknown, *unknown_too]


def _with_labels(timeline: Timeline, kept: Container[str]) -> Timeline:
    first, *others = [
        replace(one, segments=tuple(part for part in one.segments if part.label in kept))
        for one in timeline.each_model()
    ]
    return first.with_tracks(others)


def _matched(patterns: Sequence[str], known: Sequence[str]) -> tuple[set[str], list[str]]:
    """Return the labels that patterns match, and the patterns without one."""
    found: set[str] = set()
    without = []
    for pattern in patterns:
        try:
            found.update(known[i] for i in match_labels([pattern], known))
        except SelectionError:
            without.append(pattern)
    return found, without

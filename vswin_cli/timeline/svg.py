"""Draw timelines as SVG: a lane per label, for papers, slides and notebooks.

Times run from left to right over the whole video; what could not be decoded is grey. The colour of
a label is the same in every image and on the report's pages, and its name stands beside its lane.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from vswin_cli.storage.humanize import clock_text, counted
from vswin_cli.storage.plain_text import file_name, one_line, shortened
from vswin_cli.timeline.palette import label_colour
from vswin_cli.timeline.segments import Segment

if TYPE_CHECKING:
    from vswin_cli.timeline.record import Timeline

__all__ = ["Lane", "lanes_of", "ticks_of", "timeline_svg", "title_of", "whole_seconds"]

MARK = "<!-- written by vswin -->"
"""By which a file is recognised as ours."""

_WIDTH = 960
_MARGIN = 12
_LETTER, _WIDE_LETTER = 6.6, 12.0  # of 12 px, on average
_TITLE_HEIGHT, _LANE_HEIGHT, _BAR_HEIGHT, _AXIS_HEIGHT = 26, 22, 16, 30
_SUM_WIDTH = 70
_NARROWEST = 2.0  # of a bar, so that a cut is seen
_NEAREST, _WIDEST_JOINED = 0.5, 8.0  # of bars that are drawn as one
_MOST_TICKS = 8
_TICK_SECONDS = (
    0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400,
)  # fmt: skip
_DARK, _QUIET, _LINE, _GAP = "#222222", "#666666", "#dddddd", "#d0d0d0"


@dataclass(frozen=True, slots=True)
class Lane:
    """The segments of one label."""

    label: str
    """Name on one line, shortened."""
    colour: str
    """As `#rrggbb`."""
    seconds: float
    """In all."""
    segments: tuple[Segment, ...]


def lanes_of(timeline: Timeline) -> list[Lane]:
    """Group segments by label, the longest in all first, as `Timeline.summary` orders them."""
    by_label: dict[tuple[str, int | None], list[Segment]] = {}
    for one in timeline.segments:
        by_label.setdefault((one.label, one.class_id), []).append(one)
    lanes = []
    for row in timeline.summary:
        own = tuple(by_label[row.label, row.class_id])
        name = one_line(row.label) or "?"
        lanes.append(Lane(shortened(name), label_colour(row.label), row.seconds, own))
    return lanes


def title_of(timeline: Timeline) -> str:
    """Return the name of the video and of its models."""
    models = ", ".join(one_line(one.model.id) for one in timeline.each_model())
    return f"{file_name(timeline.video.uri)} – {models}"


def whole_seconds(timeline: Timeline) -> float:
    """Return the length of the time axis: to the end of the video or of the last segment; not 0."""
    ends = [one.end_seconds for model in timeline.each_model() for one in model.segments]
    return max(timeline.video.duration_seconds, *ends, 0.001)


def ticks_of(seconds: float) -> list[tuple[float, str]]:
    """Choose round times on an axis, at most nine, with their text."""
    fitting = (step for step in _TICK_SECONDS if seconds / step <= _MOST_TICKS)
    step = next(fitting, 0.0) or 3600 * 10 ** math.ceil(math.log10(seconds / 3600 / _MOST_TICKS))
    digits = 1 if step < 1 else 0
    times = (i * step for i in range(_MOST_TICKS + 1))
    return [(at, clock_text(at, digits)) for at in takewhile(lambda at: at <= seconds, times)]


def timeline_svg(timelines: Sequence[Timeline], *, max_lanes: int | None = None) -> str:
    """Draw timelines below each other, each with a title, a lane per label and a time axis.

    Args:
        timelines: of one video by several models, or of several videos.
        max_lanes: most lanes of a timeline, the longest labels first; all by default.
    """
    drawn = [lanes_of(one)[:max_lanes] for one in timelines]
    left = _MARGIN + max((_text_width(lane.label) for lanes in drawn for lane in lanes), default=0)
    parts: list[str] = []
    top = float(_MARGIN)
    for timeline, lanes in zip(timelines, drawn, strict=True):
        block, height = _block(timeline, lanes, left + 8)
        parts += [f'<g transform="translate(0 {top:g})">', *block, "</g>"]
        top += height
    height = top + _MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height:g}" '
            f'viewBox="0 0 {_WIDTH} {height:g}" font-family="sans-serif" font-size="12" '
            f'fill="{_DARK}" style="max-width:100%;height:auto">',
            MARK,
            f'<rect width="{_WIDTH}" height="{height:g}" fill="#ffffff"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _block(timeline: Timeline, lanes: Sequence[Lane], left: float) -> tuple[list[str], float]:
    """Draw one timeline; returns its elements and its height."""
    seconds = whole_seconds(timeline)
    scale = (_WIDTH - _MARGIN - _SUM_WIDTH - left) / seconds
    bottom = _TITLE_HEIGHT + _LANE_HEIGHT * max(1, len(lanes))
    parts = [_text(_MARGIN, 14, title_of(timeline), 'font-weight="bold"')]
    for gap in timeline.coverage.gaps:
        x, width = left + gap.start_seconds * scale, gap.end_seconds - gap.start_seconds
        box = (x, _TITLE_HEIGHT, width * scale, bottom - _TITLE_HEIGHT)
        parts.append(_bar(box, _GAP, "could not be decoded"))
    for at, text in ticks_of(seconds):
        x = left + at * scale
        parts.append(
            f'<path d="M{x:.1f} {_TITLE_HEIGHT}V{bottom + 4}" stroke="{_LINE}" fill="none"/>'
        )
        parts.append(_text(x, bottom + 17, text, f'text-anchor="middle" fill="{_QUIET}"'))
    for row, lane in enumerate(lanes):
        parts += _lane(lane, _TITLE_HEIGHT + row * _LANE_HEIGHT, left, scale)
    if not lanes:
        parts.append(_text(left, _TITLE_HEIGHT + 15, "no segments", f'fill="{_QUIET}"'))
    num_left_out = len(timeline.summary) - len(lanes)
    if num_left_out:
        rest = f"and {counted(num_left_out, 'label')} more"
        parts.append(_text(_MARGIN, bottom + 17, rest, f'fill="{_QUIET}"'))
    return parts, bottom + _AXIS_HEIGHT


def _lane(lane: Lane, top: float, left: float, scale: float) -> list[str]:
    """Draw the name, the segments and the sum of a label."""
    parts = [_text(left - 8, top + 15, lane.label, 'text-anchor="end"')]
    for group in _drawn_together(lane.segments, scale):
        start, end = group[0].start_seconds, group[-1].end_seconds
        width = max(_NARROWEST, (end - start) * scale)
        box = (left + start * scale, top + (_LANE_HEIGHT - _BAR_HEIGHT) / 2, width, _BAR_HEIGHT)
        span = f"{lane.label}, {clock_text(start, 1)} to {clock_text(end, 1)}"
        about = f"score {group[0].score:.2f}" if len(group) == 1 else f"{len(group)} segments"
        parts.append(_bar(box, lane.colour, f"{span}, {about}"))
    total = f"{lane.seconds:.1f} s"
    parts.append(_text(_WIDTH - _MARGIN, top + 15, total, f'text-anchor="end" fill="{_QUIET}"'))
    return parts


def _drawn_together(segments: Sequence[Segment], scale: float) -> list[list[Segment]]:
    """Join neighbours that are too narrow and too near each other to be told apart."""
    groups: list[list[Segment]] = []
    for one in segments:
        before = groups[-1] if groups else None
        if (
            before is not None
            and one.duration_seconds * scale < _NARROWEST
            and (one.start_seconds - before[-1].end_seconds) * scale < _NEAREST
            and (before[-1].end_seconds - before[0].start_seconds) * scale < _WIDEST_JOINED
        ):
            before.append(one)
        else:
            groups.append([one])
    return groups


def _bar(box: tuple[float, float, float, float], colour: str, title: str) -> str:
    x, y, width, height = box
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'fill="{colour}"><title>{escape(title)}</title></rect>'
    )


def _text(x: float, y: float, text: str, attributes: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {attributes}>{escape(text)}</text>'


def _text_width(text: str) -> float:
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return _LETTER * (len(text) - wide) + _WIDE_LETTER * wide

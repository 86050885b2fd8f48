"""Write subtitles: SubRip and WebVTT."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence

from vswin_cli.export.naming import caption
from vswin_cli.export.timecodes import clock, milliseconds
from vswin_cli.storage import json_records
from vswin_cli.timeline.record import Timeline
from vswin_cli.timeline.segments import Segment

__all__ = ["srt", "vtt", "vtt_metadata"]


def srt(timelines: Sequence[Timeline]) -> str:
    """Write SubRip: numbered from 1, hours always, comma; labels at the same time share a cue.

    Players show one SubRip cue at a time or pile them up unpredictably, so overlapping segments
    become consecutive cues with one line per label.
    """
    (timeline,) = timelines
    cues = [
        f"{number}\n{clock(start / 1000, ',')} --> {clock(end / 1000, ',')}\n{text}\n"
        for number, (start, end, text) in enumerate(_flat_cues(timeline.segments), 1)
    ]
    return "\n".join(cues)


def vtt(timelines: Sequence[Timeline]) -> str:
    """Write WebVTT: one cue per segment, which may overlap."""
    (timeline,) = timelines
    return _vtt(timeline, lambda segment: _escaped(caption(segment)))


def vtt_metadata(timelines: Sequence[Timeline]) -> str:
    """Write WebVTT for scripts: each cue holds its segment as JSON (`kind="metadata"`)."""
    (timeline,) = timelines
    return _vtt(timeline, lambda segment: _arrowless(json.dumps(json_records.to_json(segment))))


def _vtt(timeline: Timeline, text_of: Callable[[Segment], str]) -> str:
    cues = [
        f"{number}\n{clock(start / 1000)} --> {clock(end / 1000)}\n{text_of(segment)}\n"
        for number, segment in enumerate(timeline.segments, 1)
        for start, end in [_span(segment)]
    ]
    return "\n".join(["WEBVTT\n", *cues])


def _span(segment: Segment) -> tuple[int, int]:
    """Return start and end in milliseconds, at least one apart.

    Both edges are rounded on their own, so that a segment that ends where the next begins still
    does so after rounding; a rounded length would leave gaps or overlaps of a millisecond.
    """
    start = milliseconds(segment.start_seconds)
    return start, max(start + 1, milliseconds(segment.end_seconds))


def _flat_cues(segments: Sequence[Segment]) -> list[tuple[int, int, str]]:
    """Cut overlapping segments into disjoint (start, end, lines), in milliseconds.

    Neighbours with the same lines become one cue.
    """
    waiting = [(*_span(segment), segment) for segment in segments]  # sorted by start
    edges = sorted({edge for start, end, _ in waiting for edge in (start, end)})
    holding: list[tuple[int, int, Segment]] = []
    cues: list[tuple[int, int, str]] = []
    begun = 0
    # Between two neighbouring edges the set of segments does not change: one cue each.
    for start, end in itertools.pairwise(edges):
        while begun < len(waiting) and waiting[begun][0] <= start:
            holding.append(waiting[begun])
            begun += 1
        holding = [item for item in holding if item[1] > start]
        text = "\n".join(caption(segment).replace("-->", "->") for _, _, segment in holding)
        if text and cues and cues[-1][1:] == (start, text):
            cues[-1] = (cues[-1][0], end, text)
        elif text:
            cues.append((start, end, text))
    return cues


def _escaped(text: str) -> str:
    """Escape cue text: tags, entities, and `-->`, which would be parsed as a timing line."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _arrowless(text: str) -> str:
    """Escape `>` in JSON, so that no `-->` is parsed as a timing line."""
    return text.replace(">", "\\u003e")

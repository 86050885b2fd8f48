"""Write subtitles: SubRip and WebVTT."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from vswin_cli.export.disjoint import disjoint_parts, span
from vswin_cli.export.naming import caption
from vswin_cli.export.timecodes import clock
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
    parts = disjoint_parts(timeline.segments, _arrow_shortened, "\n")
    cues = [
        f"{number}\n{clock(start / 1000, ',')} --> {clock(end / 1000, ',')}\n{text}\n"
        for number, (start, end, text) in enumerate(parts, 1)
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
        for start, end in [span(segment)]
    ]
    return "\n".join(["WEBVTT\n", *cues])


def _arrow_shortened(segment: Segment) -> str:
    """Return the caption without `-->`, which would be parsed as a timing line."""
    return caption(segment).replace("-->", "->")


def _escaped(text: str) -> str:
    """Escape cue text: tags, entities, and `-->`, which would be parsed as a timing line."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _arrowless(text: str) -> str:
    """Escape `>` in JSON, so that no `-->` is parsed as a timing line."""
    return text.replace(">", "\\u003e")

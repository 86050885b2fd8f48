"""Write subtitles: SubRip and WebVTT."""

from __future__ import annotations

import json
from collections.abc import Sequence

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
    return "\n".join(_cues(disjoint_parts(timeline.segments, _arrow_shortened, "\n"), ","))


def vtt(timelines: Sequence[Timeline]) -> str:
    """Write WebVTT; labels at the same time share a cue, as in SubRip."""
    (timeline,) = timelines
    parts = disjoint_parts(timeline.segments, lambda one: _escaped(caption(one)), "\n")
    return "\n".join(["WEBVTT\n", *_cues(parts, ".")])


def vtt_metadata(timelines: Sequence[Timeline]) -> str:
    """Write WebVTT for scripts (`kind="metadata"`): a cue per segment, which it holds as JSON."""
    (timeline,) = timelines
    parts = [
        (*span(segment), _arrowless(json.dumps(json_records.to_json(segment))))
        for segment in timeline.segments
    ]
    return "\n".join(["WEBVTT\n", *_cues(parts, ".")])


def _cues(parts: Sequence[tuple[int, int, str]], point: str) -> list[str]:
    """Write a numbered cue for each start and end, in milliseconds, and text."""
    return [
        f"{number}\n{clock(start / 1000, point)} --> {clock(end / 1000, point)}\n{text}\n"
        for number, (start, end, text) in enumerate(parts, 1)
    ]


def _arrow_shortened(segment: Segment) -> str:
    """Return the caption without `-->`, which would be parsed as a timing line."""
    return caption(segment).replace("-->", "->")


def _escaped(text: str) -> str:
    """Escape cue text: tags, entities, and `-->`, which would be parsed as a timing line."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _arrowless(text: str) -> str:
    """Escape `>` in JSON, so that no `-->` is parsed as a timing line."""
    return text.replace(">", "\\u003e")

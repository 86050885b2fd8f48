"""Subtitles: SubRip and WebVTT."""

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
    """SubRip: numbered from 1, hours always, comma; labels at the same time share a cue.

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
    """WebVTT: one cue per segment, which may overlap."""
    (timeline,) = timelines
    return _vtt(timeline, lambda one: _escaped(caption(one)))


def vtt_metadata(timelines: Sequence[Timeline]) -> str:
    """WebVTT for scripts: each cue holds its segment as JSON (`kind="metadata"`)."""
    (timeline,) = timelines
    return _vtt(timeline, lambda one: _arrowless(json.dumps(json_records.to_json(one))))


def _vtt(timeline: Timeline, text_of: Callable[[Segment], str]) -> str:
    cues = [
        f"{number}\n{clock(start / 1000)} --> {clock(end / 1000)}\n{text_of(one)}\n"
        for number, one in enumerate(timeline.segments, 1)
        for start, end in [_span(one)]
    ]
    return "\n".join(["WEBVTT\n", *cues])


def _span(segment: Segment) -> tuple[int, int]:
    """Milliseconds, at least one."""
    start = milliseconds(segment.start_seconds)
    return start, max(start + 1, milliseconds(segment.end_seconds))


def _flat_cues(segments: Sequence[Segment]) -> list[tuple[int, int, str]]:
    """Disjoint (start, end, lines) in milliseconds; equal neighbours are one."""
    waiting = [(*_span(one), one) for one in segments]  # sorted by start
    edges = sorted({edge for start, end, _ in waiting for edge in (start, end)})
    holding: list[tuple[int, int, Segment]] = []
    cues: list[tuple[int, int, str]] = []
    begun = 0
    for start, end in itertools.pairwise(edges):
        while begun < len(waiting) and waiting[begun][0] <= start:
            holding.append(waiting[begun])
            begun += 1
        holding = [item for item in holding if item[1] > start]
        text = "\n".join(caption(one).replace("-->", "->") for _, _, one in holding)
        if text and cues and cues[-1][1:] == (start, text):
            cues[-1] = (cues[-1][0], end, text)
        elif text:
            cues.append((start, end, text))
    return cues


def _escaped(text: str) -> str:
    """Cue text: no tags, no entities, and with them no arrow that would read as a timing line."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _arrowless(text: str) -> str:
    """JSON that says the same without the arrow."""
    return text.replace(">", "\\u003e")

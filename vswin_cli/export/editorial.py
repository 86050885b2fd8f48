"""Write formats of editing programs: CMX3600 EDL, OpenTimelineIO and FCPXML.

EDL and FCPXML count frames of one constant rate. A video whose rate varies is counted by time at
the nearest standard rate, as an editing program conforms it.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from fractions import Fraction

from vswin_cli.export.naming import caption, colour_index, media_url, one_line, video_name
from vswin_cli.export.timecodes import EditRate, drop_rate, edit_rate, frame_range, timecode
from vswin_cli.storage.json_records import JsonValue, json_text
from vswin_cli.timeline.record import Timeline
from vswin_cli.timeline.segments import Segment

__all__ = ["edl", "edl_drop", "fcpxml", "otio"]

_EDL_COLOURS = ("RED", "GREEN", "BLUE", "CYAN", "MAGENTA", "YELLOW", "WHITE")
_OTIO_COLOURS = ("PINK", "RED", "ORANGE", "YELLOW", "GREEN", "CYAN", "BLUE", "PURPLE", "MAGENTA")


def edl(timelines: Sequence[Timeline]) -> str:
    """Write a CMX3600 EDL, non-drop-frame: per segment an event at its place and a locator."""
    (timeline,) = timelines
    return _edl(timeline, edit_rate(timeline), drop=False)


def edl_drop(timelines: Sequence[Timeline]) -> str:
    """Write a CMX3600 EDL in drop-frame timecode, which keeps real time at 29.97 and 59.94.

    Raises:
        OptionError: the video has another rate, at which nothing is dropped.
    """
    (timeline,) = timelines
    return _edl(timeline, drop_rate(timeline), drop=True)


def _edl(timeline: Timeline, rate: EditRate, *, drop: bool) -> str:
    name = video_name(timeline)
    lines = [f"TITLE: {name[:70]}", f"FCM: {'DROP FRAME' if drop else 'NON-DROP FRAME'}", ""]
    spans = [frame_range(one, rate) for one in timeline.segments]
    events = zip(timeline.segments, spans, _lanes(spans), strict=True)
    for number, (one, (start, end), lane) in enumerate(events, 1):
        first, last = timecode(start, rate, drop=drop), timecode(end, rate, drop=drop)
        track = "V" if lane == 0 else f"V{lane + 1}"
        colour = _EDL_COLOURS[colour_index(one.label, len(_EDL_COLOURS))]
        lines += [
            f"{number:03d}  AX       {track:<5} C        {first} {last} {first} {last}",
            f"* FROM CLIP NAME: {name}",
            f"* LOC: {first} {colour:<7} {caption(one)}",
        ]
    return "\n".join(lines) + "\n"


def _lanes(spans: Sequence[tuple[int, int]]) -> list[int]:
    """Give each span the lowest track that is free; spans come sorted by start.

    Events of an EDL on one track must not overlap, segments of different labels may.
    """
    ends: list[int] = []
    lanes = []
    for start, end in spans:
        lane = next((i for i, until in enumerate(ends) if until <= start), len(ends))
        ends[lane : lane + 1] = [end]
        lanes.append(lane)
    return lanes


def otio(timelines: Sequence[Timeline]) -> str:
    """Write OpenTimelineIO: the whole video as one clip, a marker with duration per segment.

    Written with the schema versions of 2020 (Clip.1, Marker.2), which later readers upgrade.
    Times are frames where the rate is constant, else milliseconds, which no rate distorts.
    """
    (timeline,) = timelines
    constant = timeline.video.constant_frame_rate
    rate = EditRate(constant or Fraction(1000), exact=constant is not None)
    name = video_name(timeline)
    last = frame_range(_whole(timeline), rate)[1]
    clip = {
        "OTIO_SCHEMA": "Clip.1",
        "name": name,
        "source_range": _time_range(0, last, rate),
        "media_reference": {
            "OTIO_SCHEMA": "ExternalReference.1",
            "target_url": media_url(timeline.video.uri),
            "available_range": _time_range(0, last, rate),
            "metadata": {},
        },
        "effects": [],
        "markers": [_otio_marker(one, rate) for one in timeline.segments],
        "metadata": {"vswin": {"model": timeline.model.id, "status": timeline.status}},
    }
    document = {
        "OTIO_SCHEMA": "Timeline.1",
        "name": name,
        "global_start_time": None,
        "tracks": {
            "OTIO_SCHEMA": "Stack.1",
            "name": "tracks",
            "children": [
                {"OTIO_SCHEMA": "Track.1", "name": "V1", "kind": "Video", "children": [clip]}
            ],
        },
        "metadata": {},
    }
    return json_text(document, indent=1) + "\n"


def _otio_marker(one: Segment, rate: EditRate) -> dict[str, JsonValue]:
    start, end = frame_range(one, rate)
    return {
        "OTIO_SCHEMA": "Marker.2",
        "name": caption(one),
        "color": _OTIO_COLOURS[colour_index(one.label, len(_OTIO_COLOURS))],
        "marked_range": _time_range(start, end, rate),
        "metadata": {
            "vswin": {
                "label": one.label,
                "class_id": one.class_id,
                "score": round(one.score, 4),
                "start": one.start_seconds,
                "end": one.end_seconds,
            }
        },
    }


def _time_range(start: int, end: int, rate: EditRate) -> dict[str, JsonValue]:
    per_second = float(rate.frames_per_second)
    return {
        "OTIO_SCHEMA": "TimeRange.1",
        "start_time": {"OTIO_SCHEMA": "RationalTime.1", "rate": per_second, "value": float(start)},
        "duration": {
            "OTIO_SCHEMA": "RationalTime.1",
            "rate": per_second,
            "value": float(end - start),
        },
    }


def fcpxml(timelines: Sequence[Timeline]) -> str:
    """Write FCPXML 1.10: a project with the whole video and a marker with duration per segment."""
    (timeline,) = timelines
    rate = edit_rate(timeline)
    name = video_name(timeline)
    whole = _rational(frame_range(_whole(timeline), rate)[1], rate)
    root = ET.Element("fcpxml", version="1.10")
    resources = ET.SubElement(root, "resources")
    ET.SubElement(
        resources, "format", {"id": "r1", "frameDuration": _rational(1, rate), **_size(timeline)}
    )
    asset = ET.SubElement(
        resources, "asset", id="r2", name=name, start="0s", duration=whole, hasVideo="1"
    )
    asset.set("format", "r1")
    ET.SubElement(asset, "media-rep", kind="original-media", src=media_url(timeline.video.uri))
    event = ET.SubElement(ET.SubElement(root, "library"), "event", name="vswin")
    sequence = ET.SubElement(
        ET.SubElement(event, "project", name=name),
        "sequence",
        format="r1",
        duration=whole,
        tcStart="0s",
        tcFormat="NDF",
    )
    clip = ET.SubElement(
        ET.SubElement(sequence, "spine"),
        "asset-clip",
        ref="r2",
        offset="0s",
        name=name,
        start="0s",
        duration=whole,
    )
    for one in timeline.segments:
        start, end = frame_range(one, rate)
        ET.SubElement(
            clip,
            "marker",
            start=_rational(start, rate),
            duration=_rational(end - start, rate),
            value=caption(one),
            note=f"score {one.score:.4f}, from {one_line(timeline.model.id)}",
        )
    ET.indent(root, " ")
    body = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n{body}\n'


def _rational(frames: int, rate: EditRate) -> str:
    """Write frames as FCPXML's rational seconds, in units of the frame duration.

    Decimal seconds would fall between frames at 29.97, and Final Cut Pro refuses such edits.
    """
    seconds = frames / rate.frames_per_second
    if seconds.denominator == 1:
        return f"{seconds.numerator}s"
    return f"{frames * rate.frames_per_second.denominator}/{rate.frames_per_second.numerator}s"


def _size(timeline: Timeline) -> dict[str, str]:
    """Return width and height after rotation, as far as known."""
    video = timeline.video
    sides = (video.width, video.height)
    width, height = reversed(sides) if video.rotation % 180 == 90 else sides
    return {key: str(side) for key, side in (("width", width), ("height", height)) if side}


def _whole(timeline: Timeline) -> Segment:
    """Return the whole video as a segment; never shorter than a segment in it."""
    end = max([timeline.video.duration_seconds, *(one.end_seconds for one in timeline.segments)])
    return Segment(0.0, end, one_line(timeline.video.uri), None, 0.0, 0.0, 0.0)

"""Write formats of editing programs: CMX3600 EDL, OpenTimelineIO and FCPXML.

EDL and FCPXML count frames of one constant rate. A video whose rate varies is counted by time at
the nearest standard rate, as an editing program conforms it.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from fractions import Fraction

from vswin_cli.errors import OptionError
from vswin_cli.export.naming import (
    caption,
    colour_index,
    media_url,
    one_line,
    video_name,
)
from vswin_cli.export.timecodes import (
    EditRate,
    drop_rate,
    edit_rate,
    frame_range,
    frames_per_day,
    start_frame,
    starts_in_drop_frame,
    timecode,
)
from vswin_cli.storage.json_records import JsonValue, clean_json
from vswin_cli.timeline.record import Timeline
from vswin_cli.timeline.segments import Segment

__all__ = ["edl", "edl_drop", "edl_drop_rate", "edl_rate", "fcpxml", "otio"]

_EDL_COLOURS = ("RED", "GREEN", "BLUE", "CYAN", "MAGENTA", "YELLOW", "WHITE")
_OTIO_COLOURS = ("PINK", "RED", "ORANGE", "YELLOW", "GREEN", "CYAN", "BLUE", "PURPLE", "MAGENTA")


def edl(timelines: Sequence[Timeline]) -> str:
    """Write a CMX3600 EDL: per segment an event at its place and a locator.

    Timecode is that of the video, non-drop-frame if it has none.

    Raises:
        OptionError: see `edl_rate`.
    """
    (timeline,) = timelines
    rate = edl_rate(timeline)
    return _edl(timeline, rate, drop=starts_in_drop_frame(timeline, rate))


def edl_drop(timelines: Sequence[Timeline]) -> str:
    """Write a CMX3600 EDL in drop-frame timecode, which keeps real time at 29.97 and 59.94.

    Raises:
        OptionError: see `edl_drop_rate`.
    """
    (timeline,) = timelines
    return _edl(timeline, edl_drop_rate(timeline), drop=True)


def edl_rate(timeline: Timeline) -> EditRate:
    """Return the rate of an EDL.

    Raises:
        OptionError: the video has no rate, or a segment ends past 24 hours of timecode.
    """
    rate = edit_rate(timeline)
    return _within_a_day(timeline, rate, drop=starts_in_drop_frame(timeline, rate))


def edl_drop_rate(timeline: Timeline) -> EditRate:
    """Return the rate of an EDL in drop-frame timecode.

    Raises:
        OptionError: the video has another rate, at which nothing is dropped, or none, or a segment
            ends past 24 hours of timecode.
    """
    return _within_a_day(timeline, drop_rate(timeline), drop=True)


def _within_a_day(timeline: Timeline, rate: EditRate, *, drop: bool) -> EditRate:
    """Reject times beyond 24 hours of timecode, which would restart at 00:00:00:00."""
    offset = start_frame(timeline, rate)
    last = max([0, *(frame_range(segment, rate)[1] for segment in timeline.segments)])
    if offset + last >= frames_per_day(rate, drop=drop):
        start = timeline.video.start_timecode
        raise OptionError(
            f"timecode ends at 24 hours, and segments of {timeline.video.uri} go on to "
            f"{float(last / rate.frames_per_second) / 3600:.1f} hours"
            f"{f' after its start at {start}' if start else ''}",
            hint="choose a format with times, such as csv, otio or fcpxml"
            f"{', or give --timecode-start 00:00:00:00' if start else ''}",
        )
    return rate


def _edl(timeline: Timeline, rate: EditRate, *, drop: bool) -> str:
    name = video_name(timeline)
    lines = [f"TITLE: {name[:70]}", f"FCM: {'DROP FRAME' if drop else 'NON-DROP FRAME'}", ""]
    offset = start_frame(timeline, rate)
    spans = [_moved(frame_range(segment, rate), offset) for segment in timeline.segments]
    events = zip(timeline.segments, spans, _lanes(spans), strict=True)
    for number, (segment, (start, end), lane) in enumerate(events, 1):
        first, last = timecode(start, rate, drop=drop), timecode(end, rate, drop=drop)
        # CMX3600 has a single video track, `V`; further ones are an extension.
        track = "V" if lane == 0 else f"V{lane + 1}"
        colour = _EDL_COLOURS[colour_index(segment.label, len(_EDL_COLOURS))]
        lines += [
            f"{number:03d}  AX       {track:<5} C        {first} {last} {first} {last}",
            f"* FROM CLIP NAME: {name}",
            f"* LOC: {first} {colour:<7} {caption(segment)}",
        ]
    return "\n".join(lines) + "\n"


def _moved(span: tuple[int, int], offset: int) -> tuple[int, int]:
    return span[0] + offset, span[1] + offset


def _lanes(spans: Sequence[tuple[int, int]]) -> list[int]:
    """Assign each span the lowest free track; spans are sorted by start.

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

    With several models, a track for each, which has its name and a clip of the whole video.
    Written with the schema versions of 2020 (Clip.1, Marker.2), which later readers upgrade.
    Times are frames where the rate is constant, else milliseconds, which no rate distorts. They
    count from the start timecode of the video, if it has one.
    """
    (timeline,) = timelines
    constant = timeline.video.constant_frame_rate
    rate = EditRate(constant or Fraction(1000), exact=constant is not None)
    name = video_name(timeline)
    offset = _otio_offset(timeline, rate)
    whole = _time_range(offset, offset + frame_range(_whole(timeline), rate)[1], rate)
    tracks = [
        {
            "OTIO_SCHEMA": "Track.1",
            "name": one_line(one.model.id) if timeline.tracks else "V1",
            "kind": "Video",
            "children": [_otio_clip(one, whole, rate, offset)],
        }
        for one in timeline.each_model()
    ]
    document = {
        "OTIO_SCHEMA": "Timeline.1",
        "name": name,
        "global_start_time": whole["start_time"] if offset else None,
        "tracks": {
            "OTIO_SCHEMA": "Stack.1",
            "name": "tracks",
            "children": tracks,
        },
        "metadata": {},
    }
    return clean_json(document, indent=1) + "\n"


def _otio_clip(
    timeline: Timeline, whole: dict[str, JsonValue], rate: EditRate, offset: int
) -> dict[str, JsonValue]:
    """Return the whole video as a clip, with the markers of one model."""
    return {
        "OTIO_SCHEMA": "Clip.1",
        "name": video_name(timeline),
        "source_range": whole,
        "media_reference": {
            "OTIO_SCHEMA": "ExternalReference.1",
            "target_url": media_url(timeline.video.uri),
            "available_range": whole,
            "metadata": {},
        },
        "effects": [],
        "markers": [_otio_marker(segment, rate, offset) for segment in timeline.segments],
        "metadata": {"vswin": {"model": timeline.model.id, "status": timeline.status}},
    }


def _otio_offset(timeline: Timeline, rate: EditRate) -> int:
    """Return the start timecode in units of the rate, which are frames or milliseconds."""
    if timeline.video.start_timecode is None:
        return 0
    counted = edit_rate(timeline) if timeline.video.constant_frame_rate is None else rate
    frames = start_frame(timeline, counted)
    return round(frames / counted.frames_per_second * rate.frames_per_second)


def _otio_marker(segment: Segment, rate: EditRate, offset: int) -> dict[str, JsonValue]:
    start, end = _moved(frame_range(segment, rate), offset)
    return {
        "OTIO_SCHEMA": "Marker.2",
        "name": caption(segment),
        "color": _OTIO_COLOURS[colour_index(segment.label, len(_OTIO_COLOURS))],
        "marked_range": _time_range(start, end, rate),
        "metadata": {
            "vswin": {
                "label": segment.label,
                "class_id": segment.class_id,
                "score": round(segment.score, 4),
                "start": segment.start_seconds,
                "end": segment.end_seconds,
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
    """Write FCPXML 1.10: a project with the whole video and a marker with duration per segment.

    Times count from the start timecode of the video, if it has one.
    """
    (timeline,) = timelines
    rate = edit_rate(timeline)
    name = video_name(timeline)
    whole = _rational(frame_range(_whole(timeline), rate)[1], rate)
    offset = start_frame(timeline, rate)
    begin = _rational(offset, rate)
    root = ET.Element("fcpxml", version="1.10")
    resources = ET.SubElement(root, "resources")
    _add_resources(resources, timeline, rate, start=begin, duration=whole)
    event = ET.SubElement(ET.SubElement(root, "library"), "event", name="vswin")
    sequence = ET.SubElement(
        ET.SubElement(event, "project", name=name),
        "sequence",
        format="r1",
        duration=whole,
        tcStart=begin,
        tcFormat="DF" if starts_in_drop_frame(timeline, rate) else "NDF",
    )
    clip = ET.SubElement(
        ET.SubElement(sequence, "spine"),
        "asset-clip",
        ref="r2",
        offset=begin,
        name=name,
        start=begin,
        duration=whole,
    )
    for segment in timeline.segments:
        start, end = _moved(frame_range(segment, rate), offset)
        ET.SubElement(
            clip,
            "marker",
            start=_rational(start, rate),
            duration=_rational(end - start, rate),
            value=caption(segment),
            note=f"score {segment.score:.4f}, from {one_line(timeline.model.id)}",
        )
    ET.indent(root, " ")
    body = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n{body}\n'


def _add_resources(
    resources: ET.Element, timeline: Timeline, rate: EditRate, *, start: str, duration: str
) -> None:
    """Add the frame format `r1`, and the video as asset `r2`."""
    frame = {"id": "r1", "frameDuration": _rational(1, rate), **_size(timeline)}
    ET.SubElement(resources, "format", frame)
    asset = {"id": "r2", "name": video_name(timeline), "start": start, "duration": duration}
    media = ET.SubElement(resources, "asset", {**asset, "hasVideo": "1", "format": "r1"})
    ET.SubElement(media, "media-rep", kind="original-media", src=media_url(timeline.video.uri))


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
    end = max(
        [timeline.video.duration_seconds, *(segment.end_seconds for segment in timeline.segments)]
    )
    return Segment(0.0, end, one_line(timeline.video.uri), None, 0.0, 0.0, 0.0)

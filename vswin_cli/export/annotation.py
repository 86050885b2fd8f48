"""Write formats of annotation tools: ActivityNet, Label Studio, FiftyOne, ELAN, Audacity."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence

from vswin_cli.export.disjoint import span
from vswin_cli.export.naming import caption, media_url, one_line, video_ids, video_name
from vswin_cli.export.timecodes import EditRate, frame_range, own_rate
from vswin_cli.storage.json_records import JsonValue, clean_json
from vswin_cli.timeline.record import Timeline
from vswin_cli.timeline.segments import Segment

__all__ = ["activitynet", "activitynet_ids", "audacity", "elan", "fiftyone", "label_studio"]


def activitynet(timelines: Sequence[Timeline]) -> str:
    """Write detection results as ActivityNet's evaluation script reads them.

    A video's id is its file name without suffix and without the `v_` of the data set's files.
    """
    results = {
        name: [
            {
                "label": segment.label,
                "score": round(segment.score, 4),
                "segment": [segment.start_seconds, segment.end_seconds],
            }
            for segment in timeline.segments
        ]
        for name, timeline in zip(activitynet_ids(_uris(timelines)), timelines, strict=True)
    }
    return _json({"version": "VERSION 1.3", "results": results, "external_data": {}})


def activitynet_ids(uris: Sequence[str]) -> list[str]:
    """Return the ids of videos in ActivityNet's results.

    Raises:
        OptionError: two videos would have the same id.
    """
    return video_ids(uris, prefix="v_")


def fiftyone(timelines: Sequence[Timeline]) -> str:
    """Write `labels.json` of a FiftyOneTemporalDetectionDataset.

    Times are seconds; FiftyOne computes frame numbers itself from the video.
    """
    labels = {
        name: [
            {
                "label": segment.label,
                "timestamps": [segment.start_seconds, segment.end_seconds],
                "confidence": round(segment.score, 4),
            }
            for segment in timeline.segments
        ]
        for name, timeline in zip(video_ids(_uris(timelines)), timelines, strict=True)
    }
    return _json({"classes": None, "labels": labels})


def _uris(timelines: Sequence[Timeline]) -> list[str]:
    return [timeline.video.uri for timeline in timelines]


def label_studio(timelines: Sequence[Timeline]) -> str:
    """Write Label Studio tasks with a prediction per model for a `TimelineLabels` control.

    Frames count from 1 and ranges include both ends. The control is expected to be named
    `videoLabels` and the video `video`, as in Label Studio's own template. Label Studio counts 24
    frames per second unless told otherwise: `<Video ... frameRate="$fps"/>` takes the rate of each
    task.
    """
    return _json([_label_studio_task(timeline) for timeline in timelines])


def _label_studio_task(timeline: Timeline) -> dict[str, JsonValue]:
    rate = own_rate(timeline)
    data = {"video": timeline.video.uri, "fps": round(float(rate.frames_per_second), 6)}
    models = timeline.each_model()
    return {"data": data, "predictions": [_label_studio_prediction(one, rate) for one in models]}


def _label_studio_prediction(timeline: Timeline, rate: EditRate) -> dict[str, JsonValue]:
    scores = [segment.score for segment in timeline.segments]
    return {
        "model_version": f"vswin {timeline.tool.version} {timeline.model.id}",
        "score": round(sum(scores) / len(scores), 4) if scores else 0.0,
        "result": [
            _label_studio_region(i, segment, rate) for i, segment in enumerate(timeline.segments)
        ],
    }


def _label_studio_region(number: int, segment: Segment, rate: EditRate) -> dict[str, JsonValue]:
    start, end = frame_range(segment, rate)
    return {
        "id": f"segment-{number}",
        "type": "timelinelabels",
        "from_name": "videoLabels",
        "to_name": "video",
        "score": round(segment.score, 4),
        "value": {
            "ranges": [{"start": start + 1, "end": end}],
            "timelinelabels": [one_line(segment.label)],
        },
    }


def elan(timelines: Sequence[Timeline]) -> str:
    """Write ELAN (EAF 3.0): a tier per label, times in milliseconds.

    With several models, tiers are named `MODEL: LABEL`.
    """
    (timeline,) = timelines
    root = ET.Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": "vswin",
            "DATE": timeline.created.replace("Z", "+00:00"),
            "FORMAT": "3.0",
            "VERSION": "3.0",
            "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
            "xsi:noNamespaceSchemaLocation": "http://www.mpi.nl/tools/elan/EAFv3.0.xsd",
        },
    )
    header = ET.SubElement(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    ET.SubElement(
        header,
        "MEDIA_DESCRIPTOR",
        MEDIA_URL=media_url(timeline.video.uri),
        MIME_TYPE=_mime_type(timeline.video.container),
        RELATIVE_MEDIA_URL=f"./{video_name(timeline)}",
    )
    named = [
        (_tier_name(timeline, one, part), part)
        for one in timeline.each_model()
        for part in one.segments
    ]
    slots = _time_slots(root, [part for _, part in named])
    _tiers(root, named, slots)
    ET.SubElement(
        root,
        "LINGUISTIC_TYPE",
        GRAPHIC_REFERENCES="false",
        LINGUISTIC_TYPE_ID="default-lt",
        TIME_ALIGNABLE="true",
    )
    ET.indent(root, " ")
    body = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _time_slots(root: ET.Element, segments: Sequence[Segment]) -> dict[int, str]:
    """Write the document's time slots and return their ids by millisecond."""
    times = sorted({edge for segment in segments for edge in span(segment)})
    order = ET.SubElement(root, "TIME_ORDER")
    slots = {time: f"ts{number}" for number, time in enumerate(times, 1)}
    for time, name in slots.items():
        ET.SubElement(order, "TIME_SLOT", TIME_SLOT_ID=name, TIME_VALUE=str(time))
    return slots


def _tier_name(timeline: Timeline, of_model: Timeline, segment: Segment) -> str:
    name = f"{of_model.model.id}: {segment.label}" if timeline.tracks else segment.label
    return one_line(name)


def _tiers(root: ET.Element, named: Sequence[tuple[str, Segment]], slots: dict[int, str]) -> None:
    tiers: dict[str, ET.Element] = {}
    for number, (name, segment) in enumerate(named, 1):
        if name not in tiers:
            tiers[name] = ET.SubElement(
                root, "TIER", LINGUISTIC_TYPE_REF="default-lt", TIER_ID=name
            )
        start, end = span(segment)
        annotation = ET.SubElement(
            ET.SubElement(tiers[name], "ANNOTATION"),
            "ALIGNABLE_ANNOTATION",
            ANNOTATION_ID=f"a{number}",
            TIME_SLOT_REF1=slots[start],
            TIME_SLOT_REF2=slots[end],
        )
        ET.SubElement(annotation, "ANNOTATION_VALUE").text = caption(segment)


def _mime_type(container: str | None) -> str:
    """Return the MIME type by which ELAN chooses a player; for others it uses the suffix."""
    names = (container or "").split(",")
    if "mp4" in names or "mov" in names:
        return "video/mp4" if "mp4" in names else "video/quicktime"
    return "video/mpeg" if "mpeg" in names else "unknown"


def audacity(timelines: Sequence[Timeline]) -> str:
    """Write Audacity's label track: start, end and text, separated by tabs."""
    (timeline,) = timelines
    return "".join(
        f"{segment.start_seconds:.6f}\t{segment.end_seconds:.6f}\t{caption(segment)}\n"
        for segment in timeline.segments
    )


def _json(document: JsonValue) -> str:
    return clean_json(document, indent=1) + "\n"

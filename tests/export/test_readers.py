"""Every format read back by a program that we did not write, where there is one.

The readers come with the `dev` extra; without one of them its test is skipped.
"""

import io
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from tests.support.timelines import segment, timeline
from vswin_cli.errors import OptionError
from vswin_cli.export import write_timelines
from vswin_cli.export.timecodes import EditRate, edit_rate, frame_range, timecode
from vswin_cli.timeline.record import VideoRecord

NTSC = EditRate(Fraction(30000, 1001), exact=True)


def written(fmt, *timelines):
    text = io.StringIO()
    write_timelines(timelines or [timeline()], fmt, text)
    return text.getvalue()


def demuxed(text, name):
    """(start ms, duration ms, text) of each packet as FFmpeg's demuxer sees it."""
    with av.open(io.BytesIO(text.encode()), format=name) as container:
        stream = container.streams.subtitles[0]
        return [
            (
                int(packet.pts * stream.time_base * 1000),
                int(packet.duration * stream.time_base * 1000),
                bytes(packet).decode().strip(),
            )
            for packet in container.demux(stream)
            if packet.size
        ]


def test_srt_parses_and_joins_labels_that_hold_together():
    srt = pytest.importorskip("srt")
    cues = list(srt.parse(written("srt")))
    assert [cue.index for cue in cues] == [1, 2, 3, 4]
    assert [(cue.start.total_seconds(), cue.end.total_seconds()) for cue in cues] == [
        (1.0, 3.0), (3.0, 3.5), (3.5, 5.0), (3600.0, 3661.033),
    ]  # fmt: skip
    assert cues[1].content == "archery 0.83\narm -> wrestling & <fun> 0.83"


def test_srt_is_what_ffmpeg_demuxes():
    packets = demuxed(written("srt"), "srt")
    assert [(start, length) for start, length, _ in packets] == [
        (1000, 2000), (3000, 500), (3500, 1500), (3600000, 61033),
    ]  # fmt: skip
    assert packets[3][2] == "schöne Grüße 0.83"


def test_vtt_parses_and_joins_labels_that_hold_together():
    webvtt = pytest.importorskip("webvtt")
    cues = list(webvtt.from_string(written("vtt")))
    assert [(cue.start, cue.end) for cue in cues] == [
        ("00:00:01.000", "00:00:03.000"),
        ("00:00:03.000", "00:00:03.500"),
        ("00:00:03.500", "00:00:05.000"),
        ("01:00:00.000", "01:01:01.033"),
    ]
    assert cues[2].raw_text == "arm --&gt; wrestling &amp; &lt;fun&gt; 0.83"
    assert cues[1].raw_text == f"archery 0.83\n{cues[2].raw_text}"


def test_vtt_is_what_ffmpeg_demuxes():
    packets = demuxed(written("vtt"), "webvtt")
    assert [(start, length) for start, length, _ in packets] == [
        (1000, 2000), (3000, 500), (3500, 1500), (3600000, 61033),
    ]  # fmt: skip


def test_vtt_metadata_cues_hold_their_segments():
    webvtt = pytest.importorskip("webvtt")
    cues = list(webvtt.from_string(written("vtt-metadata")))
    segments = timeline().to_json()["segments"]
    for cue, expected in zip(cues, segments, strict=True):
        assert json.loads(cue.raw_text) == {k: v for k, v in expected.items() if k != "id"}


def test_otio_opens_with_a_marker_per_segment_on_exact_frames():
    otio = pytest.importorskip("opentimelineio")
    document = otio.adapters.read_from_string(written("otio"), "otio_json")
    (clip,) = document.find_clips()
    assert clip.media_reference.target_url == "file:///videos/a%20b.mp4"
    assert clip.source_range.duration.to_seconds() == pytest.approx(4000, abs=0.04)
    assert clip.markers[0].name == "archery 0.83"
    for marker, one in zip(clip.markers, timeline().segments, strict=True):
        begin = marker.marked_range.start_time
        assert begin.rate == pytest.approx(30000 / 1001)
        assert begin.value == frame_range(one, NTSC)[0]
        assert begin.to_seconds() == pytest.approx(one.start_seconds, abs=1001 / 30000)
        assert marker.metadata["vswin"]["end"] == one.end_seconds
        assert getattr(otio.schema.MarkerColor, marker.color) == marker.color


def test_otio_of_a_variable_rate_is_exact_to_the_millisecond():
    otio = pytest.importorskip("opentimelineio")
    video = replace(timeline().video, variable_frame_rate=True)
    document = otio.adapters.read_from_string(written("otio", timeline(video=video)), "otio_json")
    (clip,) = document.find_clips()
    ends = [marker.marked_range.end_time_exclusive().to_seconds() for marker in clip.markers]
    assert ends == [3.5, 5.0, 3661.033]


def test_edl_reads_as_events_at_their_place_with_locators():
    otio = pytest.importorskip("opentimelineio")
    pytest.importorskip("otio_cmx3600_adapter")
    video = replace(timeline().video, frame_rate_rational="25/1", average_frame_rate=25.0)
    text = written("edl", timeline(video=video))
    document = otio.adapters.read_from_string(text, "cmx_3600", rate=25)
    assert document.name == "a b.mp4"
    assert [track.name for track in document.tracks] == ["V", "V2"]
    clips = {clip.markers[0].name: clip for clip in document.find_clips()}
    first, second, third = (one for one in timeline(video=video).segments)
    for one, label in ((first, "archery"), (second, "arm"), (third, "schöne")):
        clip = next(clip for name, clip in clips.items() if name.startswith(label))
        assert clip.source_range.start_time.value == one.start_seconds * 25
        assert clip.name == "a b.mp4"
        assert clip.markers[0].marked_range.start_time.value == one.start_seconds * 25
    assert clips["archery 0.83"].source_range.duration.value == 62.5 + 0.5  # a started frame counts


def test_edl_at_2997_counts_frames_not_clock_time():
    text = written("edl")
    assert "FCM: NON-DROP FRAME" in text
    # 3600 s is frame 107893, which non-drop timecode calls 13 frames past 59:56
    assert "00:59:56:13" in text


def test_drop_frame_timecode_agrees_with_opentimelineio_for_a_whole_day():
    otio = pytest.importorskip("opentimelineio")
    for fraction in (Fraction(30000, 1001), Fraction(60000, 1001)):
        rate = EditRate(fraction, exact=True)
        frames = np.random.default_rng(0).integers(0, int(86399 * fraction), 500)
        edges = [m * 60 * rate.timebase + d for m in (1, 2, 9, 10, 11, 60) for d in (-20, -1, 0, 1)]
        for frame in [*map(int, frames), *edges]:
            time = otio.opentime.RationalTime(frame, float(fraction))
            expected = otio.opentime.to_timecode(time, float(fraction), True)
            assert timecode(frame, rate, drop=True) == expected


def test_non_drop_timecode_agrees_with_opentimelineio():
    otio = pytest.importorskip("opentimelineio")
    for base in (24, 25, 30, 50, 60):
        rate = EditRate(Fraction(base), exact=True)
        for frame in (0, base - 1, base, 60 * base, 3600 * base + 7):
            time = otio.opentime.RationalTime(frame, base)
            assert timecode(frame, rate) == otio.opentime.to_timecode(time, base)


def test_drop_frame_is_rejected_at_other_rates():
    video = replace(timeline().video, frame_rate_rational="25/1", average_frame_rate=25.0)
    with pytest.raises(OptionError, match=r"29\.97"):
        written("edl-df", timeline(video=video))


def test_fcpxml_opens_with_a_marker_per_segment():
    otio = pytest.importorskip("opentimelineio")
    pytest.importorskip("otio_fcpx_xml_adapter")
    text = written("fcpxml")
    assert text.splitlines()[1] == "<!DOCTYPE fcpxml>"
    document = otio.adapters.read_from_string(text, "fcpx_xml")
    found = document.find_clips() if hasattr(document, "find_clips") else document[0].find_clips()
    (clip,) = found
    assert clip.name == "a b.mp4"
    assert clip.source_range.duration.to_seconds() == pytest.approx(4000, abs=0.05)


def test_fcpxml_times_are_whole_frames_and_references_resolve():
    root = ET.fromstring(written("fcpxml"))
    ids = {node.get("id") for node in root.find("resources")}
    assert {node.get("ref") for node in root.iter("asset-clip")} <= ids
    assert root.find(".//sequence").get("format") in ids
    frame = seconds_of(root.find("resources/format").get("frameDuration"))
    assert frame == Fraction(1001, 30000)
    markers = list(root.iter("marker"))
    assert len(markers) == 3
    for marker, one in zip(markers, timeline().segments, strict=True):
        start, length = seconds_of(marker.get("start")), seconds_of(marker.get("duration"))
        assert (start / frame).denominator == (length / frame).denominator == 1
        assert 0 <= start - Fraction(one.start_seconds) < frame
        assert 0 <= start + length - Fraction(str(one.end_seconds)) < frame
    order = [child.tag for child in root.find(".//asset-clip")]
    assert set(order) == {"marker"}


def seconds_of(text):
    match = re.fullmatch(r"(\d+)(?:/(\d+))?s", text)
    return Fraction(int(match[1]), int(match[2] or 1))


def test_fcpxml_shows_a_turned_video_upright():
    video = replace(timeline().video, rotation=90)
    root = ET.fromstring(written("fcpxml", timeline(video=video)))
    assert root.find("resources/format").get("height") == "1920"


def test_elan_opens_with_a_tier_per_label(tmp_path):
    elan = pytest.importorskip("pympi.Elan")
    path = tmp_path / "a.eaf"
    again = segment(10.0, 12.5, "archery")
    path.write_text(
        written("elan", timeline(segments=(*timeline().segments, again))), encoding="utf-8"
    )
    document = elan.Eaf(str(path))
    assert set(document.get_tier_names()) == {one.label for one in timeline().segments}
    found = document.get_annotation_data_for_tier("archery")
    assert [(a, b) for a, b, *_ in sorted(found)] == [(1000, 3500), (10000, 12500)]
    assert document.get_linked_files()[0]["MEDIA_URL"] == "file:///videos/a%20b.mp4"


def test_activitynet_has_the_fields_of_the_evaluation_script():
    document = json.loads(written("activitynet", timeline(), renamed("v_abc.mp4")))
    assert list(document) == ["version", "results", "external_data"]
    assert document["version"] == "VERSION 1.3"
    assert set(document["results"]) == {"a b", "abc"}
    for found in document["results"].values():
        for one in found:
            assert set(one) == {"label", "score", "segment"}
            assert 0 <= one["segment"][0] < one["segment"][1]


def renamed(uri):
    return timeline(video=replace(timeline().video, uri=uri))


def test_fiftyone_lists_timestamps_per_video_id():
    document = json.loads(written("fiftyone"))
    assert document["classes"] is None
    (found,) = document["labels"].values()
    assert found[2] == {
        "label": "schöne Grüße",
        "timestamps": [3600.0, 3661.033],
        "confidence": 0.8341,
    }


def test_label_studio_ranges_are_one_based_and_inclusive():
    video = replace(timeline().video, frame_rate_rational="25/1", average_frame_rate=25.0)
    (task,) = json.loads(written("labelstudio", timeline(video=video)))
    assert task["data"] == {"video": "/videos/a b.mp4", "fps": 25.0}
    (prediction,) = task["predictions"]
    first = prediction["result"][1]
    assert first["type"] == "timelinelabels"
    # 3.0 to 5.0 s at 25 frames per second: frames 75 to 124 from zero
    assert first["value"]["ranges"] == [{"start": 76, "end": 125}]
    assert len({region["id"] for region in prediction["result"]}) == 3


def test_label_studio_sdk_accepts_the_predictions():
    interface = pytest.importorskip("label_studio_sdk.label_interface")
    labels = "".join(
        f'<Label value="{one.label.replace("&", "&amp;").replace("<", "&lt;")}"/>'
        for one in timeline().segments
    )
    control = interface.LabelInterface(
        f'<View><Video name="video" value="$video" frameRate="$fps"/>'
        f'<TimelineLabels name="videoLabels" toName="video">{labels}</TimelineLabels></View>'
    )
    (task,) = json.loads(written("labelstudio"))
    (prediction,) = task["predictions"]
    assert control.validate_prediction(prediction, return_errors=True) == []


def test_audacity_labels_are_three_columns():
    rows = [line.split("\t") for line in written("audacity").splitlines()]
    assert [[float(row[0]), float(row[1])] for row in rows] == [
        [1.0, 3.5], [3.0, 5.0], [3600.0, 3661.033],
    ]  # fmt: skip
    assert rows[0][2] == "archery 0.83"


@pytest.mark.parametrize(
    ("constant", "average", "expected", "exact"),
    [
        ("30000/1001", 29.97, Fraction(30000, 1001), True),
        ("25/1", 25.0, Fraction(25), True),
        (None, 20.2, Fraction(24000, 1001), False),
        ("15/1", 15.0, Fraction(30), True),
        ("10/1", 10.0, Fraction(30), True),
        ("25/2", 12.5, Fraction(25), True),
        ("15000/1001", 14.985, Fraction(30000, 1001), True),
        ("1/1", 1.0, Fraction(24), True),
        ("28/1", 28.0, Fraction(30000, 1001), False),
        (None, 58.9, Fraction(60000, 1001), False),
    ],
)
def test_editing_rate_is_the_videos_own_a_multiple_or_the_nearest_standard_one(
    constant, average, expected, exact
):
    video = VideoRecord(
        "a.mp4",
        frame_rate_rational=constant,
        average_frame_rate=average,
        variable_frame_rate=constant is None,
    )
    found = edit_rate(timeline(video=video))
    assert (found.frames_per_second, found.exact) == (expected, exact)


def test_frames_of_an_export_are_the_frames_of_the_segment():
    from vswin_cli.timeline.segments import number_frames

    for seconds in np.arange(0, 20, 2 / 15):
        one = segment(round(float(seconds), 6), round(float(seconds) + 1.2, 6), "a")
        (numbered,) = number_frames([one], NTSC.frames_per_second)
        assert frame_range(one, NTSC) == (numbered.start_frame, numbered.end_frame)

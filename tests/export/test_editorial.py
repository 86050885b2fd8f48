"""EDL, OpenTimelineIO and FCPXML, read back by programs that we did not write."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from fractions import Fraction

import pytest

from tests.support.timelines import timeline, written
from vswin_cli.errors import OptionError
from vswin_cli.export.timecodes import EditRate, frame_range

NTSC = EditRate(Fraction(30000, 1001), exact=True)


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

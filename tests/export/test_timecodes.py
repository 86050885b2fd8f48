"""Start timecodes, and the limits of timecode, in formats that count frames."""

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from tests.support.timelines import segment, timeline, written
from vswin_cli.errors import OptionError, SourceError
from vswin_cli.export import caveats, check_holds
from vswin_cli.export.timecodes import (
    EditRate,
    edit_rate,
    frame_range,
    frames_per_day,
    start_frame,
    timecode,
)
from vswin_cli.timeline.record import VideoRecord

NTSC = EditRate(Fraction(30000, 1001), exact=True)


def video(rate="25", start=None, *, constant=True):
    return VideoRecord(
        "a.mov",
        duration_seconds=21.0,
        average_frame_rate=float(Fraction(rate)),
        frame_rate_rational=rate,
        variable_frame_rate=not constant,
        start_timecode=start,
    )


def cut(at=6.0, **options):
    return timeline(video=video(**options), segments=(segment(at, at + 1, "cut"),))


def edl_times(one, fmt="edl"):
    lines = written(fmt, one).splitlines()
    return lines[1].removeprefix("FCM: "), lines[3].split()[4:6]


def test_an_edl_counts_from_the_start_timecode():
    found = edl_times(cut(start="10:00:00:00"))
    assert found == ("NON-DROP FRAME", ["10:00:06:00", "10:00:07:00"])


def test_an_edl_of_a_drop_frame_video_is_drop_frame():
    found = edl_times(cut(at=60.06, rate="30000/1001", start="01:00:00;00"))
    assert found == ("DROP FRAME", ["01:01:00;02", "01:01:01;02"])
    assert edl_times(cut(at=60.06, rate="30000/1001"))[0] == "NON-DROP FRAME"


def test_drop_frame_at_a_rate_that_has_none_counts_all_numbers():
    assert edl_times(cut(start="10:00:00;00"))[1][0] == "10:00:06:00"


def test_fcpxml_begins_with_the_start_timecode():
    root = ET.fromstring(written("fcpxml", cut(start="10:00:00:00")))
    assert root.find(".//asset").get("start") == "36000s"
    assert root.find(".//sequence").get("tcStart") == "36000s"
    clip = root.find(".//asset-clip")
    assert (clip.get("offset"), clip.get("start")) == ("36000s", "36000s")
    assert clip.find("marker").get("start") == "36006s"


def test_fcpxml_at_a_fractional_rate_counts_the_frames_of_the_timecode():
    root = ET.fromstring(written("fcpxml", cut(rate="30000/1001", start="01:00:00:00")))
    # 108,000 frames of 1001/30000 s
    assert root.find(".//asset").get("start") == "108108000/30000s"
    assert root.find(".//sequence").get("tcFormat") == "NDF"
    drop = ET.fromstring(written("fcpxml", cut(rate="30000/1001", start="01:00:00;00")))
    assert drop.find(".//sequence").get("tcFormat") == "DF"


def otio(one):
    document = json.loads(written("otio", one))
    (clip,) = document["tracks"]["children"][0]["children"]
    marker = clip["markers"][0]["marked_range"]["start_time"]
    return document["global_start_time"], clip["source_range"]["start_time"], marker


def test_otio_counts_from_the_start_timecode():
    start, source, marker = otio(cut(start="10:00:00:00"))
    assert (source["value"], source["rate"]) == (900000.0, 25.0)
    assert start == source
    assert marker["value"] == 900150.0
    assert otio(cut())[0] is None


def test_otio_of_a_variable_rate_counts_milliseconds_from_the_start_timecode():
    _, source, marker = otio(cut(start="10:00:00:00", constant=False))
    assert (source["value"], source["rate"]) == (36000000.0, 1000.0)
    assert marker["value"] == 36006000.0


def test_a_timecode_of_a_slow_video_counts_its_own_frames():
    slow = cut(rate="10", start="00:00:01:05")
    assert start_frame(slow, edit_rate(slow)) == 45
    assert edl_times(slow)[1][0] == "00:00:07:15"


def test_a_timecode_with_more_frames_than_the_rate_is_rejected():
    for fmt in ("edl", "fcpxml", "otio"):
        with pytest.raises(OptionError, match="25 frames per second") as caught:
            written(fmt, cut(start="10:00:00:40"))
    assert "--timecode-start" in (caught.value.hint or "")


@pytest.mark.parametrize("text", ["", "10:00", "99:00:00:00", "<b>", "1" * 9999])
def test_a_record_rejects_an_invalid_timecode(text):
    with pytest.raises(SourceError, match="start_timecode"):
        video(start=text)


@pytest.mark.parametrize(
    ("fmt", "rate", "at", "start"),
    [
        ("edl", "25", 86399.5, None),
        ("edl", "25", 100_000.0, None),
        ("edl-df", "30000/1001", 86400.0, None),
        ("edl", "25", 6.0, "23:59:55:00"),
        ("edl", "30000/1001", 60.0, "23:59:00;02"),
    ],
)
def test_timecode_past_24_hours_is_rejected(fmt, rate, at, start):
    late = cut(at=at, rate=rate, start=start)
    for attempt in (lambda: written(fmt, late), lambda: check_holds(fmt, late)):
        with pytest.raises(OptionError, match="24 hours") as caught:
            attempt()
    assert "otio" in (caught.value.hint or "")
    written("otio", late)
    written("fcpxml", late)


def test_timecode_just_below_24_hours_is_written():
    assert edl_times(cut(at=86398.0))[1] == ["23:59:58:00", "23:59:59:00"]


@pytest.mark.parametrize(
    ("rate", "drop"), [("25", False), ("30000/1001", True), ("60000/1001", True)]
)
def test_a_day_ends_with_its_last_number(rate, drop):
    edit = EditRate(Fraction(rate), exact=True)
    last = timecode(frames_per_day(edit, drop=drop) - 1, edit, drop=drop)
    assert last == f"23:59:59{';' if drop else ':'}{edit.timebase - 1:02d}"


@pytest.mark.parametrize(
    ("rate", "frames"), [("10", "6:15"), ("25/2", "6:12"), ("15", "6:16"), ("30", "6:15")]
)
def test_rates_that_editing_programs_lack_are_counted_at_a_multiple(rate, frames):
    """At 6.48 s, rounded up to the first frame of the video that is shown from then on."""
    one = cut(at=6.48, rate=rate)
    assert edl_times(one)[1][0] == f"00:00:0{frames}"
    assert caveats(one, "edl") == caveats(one, "fcpxml") == ()


def test_label_studio_gets_the_frame_rate_with_the_task():
    (task,) = json.loads(written("labelstudio", cut(rate="25/2")))
    assert task["data"]["fps"] == 12.5
    assert task["predictions"][0]["result"][0]["value"]["ranges"] == [{"start": 76, "end": 88}]


def test_without_a_grid_a_notice_says_that_frames_are_rounded():
    varying = replace(cut(), video=video("30", constant=False))
    for fmt in ("edl", "fcpxml", "labelstudio"):
        (notice,) = caveats(varying, fmt)
        assert "variable frame rate" in notice.message


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

"""Timestamps that span more time than the file can hold cost no more than the file."""

from dataclasses import replace
from fractions import Fraction

import pytest

from tests.support.events import events_of
from tests.support.videos import VideoRecipe, make_video
from vswin_cli.video.sampling import SampledFrame, SamplingPlan

PLAN = SamplingPlan(num_frames=8, stride=8, short_side=32, positions_per_second=5.0)
RECIPE = VideoRecipe(num_frames=40, gop=10)
HOURLY = [3600.0 * i for i in range(40)]
DAILY_PAIRS = [86400.0 * (i // 2) + (i % 2) / 30 for i in range(40)]


@pytest.mark.parametrize("stride", [8, 80])
@pytest.mark.parametrize(
    ("name", "times"),
    [("a.mp4", HOURLY), ("a.mkv", HOURLY), ("a.ts", HOURLY), ("a.mkv", DAILY_PAIRS)],
)
def test_time_that_the_file_cannot_hold_is_missing(tmp_path, name, times, stride):
    path = make_video(tmp_path / name, replace(RECIPE, times=times))
    events = events_of(path, replace(PLAN, stride=stride))
    report = events[-1]
    assert report.status == "partial"
    assert report.coverage < 0.1
    assert report.duration_seconds < 3 * (3600 + path.stat().st_size)
    assert sum(event.count for event in events if isinstance(event, SampledFrame)) < 1000
    assert "STRETCHED_CLOCK" in [warning.code for warning in report.warnings]


@pytest.mark.slow
def test_stills_last_no_longer_than_the_file_can_hold(tmp_path):
    recipe = replace(RECIPE, num_frames=200, rate=Fraction(1, 8))
    events = events_of(make_video(tmp_path / "a.mp4", recipe), PLAN)
    assert events[-1].duration_seconds == pytest.approx(1600, abs=10)
    assert sum(event.count for event in events if isinstance(event, SampledFrame)) < 5 * 700
    assert events[-1].gaps


def test_a_frame_a_second_gives_no_warning(tmp_path):
    recipe = replace(RECIPE, num_frames=100, rate=Fraction(1))
    report = events_of(make_video(tmp_path / "a.mp4", recipe), PLAN)[-1]
    assert (report.status, report.gaps) == ("ok", ())
    assert report.duration_seconds == pytest.approx(100)


@pytest.mark.slow
def test_frames_that_an_edit_list_drops_because_of_a_stretched_clock_are_missing(tmp_path):
    recipe = replace(RECIPE, num_frames=600, b_frames=2)
    path = make_video(tmp_path / "a.mp4", recipe)
    content = bytearray(path.read_bytes())
    at = content.index(b"mdhd") + 16
    content[at : at + 4] = (1).to_bytes(4, "big")  # ticks per second of the media
    path.write_bytes(content)
    report = events_of(path, PLAN)[-1]
    assert report.status == "partial"
    assert report.coverage < 0.9

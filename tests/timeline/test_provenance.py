"""Records of the video and of the run: rates that number frames, and texts that are checked."""

from fractions import Fraction

import pytest

from vswin_cli.errors import SourceError
from vswin_cli.timeline.provenance import VideoRecord


def test_a_constant_rate_numbers_all_frames_and_a_variable_one_none():
    rate = "30000/1001"
    constant = VideoRecord("a.mp4", frame_rate_rational=rate, variable_frame_rate=False)
    assert constant.constant_frame_rate == Fraction(30000, 1001)
    for variable in (True, None):
        video = VideoRecord("a.mp4", frame_rate_rational=rate, variable_frame_rate=variable)
        assert video.constant_frame_rate is None
    assert VideoRecord("a.mp4", variable_frame_rate=False).constant_frame_rate is None


def test_only_streams_without_timestamps_have_a_counted_rate():
    assert VideoRecord("a.h264", container="h264", average_frame_rate=40.0).counted_frame_rate == 40
    assert VideoRecord("a.mp4", container="mp4", average_frame_rate=40.0).counted_frame_rate is None
    assert VideoRecord("a.h264", average_frame_rate=40.0).counted_frame_rate is None


@pytest.mark.parametrize("rate", ["", "0", "0/1", "1e99999999", "30/0", "-25", "25.5.1"])
def test_a_rate_that_is_no_positive_fraction_is_refused(rate):
    with pytest.raises(SourceError, match="fps_rational"):
        VideoRecord("a.mp4", frame_rate_rational=rate)


@pytest.mark.parametrize("text", ["", "10:00:00", "24:00:00:00", "aa:00:00:00"])
def test_a_timecode_that_is_none_is_refused(text):
    with pytest.raises(SourceError, match="start_timecode"):
        VideoRecord("a.mp4", start_timecode=text)
    assert VideoRecord("a.mp4", start_timecode="10:00:00;00").start_timecode == "10:00:00;00"

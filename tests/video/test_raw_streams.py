"""Streams without timestamps at the rate that the user gives."""

from fractions import Fraction

import pytest

from tests.support.videos import VideoRecipe, make_video, overwrite, read_indices
from vswin_cli.errors import OptionError
from vswin_cli.storage.sources import VideoSource
from vswin_cli.video.probe import inspect
from vswin_cli.video.raw_streams import has_no_timestamps
from vswin_cli.video.reader import VideoReader

RAW = {
    "a.h264": VideoRecipe(),
    "a.hevc": VideoRecipe(codec="libx265"),
    "a.mjpeg": VideoRecipe(codec="mjpeg", pixel_format="yuvj420p"),
    "a.m2v": VideoRecipe(codec="mpeg2video"),
}


@pytest.mark.parametrize("name", RAW)
def test_frames_are_counted_at_the_given_rate(tmp_path, name):
    path = make_video(tmp_path / name, RAW[name])
    with VideoReader(path, input_frame_rate=40.0) as reader:
        frames = list(reader.frames())
        assert reader.info.declared_frame_rate == "40"
        assert reader.info.declared_duration_seconds is None
        (warning,) = reader.info.warnings
    assert [frame.seconds for frame in frames] == pytest.approx([i / 40 for i in range(60)])
    images = (frame.frame.to_ndarray(format="rgb24") for frame in frames)
    assert read_indices(images) == list(range(60))
    assert warning.code == "NO_TIMESTAMPS"
    assert "40 frames per second, as given" in warning.message


@pytest.mark.parametrize("given", [29.97, 30000 / 1001])
def test_a_rounded_standard_rate_is_taken_for_that_rate(tmp_path, given):
    path = make_video(tmp_path / "a.h264")
    with VideoReader(path, input_frame_rate=given) as reader:
        assert reader.info.declared_frame_rate == "30000/1001"
        assert list(reader.frames())[30].seconds == float(30 / Fraction(30000, 1001))


def test_a_lost_end_is_told_at_the_given_rate(tmp_path):
    path = overwrite(make_video(tmp_path / "a.mjpeg", RAW["a.mjpeg"]), 0.5, 1.0)
    report = inspect(VideoSource.of(path), scan=True, input_frame_rate=10.0).report
    assert report.status == "partial"
    assert report.coverage < 0.8


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.avi"])
def test_files_with_timestamps_refuse_a_rate(tmp_path, name):
    path = make_video(tmp_path / name)
    with pytest.raises(OptionError, match="without timestamps") as caught:
        VideoReader(path, input_frame_rate=40.0)
    assert str(path) in caught.value.message
    assert "leave --input-fps out" in caught.value.hint


def test_formats_without_timestamps():
    assert has_no_timestamps("h264")
    assert has_no_timestamps("png_pipe")
    assert not has_no_timestamps("mov")
    assert not has_no_timestamps("yuv4mpegpipe")  # states its rate

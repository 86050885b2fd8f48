from fractions import Fraction

import av
import numpy as np
import pytest

from vswin_cli.video.reader import VideoReader
from vswin_cli.video.timecode import Timecode, parse_timecode, start_timecode


@pytest.mark.parametrize(
    ("text", "drop"),
    [
        ("10:00:06:00", False),
        ("10:00:06;00", True),
        ("10:00:06.00", True),
        (" 00:00:00:119 ", False),
    ],
)
def test_timecodes_are_read_and_written(text, drop):
    found = parse_timecode(text)
    assert found.is_drop_frame == drop
    assert parse_timecode(str(found)) == found


@pytest.mark.parametrize(
    "text", ["", "10:00", "24:00:00:00", "10:60:00:00", "10:00:60:00", "-1:00:00:00", "a" * 99]
)
def test_what_is_no_timecode_is_none(text):
    assert parse_timecode(text) is None


def test_frames_count_from_midnight_without_the_numbers_that_drop_frame_skips():
    assert Timecode(10, 0, 6, 0).frame_number(25) == 900150
    assert Timecode(0, 1, 0, 2, is_drop_frame=True).frame_number(30) == 1800
    assert Timecode(0, 10, 0, 0, is_drop_frame=True).frame_number(30) == 17982
    assert Timecode(1, 0, 0, 0, is_drop_frame=True).frame_number(60) == 215784


def test_the_first_stream_with_a_timecode_counts_and_damaged_ones_do_not():
    tags = [{"language": "eng"}, {"timecode": "no"}, {"TIMECODE": "01:02:03:04"}]
    assert start_timecode(tags) == Timecode(1, 2, 3, 4)
    assert start_timecode(tags[:2]) is None


def make(path, codec, rate, timecode, size=(720, 576), pixels="yuv420p"):
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        stream.time_base = 1 / Fraction(rate)
        stream.metadata["timecode"] = timecode
        out.metadata["timecode"] = timecode
        for number in range(5):
            image = np.full((size[1], size[0], 3), 40 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixels)
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


@pytest.mark.parametrize(
    ("name", "codec", "rate", "text"),
    [
        ("a.mov", "mpeg4", Fraction(25), "10:00:00:00"),
        ("a.mp4", "mpeg4", Fraction(30000, 1001), "01:00:00;00"),
        ("a.mxf", "mpeg2video", Fraction(25), "09:59:58:24"),
        ("a.mkv", "mpeg4", Fraction(25), "10:00:00:00"),
        ("a.dv", "dvvideo", Fraction(25), "02:00:00:05"),
    ],
)
def test_containers_give_their_start_timecode(tmp_path, name, codec, rate, text):
    make(tmp_path / name, codec, rate, text)
    with VideoReader(tmp_path / name) as reader:
        assert reader.info.start_timecode == text


def test_a_video_without_timecode_has_none(tmp_path):
    make(tmp_path / "a.mp4", "mpeg4", Fraction(25), "no timecode")
    with VideoReader(tmp_path / "a.mp4") as reader:
        assert reader.info.start_timecode is None

"""Frames that a player shows in a part of a video, and for how long."""

from fractions import Fraction

import pytest

from tests.support.videos import VideoRecipe, make_video, read_index
from vswin_cli.cutting.frame_spans import FrameSpans
from vswin_cli.video.reader import VideoReader


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "v.mp4"
    return make_video(path, VideoRecipe(num_frames=40, rate=Fraction(10), gop=10))


@pytest.fixture
def spans(video):
    with VideoReader(video) as reader:
        yield FrameSpans(reader)


def shown(spans, start, end):
    return [
        (read_index(one.frame.to_ndarray(format="rgb24")), one.start_seconds, one.end_seconds)
        for one in spans.between(start, end)
    ]


def rounded(found):
    return [(index, round(start, 6), round(end, 6)) for index, start, end in found]


def test_the_frame_on_display_at_the_start_comes_first(spans):
    assert rounded(shown(spans, 0.25, 0.55)) == [
        (2, 0.0, 0.05),
        (3, 0.05, 0.15),
        (4, 0.15, 0.25),
        (5, 0.25, 0.3),
    ]


def test_parts_that_follow_each_other_share_the_frame_at_their_edge(spans):
    assert [index for index, *_ in shown(spans, 0.0, 0.25)] == [0, 1, 2]
    assert [index for index, *_ in shown(spans, 0.25, 0.4)] == [2, 3]


def test_the_last_frame_lasts_as_long_as_the_file_says(spans):
    assert rounded(shown(spans, 3.8, 60.0)) == [(38, 0.0, 0.1), (39, 0.1, 0.2)]
    assert shown(spans, 5.0, 6.0) == []


def test_an_earlier_part_can_be_read_after_a_later_one(spans):
    assert [index for index, *_ in shown(spans, 3.0, 3.2)] == [30, 31]
    assert [index for index, *_ in shown(spans, 0.5, 0.7)] == [5, 6]


def test_a_start_that_was_rounded_to_milliseconds_belongs_to_the_later_frame(spans):
    assert [index for index, *_ in shown(spans, 0.2995, 0.4005)] == [3]

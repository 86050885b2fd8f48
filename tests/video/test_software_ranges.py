"""One decoder of ranges: the frames between two key frames, or none where anything is odd."""

from contextlib import closing
from fractions import Fraction

import pytest

from tests.support.videos import VideoRecipe, make_video, overwrite
from vswin_cli.video.ranges import UnsoundRangeError
from vswin_cli.video.software_ranges import SoftwareRangeDecoder

RECIPE = VideoRecipe(num_frames=60, rate=Fraction(10), gop=15, b_frames=2)


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return make_video(tmp_path_factory.mktemp("videos") / "a.mp4", RECIPE)


def decode(path, begin, end, is_wanted=lambda begin, end: True):
    with closing(SoftwareRangeDecoder(path, is_wanted, 32, first_seconds=0.0)) as decoder:
        return list(decoder.decode(begin, end))


def test_a_range_holds_the_frames_between_two_key_frames(video):
    frames = decode(video, 1.5, 4.5)
    assert [frame.seconds for frame in frames] == pytest.approx([1.5 + i / 10 for i in range(30)])
    assert {(frame.frame.width, frame.frame.height) for frame in frames} == {(32, 32)}


def test_frames_that_are_not_wanted_have_no_pixels(video):
    frames = decode(video, 1.5, 3.0, lambda begin, end: begin <= 2.0 < end)
    assert [frame.seconds for frame in frames if frame.frame is not None] == [2.0]
    assert len(frames) == 15


def test_the_first_frame_of_the_video_is_always_wanted(video):
    first, *others = decode(video, 0.0, 1.5, lambda begin, end: False)
    assert first.frame is not None
    assert {frame.frame for frame in others} == {None}


def test_one_decoder_takes_ranges_in_turn(video):
    with closing(
        SoftwareRangeDecoder(video, lambda begin, end: True, 32, first_seconds=0.0)
    ) as decoder:
        assert decoder.keyframe_from(0.1) == 1.5
        assert decoder.keyframe_from(9.0) is None
        times = [frame.seconds for range_ in ((3.0, 4.5), (0.0, 1.5)) for frame in
                 decoder.decode(*range_)]  # fmt: skip
    assert times == pytest.approx([*(3 + i / 10 for i in range(15)), *(i / 10 for i in range(15))])


@pytest.mark.parametrize(
    ("begin", "end", "reason"),
    [(1.6, 3.0, "not the key frame"), (1.5, 20.0, "did not come")],
)
def test_a_range_between_other_frames_is_refused(video, begin, end, reason):
    with pytest.raises(UnsoundRangeError, match=reason):
        decode(video, begin, end)


def test_damage_within_a_range_is_an_irregularity(video, tmp_path):
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(video.read_bytes())
    overwrite(damaged, 0.3, 0.6)
    with pytest.raises(UnsoundRangeError, match="damage"):
        decode(damaged, 1.5, 4.5)

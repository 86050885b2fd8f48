"""Packets of a file: all of them, counted, and once more after going back."""

from contextlib import closing
from dataclasses import dataclass

import pytest

from tests.support.videos import VideoRecipe, make_video
from vswin_cli.errors import SourceNotFoundError
from vswin_cli.video.packets import PacketReader, before_keyframe

RECIPE = VideoRecipe(num_frames=90, gop=30)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.h264"])
def test_every_packet_comes_once_and_again_after_reopening(tmp_path, name):
    path = make_video(tmp_path / name, RECIPE)
    with closing(PacketReader(path)) as reader:
        for _ in range(2):
            assert sum(1 for _ in reader.packets()) == 90
            reader.reopen()
        assert 0.4 * path.stat().st_size < reader.read_bytes <= path.stat().st_size


def test_a_seek_lands_at_the_key_frame_before_or_after(tmp_path):
    with closing(PacketReader(make_video(tmp_path / "a.mp4", RECIPE))) as reader:
        for backward, seconds in ((True, 1.0), (False, 2.0)):
            assert reader.seek(round(1.5 / reader.time_base), backward=backward)
            packet = next(reader.packets())
            assert packet.is_keyframe
            assert packet.pts * reader.time_base == seconds


def test_the_index_lists_key_frames_between_two_times(tmp_path):
    with closing(PacketReader(make_video(tmp_path / "a.mp4", RECIPE))) as reader:
        second = round(1 / reader.time_base)
        assert reader.has_keyframe_between(second // 2, second * 3 // 2)
        assert not reader.has_keyframe_between(second, second * 3 // 2)
        assert reader.has_keyframe_between(0, 60 * second) is None  # the index ends before


def test_a_file_that_is_gone_counts_as_a_read_error(tmp_path):
    path = make_video(tmp_path / "a.mp4", RECIPE)
    with closing(PacketReader(path)) as reader:
        path.unlink()
        with pytest.raises(SourceNotFoundError):
            reader.reopen()
        assert reader.read_failed


@dataclass(frozen=True)
class Numbered:
    """A packet, reduced to what its order depends on."""

    pts: int | None
    is_keyframe: bool = False


KEY = Numbered(8, is_keyframe=True)


@pytest.mark.parametrize(
    ("packets", "taken", "left_out"),
    [
        ([Numbered(4), Numbered(2), KEY, Numbered(12)], 2, True),  # a closed group
        ([Numbered(4), KEY, Numbered(6), Numbered(12)], 3, False),  # a leading frame refers to it
        ([Numbered(4), KEY], 2, False),  # the last packet of the file
        ([Numbered(4), Numbered(8), Numbered(12)], 2, False),  # not a key frame
        ([Numbered(4), Numbered(12)], 1, False),  # it is missing
        ([Numbered(4), KEY, Numbered(None), Numbered(12)], 3, False),
    ],
)
def test_a_key_frame_is_left_out_unless_frames_before_it_refer_to_it(packets, taken, left_out):
    came = []

    def collect():
        result = yield from before_keyframe(packets, 8)
        came.append(result)

    assert list(collect()) == packets[:taken]
    assert came == [left_out]

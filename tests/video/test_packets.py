"""Packets of a file: all of them, counted, and once more after going back."""

from contextlib import closing

import pytest

from tests.support.videos import VideoRecipe, make_video
from vswin_cli.errors import SourceNotFoundError
from vswin_cli.video.packets import PacketReader

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

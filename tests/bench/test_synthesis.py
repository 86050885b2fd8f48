"""The video that is made where the user gives none."""

import av
import pytest

from vswin_cli.bench.synthesis import VideoSize, synthesise
from vswin_cli.errors import OptionError
from vswin_cli.storage.sources import VideoSource
from vswin_cli.video.probe import inspect


def test_a_synthetic_video_is_what_was_asked_for_every_time(tmp_path):
    size = VideoSize.parse("97x64", 1.5)
    paths = [synthesise(tmp_path / name, size) for name in ("a.mp4", "b.mp4")]
    info = inspect(VideoSource.of(str(paths[0]))).info
    assert (info.width, info.height, info.codec) == (96, 64, "h264")
    assert info.declared_duration_seconds == pytest.approx(1.5)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_synthetic_video_has_one_slice_per_frame(tmp_path):
    path = synthesise(tmp_path / "a.mp4", VideoSize.parse("640x360", 1.0))
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            data, slices = bytes(packet), 0
            while data:
                length, kind = int.from_bytes(data[:4], "big"), data[4] & 31
                slices += kind in (1, 5)
                data = data[4 + length :]
            assert slices == (1 if packet.size else 0)


@pytest.mark.parametrize(
    ("size", "seconds", "problem"),
    [("wide", 5, "cannot read the size"), ("8x8", 5, "8x8 cannot"), ("64x64", 0.1, "0.1 s cannot")],
)
def test_useless_videos_are_refused(size, seconds, problem):
    with pytest.raises(OptionError, match=problem):
        VideoSize.parse(size, seconds)

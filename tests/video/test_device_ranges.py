"""Ranges decoded on a device, with software frames in the place of those on a GPU."""

from contextlib import closing
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from tests.support.frame_converters import Darker, Nv12InMemory, Plain
from tests.support.videos import VideoRecipe, make_joined, make_video
from vswin_cli.video.device_ranges import (
    DeviceRangeDecoder,
    HardwareMismatchError,
    find_chroma_site,
)
from vswin_cli.video.nv12 import ChromaSite, UnsupportedFrameError
from vswin_cli.video.parallel import ParallelDecoder
from vswin_cli.video.ranges import RangeLimits, RangeQueue, UnsoundRangeError
from vswin_cli.video.reader import VideoReader
from vswin_cli.video.software_ranges import SoftwareRangeDecoder

SIDE = 32
VIDEO = VideoRecipe(num_frames=120, rate=Fraction(10), gop=20, b_frames=2)


@pytest.fixture
def path(tmp_path):
    return make_video(tmp_path / "a.mp4", VIDEO)


def every_third(begin, end):
    return int(begin * 10 + 0.5) % 3 == 0


def software(path, is_wanted=every_third):
    return SoftwareRangeDecoder(path, is_wanted, SIDE, first_seconds=0.0)


def on_device(path, converter=None, is_wanted=every_third):
    reader = VideoReader(path, strict=True)
    return DeviceRangeDecoder(reader, is_wanted, SIDE, converter or Plain(), first_seconds=0.0)


@pytest.mark.slow
def test_a_range_is_that_of_a_software_decoder(path):
    converter = Nv12InMemory()
    with closing(software(path)) as one, closing(on_device(path, converter)) as other:
        begin, end = 2.0, one.keyframe_from(5.0)
        assert other.keyframe_from(5.0) == end == 6.0
        expected, found = list(one.decode(begin, end)), list(other.decode(begin, end))
    assert len(expected) == 40
    assert [f.seconds for f in found] == [f.seconds for f in expected]
    assert [f.frame is None for f in found] == [f.frame is None for f in expected]
    assert converter.launches == [8, 5]
    for one, other in zip(expected, found, strict=True):
        if one.frame is not None:
            distance = one.frame.to_ndarray().astype(int) - other.frame.to_ndarray()
            assert np.abs(distance).max() <= 4


def test_the_first_frame_is_always_converted(path):
    with closing(on_device(path, is_wanted=lambda *_: False)) as decoder:
        frames = list(decoder.decode(0.0, 2.0))
    assert [frame.frame is not None for frame in frames] == [True] + [False] * 19


@pytest.mark.parametrize("fault", [UnsupportedFrameError, RuntimeError])
def test_software_takes_over_what_fails_and_hears_why(path, fault):
    faults = []

    class Failing(Plain):
        def convert(self, frames, height, width):
            raise fault("no such format")

    def device():
        reader = VideoReader(path, strict=True)
        return DeviceRangeDecoder(
            reader, every_third, SIDE, Failing(), first_seconds=0.0, on_fault=faults.append
        )

    ranges = RangeQueue(0.0, 12.0, RangeLimits(4, 1000.0))
    with closing(ParallelDecoder([device, device, lambda: software(path)], ranges)) as decoder:
        times = [frame.seconds for frame in decoder.frames()]
        assert decoder.is_sound
    assert times == pytest.approx([i / 10 for i in range(len(times))])
    assert len(times) >= 80
    assert {type(one) for one in faults} <= {fault}


def test_an_irregular_range_is_no_fault_of_the_device(path):
    faults = []
    reader = VideoReader(path, strict=True)
    decoder = DeviceRangeDecoder(
        reader, every_third, SIDE, Plain(), first_seconds=0.0, on_fault=faults.append
    )
    with closing(decoder), pytest.raises(UnsoundRangeError):
        list(decoder.decode(1.95, 6.0))
    assert faults == []


def test_rotation_stays_with_the_frames(tmp_path):
    turned = make_video(tmp_path / "turned.mp4", replace(VIDEO, rotation=90, width=96))
    with closing(on_device(turned)) as decoder:
        end = decoder.keyframe_from(1.0)
        frames = list(decoder.decode(0.0, end))
    assert {frame.rotation_degrees for frame in frames} == {90}
    assert {(f.frame.width, f.frame.height) for f in frames if f.frame} == {(48, 32)}


def test_a_range_in_other_colours_is_put_back(tmp_path):
    first = replace(VIDEO, options={"colorspace": "bt709"})
    second = replace(VIDEO, options={"colorspace": "bt470bg"}, start=12.3)
    path = make_joined(tmp_path / "joined.mp4", first, second)
    with closing(on_device(path)) as decoder:
        begin, end = decoder.keyframe_from(11.0), decoder.keyframe_from(15.0)
        with pytest.raises(UnsoundRangeError, match="other colours"):
            list(decoder.decode(begin, end))
        assert len(list(decoder.decode(0.0, 4.0))) == 40


@pytest.mark.slow
def test_the_chroma_site_follows_from_the_first_frames(tmp_path):
    path = tmp_path / "colours.mp4"
    draw = np.random.default_rng(3)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", 10, options={"crf": "12", "g": "10"})
        stream.width, stream.height = 48, 64
        for _ in range(21):
            blocks = draw.integers(0, 256, (8, 6, 3), np.uint8)
            frame = av.VideoFrame.from_ndarray(np.kron(blocks, np.ones((8, 8, 1), np.uint8)))
            for packet in stream.encode(frame.reformat(format="yuv420p")):
                output.mux(packet)
        for packet in stream.encode():
            output.mux(packet)
    with closing(software(path)) as reference, VideoReader(path, strict=True) as reader:
        assert find_chroma_site(reader, reference, Nv12InMemory, 0.0) is ChromaSite.LEFT


def test_other_images_are_a_mismatch(path):
    with (
        closing(software(path)) as reference,
        VideoReader(path, strict=True) as reader,
        pytest.raises(HardwareMismatchError, match="differ from those in software"),
    ):
        find_chroma_site(reader, reference, Darker, 0.0)


def test_other_times_are_a_mismatch(path, tmp_path):
    other = make_video(tmp_path / "b.mp4", replace(VIDEO, rate=Fraction(9)))
    with (
        closing(software(path)) as reference,
        VideoReader(other, strict=True) as reader,
        pytest.raises(HardwareMismatchError, match="times other"),
    ):
        find_chroma_site(reader, reference, Darker, 0.0)

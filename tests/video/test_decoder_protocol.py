"""What a decoder process says arrives as it was said, or not at all."""

import io
from pathlib import Path

import numpy as np
import pytest

from vswin_cli.errors import NoVideoStreamError
from vswin_cli.video.decode_options import DecodeOptions
from vswin_cli.video.decoder_protocol import (
    decode_request,
    encode_request,
    read_event,
    write_error,
    write_event,
)
from vswin_cli.video.info import DecodeReport, Gap, MediaWarning, VideoInfo
from vswin_cli.video.sampling import Progress, RunEnd, SampledFrame, SamplingPlan

INFO = VideoInfo(
    size_bytes=1,
    container="mp4",
    codec="h264",
    width=64,
    height=48,
    rotation_degrees=90,
    sample_aspect_ratio="1:1",
    pixel_format="yuv420p",
    bit_depth=8,
    time_base_seconds=1 / 90_000,
    start_seconds=0.1 + 0.2,
    declared_frame_rate="30000/1001",
    measured_frame_rate=None,
    declared_duration_seconds=2.0,
    duration_source="stream",
    seekable=True,
    cut_off=None,
    warnings=(MediaWarning("HDR", "bright – very"),),
)
REPORT = DecodeReport("end", 0.0, 2.0, 2.0, 60, gaps=(Gap(0.5, 1.5, "missing_frames"),))
EVENTS = [INFO, RunEnd(1 / 3), Gap(0.1, 0.2, "truncated"), Progress(1.5, 45, 2, 7), REPORT]


class Trickle(io.BytesIO):
    """Gives at most a few bytes at a time, as pipes do."""

    def readinto(self, buffer):
        return super().readinto(memoryview(buffer)[:7])


def sent(*events):
    pipe = io.BytesIO()
    for event in events:
        write_event(pipe, event)
    return pipe.getvalue()


@pytest.mark.parametrize("event", EVENTS)
def test_records_arrive_as_they_were(event):
    assert read_event(Trickle(sent(event))) == event


def test_images_arrive_as_they_were():
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    pipe = Trickle(sent(SampledFrame(3, 2, 0.25, image), RunEnd(1.0)))
    arrived = read_event(pipe)
    assert isinstance(arrived, SampledFrame)
    assert (arrived.position, arrived.count, arrived.seconds) == (3, 2, 0.25)
    assert np.array_equal(arrived.image, image)
    assert read_event(pipe) == RunEnd(1.0)


def test_pipe_that_ends_anywhere_ends_the_events():
    content = sent(SampledFrame(0, 1, 0.0, np.zeros((4, 4, 3), np.uint8)))
    for length in range(len(content)):
        assert read_event(Trickle(content[:length])) is None


def test_error_arrives_as_the_same_error():
    pipe = io.BytesIO()
    write_error(pipe, NoVideoStreamError("only sound", hint="choose another"))
    pipe.seek(0)
    with pytest.raises(NoVideoStreamError, match="only sound") as caught:
        read_event(pipe)
    assert caught.value.hint == "choose another"


def test_request_arrives_as_it_was_with_any_path():
    plan = SamplingPlan(8, 8, 32, by="index", end_seconds=3.5, positions_per_second=29.97)
    options = DecodeOptions(resize="reference", decoders=3)
    path = Path("/tmp/caf\udce9\n.mp4")
    line = encode_request(path, plan, options)
    assert line.count(b"\n") == 1
    assert decode_request(line) == (path, plan, options)

"""One stream for frames and clips: facts first, then samples, then the report."""

import numpy as np
import pytest

from tests.support.videos import VideoRecipe, make_video, read_indices
from vswin_cli.errors import NotAVideoError, OptionError, VswinError
from vswin_cli.storage.sources import VideoSource
from vswin_cli.video.decode_options import DecodeOptions
from vswin_cli.video.decoder_pool import DecoderPool, DecoderProcess, decoder_command
from vswin_cli.video.sampling import RunEnd, SampledFrame, SamplingPlan
from vswin_cli.video.stream import open_video

PLAN = SamplingPlan(num_frames=8, stride=8, short_side=32, positions_per_second=10.0)
IN_PLACE = DecodeOptions(isolate=False)


@pytest.fixture
def source(tmp_path):
    return VideoSource.of(str(make_video(tmp_path / "a.mp4", VideoRecipe(num_frames=90))))


@pytest.mark.parametrize("options", [IN_PLACE, DecodeOptions()])
def test_stream_gives_facts_frames_and_report(source, options):
    with open_video(source, PLAN, options) as stream:
        assert (stream.info.codec, stream.info.declared_duration_seconds) == ("h264", 3.0)
        *frames, end = stream
        report = stream.report
    assert all(isinstance(frame, SampledFrame) for frame in frames)
    assert end == RunEnd(pytest.approx(3.0))
    assert read_indices(np.stack([frame.image for frame in frames])) == list(range(0, 90, 3))
    assert (report.status, report.frames_sampled) == ("ok", 30)


def test_report_is_refused_while_frames_remain(source):
    with open_video(source, PLAN, IN_PLACE) as stream:
        next(stream)
        with pytest.raises(VswinError, match="after the last"):
            stream.report  # noqa: B018


def test_closed_stream_ends_its_process(source, monkeypatch):
    process = DecoderProcess(decoder_command(60.0))
    monkeypatch.setattr(DecoderPool, "take", lambda self, command: process)
    with open_video(source, PLAN) as stream:
        next(stream)
        assert process.is_alive
    assert not process.is_alive
    assert list(stream) == []


def test_positions_are_reported_while_decoding(source):
    told = []
    with open_video(source, PLAN, IN_PLACE, on_position=told.append) as stream:
        frames = [sample for sample in stream if isinstance(sample, SampledFrame)]
    assert told == sorted(told)
    assert set(told) >= {frame.seconds for frame in frames}


def test_file_without_video_is_refused_at_once(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"nothing")
    with pytest.raises(NotAVideoError):
        open_video(VideoSource.of(str(path)), PLAN, IN_PLACE)


@pytest.mark.slow
def test_part_beyond_the_end_is_refused(source):
    plan = SamplingPlan(8, 8, 32, positions_per_second=10.0, start_seconds=60.0)
    with pytest.raises(OptionError, match="starts at 60 s"), open_video(source, plan) as stream:
        list(stream)

"""Several decoders of one video give what one gives, and stop where anything is odd."""

import threading
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from itertools import islice

import av
import numpy as np
import pytest

from tests.support.events import assert_same_events, events_of
from tests.support.videos import VideoRecipe, make_joined, make_video, overwrite
from vswin_cli.config import SamplingOptions
from vswin_cli.models.architecture import InputSpec
from vswin_cli.storage.sources import VideoSource
from vswin_cli.video.clips import open_clips
from vswin_cli.video.decode_options import DecodeOptions
from vswin_cli.video.info import DecodeReport
from vswin_cli.video.parallel import ParallelDecoder
from vswin_cli.video.ranges import RangeLimits, RangeQueue, UnsoundRangeError
from vswin_cli.video.reader import VideoReader
from vswin_cli.video.resize import ImageResizer
from vswin_cli.video.sampler import decode_samples
from vswin_cli.video.sampling import Progress, SampledFrame, SamplingPlan
from vswin_cli.video.software_ranges import SoftwareRangeDecoder

pytestmark = pytest.mark.slow

PLAN = SamplingPlan(num_frames=8, stride=8, short_side=32, positions_per_second=5.0)
ALONE, PARALLEL = DecodeOptions(), DecodeOptions(decoders=3)
VIDEO = VideoRecipe(
    num_frames=400, rate=Fraction(10), gop=15, b_frames=2, options={"preset": "veryfast"}
)
SECONDS = 40.0


@pytest.fixture
def given(monkeypatch):
    """Frames that came from decoders at work together, counted."""
    counts = []
    frames = ParallelDecoder.frames

    def counted(self):
        counts.append(0)
        for frame in frames(self):
            counts[-1] += 1
            yield frame

    monkeypatch.setattr(ParallelDecoder, "frames", counted)
    return counts


def break_after(seconds, monkeypatch, fault):
    """Let decoders at work together fail on what is later."""
    scale = SoftwareRangeDecoder._scaled

    def failing(self, frame, end_seconds):
        if frame.seconds > seconds:
            raise fault("broken")
        return scale(self, frame, end_seconds)

    monkeypatch.setattr(SoftwareRangeDecoder, "_scaled", failing)


def range_threads():
    return [thread for thread in threading.enumerate() if thread.name == "vswin-range"]


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("a.mp4", {}),
        ("a.mkv", {}),
        ("video", {"container": "mp4"}),
        ("a.mov", {"rotation": 90, "width": 96}),
        (
            "a.mp4",
            {
                "codec": "libx265",
                "options": {"preset": "ultrafast", "x265-params": "log-level=error"},
            },
        ),
        ("a.mp4", {"options": {"x264-params": "open-gop=1:keyint=15:bframes=2"}}),
        ("a.webm", {"codec": "libvpx-vp9", "options": {"cpu-used": "8", "deadline": "realtime"}}),
        ("a.webm", {"codec": "libvpx", "options": {"cpu-used": "8", "deadline": "realtime"}}),
        ("a.mp4", {"start": 3.3}),
    ],
)
def test_images_and_report_are_the_same(tmp_path, given, name, changes):
    path = make_video(tmp_path / name, replace(VIDEO, **changes))
    alone = events_of(path, PLAN)
    assert given == []
    assert_same_events(events_of(path, PLAN, PARALLEL), alone)
    assert sum(given) > 250
    assert range_threads() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"start_seconds": 7.7},
        {"start_seconds": 1.0, "end_seconds": 33.3},
        {"stride": 4},
        {"positions_per_second": 20.0, "positions_per_tick": 4, "phase": 2, "short": "spread"},
    ],
)
def test_parts_of_a_video_are_the_same(tmp_path, given, changes):
    path = make_video(tmp_path / "a.mp4", VIDEO)
    alone = events_of(path, replace(PLAN, **changes))
    assert_same_events(events_of(path, replace(PLAN, **changes), PARALLEL), alone)
    assert sum(given) > 150


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        ({"by": "index"}, {}),
        ({"stride": 80}, {}),
        ({}, {"resize": "reference"}),
        ({}, {"every_frame": True}),
        ({"end_seconds": 15.0}, {}),
    ],
)
def test_some_plans_use_one_decoder(tmp_path, given, changes, options):
    path = make_video(tmp_path / "a.mp4", VIDEO)
    plan = replace(PLAN, **changes)
    alone = events_of(path, plan, replace(ALONE, **options))
    assert_same_events(events_of(path, plan, replace(PARALLEL, **options)), alone)
    assert given == []


def test_a_video_with_one_key_frame_is_not_divided(tmp_path, given):
    path = make_video(tmp_path / "a.mp4", replace(VIDEO, gop=1000))
    assert_same_events(events_of(path, PLAN, PARALLEL), events_of(path, PLAN))
    assert given == [0]


def test_times_that_jump_are_gaps_all_the_same(tmp_path, given):
    times = [i / 10 + 5.0 * (i > 250) for i in range(400)]
    path = make_video(tmp_path / "a.mp4", replace(VIDEO, times=times))
    together = events_of(path, PLAN, PARALLEL)
    assert_same_events(together, events_of(path, PLAN))
    assert len(together[-1].gaps) == 1
    assert sum(given) > 200


@pytest.mark.parametrize("place", [0.15, 0.3, 0.5, 0.7, 0.9])
def test_damage_is_reported_as_by_one_decoder(tmp_path, given, place):
    path = make_video(tmp_path / "a.mp4", replace(VIDEO, width=160, height=96))
    overwrite(path, place, place + 0.01)
    together = events_of(path, PLAN, PARALLEL)
    assert_same_events(together, events_of(path, PLAN))
    report = together[-1]
    assert isinstance(report, DecodeReport)
    assert report.bad_packets + report.corrupt_frames > 0 or report.gaps
    assert range_threads() == []


def test_decoding_anew_gives_signs_of_life(tmp_path, monkeypatch):
    path = make_video(tmp_path / "a.mp4", VIDEO)
    monkeypatch.setattr("vswin_cli.video.sampler._PROGRESS_SECONDS", 0.0)
    break_after(34, monkeypatch, RuntimeError)
    events = list(decode_samples(path, PLAN, PARALLEL))
    signs = [event for event in events if isinstance(event, Progress)]
    assert len(signs) > VIDEO.num_frames + 100
    assert signs == sorted(signs, key=lambda sign: (sign.frames_decoded, sign.seconds))
    assert events[-1].frames_decoded == VIDEO.num_frames


def test_a_video_that_a_strict_decoder_refuses_is_decoded_by_the_usual_one(
    tmp_path, given, monkeypatch
):
    """As one with a malformed message ahead of every frame is."""
    path = make_video(tmp_path / "a.mp4", VIDEO)
    alone = events_of(path, PLAN)

    decode_packet = VideoReader._decode_packet

    def refusing(self, packet):
        return [] if self.is_strict else decode_packet(self, packet)

    monkeypatch.setattr(VideoReader, "_decode_packet", refusing)
    assert_same_events(events_of(path, PLAN, PARALLEL), alone)
    assert given == [0]


def test_a_file_that_is_gone_in_the_end_keeps_what_was_decoded(tmp_path, given, monkeypatch):
    path = make_video(tmp_path / "a.mp4", VIDEO)
    frames = ParallelDecoder.frames

    def removing(self):
        yield from frames(self)
        path.unlink()

    monkeypatch.setattr(ParallelDecoder, "frames", removing)
    report = events_of(path, PLAN, PARALLEL)[-1]
    assert report.end_reason == "read_error"
    assert report.status == "partial"
    assert report.coverage > 0.8


def test_a_reader_that_stops_early_leaves_nothing_behind(tmp_path, given):
    path = make_video(tmp_path / "a.mp4", VIDEO)
    events = decode_samples(path, PLAN, PARALLEL)
    for _ in range(20):
        next(events)
    assert len(range_threads()) > 0
    events.close()
    assert range_threads() == []


def software(path, begin_seconds=0.0):
    return lambda: SoftwareRangeDecoder(
        path, lambda begin, end: True, 32, first_seconds=begin_seconds
    )


@pytest.mark.parametrize(
    ("limits", "expected"), [(RangeLimits(3, 1000.0), 3), (RangeLimits(16, 5.0), 2)]
)
def test_memory_holds_no_more_ranges_than_the_limits_allow(tmp_path, limits, expected):
    path = make_video(tmp_path / "a.mp4", VIDEO)
    ranges = RangeQueue(0.0, SECONDS, limits)
    with closing(ParallelDecoder([software(path)] * 4, ranges)) as decoder:
        most = max(ranges.num_open for _ in decoder.frames())
        assert decoder.is_sound
    assert most == expected


def test_no_range_begins_where_no_key_frame_is(tmp_path):
    path = make_video(tmp_path / "a.mp4", VIDEO)
    ranges = RangeQueue(1.0, SECONDS, RangeLimits(2, 1000.0))
    with closing(ParallelDecoder([software(path, 1.0)] * 2, ranges)) as decoder:
        assert list(decoder.frames()) == []
        assert not decoder.is_sound


class Unreliable:
    """A decoder that gives every range back after some frames, as hardware may."""

    is_reference = False

    def __init__(self, decoder, fault):
        self._decoder = decoder
        self._fault = fault
        self.keyframe_from, self.close = decoder.keyframe_from, decoder.close

    def decode(self, begin_seconds, end_seconds):
        yield from islice(self._decoder.decode(begin_seconds, end_seconds), 7)
        raise self._fault("no more")


@pytest.mark.parametrize("fault", [UnsoundRangeError, RuntimeError])
@pytest.mark.parametrize("num_reference", [1, 2])
def test_a_range_that_is_given_back_is_completed_by_a_reference_decoder(
    tmp_path, fault, num_reference
):
    path = make_video(tmp_path / "a.mp4", VIDEO)
    make = software(path)
    makers = [lambda: Unreliable(make(), fault)] * 2 + [lambda: None] + [make] * num_reference
    ranges = RangeQueue(0.0, SECONDS, RangeLimits(4, 1000.0))
    with closing(ParallelDecoder(makers, ranges)) as decoder:
        times = [frame.seconds for frame in decoder.frames()]
        assert decoder.is_sound
    assert times == pytest.approx([i / 10 for i in range(len(times))])
    assert len(times) > 300


def test_sixteen_decoders_give_what_one_gives(tmp_path, given):
    path = make_video(tmp_path / "a.mp4", replace(VIDEO, num_frames=900))
    together = events_of(path, PLAN, DecodeOptions(decoders=16))
    assert_same_events(together, events_of(path, PLAN))
    assert sum(given) > 800


@pytest.mark.parametrize("isolate", [True, False])
def test_clips_are_the_same_with_several_decoders(tmp_path, isolate):
    path = make_video(tmp_path / "a.mp4", VIDEO)
    source = VideoSource.of(str(path))
    spec = InputSpec(num_frames=8, frame_rate=5.0, resize_short_side=32, crop_size=32)
    recordings = []
    for decoders in (1, 3):
        options = DecodeOptions(decoders=decoders, isolate=isolate)
        with open_clips(source, spec, SamplingOptions(), options) as stream:
            assert stream.options.decoders == decoders
            recordings.append([(clip.frames, clip.step_edges_seconds) for clip in stream])
            assert stream.report.status == "ok"
    assert len(recordings[0]) == len(recordings[1]) > 20
    for alone, together in zip(*recordings, strict=True):
        np.testing.assert_array_equal(alone[0], together[0])
        np.testing.assert_array_equal(alone[1], together[1])


@pytest.mark.parametrize("fault", [RuntimeError, MemoryError, OSError])
def test_a_decoder_that_fails_is_replaced_by_the_one(tmp_path, monkeypatch, given, fault):
    path = make_video(tmp_path / "a.mp4", VIDEO)
    alone = events_of(path, PLAN)
    break_after(20, monkeypatch, fault)
    assert_same_events(events_of(path, PLAN, PARALLEL), alone)
    assert 0 < given[0] < 250


COLOURS = (
    {"colorspace": "bt709", "color_range": "tv"},
    {"colorspace": "bt470bg", "color_range": "pc"},
)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_frames_of_joined_videos_have_their_own_colours(tmp_path, given, name):
    first, second = (replace(VIDEO, num_frames=200, options=colours) for colours in COLOURS)
    path = make_joined(tmp_path / name, first, replace(second, start=20.3))
    alone = events_of(path, PLAN)
    assert_same_events(events_of(path, PLAN, PARALLEL), alone)
    # The range of the change is the fifth, which is claimed once the first, of 45 frames, is
    # yielded: four may be open. How many frames of the next ones come is a matter of time.
    assert sum(given) >= 45
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    assert len({(int(frame.colorspace), int(frame.color_range)) for frame in frames}) == 2
    by_time = {round(float(f.time - frames[0].time), 3): f for f in frames}
    for event in alone:
        if isinstance(event, SampledFrame):
            frame = by_time[round(event.seconds, 3)]
            own = ImageResizer(PLAN.short_side).resize(frame, 0)  # a scaler of its own
            np.testing.assert_array_equal(event.image, own)

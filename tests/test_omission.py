"""Pictures that nobody needs are left out, and nobody can tell."""

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from tests.videos import VideoRecipe, make_video, overwrite
from vswin_cli.decoding import decode_samples
from vswin_cli.media import DecodeReport
from vswin_cli.omission import is_disposable, nal_length_bytes
from vswin_cli.sampling import Progress, SampledFrame, SamplingPlan
from vswin_cli.video import VideoReader

PLAN = SamplingPlan(num_frames=8, stride=8, short_side=32, positions_per_second=10.0)
WITH_B = VideoRecipe(num_frames=90, gop=30, b_frames=3, options={"preset": "veryfast"})
SLICE, KEY_SLICE, SETTINGS, MESSAGE = 1, 5, 7, 6


def nal(kind: int, *, referred_to: bool, size: int = 5) -> bytes:
    return (size + 1).to_bytes(4, "big") + bytes([kind | 0x60 * referred_to]) + bytes(size)


def events_of(path, plan):
    return [event for event in decode_samples(path, plan) if not isinstance(event, Progress)]


def assert_same_events(left, right):
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        if isinstance(one, SampledFrame):
            np.testing.assert_array_equal(one.picture, other.picture)
            one, other = replace(one, picture=None), replace(other, picture=None)
        assert one == other


def num_left_out(path, plan) -> int:
    with VideoReader(path) as reader:
        tolerance = 0.001
        reader.decode_only(
            lambda begin, end: (
                plan.first_position_from(begin, tolerance)
                < plan.first_position_from(end, tolerance)
            )
        )
        return sum(frame.frame is None for frame in reader.frames())


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov"])
@pytest.mark.parametrize("rate", [3.0, 10.0, 12.0, 15.0])
@pytest.mark.parametrize("fps", [24, 25, 30])
def test_pictures_and_reports_are_the_same(tmp_path, name, rate, fps):
    path = make_video(tmp_path / name, replace(WITH_B, rate=Fraction(fps)))
    plan = replace(PLAN, positions_per_second=rate)
    assert_same_events(events_of(path, plan), events_of(path, replace(plan, every_frame=True)))
    assert num_left_out(path, plan) > 5


@pytest.mark.parametrize(
    "changes",
    [
        {"start_seconds": 0.7},
        {"start_seconds": 2.4, "end_seconds": 2.9},
        {"end_seconds": 1.31},
        {"stride": 14},
        {"by": "index", "positions_per_tick": 2},
        {"positions_per_second": 40.0, "positions_per_tick": 4, "phase": 2, "short": "spread"},
    ],
)
def test_any_plan_gives_the_same(tmp_path, changes):
    path = make_video(tmp_path / "a.mp4", WITH_B)
    plan = replace(PLAN, **changes)
    assert_same_events(events_of(path, plan), events_of(path, replace(plan, every_frame=True)))


def test_variable_frame_rate_and_late_start_give_the_same(tmp_path):
    draw = np.random.default_rng(4)
    times = np.cumsum(draw.choice([0.02, 0.033, 0.05, 0.1], 90)).tolist()
    path = make_video(tmp_path / "a.mp4", replace(WITH_B, times=times, start=1.5))
    assert_same_events(events_of(path, PLAN), events_of(path, replace(PLAN, every_frame=True)))
    assert num_left_out(path, PLAN) > 5


def test_rotated_pictures_stay_upright(tmp_path):
    path = make_video(tmp_path / "a.mp4", replace(WITH_B, rotation=90, width=96))
    assert_same_events(events_of(path, PLAN), events_of(path, replace(PLAN, every_frame=True)))
    assert num_left_out(path, PLAN) > 5


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "libx265"), ("a.webm", "libvpx-vp9"), ("a.ts", "libx264")]
)
def test_other_codecs_and_containers_are_decoded_entirely(tmp_path, name, codec):
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    path = make_video(tmp_path / name, replace(WITH_B, codec=codec, options=options))
    assert num_left_out(path, PLAN) == 0


def test_reader_leaves_nothing_out_unless_told(tmp_path):
    path = make_video(tmp_path / "a.mp4", WITH_B)
    with VideoReader(path) as reader:
        assert all(frame.frame is not None for frame in reader.frames())


def test_damaged_film_still_gives_a_picture_for_every_position(tmp_path):
    path = make_video(tmp_path / "a.mp4", replace(WITH_B, num_frames=150))
    overwrite(path, 0.3, 0.5)
    events = events_of(path, PLAN)
    assert isinstance(events[-1], DecodeReport)
    assert events[-1].bad_packets + events[-1].corrupt_frames > 0


def test_packet_is_disposable_if_none_of_its_slices_is_referred_to():
    loose, bound = nal(SLICE, referred_to=False), nal(SLICE, referred_to=True)
    message = nal(MESSAGE, referred_to=False)
    assert is_disposable(loose, 4)
    assert is_disposable(message + loose + loose, 4)
    assert not is_disposable(bound, 4)
    assert not is_disposable(loose + bound, 4)
    assert not is_disposable(nal(KEY_SLICE, referred_to=True), 4)


def test_packet_with_anything_odd_is_kept():
    loose = nal(SLICE, referred_to=False)
    assert not is_disposable(b"", 4)
    assert not is_disposable(nal(MESSAGE, referred_to=False), 4)  # no picture at all
    assert not is_disposable(nal(SETTINGS, referred_to=False) + loose, 4)
    assert not is_disposable(loose[:-1], 4)
    assert not is_disposable(loose + b"\0", 4)
    assert not is_disposable(bytes(9) + loose, 4)


def test_units_behind_start_codes_are_not_taken_for_lengths(tmp_path):
    assert nal_length_bytes(None) is None
    assert nal_length_bytes(b"\0\0\0\1\x67\x42\0\x1e") is None
    with av.open(str(make_video(tmp_path / "a.mp4"))) as container:
        assert nal_length_bytes(container.streams.video[0].codec_context.extradata) == 4

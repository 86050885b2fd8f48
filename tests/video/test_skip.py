"""Frames that nobody needs are skipped, and no other changes."""

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from tests.support.events import assert_same_events, events_of
from tests.support.videos import VideoRecipe, make_video, overwrite
from vswin_cli.video.decode_options import DecodeOptions
from vswin_cli.video.info import DecodeReport
from vswin_cli.video.reader import VideoReader
from vswin_cli.video.sampler import decode_samples
from vswin_cli.video.sampling import SamplingPlan
from vswin_cli.video.skip import allows_fields, frame_num_bits, is_disposable, nal_length_bytes

PLAN = SamplingPlan(num_frames=8, stride=8, short_side=32, positions_per_second=10.0)
EVERY_FRAME = DecodeOptions(every_frame=True)
WITH_B = VideoRecipe(num_frames=90, gop=30, b_frames=3, options={"preset": "veryfast"})
SLICE, KEY_SLICE, SETTINGS, MESSAGE = 1, 5, 7, 6


def nal(kind: int, *, referred_to: bool, size: int = 5) -> bytes:
    return (size + 1).to_bytes(4, "big") + bytes([kind | 0x60 * referred_to]) + bytes(size)


def ue(*numbers: int) -> str:
    """Numbers as H.264 codes them (9.1), in bits."""
    return "".join(f"{number + 1:0{2 * (number + 1).bit_length() - 1}b}" for number in numbers)


def num_skipped(path, plan) -> int:
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
def test_images_and_reports_are_the_same(tmp_path, name, rate, fps):
    path = make_video(tmp_path / name, replace(WITH_B, rate=Fraction(fps)))
    plan = replace(PLAN, positions_per_second=rate)
    assert_same_events(events_of(path, plan), events_of(path, plan, EVERY_FRAME))
    assert num_skipped(path, plan) > 5


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
    assert_same_events(events_of(path, plan), events_of(path, plan, EVERY_FRAME))


def test_variable_frame_rate_and_late_start_give_the_same(tmp_path):
    draw = np.random.default_rng(4)
    times = np.cumsum(draw.choice([0.02, 0.033, 0.05, 0.1], 90)).tolist()
    path = make_video(tmp_path / "a.mp4", replace(WITH_B, times=times, start=1.5))
    assert_same_events(events_of(path, PLAN), events_of(path, PLAN, EVERY_FRAME))
    assert num_skipped(path, PLAN) > 5


def test_rotated_images_stay_upright(tmp_path):
    path = make_video(tmp_path / "a.mp4", replace(WITH_B, rotation=90, width=96))
    assert_same_events(events_of(path, PLAN), events_of(path, PLAN, EVERY_FRAME))
    assert num_skipped(path, PLAN) > 5


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "libx265"), ("a.webm", "libvpx-vp9"), ("a.ts", "libx264")]
)
def test_other_codecs_and_containers_are_decoded_entirely(tmp_path, name, codec):
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    path = make_video(tmp_path / name, replace(WITH_B, codec=codec, options=options))
    assert num_skipped(path, PLAN) == 0


def test_video_that_may_hold_fields_is_decoded_entirely(tmp_path):
    # As broadcast, each field of a frame is a packet, of which one alone may be wanted.
    options = {"preset": "veryfast", "x264-params": "interlaced=1"}
    path = make_video(tmp_path / "a.mp4", replace(WITH_B, options=options))
    assert num_skipped(path, PLAN) == 0


@pytest.mark.parametrize("frames_only", [False, True])
@pytest.mark.parametrize("order_type", [ue(0) + ue(4), ue(1) + "0" + ue(1, 4, 1, 3), ue(2)])
@pytest.mark.parametrize("profile", [77, 100, 244])
def test_fields_are_allowed_according_to_the_parameter_sets(profile, order_type, frames_only):
    bits = f"{0x67:08b}{profile:08b}{30:016b}" + ue(0)
    if profile == 100:
        lists = "1" + ue(1, *[0] * 15) + "1" + ue(16) + "0" * 4 + "1" + ue(*[0] * 64) + "0"
        bits += ue(1, 0, 0) + "01" + lists  # 9 and so on; -8: as usual; 64 times 8
    elif profile == 244:
        bits += ue(3) + "0" + ue(0, 0) + "00"
    bits += ue(0) + order_type + ue(2) + "0" + ue(3, 1) + str(int(frames_only)) + "1"
    bits += "0" * (-len(bits) % 8)
    unit = int(bits, 2).to_bytes(len(bits) // 8, "big")
    extradata = bytes([1, profile, 0, 30, 0xFF, 0xE1, 0, len(unit)]) + unit
    assert allows_fields(extradata) is not frames_only


def test_settings_that_cannot_be_read_may_allow_fields():
    head = bytes([1, 77, 0, 30, 0xFF])
    assert allows_fields(head + bytes([0xE0, 0]))  # no settings
    assert allows_fields(head + bytes([0xE1, 0, 4, 0x67, 77, 0, 30]))  # cut short
    assert allows_fields(head + bytes([0xE1]))


def test_reader_skips_no_frame_by_default(tmp_path):
    path = make_video(tmp_path / "a.mp4", WITH_B)
    with VideoReader(path) as reader:
        assert all(frame.frame is not None for frame in reader.frames())


def test_damaged_video_still_gives_an_image_for_every_position(tmp_path):
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


def test_packet_with_unknown_units_is_kept():
    loose = nal(SLICE, referred_to=False)
    assert not is_disposable(b"", 4)
    assert not is_disposable(nal(MESSAGE, referred_to=False), 4)  # no frame at all
    assert not is_disposable(nal(SETTINGS, referred_to=False) + loose, 4)
    assert not is_disposable(loose[:-1], 4)
    assert not is_disposable(loose + b"\0", 4)
    assert not is_disposable(bytes(9) + loose, 4)


def test_units_after_start_codes_are_not_taken_for_lengths(tmp_path):
    assert nal_length_bytes(None) is None
    assert nal_length_bytes(b"\0\0\0\1\x67\x42\0\x1e") is None
    with av.open(str(make_video(tmp_path / "a.mp4"))) as container:
        assert nal_length_bytes(container.streams.video[0].codec_context.extradata) == 4


@pytest.mark.parametrize("fill", [b"\0", b"\xff"])
def test_a_skipped_packet_that_a_decoder_would_refuse_counts_as_loss(tmp_path, fill):
    recipe = VideoRecipe(b_frames=2, options={"slices": "1", "threads": "1"})
    path = make_video(tmp_path / "a.mp4", recipe)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        length_bytes = nal_length_bytes(stream.codec_context.extradata)
        assert frame_num_bits(stream.codec_context.extradata) >= 4
        places = [
            (packet.pos, packet.size)
            for packet in container.demux(stream)
            if packet.size and is_disposable(memoryview(packet), length_bytes)
        ]
    plan = SamplingPlan(num_frames=2, stride=2, short_side=32, positions_per_second=1.0)
    content = path.read_bytes()
    assert len(places) > 10
    for pos, size in places[::5]:
        damaged = bytearray(content)
        length = min(20, size - length_bytes - 1)
        at = pos + length_bytes + 1  # after the NAL header
        damaged[at : at + length] = fill * length
        path.write_bytes(damaged)
        *_, report = decode_samples(path, plan, DecodeOptions(isolate=False))
        *_, whole = decode_samples(path, plan, DecodeOptions(isolate=False, every_frame=True))
        assert (report.status, report.bad_packets) == (whole.status, whole.bad_packets)
        assert report.status == "partial"

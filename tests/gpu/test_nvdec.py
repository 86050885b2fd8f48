"""NVDEC's frames against those of software, and who decodes what it cannot."""

from __future__ import annotations

import threading
from dataclasses import replace
from fractions import Fraction
from functools import partial

import numpy as np
import pytest

from tests.support.events import events_of, without_heartbeats
from tests.support.videos import VideoRecipe, make_joined, make_video, overwrite
from vswin_cli.video import parallel
from vswin_cli.video.decode_options import DecodeOptions
from vswin_cli.video.decoder_process import decode_isolated
from vswin_cli.video.device_ranges import DeviceRangeDecoder
from vswin_cli.video.nvdec import Nvdec
from vswin_cli.video.sampling import SampledFrame, SamplingPlan

PLAN = SamplingPlan(num_frames=8, stride=8, short_side=112, positions_per_second=5.0)
NVDEC = DecodeOptions(decoder="nvdec")
VIDEO = VideoRecipe(
    num_frames=400,
    rate=Fraction(10),
    width=320,
    height=192,
    gop=20,
    options={"preset": "ultrafast"},
)
HEVC = replace(
    VIDEO, codec="libx265", options={"x265-params": "log-level=none", "preset": "ultrafast"}
)
CODECS = {
    "h264": (VIDEO, "mp4"),
    "h264 with B-frames": (replace(VIDEO, b_frames=2), "mp4"),
    "hevc": (HEVC, "mp4"),
    "hevc, 10 bits": (replace(HEVC, pixel_format="yuv420p10le"), "mp4"),
    "vp9": (replace(VIDEO, codec="libvpx-vp9", options={"cpu-used": "8"}), "webm"),
    "av1": (replace(VIDEO, codec="libsvtav1", options={"preset": "12"}), "mp4"),
}
"""On some chips without AV1."""


@pytest.fixture
def num_decoded(monkeypatch):
    """How many frames NVDEC has given, a list of one number; software waits for the first.

    It would have decoded these short videos before NVDEC is loaded.
    """
    counts, is_ready = [0], threading.Event()
    whole, make_software, note = DeviceRangeDecoder.decode, parallel._decoder_makers, Nvdec._note

    def counted(self, begin_seconds, end_seconds):
        for frame in whole(self, begin_seconds, end_seconds):
            counts[0] += 1
            is_ready.set()
            yield frame

    def delayed(make):
        is_ready.wait(60)
        return make()

    def noted(self, fault):
        note(self, fault)
        is_ready.set()

    monkeypatch.setattr(DeviceRangeDecoder, "decode", counted)
    monkeypatch.setattr(Nvdec, "_note", noted)
    monkeypatch.setattr(
        parallel,
        "_decoder_makers",
        lambda *args: [partial(delayed, make) for make in make_software(*args)],
    )
    return counts


def assert_nearly_same(found, expected):
    """The same times, runs, gaps and counts; images the same but for rounding."""
    assert [type(event) for event in found] == [type(event) for event in expected]
    differences = []
    for one, other in zip(found, expected, strict=True):
        if isinstance(one, SampledFrame):
            assert (one.position, one.count, one.seconds) == (
                other.position,
                other.count,
                other.seconds,
            )
            differences.append(np.abs(one.image.astype(int) - other.image))
        else:
            assert one == other
    assert np.mean(differences) < 0.5
    assert np.max(differences) <= 16


@pytest.mark.parametrize("name", CODECS)
def test_frames_are_those_of_software(tmp_path, num_decoded, name):
    recipe, container = CODECS[name]
    path = make_video(tmp_path / f"a.{container}", recipe)
    *events, report = events_of(path, PLAN, NVDEC)
    if name == "av1" and report.warnings:
        pytest.skip(report.warnings[0].message)
    assert_nearly_same([*events, report], events_of(path, PLAN))
    assert num_decoded[0] > 0


def test_a_rotated_video_is_upright(tmp_path, num_decoded):
    path = make_video(tmp_path / "a.mp4", replace(VIDEO, rotation=90.0))
    events = events_of(path, PLAN, NVDEC)
    assert events[1].image.shape == (187, 112, 3)
    assert_nearly_same(events, events_of(path, PLAN))
    assert num_decoded[0] > 0


def test_gaps_and_uneven_times_are_those_of_software(tmp_path, num_decoded):
    times = [i / 10 + (i % 3) / 50 + 4.0 * (i >= 200) for i in range(400)]
    path = make_video(tmp_path / "a.mp4", replace(VIDEO, times=times))
    assert_nearly_same(events_of(path, PLAN, NVDEC), events_of(path, PLAN))
    assert num_decoded[0] > 0


def test_frames_of_joined_videos_have_their_own_colours(tmp_path, num_decoded):
    first = replace(VIDEO, num_frames=200, options={"colorspace": "bt709"})
    tags = {"colorspace": "bt470bg", "color_range": "pc"}
    path = make_joined(tmp_path / "a.mp4", first, replace(first, start=20.3, options=tags))
    assert_nearly_same(events_of(path, PLAN, NVDEC), events_of(path, PLAN))
    assert num_decoded[0] > 0


def test_damage_is_reported_as_by_software(tmp_path):
    path = overwrite(make_video(tmp_path / "a.mp4", VIDEO), 0.6, 0.65)
    expected = events_of(path, PLAN)
    assert expected[-1].bad_packets + expected[-1].corrupt_frames > 0
    assert_nearly_same(events_of(path, PLAN, NVDEC), expected)


def test_what_the_chip_cannot_decode_is_decoded_in_software_and_said(tmp_path):
    path = make_video(tmp_path / "a.mp4", replace(VIDEO, pixel_format="yuv444p"))
    *events, report = events_of(path, PLAN, NVDEC)
    assert [warning.code for warning in report.warnings] == ["SOFTWARE_DECODING"]
    assert "yuv444p" in report.warnings[0].message
    assert_nearly_same([*events, replace(report, warnings=())], events_of(path, PLAN))


def test_a_decoder_process_uses_nvdec_in_spite_of_its_limit_of_memory(tmp_path):
    path = make_video(tmp_path / "a.mp4", VIDEO)
    events = without_heartbeats(decode_isolated(path, PLAN, NVDEC))
    assert events[-1].warnings == ()  # or it would say why not
    assert_nearly_same(events, events_of(path, PLAN))

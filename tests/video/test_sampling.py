"""Which frames a plan samples: no file, no frame."""

from dataclasses import replace

import numpy as np
import pytest

from vswin_cli.config import SamplingOptions, Stride
from vswin_cli.errors import OptionError
from vswin_cli.models.architecture import InputSpec
from vswin_cli.video.sampling import (
    SampledFrame,
    SamplingPlan,
    describe_rounding,
    plan_sampling,
)

SPEC = InputSpec()


def plan(**changes):
    settings = {"num_frames": 4, "stride": 4, "short_side": 32, "positions_per_second": 10.0}
    return SamplingPlan(**{**settings, **changes})


def test_weights_decide_what_the_user_leaves_open():
    chosen = plan_sampling(SPEC, SamplingOptions(stride=Stride(100.0, "%")))
    assert (chosen.num_frames, chosen.positions_per_second, chosen.stride) == (32, 15.0, 32)
    assert (chosen.by, chosen.short, chosen.short_side) == ("time", "loop", 224)


def test_weights_advise_a_stride():
    assert plan_sampling(SPEC, SamplingOptions()).stride == 24
    advised = replace(SPEC, stride_percent=50.0)
    assert plan_sampling(advised, SamplingOptions()).stride == 16
    assert plan_sampling(advised, SamplingOptions(stride=Stride(100.0))).stride == 32


@pytest.mark.parametrize(
    ("stride", "ticks"),
    [("50%", 16), ("1s", 16), ("1.067", 16), ("7f", 8), ("0.01", 2), ("4s", 60)],
)
def test_stride_is_rounded_to_whole_time_steps(stride, ticks):
    options = SamplingOptions(stride=Stride.parse(stride))
    assert plan_sampling(SPEC, options).stride == ticks


@pytest.mark.parametrize(
    ("stride", "told"),
    [("4%", "6.25% of a clip"), ("1f", "2 sampled frames"), ("3f", "4 sampled"), ("0.01", "0.01s")],
)
def test_a_stride_that_is_rounded_far_is_described(stride, told):
    options = SamplingOptions(stride=Stride.parse(stride))
    text = describe_rounding(SPEC, options, plan_sampling(SPEC, options))
    assert told in text


@pytest.mark.parametrize("stride", ["50%", "1.067", "7f", "4s", None])
def test_a_stride_that_is_kept_is_not_described(stride):
    options = SamplingOptions(stride=None if stride is None else Stride.parse(stride))
    assert describe_rounding(SPEC, options, plan_sampling(SPEC, options)) is None


def test_frame_interval_counts_positions_by_index():
    chosen = plan_sampling(SPEC, SamplingOptions(frame_interval=2))
    assert (chosen.by, chosen.positions_per_tick, chosen.clip_positions) == ("index", 2, 64)


def test_uniform_weights_get_four_seconds_per_clip():
    spec = InputSpec(sampling="uniform")
    chosen = plan_sampling(spec, SamplingOptions())
    assert chosen.clip_positions / chosen.positions_per_second == 4.0
    assert chosen.short == "spread"
    shorter = plan_sampling(spec, SamplingOptions(frame_rate=16.0))
    assert shorter.clip_positions / shorter.positions_per_second == 2.0


def test_odd_clip_lengths_are_rejected():
    with pytest.raises(OptionError, match="even number"):
        plan_sampling(InputSpec(num_frames=7), SamplingOptions())
    with pytest.raises(ValueError, match="even ticks"):
        plan(stride=3)


def test_sampled_frames_have_a_short_repr_and_compare_without_error():
    image = np.zeros((4, 6, 3), np.uint8)
    one, other = SampledFrame(3, 2, 0.25, image), SampledFrame(3, 2, 0.25, image)
    assert repr(one) == "SampledFrame(3, count=2, 0.250 s, (4, 6, 3))"
    assert one == one
    assert one != other
    assert len({one, other}) == 2

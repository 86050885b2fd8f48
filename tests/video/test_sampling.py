"""The grid of positions and who fills them: no file, no picture."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vswin_cli.config import SamplingOptions, Stride
from vswin_cli.errors import OptionError
from vswin_cli.models.architecture import InputSpec
from vswin_cli.video.frame_rate import Intervals, usual_interval
from vswin_cli.video.grid import GridWalker
from vswin_cli.video.sampling import (
    RunEnd,
    SampledFrame,
    SamplingPlan,
    describe_rounding,
    plan_sampling,
)

SPEC = InputSpec()


def plan(**changes):
    settings = {"num_frames": 4, "stride": 4, "short_side": 32, "positions_per_second": 10.0}
    return SamplingPlan(**{**settings, **changes})


def walk(plan, times, end, **arguments):
    """What a walker says for frames shown from each time to the next, then the video's end."""
    walker = GridWalker(plan, 0.001, **arguments)
    said = []
    for begin, until in zip(times, [*times[1:], end], strict=True):
        said += walker.show(begin, until)
    return said + list(walker.end_run(end))


# Choosing the plan


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


# Filling positions


def test_each_tick_shows_the_frame_on_display():
    times = [0.0, 0.04, 0.12, 0.31, 0.5]
    assert walk(plan(), times, 0.6) == [
        range(0, 1),
        range(1, 2),
        range(2, 4),
        range(4, 5),
        range(5, 6),
        RunEnd(0.6),
    ]


def test_frame_never_on_display_at_a_tick_is_not_sampled():
    times = [i / 40 for i in range(40)]
    said = walk(plan(), times, 1.0)
    assert [chunk.start for chunk in said[:-1]] == list(range(10))


def test_rounded_timestamps_do_not_shift_frames():
    """30 frames per second in whole milliseconds: every third is on a tick, 67 ms late or not."""
    times = [round(i * 1000 / 30) / 1000 for i in range(90)]
    walker = GridWalker(plan(), 0.001)
    shown = [
        number
        for number, (begin, until) in enumerate(zip(times, [*times[1:], 3.0], strict=True))
        for _ in walker.show(begin, until)
    ]
    assert shown == list(range(0, 90, 3))


@given(st.lists(st.floats(0.002, 0.9), min_size=1, max_size=60), st.floats(1.0, 60.0))
def test_positions_are_filled_once_and_without_holes(steps, rate):
    times = [0.0]
    for step in steps:
        times.append(times[-1] + step)
    said = walk(plan(positions_per_second=rate), times[:-1], times[-1])
    filled = [position for chunk in said if isinstance(chunk, range) for position in chunk]
    assert filled == list(range(len(filled)))
    assert abs(len(filled) - times[-1] * rate) <= 1.01


def test_run_after_a_gap_starts_on_the_grid_of_steps():
    walker = GridWalker(plan(), 0.001)
    assert list(walker.show(0.0, 0.25)) == [range(0, 3)]
    assert list(walker.end_run(0.25)) == [RunEnd(0.25)]
    assert not walker.run_is_open
    assert list(walker.show(0.51, 0.62)) == [range(6, 7)]
    assert walker.run_is_open


def test_frame_between_two_starts_of_runs_is_skipped():
    walker = GridWalker(plan(), 0.001)
    assert list(walker.show(0.51, 0.58)) == []
    assert list(walker.end_run(0.58)) == []


def test_grid_begins_at_the_start_of_the_part_and_ends_with_it():
    part = plan(start_seconds=1.05, end_seconds=1.4)
    times = [i / 20 for i in range(40)]
    said = walk(part, times, 2.0)
    filled = [position for chunk in said if isinstance(chunk, range) for position in chunk]
    assert filled == [0, 1, 2, 3]
    assert part.seconds_at(0) == 1.05
    assert said[-1] == RunEnd(1.4)


def test_sparse_plan_has_one_run_per_clip():
    said = walk(plan(stride=10), [i / 10 for i in range(30)], 3.0)
    positions = [chunk.start for chunk in said if isinstance(chunk, range)]
    assert positions == [0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23]
    assert [end for end in said if isinstance(end, RunEnd)] == [
        RunEnd(0.4),
        RunEnd(1.4),
        RunEnd(2.4),
    ]


def test_sparse_walker_returns_the_next_time_needed():
    walker = GridWalker(plan(stride=10), 0.001)
    list(walker.show(0.0, 0.4))
    assert not walker.run_is_open
    assert walker.wanted_from_seconds == 1.0


def test_last_sparse_clip_is_moved_back_to_the_declared_end():
    said = walk(plan(stride=10), [i / 10 for i in range(12)], 1.2, total_seconds=1.2)
    assert [chunk.start for chunk in said if isinstance(chunk, range)] == [0, 1, 2, 3, 8, 9, 10, 11]


def test_sparse_clips_by_index_count_all_frames():
    said = walk(plan(by="index", stride=10), [i / 30 for i in range(25)], 25 / 30)
    positions = [chunk.start for chunk in said if isinstance(chunk, range)]
    assert positions == [0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23]


# Intervals


def test_usual_interval_averages_rounded_timestamps():
    assert usual_interval([0.033, 0.033, 0.034, 0.033, 1.0]) == pytest.approx(0.03325)


def test_gap_is_longer_than_half_a_second_and_four_intervals():
    intervals = Intervals(1 / 30)
    assert not intervals.is_gap(0.5, 0.0)
    assert intervals.is_gap(0.51, 0.0)
    slow = Intervals(1.0)
    assert not slow.is_gap(3.9, 0.0)
    assert slow.is_gap(4.1, 0.0)


def test_still_is_a_gap_only_if_the_container_does_not_declare_it():
    intervals = Intervals(1 / 30)
    assert not intervals.is_gap(10.0, 10.0)
    assert intervals.is_gap(10.0, 1 / 30)
    assert intervals.is_gap(1000.0, 1000.0)  # too long to be believed


def test_last_frame_lasts_as_declared_if_that_is_plausible():
    intervals = Intervals(0.1)
    assert intervals.last_frame_seconds(0.2, 0.2) == 0.2
    assert intervals.last_frame_seconds(0.0, 5.0) == 0.1
    assert intervals.last_frame_seconds(20.0, 20.0) == 20.0
    assert intervals.last_frame_seconds(20.0, 0.1) == 0.1


def test_usual_interval_follows_the_video():
    intervals = Intervals(1 / 30)
    for _ in range(200):
        intervals.add(0.1)
    assert intervals.usual_seconds == pytest.approx(0.1)


def test_few_unusual_intervals_do_not_make_a_rate_variable():
    intervals = Intervals(1 / 30)
    for number in range(300):
        intervals.add(1 / 15 if number % 100 == 50 else 1 / 30)
    assert not intervals.are_variable
    for number in range(300):
        intervals.add(1 / 15 if number % 3 else 1 / 30)
    assert intervals.are_variable


def test_sampled_frames_have_a_short_repr_and_compare_without_error():
    image = np.zeros((4, 6, 3), np.uint8)
    one, other = SampledFrame(3, 2, 0.25, image), SampledFrame(3, 2, 0.25, image)
    assert repr(one) == "SampledFrame(3, count=2, 0.250 s, (4, 6, 3))"
    assert one == one
    assert one != other
    assert len({one, other}) == 2

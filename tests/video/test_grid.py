"""Positions that frames fill while they are on display: no file, no frame."""

from hypothesis import given
from hypothesis import strategies as st

from vswin_cli.video.grid import GridWalker
from vswin_cli.video.sampling import (
    RunEnd,
    SamplingPlan,
)


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

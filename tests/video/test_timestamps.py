"""Times of frames whose timestamps reset, jump or are damaged."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vswin_cli.video.timestamps import TimestampUnwrapper, to_seconds

STEP = 0.1


def placed(stamps, unwrapper=None):
    """(time, whether timestamps were reset before it) of each frame."""
    unwrapper = unwrapper or TimestampUnwrapper(STEP)
    return [
        unwrapper.time_of_next(stamp, lambda count, at=at: stamps[at + 1 : at + 1 + count])
        for at, stamp in enumerate(stamps)
    ]


def times(stamps, unwrapper=None):
    return pytest.approx([seconds for seconds, _ in placed(stamps, unwrapper)])


def codes(unwrapper):
    return [warning.code for warning in unwrapper.warnings]


def test_regular_timestamps_are_kept():
    unwrapper = TimestampUnwrapper(STEP)
    stamps = [0.0, 0.1, 0.2, 0.6, 5.0, 5.1, 5.0, 5.2]
    assert placed(stamps, unwrapper) == [(stamp, False) for stamp in stamps]
    assert unwrapper.warnings == ()


def test_frames_without_timestamps_follow_one_another():
    assert times([None, None, None]) == [0.0, 0.1, 0.2]
    assert times([2.0, None, 2.2]) == [2.0, 2.1, 2.2]


def test_reset_timestamps_continue():
    unwrapper = TimestampUnwrapper(STEP)
    found = placed([10.0, 10.1, 0.0, 0.1, 0.2], unwrapper)
    assert [seconds for seconds, _ in found] == pytest.approx([10 + STEP * i for i in range(5)])
    assert [is_reset for _, is_reset in found] == [False, False, True, False, False]
    (warning,) = unwrapper.warnings
    assert warning.code == "TIMESTAMP_RESET"
    assert warning.message == "the file's timestamps restart at 10.200 s"


def test_many_resets_are_one_warning():
    unwrapper = TimestampUnwrapper(STEP)
    placed([0.0, 0.6, 0.7] * 100, unwrapper)
    (warning,) = unwrapper.warnings
    assert warning.message == "the file's timestamps restart at 0.800 s, 99 times in all"


@pytest.mark.parametrize("wrong", [11_930.0, 1.7, 0.0, -700.0])
def test_one_damaged_timestamp_moves_no_other_time(wrong):
    unwrapper = TimestampUnwrapper(STEP)
    assert times([0.8, 0.9, wrong, 1.1, 1.2], unwrapper) == [0.8, 0.9, 1.0, 1.1, 1.2]
    (warning,) = unwrapper.warnings
    assert warning.code == "DAMAGED_TIMESTAMPS"
    assert warning.message.startswith("1 damaged timestamp ")


def test_a_damaged_timestamp_after_a_reset_is_corrected():
    unwrapper = TimestampUnwrapper(STEP)
    stamps = [9.0, 9.1, 0.0, 0.1, 500.0, 0.3]
    assert times(stamps, unwrapper) == [9.0, 9.1, 9.2, 9.3, 9.4, 9.5]
    assert codes(unwrapper) == ["TIMESTAMP_RESET", "DAMAGED_TIMESTAMPS"]


def test_a_corrected_time_lies_between_frames_that_are_close():
    assert times([0.0, 90.0, 0.05]) == [0.0, 0.025, 0.05]


def test_a_jump_that_lasts_is_a_gap_and_the_last_frame_may_be_far():
    assert times([0.0, 0.1, 50.0, 50.1]) == [0.0, 0.1, 50.0, 50.1]
    assert times([0.0, 0.1, 50.0]) == [0.0, 0.1, 50.0]


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=30))
def test_time_never_falls_back_by_more_than_reordering_does(stamps):
    newest = None
    for seconds, _ in placed(stamps):
        assert newest is None or seconds >= newest - 0.5 - 1e-9
        newest = seconds if newest is None else max(newest, seconds)


def test_jumps_are_limited_by_the_size_of_the_file():
    unwrapper = TimestampUnwrapper(STEP)
    unwrapper.longest_jumps_seconds = 5000.0
    stamps = [0.0, STEP, 3600.0, 3600.0 + STEP, 9e7, 9e7 + STEP, 18e7, 18e7 + STEP]
    expected = [0.0, STEP, 3600.0, 3600.0 + STEP]
    second = 3600.0 + STEP + (5000.0 - (3600.0 - STEP))  # what is left of the bound
    expected += [second, second + STEP, second + 2 * STEP, second + 3 * STEP]
    assert times(stamps, unwrapper) == expected
    assert codes(unwrapper) == ["STRETCHED_CLOCK"]


@pytest.mark.parametrize("tick", [Fraction(1, 90_000), Fraction(1001, 30_000), Fraction(1, 3)])
@pytest.mark.parametrize("origin", [Fraction(0), Fraction(-7, 11), Fraction(2**40, 3)])
@pytest.mark.parametrize("timestamp", [-5, 0, 1, 12_345_678_901, 2**60])
def test_seconds_are_those_of_exact_arithmetic_rounded_once(timestamp, tick, origin):
    assert to_seconds(timestamp, tick, origin) == float(timestamp * tick - origin)


@pytest.mark.parametrize(
    ("following", "count"),
    [
        ([0.2], 1),  # the end of the video
        ([0.2, 0.3], 2),
        ([0.2, 8.1, 8.2], 1),  # it goes on near the frame
        ([0.2, 0.3, 0.4, 0.5, 0.6, 0.7], 0),  # a damaged timestamp
        ([], 0),
        ([8.1], 0),
        ([4.0, 8.1], 0),
        ([None, 8.1], 0),
    ],
)
def test_a_frame_that_came_too_early_is_shown_after_those_near_the_last(following, count):
    unwrapper = TimestampUnwrapper(STEP)
    placed([0.0, 0.1], unwrapper)
    assert unwrapper.num_before(8.0, lambda wanted: following[:wanted]) == count

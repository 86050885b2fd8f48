import pytest

from vswin_cli.video.frame_rate import Intervals, usual_interval


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
    assert intervals.last_frame_seconds(0.05, 0.05) == 0.05
    assert intervals.last_frame_seconds(0.05, 0.1) == 0.1  # the end of the video confirms it


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

"""Intervals of two sets, merged and aligned in time."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vswin_cli.evaluation.alignment import align, common_end, merge_touching
from vswin_cli.evaluation.intervals import AnnotatedVideo, Interval

STEP = 0.5  # all drawn times are multiples of it

spans = st.tuples(st.integers(0, 18), st.integers(1, 8), st.sampled_from("ab")).map(
    lambda drawn: Interval(drawn[0] * STEP, (drawn[0] + drawn[1]) * STEP, drawn[2])
)
sides = st.lists(spans, max_size=5)


def labels_at(intervals, time: float) -> set[str]:
    return {one.label for one in intervals if one.start_seconds <= time < one.end_seconds}


@settings(deadline=None, max_examples=80)
@given(sides)
def test_merging_keeps_the_labels_of_every_instant(intervals):
    merged = merge_touching(intervals)
    for i in range(30):
        time = (i + 0.5) * STEP
        assert labels_at(merged, time) == labels_at(intervals, time)
    for label in "ab":
        own = [one for one in merged if one.label == label]
        assert all(x.end_seconds < y.start_seconds for x, y in pairwise(own))


@settings(deadline=None, max_examples=80)
@given(sides, sides)
def test_spans_cover_time_without_overlap(a, b):
    found = list(align(a, b, 10.0))
    assert found[0].start_seconds == 0.0
    assert found[-1].end_seconds == 10.0
    assert all(x.end_seconds == y.start_seconds for x, y in pairwise(found))


def test_excluded_parts_are_cut_out():
    found = list(align([Interval(0, 4, "a")], [Interval(2, 4, "b")], 5.0, excluded=[(1, 3)]))
    assert [(one.start_seconds, one.end_seconds) for one in found] == [(0, 1), (3, 4), (4, 5)]
    assert [(one.first, one.second) for one in found] == [
        ({"a"}, set()),
        ({"a"}, {"b"}),
        (set(), set()),
    ]
    assert [one.agrees for one in found] == [False, False, True]


def test_a_merged_interval_has_the_largest_score_of_its_parts():
    parts = [Interval(0, 2, "a", 0.5), Interval(2, 3, "a", 0.9), Interval(5, 6, "a")]
    assert merge_touching(parts) == [Interval(0, 3, "a", 0.9), Interval(5, 6, "a")]


def test_time_ends_with_the_longer_duration_or_the_last_interval():
    unknown = AnnotatedVideo("u", (Interval(0, 7, "a"),))
    assert common_end(unknown, AnnotatedVideo("u", (), 5.0)) == 5.0
    assert common_end(AnnotatedVideo("u", (), 6.0), AnnotatedVideo("u", (), 5.0)) == 6.0
    assert common_end(unknown, AnnotatedVideo("u")) == pytest.approx(7.0)

"""Overlapping segments as disjoint parts."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.timelines import segment
from vswin_cli.export.disjoint import disjoint_parts


def parts(*segments):
    return disjoint_parts([segment(*one) for one in segments], lambda one: one.label, "+")


def test_texts_that_hold_together_are_joined_each_once():
    assert parts((0, 2, "a"), (1, 3, "b"), (1, 3, "b")) == [
        (0, 1000, "a"), (1000, 2000, "a+b"), (2000, 3000, "b"),
    ]  # fmt: skip


def test_neighbours_with_the_same_text_become_one():
    assert parts((0, 1, "a"), (1, 2, "a"), (3, 4, "a")) == [(0, 2000, "a"), (3000, 4000, "a")]


def test_a_short_overlap_is_no_part_of_its_own():
    assert parts((0, 2.5, "a"), (2.333, 6, "b")) == [(0, 2500, "a"), (2500, 6000, "b")]


def test_a_short_label_is_kept():
    assert parts((0, 2, "a"), (2, 2.1, "cut"), (2, 4, "b")) == [
        (0, 2000, "a"), (2000, 2100, "cut+b"), (2100, 4000, "b"),
    ]  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20), st.sampled_from("abc"))))
def test_every_moment_keeps_a_label_that_holds_then(drawn):
    segments = sorted((start / 10, (start + length) / 10, label) for start, length, label in drawn)
    found = parts(*segments)
    assert all(start < end for start, end, _ in found)
    assert all(one[1] <= two[0] for one, two in itertools.pairwise(found))
    for moment in range(50, 7000, 100):
        holding = {label for start, end, label in segments if start * 1000 < moment < end * 1000}
        shown = {text for start, end, text in found if start < moment < end}
        labels = {label for text in shown for label in text.split("+")}
        assert bool(labels) == bool(holding)
        assert labels <= holding
    assert {label for *_, text in found for label in text.split("+")} == {s[2] for s in segments}

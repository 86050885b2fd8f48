"""Top-k, its interval, and the commonest mistakes."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vswin_cli.evaluation.accuracy import (
    Rate,
    confusions,
    mean_class_accuracy,
    rank_of,
    wilson_interval,
)

Z = 1.959963984540054


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [  # R: prop.test(x, n, correct = FALSE)$conf.int
        (8, 10, 0.4901625, 0.9433178),
        (0, 10, 0.0, 0.2775328),
    ],
)
def test_interval_has_published_values(hits, total, low, high):
    assert wilson_interval(hits, total) == pytest.approx((low, high), abs=1e-6)


@settings(deadline=None, max_examples=80)
@given(total=st.integers(1, 5000), data=st.data())
def test_interval_ends_are_the_shares_z_deviations_away(total, data):
    hits = data.draw(st.integers(0, total))
    low, high = wilson_interval(hits, total)
    share = hits / total
    assert 0 <= low <= share <= high <= 1
    for end in {low, high} - {0.0, 1.0}:
        assert abs(share - end) == pytest.approx(Z * math.sqrt(end * (1 - end) / total), rel=1e-6)


@settings(deadline=None, max_examples=80)
@given(total=st.integers(1, 2000), data=st.data())
def test_interval_is_symmetric_between_hits_and_misses(total, data):
    hits = data.draw(st.integers(0, total))
    low, high = wilson_interval(hits, total)
    mirrored = wilson_interval(total - hits, total)
    assert (1 - high, 1 - low) == pytest.approx(mirrored, abs=1e-12)


def test_without_videos_the_interval_is_everything():
    assert Rate.of(0, 0).share == 0.0
    assert (Rate.of(0, 0).low, Rate.of(0, 0).high) == (0.0, 1.0)


def test_rate_reads_as_percent():
    assert str(Rate.of(8, 10)) == "80.00 % (95 % Wilson: 49.02 to 94.33)"


@settings(deadline=None, max_examples=80)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=20), st.data())
def test_rank_is_the_place_in_a_stable_sort(values, data):
    scores = np.array(values, np.float32) / 6
    class_id = data.draw(st.integers(0, len(values) - 1))
    order = sorted(range(len(values)), key=lambda i: (-values[i], i))
    assert rank_of(scores, class_id) == order.index(class_id) + 1


def test_top_k_counts_ranks():
    ranks = [1, 2, 5, 6, 1]
    assert Rate.within(ranks, 1).hits == 2
    assert Rate.within(ranks, 5).hits == 4


def test_mean_class_accuracy_weighs_each_class_alike():
    assert mean_class_accuracy([0, 0, 0, 1], [True, True, True, False]) == 0.5
    assert mean_class_accuracy([], []) == 0.0


def test_confusions_count_mistakes_only_and_the_commonest_first():
    pairs = [("a", "a"), ("a", "b"), ("a", "b"), ("c", "a"), ("b", "b")]
    found = confusions(pairs)
    assert [(one.truth, one.predicted, one.count, one.of) for one in found] == [
        ("a", "b", 2, 3),
        ("c", "a", 1, 1),
    ]
    assert len(confusions(pairs, most=1)) == 1

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vswin_cli.timeline.runs import (
    drop_short,
    hysteresis,
    limit_labels,
    merge_runs,
    peaks_of,
    runs_of,
    smooth,
    split_runs,
)

scores_strategy = st.lists(st.floats(0, 1, width=16), max_size=40).map(
    lambda values: np.array(values, np.float32)
)
flags_strategy = st.lists(st.booleans(), max_size=40).map(lambda values: np.array(values, bool))


def covered(runs, length=60):
    flags = np.zeros(length, bool)
    for start, stop in runs:
        flags[start:stop] = True
    return flags


@given(flags_strategy)
def test_runs_of_are_sorted_disjoint_maximal_and_cover_exactly_the_true_cells(flags):
    runs = runs_of(flags)
    assert all(start < stop for start, stop in runs)
    assert all(a[1] < b[0] for a, b in itertools.pairwise(runs))
    np.testing.assert_array_equal(covered(runs, len(flags)), flags)


def test_hysteresis_starts_at_onset_and_holds_down_to_offset():
    scores = np.array([0.1, 0.3, 0.5, 0.3, 0.1, 0.3, 0.1], np.float32)
    assert hysteresis(scores, 0.4, 0.2) == [(1, 4)]
    assert hysteresis(scores, 0.4, 0.4) == [(2, 3)]
    assert hysteresis(scores, 0.6, 0.2) == []


@given(scores_strategy, st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_hysteresis_is_bounded_by_its_thresholds_and_monotone(scores, one, two, lower):
    offset, onset = sorted((one, two))
    runs = hysteresis(scores, onset, offset)
    for start, stop in runs:
        assert (scores[start:stop] >= offset).all()
        assert scores[start:stop].max() >= onset
        assert start == 0 or scores[start - 1] < offset
        assert stop == len(scores) or scores[stop] < offset
    above = covered(hysteresis(scores, onset, onset), len(scores))
    assert (covered(runs, len(scores)) >= above).all()
    wider = hysteresis(scores, onset, min(lower, offset))
    assert (covered(wider, len(scores)) >= covered(runs, len(scores))).all()


def test_peaks_are_single_cells_and_a_plateau_counts_once():
    scores = np.array([0.5, 0.2, 0.4, 0.9, 0.8, 0.8, 0.3, 0.7, 0.7, 0.1, 0.6], np.float32)
    assert peaks_of(scores, 0.5) == [(0, 1), (3, 4), (7, 8), (10, 11)]
    assert peaks_of(scores, 0.8) == [(3, 4)]
    assert peaks_of(scores[:0], 0.5) == []


@given(scores_strategy, st.floats(0, 1))
def test_peaks_reach_the_onset_never_touch_and_hold_the_largest_score(scores, onset):
    peaks = peaks_of(scores, onset)
    assert all(scores[start] >= np.float32(onset) for start, _ in peaks)
    assert all(b[0] - a[1] >= 1 for a, b in itertools.pairwise(peaks))
    if len(scores) and scores.max() >= np.float32(onset):
        assert (int(scores.argmax()), int(scores.argmax()) + 1) in peaks


@given(flags_strategy, st.integers(0, 10))
def test_merging_keeps_what_was_covered_and_leaves_only_larger_holes(flags, max_gap):
    runs = runs_of(flags)
    merged = merge_runs(runs, max_gap)
    assert (covered(merged) >= covered(runs)).all()
    assert all(b[0] - a[1] > max_gap for a, b in itertools.pairwise(merged))
    assert merge_runs(merged, max_gap) == merged
    assert {start for start, _ in merged} <= {start for start, _ in runs}


def test_merging_with_no_gap_allowed_joins_only_runs_that_touch():
    assert merge_runs([(0, 2), (2, 3), (4, 5)], 0) == [(0, 3), (4, 5)]


def test_runs_are_divided_at_breaks_and_not_joined_across_them():
    assert split_runs([(0, 5), (6, 9)], [0, 2, 5, 7, 8]) == [
        (0, 2), (2, 5), (6, 7), (7, 8), (8, 9)
    ]  # fmt: skip
    assert split_runs([(0, 5)], []) == [(0, 5)]
    runs = [(0, 2), (3, 5), (6, 8), (8, 9)]
    assert merge_runs(runs, 1, [2]) == [(0, 2), (3, 9)]
    assert merge_runs(runs, 1, [3]) == [(0, 2), (3, 9)]
    assert merge_runs(runs, 1, [1, 4, 8]) == [(0, 8), (8, 9)]


@given(flags_strategy, st.integers(0, 10))
def test_dropping_short_runs_only_removes(flags, shortest):
    runs = runs_of(flags)
    kept = drop_short(runs, shortest)
    assert set(kept) <= set(runs)
    assert all(stop - start >= shortest for start, stop in kept)
    assert all(stop - start < shortest for start, stop in set(runs) - set(kept))


@given(scores_strategy, st.integers(0, 50))
def test_smoothing_keeps_length_and_stays_between_the_extremes(scores, width):
    out = smooth(scores, width)
    assert out.shape == scores.shape
    if len(scores):
        assert out.min() >= scores.min() - 1e-5
        assert out.max() <= scores.max() + 1e-5


@given(st.integers(1, 30), st.integers(0, 50))
def test_smoothing_leaves_a_constant_alone(length, width):
    np.testing.assert_allclose(smooth(np.full(length, 0.7, np.float32), width), 0.7, rtol=1e-5)


def test_smoothing_weighs_neighbours_by_a_raised_cosine():
    out = smooth(np.array([0, 0, 1, 0, 0], np.float32), 3)
    np.testing.assert_allclose(out, [0, 0.25, 0.5, 0.25, 0], atol=1e-6)


def test_smoothing_treats_columns_alone():
    rng = np.random.default_rng(1)
    rows = rng.random((12, 3)).astype(np.float32)
    for i in range(3):
        np.testing.assert_allclose(smooth(rows, 5)[:, i], smooth(rows[:, i], 5), atol=1e-6)


@st.composite
def contests(draw):
    cells, labels = draw(st.integers(1, 8)), draw(st.integers(1, 4))
    size = cells * labels
    scores = draw(st.lists(st.floats(0, 1, width=16), min_size=size, max_size=size))
    active = draw(st.lists(st.booleans(), min_size=size, max_size=size))
    return (
        np.array(scores, np.float32).reshape(cells, labels),
        np.array(active).reshape(cells, labels),
    )


@given(contests(), st.integers(1, 4), st.floats(0, 3))
def test_limit_keeps_at_most_the_allowed_labels_and_wastes_no_place(contest, most, cost):
    scores, active = contest
    kept = limit_labels(scores, active, most, cost)
    assert (kept <= active).all()
    np.testing.assert_array_equal(kept.sum(axis=1), np.minimum(active.sum(axis=1), most))


@settings(max_examples=60)
@given(contests(), st.floats(0, 2))
def test_limit_to_one_label_finds_the_best_assignment(contest, cost):
    """Against all assignments, tried one by one."""
    scores, active = contest
    kept = limit_labels(scores, active, 1, cost)
    for start, stop in runs_of(active.any(axis=1)):
        best = max(
            value(scores[start:stop], path, cost) for path in paths(active[start:stop].tolist())
        )
        found = kept[start:stop].argmax(axis=1)
        assert abs(value(scores[start:stop], found, cost) - best) < 1e-4


def paths(active):
    if not active:
        yield []
        return
    for label, may in enumerate(active[0]):
        if may:
            yield from ([label, *rest] for rest in paths(active[1:]))


def value(scores, path, cost):
    changes = sum(a != b for a, b in itertools.pairwise(path))
    return float(sum(scores[i, label] for i, label in enumerate(path))) - cost * changes


def test_two_labels_at_nearly_the_same_score_do_not_alternate():
    wobble = np.array([0.02, -0.02] * 10, np.float32)
    scores = np.stack([0.5 + wobble, 0.5 - wobble], axis=1)
    kept = limit_labels(scores, np.ones((20, 2), bool), 1, 0.5)
    assert len(runs_of(kept[:, 0])) + len(runs_of(kept[:, 1])) == 1


def test_change_from_one_label_to_another_falls_where_their_scores_cross():
    falling = np.linspace(0.9, 0.1, 21).astype(np.float32)
    scores = np.stack([falling, falling[::-1]], axis=1)
    kept = limit_labels(scores, np.ones((21, 2), bool), 1, 0.5)
    assert runs_of(kept[:, 0]) in ([(0, 10)], [(0, 11)])

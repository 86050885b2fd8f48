"""Windows like a query: exact similarities, no gap inside, no two that overlap."""

import numpy as np
import pytest

from tests.support.features import STEP, smooth_rows
from vswin_cli.search import moments
from vswin_cli.search.moments import (
    Windows,
    best_apart,
    best_of_several,
    box_means,
    cosines,
    single_precision,
    unit_rows,
    windows_like,
)


def edges(count: int, gap_after: int | None = None, gap: float = 5.0):
    starts = np.arange(count) * STEP
    if gap_after is not None:
        starts[gap_after:] += gap
    return starts, starts + STEP


def test_cosines_are_those_of_numpy_in_any_chunk_size(monkeypatch):
    rows, units = smooth_rows(20), unit_rows(smooth_rows(3, seed=1))
    expected = rows @ units.T / np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(cosines(rows, units), expected, atol=1e-6)
    monkeypatch.setattr(moments, "_CONVERTED_ROWS", 7)
    np.testing.assert_allclose(cosines(rows, units), expected, atol=1e-6)


def test_every_finite_half_has_its_exact_value():
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16).reshape(256, 256)
    values, expected = single_precision(halves), halves.astype(np.float32)
    is_finite = np.isfinite(expected)
    assert (values[is_finite] == expected[is_finite]).all()
    assert (np.signbit(values) == np.signbit(halves)).all()
    assert np.isfinite(values).all()
    doubles = np.array([[1.5, -2.0]])
    assert single_precision(doubles).dtype == np.float32


def test_rows_of_zeros_are_like_nothing():
    assert cosines(np.zeros((2, 4), np.float16), unit_rows(np.ones((1, 4)))).tolist() == [[0], [0]]


@pytest.mark.parametrize("chunk", [3, 8, 8192])
def test_similarity_is_the_mean_cosine_of_steps_at_the_same_place(monkeypatch, chunk):
    monkeypatch.setattr(moments, "_CHUNK_ROWS", chunk)
    rows, query = smooth_rows(30), unit_rows(smooth_rows(4, seed=1))
    found = windows_like(query, rows, *edges(30))
    units = unit_rows(rows)
    expected = [np.mean(np.sum(units[i : i + 4] * query, axis=1)) for i in range(27)]
    np.testing.assert_allclose(found.similarity, expected, atol=1e-6)
    assert found.first.tolist() == list(range(27))
    assert (found.stop - found.first == 4).all()


def test_no_window_reaches_across_a_gap():
    found = windows_like(unit_rows(smooth_rows(4)), smooth_rows(20), *edges(20, gap_after=10))
    assert found.first.tolist() == [*range(7), *range(10, 17)]


def test_a_stretch_shorter_than_the_query_is_one_window_if_it_is_half_as_long():
    rows = smooth_rows(8)
    for count, expected in ((4, [(0, 4)]), (3, [])):
        found = windows_like(unit_rows(rows), rows[:count], *edges(count))
        assert list(zip(found.first, found.stop, strict=True)) == expected
    part = windows_like(unit_rows(rows), rows[2:7], *edges(5))
    assert part.similarity[0] == pytest.approx(1, abs=1e-6)


def test_no_rows_have_no_windows():
    none = windows_like(unit_rows(smooth_rows(4)), smooth_rows(4)[:0], *edges(0))
    assert len(none.similarity) == 0
    assert len(best_apart(none, 5).first) == 0


def windows(*found: tuple[int, int, float]) -> Windows:
    first, stop, similarity = zip(*found, strict=True)
    return Windows(np.array(first), np.array(stop), np.array(similarity, np.float32))


def test_the_best_windows_that_do_not_overlap_are_chosen():
    near = windows((0, 4, 0.5), (1, 5, 0.9), (4, 8, 0.8), (5, 9, 0.7), (20, 24, 0.1))
    assert best_apart(near, 9).first.tolist() == [1, 5, 20]
    assert best_apart(near, 1).first.tolist() == [1]
    assert best_apart(near, 9, 0.5).first.tolist() == [1, 5]


def test_the_choice_does_not_depend_on_how_many_are_sorted_at_a_time():
    values = np.random.default_rng(3).integers(0, 50, 5000).astype(np.float32) / 50
    first = np.arange(5000)
    every = Windows(first, first + 40, values)
    few = best_apart(every, 3)
    assert best_apart(every, 60).first[:3].tolist() == few.first.tolist()
    taken = best_apart(every, 5000)
    order = np.sort(taken.first)
    assert (np.diff(order) >= 40).all()
    assert (np.diff(taken.similarity) <= 0).all()


def test_windows_of_several_sequences_keep_their_rows():
    none = Windows.joined([])
    parts = [windows((0, 4, 0.5)), none, windows((0, 4, 0.9), (2, 6, 0.8), (6, 10, 0.2))]
    found = best_of_several(parts, [4, 0, 10], 9)
    assert [(number, first, stop) for number, first, stop, _ in found] == [
        (2, 0, 4),
        (0, 0, 4),
        (2, 6, 10),
    ]
    assert best_of_several([none], [0], 3) == []


def test_box_means_are_moving_averages():
    np.testing.assert_allclose(box_means(np.array([1, 2, 4, 8], np.float32), 2), [1.5, 3, 6])

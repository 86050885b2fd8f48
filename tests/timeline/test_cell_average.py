import numpy as np
import pytest

from vswin_cli.timeline.cell_average import CellAverage

HALF = 1e-3  # relative, of the half precision in which rows are kept


def edges(start, steps, length=1.0):
    return start + np.arange(steps + 1) * length


def column(*values):
    return np.array(values, np.float32)[:, None]


def rows(cells):
    return cells.spool.read(0, cells.num_cells)[:, 0]


def test_a_step_off_the_grid_is_shared_among_the_cells_that_it_covers():
    average = CellAverage(1, 1.0, weighting="flat")
    average.add(edges(0.25, 2), column(1.0, 3.0), 2)
    cells = average.finish(3.0)
    assert cells.valid.tolist() == [True, True, True]
    np.testing.assert_allclose(rows(cells), [1.0, 0.25 + 0.75 * 3, 3.0], rtol=HALF)
    assert cells.spans == ((0.25, 2.25),)


def test_cells_between_clips_are_zero_and_not_valid():
    average = CellAverage(1, 1.0)
    average.add(edges(0, 1), column(2.0), 1)
    average.add(edges(3, 1), column(4.0), 1)
    cells = average.finish(5.0)
    assert cells.valid.tolist() == [True, False, False, True, False]
    np.testing.assert_array_equal(rows(cells), [2, 0, 0, 4, 0])
    assert cells.spans == ((0.0, 1.0), (3.0, 4.0))


def test_a_hole_of_half_a_cell_joins_spans_and_a_longer_one_divides_them():
    average = CellAverage(1, 1.0)
    for start in (0.0, 1.5, 3.125):
        average.add(edges(start, 1), column(1.0), 1)
    assert average.finish(4.125).spans == ((0.0, 2.5), (3.125, 4.125))


def test_an_edge_a_rounding_error_past_a_cell_opens_no_further_cell():
    average = CellAverage(1, 0.1)
    average.add(np.array([0.0, 0.1 + 0.2]), column(1.0), 1)  # 0.30000000000000004
    assert average.finish(0.1 + 0.2).num_cells == 3


def test_clips_and_spans_end_with_the_analysed_part():
    average = CellAverage(1, 1.0)
    average.add(edges(0, 2), column(1.0, 1.0), 2)
    average.add(edges(3, 2), column(1.0, 1.0), 2)
    cells = average.finish(1.5)
    assert cells.end_seconds == 1.5
    assert cells.spans == ((0.0, 1.5),)
    assert cells.clip_starts_seconds.tolist() == [0.0]
    assert cells.clip_ends_seconds.tolist() == [1.5]


def test_steps_that_only_repeat_leave_the_weights_of_the_others_in_their_places():
    average = CellAverage(1, 1.0)
    average.add(edges(0, 4), column(1, 1, 1, 1), 4)
    average.add(edges(2, 2), column(5, 5), 4)  # of four steps, the last two repeat
    weights = np.hamming(4)
    expected = (weights[2] + 5 * weights[0]) / (weights[2] + weights[0])
    assert rows(average.finish(4.0))[2] == pytest.approx(expected, rel=HALF)


def test_a_cell_without_length_is_refused():
    with pytest.raises(ValueError, match="must have a length"):
        CellAverage(1, 0.0)

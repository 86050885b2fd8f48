import numpy as np
import pytest

from vswin_cli.timeline.evidence import FrameArea, box_of, merge_views

WHOLE = FrameArea(0.0, 0.0, 1.0, 1.0)


def test_one_view_stays_as_it_is():
    view, area = np.arange(6.0).reshape(1, 2, 3), np.array([[0.2, 0.0, 0.6, 1.0]])
    cells, where = merge_views(view, area)
    np.testing.assert_array_equal(cells, view[0])
    assert where == FrameArea(0.2, 0.0, 0.6, 1.0)


def test_three_views_at_the_same_place_are_averaged():
    views = np.stack([np.full((2, 2), value) for value in (1.0, 2.0, 6.0)])
    cells, where = merge_views(views, np.array([[0.0, 0.0, 1.0, 1.0]] * 3))
    np.testing.assert_array_equal(cells, np.full((2, 2), 3.0))
    assert where == WHOLE


def test_views_side_by_side_cover_the_frame_and_share_the_cells_where_they_overlap():
    """Two cells each, half a frame wide: columns 0-1, 2-3 and, in the middle, 1-2."""
    views = np.array([[[1.0, 2.0]], [[3.0, 4.0]], [[10.0, 20.0]]])
    areas = np.array([[0.0, 0.0, 0.5, 1.0], [0.5, 0.0, 0.5, 1.0], [0.25, 0.0, 0.5, 1.0]])
    cells, where = merge_views(views, areas)
    np.testing.assert_allclose(cells, [[1.0, (2 + 10) / 2, (3 + 20) / 2, 4.0]])
    assert where == WHOLE


def test_views_of_an_upright_video_lie_below_one_another():
    views = np.array([[[1.0], [2.0]], [[3.0], [4.0]], [[2.0], [3.0]]])
    areas = np.array([[0.0, 0.0, 1.0, 0.5], [0.0, 0.5, 1.0, 0.5], [0.0, 0.25, 1.0, 0.5]])
    cells, _ = merge_views(views, areas)
    np.testing.assert_allclose(cells, [[1.0], [2.0], [3.0], [4.0]])


def test_cells_between_two_of_a_view_are_weighted_by_what_they_share():
    """The third view is off the common grid of two columns by half a cell."""
    views = np.array([[[0.0]], [[0.0]], [[8.0]]])
    areas = np.array([[0.0, 0.0, 0.5, 1.0], [0.5, 0.0, 0.5, 1.0], [0.25, 0.0, 0.5, 1.0]])
    cells, _ = merge_views(views, areas)
    np.testing.assert_allclose(cells, [[8 / 3, 8 / 3]])


def test_the_box_surrounds_the_highest_cell_and_what_is_joined_to_it():
    cells = np.zeros((4, 4))
    cells[0, 3] = 10.0
    cells[1, 3] = 9.0
    cells[3, 0] = 9.5  # as high, but apart
    assert box_of(cells, WHOLE) == FrameArea(0.75, 0.0, 0.25, 0.5)


def test_cells_that_touch_at_a_corner_only_are_not_joined():
    cells = np.array([[5.0, 0.0, 0.0], [0.0, 4.9, 0.0], [0.0, 0.0, 0.0]])
    box = box_of(cells, WHOLE)
    assert (box.x, box.y) == (0.0, 0.0)
    assert (box.width, box.height) == pytest.approx((1 / 3, 1 / 3))


def test_the_box_is_in_the_whole_frame_and_ends_at_its_edge():
    cells = np.array([[0.0, 0.0], [0.0, 1.0]])
    inside = box_of(cells, FrameArea(0.25, 0.0, 0.5, 1.0))
    assert inside == FrameArea(0.5, 0.5, 0.25, 0.5)
    padded = box_of(cells, FrameArea(0.0, 0.0, 1.5, 1.25))  # the last cells are partly padding
    assert padded == FrameArea(0.75, 0.625, 0.25, 0.375)


def test_equal_cells_make_one_box_of_all():
    assert box_of(np.full((2, 2), 0.5), WHOLE) == WHOLE

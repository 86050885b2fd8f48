import numpy as np

from vswin_cli.timeline.overlaps import UNSEEN, half_inside, highest, overlaps_of

CELLS = np.array([0.0, 1.0, 2.0])
STEPS = np.array([0.5, 1.5, 3.0])


def test_overlaps_are_the_shared_seconds():
    assert overlaps_of(CELLS, STEPS).tolist() == [[0.5, 0.0], [0.5, 0.5]]


def test_half_of_the_shorter_counts_in_spite_of_rounding():
    inside = half_inside(overlaps_of(CELLS, STEPS), CELLS, STEPS)
    assert inside.tolist() == [[True, False], [True, True]]
    late = STEPS + 1e-5
    assert half_inside(overlaps_of(CELLS, late), CELLS, late).tolist() == inside.tolist()


def test_the_highest_score_inside_a_cell_or_none():
    scores = np.array([[0.2, 0.9], [0.4, 0.1]], np.float32)
    inside = np.array([[True, True], [True, False], [False, False]])
    found = highest(scores, inside)
    np.testing.assert_allclose(found, [[0.4, 0.9], [0.2, 0.9], [UNSEEN, UNSEEN]], rtol=1e-6)

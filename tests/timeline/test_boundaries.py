import numpy as np
import pytest

from tests.support.timelines import STEP, columns, track_of
from vswin_cli.config import LabelOnset, SegmentOptions
from vswin_cli.timeline.boundaries import Boundary, boundary_cells, find_boundaries
from vswin_cli.timeline.scores import Gap

SCORES = columns((4, 0.1), (1, 0.6), (3, 0.1), (1, 0.9), (3, 0.1))
CUTS = SegmentOptions(boundaries=("label 0",), onset=0.5)


def test_boundaries_are_the_peaks_of_the_label_that_reach_a_score():
    with track_of(SCORES) as track:
        found = find_boundaries(track, ["label 0"], 0.5)
        assert [one.cell for one in found] == [4, 8]
        assert found[1] == Boundary(8, "label 0", pytest.approx(0.9, abs=1e-3))
        assert [one.cell for one in find_boundaries(track, ["label 0"], 0.7)] == [8]


def test_labels_that_the_track_lacks_are_ignored():
    with track_of(SCORES) as track:
        assert find_boundaries(track, ["cut"], 0.5) == ()


def test_only_peaks_at_the_onset_of_their_label_divide():
    with track_of(SCORES) as track:
        assert boundary_cells(track, CUTS).tolist() == [4, 8]
        strict = SegmentOptions(boundaries=("label 0",), onsets=(LabelOnset("label 0", 0.8),))
        assert boundary_cells(track, strict).tolist() == [8]
        assert boundary_cells(track, SegmentOptions()).tolist() == []


def test_cells_of_two_labels_at_one_place_count_once():
    scores = np.full((6, 2), 0.1)
    scores[2] = (0.8, 0.8)
    scores[4, 1] = 0.9
    with track_of(scores, activation="sigmoid") as track:
        options = SegmentOptions(boundaries=("label 0", "label 1"), onset=0.5)
        assert boundary_cells(track, options).tolist() == [2, 4]


def test_scores_on_both_sides_of_a_gap_are_no_neighbours():
    """The higher one beyond the gap does not hide the peak before it."""
    scores = columns((3, 0.1), (1, 0.6), (2, 0.3), (1, 0.9), (2, 0.1))
    with track_of(scores, gaps=[Gap(4 * STEP, 6 * STEP)]) as track:
        assert boundary_cells(track, CUTS).tolist() == [3, 6]

"""Scores of labelled windows, and what is counted."""

from dataclasses import replace

import numpy as np
import pytest

from tests.evaluation.conftest import LABELS
from tests.support.timelines import STEP, track_of
from vswin_cli.config import LabelOnset, SegmentOptions
from vswin_cli.evaluation.window_list import read_window_list
from vswin_cli.evaluation.windows import WindowTest, pieces_of, score_window


def scored(scores, window, **options):
    """Score a window of a track with the given scores (N, 4)."""
    segments = SegmentOptions(onset=0.4, instants=("cut",), **options)
    test = WindowTest.of(LABELS, segments, "static")
    with track_of(np.array(scores), labels=LABELS, activation="sigmoid") as track:
        return score_window(track, window, test)


@pytest.fixture
def window(table):
    return read_window_list(table, LABELS, exclude={"cut"}).windows[0]


def test_the_label_with_the_highest_mean_is_predicted_and_moments_are_not(window):
    # three quarters of the two seconds are a pan, and a cut is certain throughout
    rows = [[0.1, 0.8, 0.2, 1.0]] * 12 + [[0.1, 0.1, 0.7, 1.0]] * 4 + [[0.9, 0.0, 0.0, 0.0]] * 8
    one = scored(rows, window)
    assert (one.predicted, one.is_right, one.is_true) == ("pan", True, True)
    assert one.score == pytest.approx((12 * 0.8 + 4 * 0.1) / 16, abs=1e-3)
    assert one.false_alarm is None


def test_another_true_label_is_a_lesser_success(window):
    one = scored([[0.1, 0.5, 0.6, 0.0]] * 16, window)
    assert (one.predicted, one.is_right, one.is_true) == ("tilt", False, True)


def test_a_label_that_would_be_reported_and_does_not_hold_is_a_false_alarm(table, window):
    (row,) = read_window_list(table, ("static", "tilt"), exclude={"pan", "cut"}).windows
    piece = next(pieces_of(row, 3.0, 2.0))
    rows = [[0.9, 0.45, 0.5, 0.0]] * 24
    assert scored(rows, piece).false_alarm == "pan"
    assert scored(rows, piece, onsets=(LabelOnset("pan", 0.6),)).false_alarm is None
    assert scored(rows, window).false_alarm is None  # pan and tilt are both true of it


def test_a_whole_video_is_taken_in_pieces_of_equal_length(table):
    row = read_window_list(table, LABELS, exclude={"cut"}).windows[1]
    assert [(p.start_seconds, p.end_seconds) for p in pieces_of(row, 6.9, 2.0)] == [(1, 3), (3, 5)]
    assert [(p.start_seconds, p.end_seconds) for p in pieces_of(row, 1.5, 2.0)] == [(1, 3)]


def test_a_window_that_no_clip_has_seen_is_a_failure(window):
    late = replace(window, start_seconds=100.0, end_seconds=102.0)
    assert scored([[0.9, 0.1, 0.1, 0.0]] * 8, late).problem == "no clip covers 100 to 102 s"
    assert 8 * STEP < 100

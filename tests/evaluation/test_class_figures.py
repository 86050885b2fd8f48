import numpy as np
import pytest

from vswin_cli.evaluation.accuracy import Rate
from vswin_cli.evaluation.class_figures import (
    average_precision,
    calibration_error,
    class_figures,
    confusion_matrix,
    precision_recall,
    reliability,
)


def test_average_precision_is_the_mean_of_precision_at_each_positive():
    positive = np.array([True, False, True, False])
    assert average_precision(np.array([0.9, 0.8, 0.7, 0.1]), positive) == pytest.approx(5 / 6)
    assert average_precision(np.array([0.9, 0.1, 0.8, 0.2]), positive) == 1.0
    assert average_precision(np.array([0.9, 0.1]), np.array([False, False])) == 0.0


def test_equal_scores_count_together_whatever_their_order():
    scores = np.array([0.5, 0.5, 0.5, 0.1])
    for positive in ([True, False, False, True], [False, False, True, True]):
        precision, recall = precision_recall(scores, np.array(positive))
        assert precision.tolist() == [1 / 3, 2 / 4]
        assert recall.tolist() == [0.5, 1.0]
        assert average_precision(scores, np.array(positive)) == pytest.approx(1 / 6 + 1 / 4)


def test_figures_of_classes_that_occur():
    scores = np.array([[0.8, 0.1, 0.1], [0.6, 0.2, 0.2], [0.7, 0.0, 0.3]])
    first, last = class_figures(("a", "b", "c"), [0, 0, 2], [True, True, False], scores)
    assert (first.label, first.rate) == ("a", Rate.of(2, 2))
    assert first.average_precision == pytest.approx((1 + 2 / 3) / 2)
    assert (last.label, last.rate, last.average_precision) == ("c", Rate.of(0, 1), 1.0)
    bare, _ = class_figures(("a", "b", "c"), [0, 0, 2], [True, True, False])
    assert bare.average_precision is None


def test_reliability_and_its_error_by_hand():
    bins = reliability([0.95, 0.85, 0.5, 0.0], [True, False, True, False], num_bins=2)
    low, high = bins
    assert (low.low, low.high, low.count, low.mean_score, low.accuracy) == (0, 0.5, 2, 0.25, 0.5)
    assert (high.count, high.accuracy) == (2, 0.5)
    assert high.mean_score == pytest.approx(0.9)
    assert calibration_error(bins) == pytest.approx((2 * 0.25 + 2 * 0.4) / 4)
    assert calibration_error(()) == 0.0


def test_the_edge_of_a_bin_belongs_to_the_lower_one():
    assert [one.high for one in reliability([3 / 15, 1.0], [True, True])] == [3 / 15, 1.0]


def test_confusions_are_counted_by_true_class():
    matrix = confusion_matrix([0, 0, 2], [0, 1, 0], 3)
    assert matrix.tolist() == [[1, 1, 0], [0, 0, 0], [1, 0, 0]]

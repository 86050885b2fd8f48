import numpy as np
import pytest

from vswin_cli.training.measures import advise_onset, measure

LABELS = ("run", "walk", "background")
SCORES = np.array([[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.1, 0.7, 0.2], [0.2, 0.2, 0.6]])
TARGETS = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]) > 0


def test_accuracy_and_confusion_of_one_label_each():
    found = measure(SCORES, TARGETS, LABELS, one_label=True, method="by hand")
    assert (found.accuracy.hits, found.accuracy.total) == (3, 4)
    assert found.chance == 0.5
    assert found.confusion == ((1, 1, 0), (0, 1, 0), (0, 0, 1))
    assert [(c.recall.hits, c.recall.total, c.precision.total) for c in found.classes] == [
        (1, 2, 1),
        (1, 1, 2),
        (1, 1, 1),
    ]
    notes = " ".join(found.notes())
    assert "75.00 % (95 % Wilson: 30.06 to 95.44)" in notes
    assert "run taken for walk: 1 of 2" in notes


def test_calibration_error_is_the_distance_of_score_and_share():
    found = measure(SCORES, TARGETS, LABELS, one_label=True, method="by hand")
    # Bins: 0.8 right; 0.6 once wrong, once right; 0.7 right.
    assert found.calibration_error == pytest.approx((0.2 + 0.2 + 0.3) / 4)


def test_several_labels_must_all_be_right():
    scores = np.array([[0.9, 0.8], [0.9, 0.2], [0.1, 0.4]])
    targets = np.array([[1, 1], [1, 1], [0, 0]]) > 0
    found = measure(scores, targets, LABELS[:2], one_label=False, method="by hand")
    assert found.accuracy.hits == 2
    assert found.confusion == ()
    assert found.classes[1].recall.hits == 1


def test_the_onset_lies_between_right_and_false_reports():
    scores = np.array([[0.9, 0.0, 0.1], [0.8, 0.1, 0.1], [0.5, 0.1, 0.4]])
    targets = np.array([[1, 0, 0], [1, 0, 0], [0, 0, 1]]) > 0
    assert 0.5 < advise_onset(scores, targets, LABELS) <= 0.8

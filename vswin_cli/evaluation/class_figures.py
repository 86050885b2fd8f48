"""Figures per class, reliability and average precision, from the scores of labelled videos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vswin_cli.evaluation.accuracy import Rate
from vswin_cli.storage.json_records import named

__all__ = [
    "ClassFigures",
    "ReliabilityBin",
    "TopRate",
    "average_precision",
    "calibration_error",
    "class_figures",
    "confusion_matrix",
    "precision_recall",
    "reliability",
]

_NUM_BINS = 15  # as in C. Guo et al., "On Calibration of Modern Neural Networks", ICML 2017


@dataclass(frozen=True, slots=True)
class TopRate:
    """Top-k accuracy for one k."""

    k: int
    rate: Rate


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """Accuracy on the videos of one class."""

    label: str
    rate: Rate
    """Top-1, over the videos of the class."""
    average_precision: float | None = field(default=None, metadata=named(digits=6))
    """Of all videos ranked by this class's score; `None` where scores were not kept."""


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The videos whose best score lies in `(low, high]`."""

    low: float = field(metadata=named(digits=6))
    high: float = field(metadata=named(digits=6))
    count: int
    mean_score: float = field(metadata=named(digits=6))
    accuracy: float = field(metadata=named(digits=6))
    """Top-1."""


def class_figures(
    labels: Sequence[str],
    truth: Sequence[int],
    hits: Sequence[bool],
    scores: NDArray[np.floating] | None = None,
) -> tuple[ClassFigures, ...]:
    """Compute the figures of each class that occurs, in the order of the labels.

    Args:
        labels: K names.
        truth: right class of each of N videos.
        hits: whether its best class is the right one.
        scores: (N, K), for average precision.
    """
    true, right = np.asarray(truth, np.intp), np.asarray(hits, np.bool_)
    rows = []
    for class_id in np.unique(true).tolist():
        own = true == class_id
        precision = None if scores is None else average_precision(scores[:, class_id], own)
        rate = Rate.of(int(right[own].sum()), int(own.sum()))
        rows.append(ClassFigures(labels[class_id], rate, precision))
    return tuple(rows)


def average_precision(scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> float:
    """Compute the mean of precision at each positive, without interpolation; 0 without any.

    Of equal scores all count together, so the order of the list makes no difference.
    """
    if not positive.any():
        return 0.0
    precision, recall = precision_recall(scores, positive)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def precision_recall(
    scores: NDArray[np.floating], positive: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute precision and recall at each threshold, highest first."""
    order = np.argsort(-scores, kind="stable")
    ranked, found = scores[order], np.cumsum(positive[order])
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))  # of each group of equals
    return found[last] / (last + 1), found[last] / max(1, int(positive.sum()))


def reliability(
    best_scores: Sequence[float], hits: Sequence[bool], num_bins: int = _NUM_BINS
) -> tuple[ReliabilityBin, ...]:
    """Group videos by their best score into bins of equal width; empty ones are left out."""
    score, right = np.asarray(best_scores, np.float64), np.asarray(hits, np.bool_)
    # Scores of exactly 0 belong to the first bin. Rounded, as 3/15 must not exceed 0.2.
    number = np.clip(np.ceil(np.round(score * num_bins, 9)).astype(int) - 1, 0, num_bins - 1)
    return tuple(
        ReliabilityBin(
            i / num_bins,
            (i + 1) / num_bins,
            int(inside.sum()),
            float(score[inside].mean()),
            float(right[inside].mean()),
        )
        for i in range(num_bins)
        if (inside := number == i).any()
    )


def calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """Compute the expected calibration error (ECE): the mean gap of score and accuracy."""
    total = sum(one.count for one in bins)
    gaps = sum(one.count * abs(one.mean_score - one.accuracy) for one in bins)
    return gaps / total if total else 0.0


def confusion_matrix(
    truth: Sequence[int], predicted: Sequence[int], num_classes: int
) -> NDArray[np.int64]:
    """Count videos by true class (rows) and best class (columns): (K, K)."""
    matrix = np.zeros((num_classes, num_classes), np.int64)
    np.add.at(matrix, (np.asarray(truth, np.intp), np.asarray(predicted, np.intp)), 1)
    return matrix

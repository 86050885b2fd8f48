"""Draw the figures of `vswin evaluate topk`: confusion, accuracy by class, ranking, reliability."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vswin_cli.evaluation.class_figures import (
    average_precision,
    confusion_matrix,
    precision_recall,
)
from vswin_cli.evaluation.figure_files import BLUE, GREY, ORANGE, FigureFolder
from vswin_cli.evaluation.topk import all_scores
from vswin_cli.storage.humanize import counted
from vswin_cli.storage.plain_text import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from vswin_cli.evaluation.class_figures import ClassFigures, ReliabilityBin
    from vswin_cli.evaluation.topk import Outcome, TopkReport

__all__ = [
    "TOPK_FIGURES",
    "draw_classes",
    "draw_confusion",
    "draw_precision_recall",
    "draw_reliability",
    "plot_topk",
]

TOPK_FIGURES = ("confusion", "classes", "precision-recall", "reliability")
"""Names of the files, without ending."""

_MOST_NAMED = 60  # classes whose names fit beside a matrix
_MOST_COUNTED = 20  # classes whose counts fit into its cells
_MOST_CURVES = 6  # classes with a curve of their own, as many as there are further colours
_MOST_POINTS = 1000  # of a curve; more are not seen
_ROW_INCHES = 0.18
_UNNAMED_INCHES = 10.0  # of a matrix without names
_DARK = 0.6  # share from which a cell is dark
_OTHERS = ("#d55e00", "#009e73", "#56b4e9", "#cc79a7", "#e69f00", "#000000")


def plot_topk(
    folder: Path, report: TopkReport, scored: Sequence[Outcome], labels: Sequence[str]
) -> None:
    """Write the figures of a report.

    Args:
        folder: where to; it is made if it is missing.
        report: summary of all outcomes.
        scored: outcomes of the videos that could be decoded, with all scores.
        labels: K names.

    Raises:
        OutputError: a file cannot be written.
    """
    files = FigureFolder(folder)
    title = f"{report.model}, {counted(len(scored), 'video')}, protocol {report.protocol}"
    truth = [outcome.truth for outcome in scored]
    matrix = confusion_matrix(truth, [outcome.best[0] for outcome in scored], len(labels))
    found = np.flatnonzero(matrix.sum(0) + matrix.sum(1))
    side = 3.5 + _ROW_INCHES * len(found) if len(found) <= _MOST_NAMED else _UNNAMED_INCHES
    with files.figure("confusion", side + 0.5, side) as figure:
        draw_confusion(
            figure.add_subplot(title=title),
            matrix[np.ix_(found, found)],
            [labels[i] for i in found.tolist()],
        )
    with files.figure("classes", 7, 1.5 + _ROW_INCHES * len(report.classes)) as figure:
        draw_classes(figure.add_subplot(title=title), report.classes)
    scores = all_scores(scored)
    if scores is not None:
        with files.figure("precision-recall", 6, 5) as figure:
            draw_precision_recall(figure.add_subplot(title=title), scores, truth, labels)
    with files.figure("reliability", 6, 6) as figure:
        upper, lower = figure.subplots(2, sharex=True, height_ratios=(3, 1))
        upper.set_title(f"{title}\nexpected calibration error {report.calibration_error:.3f}")
        draw_reliability(upper, lower, report.reliability)


def draw_confusion(axes: Axes, matrix: NDArray[np.int64], labels: Sequence[str]) -> None:
    """Draw a confusion matrix (K, K) of counts; colours are shares of the true class (row)."""
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.figure.colorbar(image, ax=axes, label="share of the true class", shrink=0.7)
    axes.set(xlabel="predicted", ylabel="true", xticks=[], yticks=[])
    if len(labels) <= _MOST_NAMED:
        names = [shortened(label) for label in labels]
        axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
        axes.set_yticks(range(len(names)), names, fontsize=7)
    if len(labels) <= _MOST_COUNTED:
        for row, column in zip(*np.nonzero(matrix), strict=True):
            colour = "white" if shares[row, column] > _DARK else "black"
            text = f"{matrix[row, column]}"
            axes.text(column, row, text, color=colour, ha="center", va="center", fontsize=7)


def draw_classes(axes: Axes, figures: Sequence[ClassFigures]) -> None:
    """Draw top-1 accuracy by class with its 95 % interval, the lowest at the top."""
    rows = sorted(figures, key=lambda one: (one.rate.share, one.label))
    shares = np.array([one.rate.share for one in rows])
    low = np.array([one.rate.low for one in rows])
    high = np.array([one.rate.high for one in rows])
    errors = np.maximum([shares - low, high - shares], 0)
    axes.barh(range(len(rows)), shares, xerr=errors, color=BLUE, ecolor=ORANGE)
    names = [f"{shortened(one.label)} ({one.rate.total})" for one in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=7)
    axes.set(xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5))
    axes.set_xlabel("top-1 accuracy, 95 % Wilson interval (number of videos)")


def draw_precision_recall(
    axes: Axes, scores: NDArray[np.floating], truth: Sequence[int], labels: Sequence[str]
) -> None:
    """Draw precision over recall of all pairs of a video and a class, and of each of few classes.

    Args:
        axes: where to.
        scores: (N, K).
        truth: right class of each of N videos.
        labels: K names.
    """
    positive = np.zeros(scores.shape, np.bool_)
    positive[np.arange(len(truth)), np.asarray(truth, np.intp)] = True
    _draw_curve(axes, scores.ravel(), positive.ravel(), "all classes", BLUE, 2.5)
    found = sorted(set(truth))
    if 1 < len(found) <= _MOST_CURVES:
        for class_id, colour in zip(found, _OTHERS, strict=False):
            name = shortened(labels[class_id])
            _draw_curve(axes, scores[:, class_id], positive[:, class_id], name, colour, 1.2)
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="recall", ylabel="precision")
    axes.legend(loc="best", fontsize=7, title="average precision", title_fontsize=7)


def _draw_curve(
    axes: Axes,
    scores: NDArray[np.floating],
    positive: NDArray[np.bool_],
    name: str,
    colour: str,
    width: float,
) -> None:
    """Draw one curve; the area under it is the average precision, but for points left out."""
    precision, recall = precision_recall(scores, positive)
    risen = np.flatnonzero(np.diff(recall, prepend=0.0))
    if len(risen) > _MOST_POINTS:
        risen = risen[np.linspace(0, len(risen) - 1, _MOST_POINTS).astype(np.intp)]
    precision, recall = precision[risen], recall[risen]
    axes.plot(
        np.concatenate([[0.0], recall]),
        np.concatenate([precision[:1], precision]),
        drawstyle="steps-pre",  # precision at a step of recall holds over the whole step
        label=f"{average_precision(scores, positive):.3f}  {name}",
        color=colour,
        linewidth=width,
    )


def draw_reliability(upper: Axes, lower: Axes, bins: Sequence[ReliabilityBin]) -> None:
    """Draw accuracy over the best score, and below how many videos have such a score.

    Where scores are probabilities, the points lie on the diagonal.
    """
    edges, widths = [one.low for one in bins], [one.high - one.low for one in bins]
    heights = [one.accuracy for one in bins]
    upper.bar(edges, heights, widths, align="edge", color=BLUE, alpha=0.5, label="accuracy")
    upper.plot([0, 1], [0, 1], "--", color=GREY, label="calibrated")
    means = [one.mean_score for one in bins]
    (points,) = upper.plot(means, heights, "o", color=ORANGE, label="at the mean score")
    points.set(markeredgecolor="black", clip_on=False)  # those at the edges are whole
    upper.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="top-1 accuracy")
    upper.legend(loc="upper left", fontsize=7)
    lower.bar(edges, [one.count for one in bins], widths, align="edge", color=BLUE, alpha=0.5)
    lower.set(xlabel="best score", ylabel="videos")

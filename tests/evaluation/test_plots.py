"""Figures of top-k accuracy show the values that were computed by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure

from vswin_cli.evaluation.accuracy import Rate
from vswin_cli.evaluation.class_figures import ClassFigures, average_precision, reliability
from vswin_cli.evaluation.plots import (
    TOPK_FIGURES,
    draw_classes,
    draw_confusion,
    draw_precision_recall,
    draw_reliability,
    plot_topk,
)
from vswin_cli.evaluation.topk import Outcome, summarise

LABELS = ["a", "$b$", "c"]


@pytest.fixture
def axes():
    return Figure().add_subplot()


def test_confusions_are_coloured_by_share_of_the_true_class_and_counted(axes):
    draw_confusion(axes, np.array([[3, 1, 0], [0, 0, 0], [2, 0, 2]]), LABELS)
    (image,) = axes.images
    assert image.get_array().tolist() == [[0.75, 0.25, 0], [0, 0, 0], [0.5, 0, 0.5]]
    written = {tuple(text.get_position()): text.get_text() for text in axes.texts}
    assert written == {(0, 0): "3", (1, 0): "1", (0, 2): "2", (2, 2): "2"}  # column, row
    assert [text.get_text() for text in axes.get_yticklabels()] == LABELS
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")


def test_a_large_matrix_has_no_names(axes):
    draw_confusion(axes, np.eye(61, dtype=np.int64), [str(i) for i in range(61)])
    assert not axes.texts
    assert not axes.get_yticklabels()


def test_bars_of_classes_are_shares_with_intervals_lowest_at_the_top(axes):
    rates = {"a": Rate.of(3, 4), "b": Rate.of(1, 4), "c" * 50: Rate.of(0, 0)}
    draw_classes(axes, [ClassFigures(label, rate) for label, rate in rates.items()])
    assert [bar.get_width() for bar in axes.patches] == [0, 0.25, 0.75]
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert names == ["c" * 39 + "… (0)", "b (4)", "a (4)"]
    low, high = axes.collections[0].get_segments()[2][:, 0]
    assert (low, high) == pytest.approx((rates["a"].low, rates["a"].high))
    assert axes.get_ylim() == (2.5, -0.5)  # downwards


def area(line):
    """Area under a step curve, whose value holds from the point before."""
    x, y = line.get_data()
    return np.sum(np.diff(x) * y[1:])


def test_curves_enclose_the_average_precision(axes):
    scores = np.array([[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.5, 0.2, 0.3]])
    draw_precision_recall(axes, scores, [0, 1, 0], LABELS)
    every, first, second = axes.lines
    # Ranked: 0.8 right, 0.6 wrong, 0.5 right; then 0.3 twice, one of them right.
    assert every.get_xdata().tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert every.get_ydata().tolist() == pytest.approx([1, 1, 2 / 3, 3 / 5])
    assert area(first) == pytest.approx((1 + 2 / 3) / 2)
    assert area(second) == 1
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend == ["0.756  all classes", "0.833  a", "1.000  $b$"]


def test_a_long_curve_loses_points_but_hardly_any_area(axes):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 9, 5000)
    scores = rng.random((5000, 9)) + 0.3 * np.eye(9)[truth]
    draw_precision_recall(axes, scores, truth.tolist(), [str(i) for i in range(9)])
    (line,) = axes.lines  # no curve of its own for each of nine classes
    assert len(line.get_xdata()) == 1001
    exact = average_precision(scores.ravel(), np.eye(9, dtype=bool)[truth].ravel())
    assert area(line) == pytest.approx(exact, abs=2e-3)


def test_reliability_shows_bins_means_and_counts():
    upper, lower = Figure().subplots(2)
    bins = reliability([0.95, 0.85, 0.5, 0.0], [True, False, True, False], num_bins=2)
    draw_reliability(upper, lower, bins)
    boxes = [(bar.get_x(), bar.get_width(), bar.get_height()) for bar in upper.patches]
    assert boxes == [(0, 0.5, 0.5), (0.5, 0.5, 0.5)]
    diagonal, points = upper.lines
    assert diagonal.get_xydata().tolist() == [[0, 0], [1, 1]]
    assert points.get_xydata().tolist() == pytest.approx(np.array([[0.25, 0.5], [0.9, 0.5]]))
    assert [bar.get_height() for bar in lower.patches] == [2, 2]


def report_of(outcomes):
    card = SimpleNamespace(labels=LABELS, id="small")
    model = SimpleNamespace(card=card, weights_sha256="0" * 64)
    engine = SimpleNamespace(model=model, precision="float32")
    return summarise(outcomes, engine, SimpleNamespace(name="paper", description="12 views"))


@pytest.mark.slow
def test_all_figures_are_written_the_same_every_time(tmp_path):
    rows = [(0, 1, (0, 1), (0.8, 0.2, 0.0)), (1, 2, (2, 1), (0.1, 0.3, 0.6))]
    outcomes = [
        Outcome(f"{i}.mp4", truth, rank, best, (0.8, 0.2), scores)
        for i, (truth, rank, best, scores) in enumerate(rows)
    ]
    written = []
    for name in ("once", "again"):
        plot_topk(tmp_path / name, report_of(outcomes), outcomes, LABELS)
        written.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    once, again = written
    assert once == again
    assert sorted(once) == sorted(f"{n}.{e}" for n in TOPK_FIGURES for e in ("png", "svg"))
    assert b"small, 2 videos, protocol paper" in once["confusion.svg"]
    assert b"$b$" in once["classes.svg"]

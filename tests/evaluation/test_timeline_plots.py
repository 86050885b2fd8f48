"""Timelines of truth and prediction under each other."""

import pytest
from matplotlib.figure import Figure

from vswin_cli.evaluation.figure_files import BLUE, ORANGE
from vswin_cli.evaluation.intervals import AnnotatedVideo, Annotations, Interval
from vswin_cli.evaluation.timeline_plots import (
    TimelineFigure,
    draw_timelines,
    plan_timelines,
    plot_timelines,
)

TRUE = AnnotatedVideo("a", (Interval(0, 4, "run"), Interval(6, 6, "cut")), 10.0)
FOUND = AnnotatedVideo(
    "a", (Interval(1, 3, "run"), Interval(3, 5, "run"), Interval(8, 9, "jump")), 10.0, ((9.5, 10),)
)


@pytest.fixture
def axes():
    return Figure().add_subplot()


def boxes(axes):
    """Colour, row and bounds of every bar."""
    from matplotlib.colors import to_hex

    for bars in axes.collections:
        for path in bars.get_paths():
            (left, top), (right, bottom) = path.get_extents().get_points()
            yield to_hex(bars.get_facecolor()[0]), (top + bottom) / 2, left, right


def test_true_intervals_lie_above_predicted_ones_of_their_label(axes):
    draw_timelines(axes, TimelineFigure("x", TRUE, FOUND, 0.4), ["run", "cut", "jump"])
    assert list(boxes(axes)) == [
        (BLUE, pytest.approx(-0.22), 0, 4),
        (BLUE, pytest.approx(0.78), 6, 6),
        (ORANGE, pytest.approx(0.18), 1, 5),  # intervals that touch are one
        (ORANGE, pytest.approx(2.18), 8, 9),
    ]
    (gap,) = axes.patches
    assert (gap.get_x(), gap.get_width()) == (9.5, 0.5)
    assert [text.get_text() for text in axes.get_yticklabels()] == ["run", "cut", "jump"]
    assert axes.get_ylim() == (2.5, -0.5)  # downwards
    assert axes.get_xlim() == (0, 10)
    legend = [text.get_text() for text in axes.figure.legends[0].get_texts()]
    assert legend == ["truth", "prediction", "not decoded"]


@pytest.mark.parametrize(
    ("end", "first", "last"),
    [(10, "0:00", "0:10"), (59, "0:00", "0:50"), (546, "0:00", "8:00")],
)
def test_time_is_marked_at_round_times(axes, end, first, last):
    video = AnnotatedVideo("a", (), end)
    draw_timelines(axes, TimelineFigure("x", video, video, 1), ["run"])
    texts = [text.get_text() for text in axes.get_xticklabels()]
    assert (texts[0], texts[-1]) == (first, last)
    assert len(texts) <= 13


def test_of_many_labels_the_first_are_drawn_and_the_rest_is_counted(axes):
    draw_timelines(axes, TimelineFigure("x", TRUE, FOUND, 0), [str(i) for i in range(43)])
    assert len(axes.get_yticklabels()) == 40
    assert axes.get_xlabel() == "and 3 further labels"


def test_the_videos_that_agree_least_are_chosen():
    spans = {"a.b": 4.0, "A.B": 2.0, "c": 9.0}
    truth = Annotations(
        "truth", {n: AnnotatedVideo(n, (Interval(0, 5, "run"),), 10.0) for n in spans}
    )
    found = Annotations(
        "found", {n: AnnotatedVideo(n, (Interval(0, e, "run"),), 10.0) for n, e in spans.items()}
    )
    chosen = plan_timelines(found, truth, 2)
    assert [(one.true.id, one.agreement) for one in chosen] == [("c", 0.6), ("A.B", 0.7)]
    names = [one.name for one in plan_timelines(found, truth)]
    assert names == ["timeline-c", "timeline-A.B-2", "timeline-a.b"]  # by any disk's rules


def test_a_video_without_prediction_has_one():
    (one,) = plan_timelines(Annotations("found"), Annotations("truth", {"a": TRUE}))
    assert (one.predicted.intervals, one.agreement) == ((), 0.6)


@pytest.mark.slow
def test_figures_have_names_of_their_videos(tmp_path):
    figures = plan_timelines(Annotations("found", {"a": FOUND}), Annotations("truth", {"a": TRUE}))
    plot_timelines(tmp_path / "plots", figures)
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == [
        "timeline-a.png",
        "timeline-a.svg",
    ]
    assert "a: the same labels on" in (tmp_path / "plots" / "timeline-a.svg").read_text()

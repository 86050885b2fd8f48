"""Draw the timelines of truth and prediction under each other, a figure per video."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vswin_cli.evaluation.alignment import common_end, merge_touching
from vswin_cli.evaluation.comparison import compare_videos
from vswin_cli.evaluation.figure_files import BLUE, GREY, ORANGE, FigureFolder
from vswin_cli.evaluation.intervals import AnnotatedVideo, Annotations, Interval
from vswin_cli.storage.humanize import clock_text, counted
from vswin_cli.storage.plain_text import shortened
from vswin_cli.storage.result_names import unique_names
from vswin_cli.timeline.svg import ticks_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["MOST_VIDEOS", "TimelineFigure", "draw_timelines", "plan_timelines", "plot_timelines"]

MOST_VIDEOS = 40
"""Figures that are drawn; of more videos, those that agree least."""

_MOST_LABELS = 40  # rows of a figure
_ENDING = ".png"
_ROW_INCHES = 0.3
_LANES = ((-0.4, BLUE), (0.0, ORANGE))  # top and colour in a row: truth, prediction
_LANE_HEIGHT = 0.36


@dataclass(frozen=True, slots=True)
class TimelineFigure:
    """Truth and prediction of one video, with the name of their figure."""

    name: str
    """Of the files, without ending."""
    true: AnnotatedVideo
    predicted: AnnotatedVideo
    agreement: float
    """Share of the time on which both have the same labels."""


def plan_timelines(
    prediction: Annotations, truth: Annotations, most: int = MOST_VIDEOS
) -> list[TimelineFigure]:
    """Choose the videos of the ground truth that agree least, the worst first."""
    names = unique_names([f"timeline-{name}.video" for name in truth.videos], _ENDING)
    figures = []
    for name, true in zip(names, truth.videos.values(), strict=True):
        predicted = prediction.videos.get(true.id, AnnotatedVideo(true.id))
        agreement = compare_videos(predicted, true).agreement
        figures.append(TimelineFigure(name, true, predicted, agreement))
    return sorted(figures, key=lambda one: one.agreement)[:most]


def plot_timelines(folder: Path, figures: Sequence[TimelineFigure]) -> None:
    """Write a figure per video.

    Raises:
        OutputError: a file cannot be written.
    """
    for one in figures:
        labels = _labels_of(one)
        with FigureFolder(folder).figure(one.name, 10, 1.4 + _ROW_INCHES * len(labels)) as figure:
            end = common_end(one.predicted, one.true)
            figure.suptitle(
                f"{shortened(one.true.id)}: the same labels on {100 * one.agreement:.1f} % of "
                f"{clock_text(end)}",
                fontsize=9,
            )
            draw_timelines(figure.add_subplot(), one, labels)


def _labels_of(one: TimelineFigure) -> list[str]:
    """Return the labels in the order of their first beginning, those of the truth first."""
    true, predicted = (
        dict.fromkeys(interval.label for interval in video.intervals)
        for video in (one.true, one.predicted)
    )
    return list(true | predicted)


def draw_timelines(axes: Axes, one: TimelineFigure, labels: Sequence[str]) -> None:
    """Draw a row per label: true intervals above, predicted ones below.

    Args:
        axes: where to.
        one: the video.
        labels: of the rows, from the top; of very many only the first are drawn.
    """
    from matplotlib.patches import Patch

    rows = labels[:_MOST_LABELS]
    for video, (top, colour) in zip((one.true, one.predicted), _LANES, strict=True):
        for row, spans in _spans_by_row(video.intervals, rows):
            # With an edge, so that even a cut in a long video is seen.
            axes.broken_barh(spans, (row + top, _LANE_HEIGHT), color=colour, linewidth=1)
    for start, end in one.predicted.gaps:
        axes.axvspan(start, end, color=GREY, alpha=0.3, linewidth=0)
    for row in range(1, len(rows)):
        axes.axhline(row - 0.5, color=GREY, linewidth=0.3)
    end = common_end(one.predicted, one.true) or 1.0
    axes.set_xlim(0, end)
    axes.set_xticks(*zip(*ticks_of(end), strict=True), fontsize=7)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks(range(len(rows)), [shortened(label) for label in rows], fontsize=7)
    if len(labels) > len(rows):
        axes.set_xlabel(f"and {counted(len(labels) - len(rows), 'further label')}", fontsize=7)
    keys = [Patch(color=BLUE, label="truth"), Patch(color=ORANGE, label="prediction")]
    if one.predicted.gaps:
        keys.append(Patch(color=GREY, alpha=0.3, label="not decoded"))
    axes.figure.legend(handles=keys, loc="outside lower right", ncols=len(keys), fontsize=7)


def _spans_by_row(
    intervals: Sequence[Interval], rows: Sequence[str]
) -> Iterator[tuple[int, list[tuple[float, float]]]]:
    """Yield the number of a row with start and length of its intervals."""
    merged = merge_touching(intervals)
    for row, label in enumerate(rows):
        spans = [(one.start_seconds, one.seconds) for one in merged if one.label == label]
        if spans:
            yield row, spans

"""Draw timelines with matplotlib, which is an extra and loaded when it is used."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vswin_cli.errors import OptionError
from vswin_cli.quantities import wrong_type
from vswin_cli.storage.extras import load_extra
from vswin_cli.storage.plain_text import one_line
from vswin_cli.timeline.svg import Lane, lanes_of, ticks_of, title_of, whole_seconds

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from vswin_cli.timeline.record import Timeline

__all__ = ["PLOTS_EXTRA", "own_style", "plot_timeline", "timeline_png"]

PLOTS_EXTRA = "vswin[plots]"
"""What pip installs matplotlib from."""

_DOTS_PER_INCH = 150
_LANE_INCHES, _FRAME_INCHES, _WIDTH_INCHES = 0.28, 0.9, 9.0
_MOST_INCHES = 400.0  # beyond 65,536 dots no image can be drawn
_NARROWEST = 1 / 500  # of the axis, so that a cut is seen
_STYLE: dict[Any, Any] = {"text.parse_math": False}  # a label may hold dollar signs


def plot_timeline(timeline: Timeline, axes: Axes | None = None) -> Axes:
    """Draw a timeline into axes, see `Timeline.plot`.

    Raises:
        OptionError: matplotlib is not installed, or `axes` has another type.
    """
    load_extra("matplotlib", "a plot", install=PLOTS_EXTRA)
    if axes is not None and not hasattr(axes, "broken_barh"):
        hint = "make some: figure, ax = matplotlib.pyplot.subplots()"
        raise wrong_type("ax", "matplotlib Axes", axes, hint)
    lanes = _lanes_of_all(timeline)
    if axes is None:
        from matplotlib import pyplot

        size = (_WIDTH_INCHES, _height(len(lanes)))
        _, axes = pyplot.subplots(figsize=size, layout="constrained")
    _draw(timeline, lanes, axes)
    return axes


def _lanes_of_all(timeline: Timeline) -> list[Lane]:
    """Return the lanes of each model; of several, with its name."""
    if not timeline.tracks:
        return lanes_of(timeline)
    named = ((one_line(one.model.id), lanes_of(one)) for one in timeline.each_model())
    return [replace(lane, label=f"{name}: {lane.label}") for name, lanes in named for lane in lanes]


def timeline_png(timelines: Sequence[Timeline]) -> bytes:
    """Draw timelines below each other as a PNG image; the same ones give the same bytes.

    Raises:
        OptionError: matplotlib is not installed, or there are too many lanes for an image.
    """
    load_extra("matplotlib", "a PNG image", install=PLOTS_EXTRA)
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = [lanes_of(one) for one in timelines]
    heights = [_height(len(lanes)) for lanes in drawn]
    if sum(heights) > _MOST_INCHES:
        raise OptionError(
            f"{len(timelines)} timelines with {sum(map(len, drawn))} lanes do not fit one image",
            hint="write one file per video, or choose svg",
        )
    content = io.BytesIO()
    with own_style(_STYLE):
        size = (_WIDTH_INCHES, sum(heights) or _FRAME_INCHES)
        figure = Figure(figsize=size, dpi=_DOTS_PER_INCH, layout="constrained")
        FigureCanvasAgg(figure)
        if timelines:
            ratios = [max(1, len(lanes)) for lanes in drawn]
            grid = figure.subplots(len(timelines), squeeze=False, height_ratios=ratios)
            for timeline, lanes, axes in zip(timelines, drawn, grid[:, 0], strict=True):
                _draw(timeline, lanes, axes)
        figure.savefig(content, format="png", metadata={"Software": "vswin"})
    return content.getvalue()


@contextmanager
def own_style(changes: dict[Any, Any]) -> Iterator[None]:
    """Draw inside the block with matplotlib's default style and some changes.

    The user's own style is restored afterwards.
    """
    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        # A PNG shows a box for a letter that its font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(changes)
        yield


def _height(num_lanes: int) -> float:
    return _FRAME_INCHES + _LANE_INCHES * max(1, num_lanes)


def _draw(timeline: Timeline, lanes: Sequence[Lane], axes: Axes) -> None:
    seconds = whole_seconds(timeline)
    for gap in timeline.coverage.gaps:
        axes.axvspan(gap.start_seconds, gap.end_seconds, color="#d0d0d0", linewidth=0)
    for row, lane in enumerate(lanes):
        least = _NARROWEST * seconds
        spans = [(one.start_seconds, max(least, one.duration_seconds)) for one in lane.segments]
        axes.broken_barh(spans, (row - 0.36, 0.72), facecolors=lane.colour)
    ticks = ticks_of(seconds)
    axes.set_xlim(0, seconds)
    axes.set_xticks([at for at, _ in ticks], [text for _, text in ticks])
    axes.set_ylim(max(1, len(lanes)) - 0.5, -0.5)
    names = [lane.label for lane in lanes]
    axes.set_yticks(range(len(lanes)), names, parse_math=False)
    axes.set_title(title_of(timeline), fontsize="medium", loc="left", parse_math=False)
    axes.grid(axis="x", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)

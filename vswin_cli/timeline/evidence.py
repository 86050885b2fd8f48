"""Where in the frame the logit of a segment's label comes from: records and geometry.

`vswin_cli.timeline.evidence_builder` collects the numbers. Independent of the network and of clips.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vswin_cli.errors import SourceError
from vswin_cli.storage.json_records import named
from vswin_cli.timeline.overlaps import overlaps_of

__all__ = ["Evidence", "FrameArea", "box_of", "merge_views"]

Floats = NDArray[np.float64]

_SAME_AREA = 1e-9


@dataclass(frozen=True, slots=True)
class FrameArea:
    """A rectangle in the upright full frame, whose width and height are 1."""

    x: float = field(metadata=named(digits=4))
    """Left edge."""
    y: float = field(metadata=named(digits=4))
    """Upper edge."""
    width: float = field(metadata=named(digits=4))
    height: float = field(metadata=named(digits=4))


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where in the frame the logit of a segment's label comes from, at the segment's peak."""

    start_seconds: float = field(metadata=named("start", digits=6))
    """Start of the time step."""
    end_seconds: float = field(metadata=named("end", digits=6))
    """Its end, exclusive."""
    class_id: int
    """Row of the head; of a group, the member with the highest score."""
    area: FrameArea
    """Part of the frame that the cells cover; the crops leave out the rest."""
    cells: tuple[tuple[float, ...], ...] = field(metadata=named(digits=3))
    """Logits of the cells, rows from the top. With one crop their mean is the step's logit."""
    box: FrameArea
    """Around the cells that carry most, see `box_of`."""

    def __post_init__(self) -> None:
        rows = {len(row) for row in self.cells}
        if len(rows) != 1 or 0 in rows:
            raise SourceError("`evidence.cells` must hold rows of the same length")


def merge_views(views: Floats, areas: Floats) -> tuple[Floats, FrameArea]:
    """Put the grids of a step's views together to one that covers all of them.

    Where views overlap, a cell is their mean weighted by the area that each shares with it. One
    view stays as it is.

    Args:
        views: (V, H', W').
        areas: (V, 4), see `CellLogits.areas`.

    Returns:
        The cells (h, w), with cells of about the same size as those of the views, and their area.
    """
    if len(views) == 1 or np.ptp(areas, axis=0).max() < _SAME_AREA:
        return views.mean(axis=0), FrameArea(*areas[0].tolist())
    _, height, width = views.shape
    low = areas[:, :2].min(axis=0)
    high = (areas[:, :2] + areas[:, 2:]).max(axis=0)
    columns, rows = np.rint((high - low) / areas[0, 2:] * (width, height)).astype(int)
    total, weight = np.zeros((rows, columns)), np.zeros((rows, columns))
    for view, (x, y, w, h) in zip(views, areas, strict=True):
        down = overlaps_of(np.linspace(low[1], high[1], rows + 1), _edges(y, h, height))
        across = overlaps_of(np.linspace(low[0], high[0], columns + 1), _edges(x, w, width))
        # The area that two cells share is the product of the lengths that their sides share.
        total += down @ view @ across.T
        weight += down.sum(axis=1)[:, None] * across.sum(axis=1)
    return total / weight, FrameArea(*low.tolist(), *(high - low).tolist())


def _edges(start: float, length: float, count: int) -> Floats:
    return start + length * np.arange(count + 1) / count


def box_of(cells: Floats, area: FrameArea) -> FrameArea:
    """Find the box around the highest cell and its neighbours that are nearly as high.

    These are the cells at or above the middle between the mean and the highest that touch it, or
    one another, with a side.

    Args:
        cells: (h, w).
        area: what they cover.

    Returns:
        The box, cut at the edges of the frame.
    """
    rows, columns = cells.shape
    is_high = cells >= (cells.mean() + cells.max()) / 2
    top = divmod(int(cells.argmax()), columns)
    found, pending = {top}, [top]
    while pending:
        i, j = pending.pop()
        around = {(i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)} - found
        near = {(a, b) for a, b in around if 0 <= a < rows and 0 <= b < columns and is_high[a, b]}
        found |= near
        pending += near
    down, across = zip(*found, strict=True)
    x, width = _side(area.x, area.width / columns, min(across), max(across) + 1)
    y, height = _side(area.y, area.height / rows, min(down), max(down) + 1)
    return FrameArea(x, y, width, height)


def _side(start: float, cell: float, first: int, stop: int) -> tuple[float, float]:
    """Return start and length of a range of cells inside the frame."""
    low, high = max(0.0, start + first * cell), min(1.0, start + stop * cell)
    return low, max(0.0, high - low)

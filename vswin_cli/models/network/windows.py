"""Where each token of a stage goes: attention windows as index tables, built once per size.

The reference implementations pad, roll, cut into windows, attend under a mask, glue, roll back
and crop, in every block. All of that is one fixed reordering of tokens. Here a stage's tokens
stay in window order and only change from the regular to the shifted order and back, by one
index each.

The mask goes away altogether. Under the cyclic shift a window at the rim holds up to eight
regions that must not see each other (arXiv 2106.13230, section 3.2; the 2D case is figure 4 of
arXiv 2103.14030). Instead of adding -100 between them, the regions are attended to separately:
the weights that the mask leaves, exp(-100), are below float32's resolution, and the work shrinks
with the square of the region.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise, product
from math import prod

import torch
from torch import Tensor

__all__ = ["Grid", "Neighbourhood", "Partition", "StagePlan", "plan_stage", "relative_index"]

Grid = tuple[int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Neighbourhood:
    """Equal-shaped groups of tokens, each group attending within itself."""

    count: int
    """Groups of this shape per clip."""
    size: int
    """Tokens n per group."""
    relative_index: Tensor
    """(n, n) int64 rows of the relative position bias table, shared by the groups."""


@dataclass(frozen=True, slots=True, eq=False)
class Partition:
    """One way to cut a stage's padded token grid into groups that attend within themselves."""

    order: Tensor
    """(L,) int64 padded grid position of each token slot, neighbourhood after neighbourhood."""
    neighbourhoods: tuple[Neighbourhood, ...]
    """In the order of the slots; their counts times sizes add up to L."""


@dataclass(frozen=True, slots=True, eq=False)
class StagePlan:
    """Both partitions of one stage for one input size."""

    grid: Grid
    """Tokens D×H×W of the stage."""
    padded: Grid
    """The grid after padding to whole windows."""
    regular: Partition
    """Windows from the origin, for even blocks."""
    shifted: Partition
    """Windows moved by half their size, for odd blocks; `regular` itself if nothing moves."""

    @property
    def real(self) -> Tensor:
        """(D, H, W) bool over the padded grid: whether a token is there."""
        real = torch.zeros(self.padded, dtype=torch.bool)
        real[: self.grid[0], : self.grid[1], : self.grid[2]] = True
        return real


@lru_cache(maxsize=64)
def plan_stage(grid: Grid, window_size: Grid) -> StagePlan:
    """Lay out one stage.

    As in the reference, a window that is not smaller than the grid is cut to the grid and not
    shifted in that dimension.

    Args:
        grid: tokens D×H×W.
        window_size: attention window P×M×M of the architecture.
    """
    window, shift = _clip(grid, window_size)
    padded = tuple(-(-n // w) * w for n, w in zip(grid, window, strict=True))
    # The reference takes the top-left corner of the flattened index for a clipped window. That is
    # geometrically off when height or width is clipped, but trained weights have seen just that.
    index = relative_index(window_size)[: prod(window), : prod(window)]
    regular = _partition(padded, window, (0, 0, 0), index)  # type: ignore[arg-type]
    shifted = _partition(padded, window, shift, index) if any(shift) else regular  # type: ignore[arg-type]
    return StagePlan(grid, padded, regular, shifted)  # type: ignore[arg-type]


def _clip(grid: Grid, window_size: Grid) -> tuple[Grid, Grid]:
    window = tuple(min(n, w) for n, w in zip(grid, window_size, strict=True))
    shift = tuple(0 if n <= w else w // 2 for n, w in zip(grid, window_size, strict=True))
    return window, shift  # type: ignore[return-value]


def relative_index(window: Grid) -> Tensor:
    """Bias table row for each pair of tokens in a full window: (N, N) int64.

    The table lists offsets (Δt, Δh, Δw) from -(size-1) to size-1, last dimension fastest
    (arXiv 2106.13230, section 3.2, equation 2).
    """
    axes = torch.meshgrid(*(torch.arange(n) for n in window), indexing="ij")
    tokens = torch.stack([axis.flatten() for axis in axes])  # (3, N)
    offsets = tokens[:, :, None] - tokens[:, None, :]  # (3, N, N)
    index = torch.zeros(prod(window), prod(window), dtype=torch.int64)
    for size, offset in zip(window, offsets, strict=True):
        index = index * (2 * size - 1) + (offset + size - 1)
    return index


def _partition(padded: Grid, window: Grid, shift: Grid, index: Tensor) -> Partition:
    """Collect the groups that attend within themselves, equal ones side by side."""
    orders: dict[bytes, list[Tensor]] = {}
    relatives: dict[bytes, Tensor] = {}
    cuts = [_cuts(n, w, s) for n, w, s in zip(padded, window, shift, strict=True)]
    for box in product(*cuts):
        inside = _ravel([within for _, within in box], window)
        relative = index[inside][:, inside]
        key = repr(relative.shape).encode() + relative.numpy().tobytes()
        orders.setdefault(key, []).append(_ravel([positions for positions, _ in box], padded))
        relatives[key] = relative
    neighbourhoods = tuple(
        Neighbourhood(len(groups), len(groups[0]), relatives[key]) for key, groups in orders.items()
    )
    return Partition(torch.cat([g for groups in orders.values() for g in groups]), neighbourhoods)


def _cuts(length: int, window: int, shift: int) -> list[tuple[Tensor, Tensor]]:
    """Cut one dimension into runs that attend within themselves.

    The cyclic shift makes the last window hold two runs: the end of the axis and, rolled in
    behind it, the start. Returns for each run its positions on the axis and inside its window.
    """
    starts = [shift + i * window for i in range(length // window)]
    cuts = []
    for start in starts:
        positions = torch.arange(start, start + window)
        wrap = max(0, start + window - length)
        for a, b in pairwise((0, window - wrap, window)):
            if b > a:
                cuts.append((positions[a:b] % length, torch.arange(a, b)))
    return cuts


def _ravel(axes: list[Tensor], shape: Grid) -> Tensor:
    d, h, w = torch.meshgrid(*axes, indexing="ij")
    return ((d * shape[1] + h) * shape[2] + w).flatten()

"""Cut a stage's token grid into attention windows, as index tables built once per input size.

The reference implementations pad, roll, partition into windows, attend under a mask, merge the
windows, roll back and crop, in every block. All of that is one fixed reordering of tokens. Here a
stage's tokens stay in window order and only change from the regular to the shifted order and back,
by one gather each.

No mask is needed. Under the cyclic shift a window at the border holds up to eight regions that
must not attend to each other (arXiv 2106.13230, section 3.2; the 2D case is figure 4 of arXiv
2103.14030). The masked attention matrix is therefore block-diagonal. Instead of adding -100 between
the blocks, each region attends within itself: the weights that the mask lets through, exp(-100),
are below float32's resolution, and the cost shrinks with the square of the region.

A region is a whole window or such a part of one. Regions of the same shape form a window group:
they share one slice of the bias table and are computed in one attention call.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise, product
from math import prod

import torch
from torch import Tensor

__all__ = ["Grid", "Partition", "StagePlan", "WindowGroup", "plan_stage", "relative_index"]

Grid = tuple[int, int, int]
"""Sizes in time, height and width."""


@dataclass(frozen=True, slots=True, eq=False)
class WindowGroup:
    """Regions of one shape, each region attending within itself."""

    count: int
    """Regions per clip."""
    size: int
    """Tokens n per region."""
    relative_index: Tensor
    """(n, n) int64 rows of the relative position bias table, shared by the regions."""


@dataclass(frozen=True, slots=True, eq=False)
class Partition:
    """One way to cut a stage's padded token grid into regions that attend within themselves."""

    order: Tensor
    """(L,) int64 padded grid position of each token slot, window group after window group."""
    groups: tuple[WindowGroup, ...]
    """In the order of the slots; their counts times sizes add up to L."""


@dataclass(frozen=True, slots=True, eq=False)
class StagePlan:
    """The two partitions of one stage for one input size."""

    grid: Grid
    """Tokens D×H×W of the stage."""
    padded: Grid
    """The grid after padding to whole windows."""
    regular: Partition
    """Windows from the origin, for even blocks."""
    shifted: Partition
    """Windows shifted by half their size, for odd blocks; `regular` itself without a shift."""

    @property
    def real(self) -> Tensor:
        """Mark the real tokens of the padded grid: (D, H, W) bool, false for padding."""
        real = torch.zeros(self.padded, dtype=torch.bool)
        real[: self.grid[0], : self.grid[1], : self.grid[2]] = True
        return real


@lru_cache(maxsize=64)
def plan_stage(grid: Grid, window_size: Grid) -> StagePlan:
    """Cut the token grid of one stage into regular and shifted windows.

    As in the authors' release (`get_window_size`), a window that is not smaller than the grid is
    cut to the grid and not shifted in that dimension.

    Args:
        grid: tokens D×H×W.
        window_size: attention window P×M×M of the architecture.

    Returns:
        The plan, computed once for each pair of sizes.
    """
    window, shift = _clip(grid, window_size)
    padded = tuple(-(-n // w) * w for n, w in zip(grid, window, strict=True))
    # For a clipped window the reference takes the top-left corner of the flattened index. That is
    # geometrically wrong when height or width is clipped, but weights were trained that way.
    index = relative_index(window_size)[: prod(window), : prod(window)]
    regular = _partition(padded, window, (0, 0, 0), index)  # type: ignore[arg-type]
    shifted = _partition(padded, window, shift, index) if any(shift) else regular  # type: ignore[arg-type]
    return StagePlan(grid, padded, regular, shifted)  # type: ignore[arg-type]


def _clip(grid: Grid, window_size: Grid) -> tuple[Grid, Grid]:
    """Clip the window to the grid, without a shift in dimensions that it covers entirely."""
    window = tuple(min(n, w) for n, w in zip(grid, window_size, strict=True))
    shift = tuple(0 if n <= w else w // 2 for n, w in zip(grid, window_size, strict=True))
    return window, shift  # type: ignore[return-value]


def relative_index(window: Grid) -> Tensor:
    """Compute the bias table row for each pair of tokens in a full window: (N, N) int64.

    The table lists offsets (Δt, Δh, Δw) from -(size-1) to size-1, last dimension fastest
    (arXiv 2106.13230, section 3.2, equation 2). A region inside the window uses the rows of its
    own tokens, because the bias depends on the offset of two tokens, not on their positions.

    Args:
        window: P×M×M, N tokens together.
    """
    axes = torch.meshgrid(*(torch.arange(n) for n in window), indexing="ij")
    tokens = torch.stack([axis.flatten() for axis in axes])  # (3, N)
    offsets = tokens[:, :, None] - tokens[:, None, :]  # (3, N, N)
    index = torch.zeros(prod(window), prod(window), dtype=torch.int64)
    for size, offset in zip(window, offsets, strict=True):
        # The offsets, moved to start at 0, are the digits of a number with mixed radix.
        index = index * (2 * size - 1) + (offset + size - 1)
    return index


def _partition(padded: Grid, window: Grid, shift: Grid, index: Tensor) -> Partition:
    """List the regions that attend within themselves, grouped by shape.

    Args:
        padded: the grid, a multiple of the window in each dimension.
        window: of this stage, not larger than the grid.
        shift: of the windows, 0 for none.
        index: (N, N) of the architecture's full window; its rows are cropped to each region.
    """
    orders: dict[bytes, list[Tensor]] = {}
    relatives: dict[bytes, Tensor] = {}
    cuts = [_cuts(n, w, s) for n, w, s in zip(padded, window, shift, strict=True)]
    for box in product(*cuts):
        inside = _ravel([within for _, within in box], window)
        relative = index[inside][:, inside]  # (n, n)
        # Equal tables mean equal shapes and the same bias: such regions share one attention call.
        key = repr(relative.shape).encode() + relative.numpy().tobytes()
        orders.setdefault(key, []).append(_ravel([positions for positions, _ in box], padded))
        relatives[key] = relative
    groups = tuple(
        WindowGroup(len(regions), len(regions[0]), relatives[key])
        for key, regions in orders.items()
    )
    return Partition(torch.cat([r for regions in orders.values() for r in regions]), groups)


def _cuts(length: int, window: int, shift: int) -> list[tuple[Tensor, Tensor]]:
    """Cut one axis into intervals that attend within themselves.

    Under the cyclic shift the last window holds two intervals: the end of the axis and, rolled in
    after it, the start. They are not adjacent in the video and must not attend to each other. Two
    intervals on each of three axes make the up to eight regions of a window.

    Returns:
        For each interval its positions on the axis and inside its window.
    """
    # The reference rolls the axis back by `shift` and cuts it from 0 on. Cutting from `shift` on,
    # modulo the length, is the same without moving a token.
    starts = [shift + i * window for i in range(length // window)]
    cuts = []
    for start in starts:
        positions = torch.arange(start, start + window)
        wrap = max(0, start + window - length)  # positions past the end, rolled in from the start
        for a, b in pairwise((0, window - wrap, window)):
            if b > a:
                cuts.append((positions[a:b] % length, torch.arange(a, b)))
    return cuts


def _ravel(axes: list[Tensor], shape: Grid) -> Tensor:
    """Compute the row-major indices of the tokens at these positions of a grid."""
    d, h, w = torch.meshgrid(*axes, indexing="ij")
    return ((d * shape[1] + h) * shape[2] + w).flatten()

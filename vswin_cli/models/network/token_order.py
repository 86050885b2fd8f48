"""Build the index tables of a forward pass, which determine the order of the tokens of a batch.

The rows of all clips of a batch are ordered by window group, so that each attention call reads one
contiguous slice, whatever the batch size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate
from math import prod

import torch
from torch import Tensor

from vswin_cli.models.architecture import Architecture
from vswin_cli.models.network.windows import Grid, Partition, StagePlan, plan_stage

__all__ = ["AttentionRows", "StageRoute", "Tile", "route_stages"]


@dataclass(frozen=True, slots=True, eq=False)
class AttentionRows:
    """Rows of regions of one window group, for one attention call."""

    rows: slice
    """Their position in the tile; batch·n rows."""
    batch: int
    """Regions, of all clips."""
    size: int
    """Tokens n per region."""
    relative_index: Tensor
    """(n·n,) int64 rows of the relative position bias table."""
    key: tuple[object, ...]
    """Identifies the window group, independent of the batch size: stage grid, shift, number."""


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """Rows that a block can process independently of all others: whole regions.

    Attention acts within a region, the rest of a block on single rows. A tile can therefore pass
    through a whole block while it is in a CPU's cache, and tiles can run in parallel.
    """

    rows: slice
    """Their position in the stage."""
    attention: tuple[AttentionRows, ...]
    """One per attention call; they cover the rows, in order."""
    real: Tensor | None
    """(rows, 1) bool, false where a row is padding; `None` without padding."""

    def per_row(self, values: Tensor) -> Tensor:
        """Repeat a value of each clip for all of its rows: (k, B) -> (k, rows, 1).

        Only for a tile that holds its whole stage.
        """
        k, clips = values.shape
        parts = [
            values[:, None, :, None].expand(k, c.batch // clips, clips, c.size).flatten(1)
            for c in self.attention
        ]
        return torch.cat(parts, 1)[..., None]


@dataclass(frozen=True, slots=True, eq=False)
class StageRoute:
    """Index tables of one stage for one batch size, on the device. R = B·L rows."""

    grid: Grid
    """Tokens D×H×W."""
    regular: tuple[Tile, ...]
    """Even blocks' tiles."""
    shifted: tuple[Tile, ...]
    """Odd blocks' tiles."""
    enter: Tensor
    """First stage: (R, 1) rows of the row-major grid. Later: (R, 4) output rows of the stage
    before, four per merged token; the index one past its last row means zero padding."""
    enters_padding: bool
    """Whether `enter` refers to that row of zeros."""
    to_shifted: Tensor | None
    """(R, 1) regular row for each shifted row; `None` if the orders are the same."""
    to_regular: Tensor | None
    """(R, 1) shifted row for each regular row; `None` as above."""
    leave: Tensor
    """(B·D·H·W,) row of each token in row-major grid order, in the order of the last block."""


def route_stages(
    architecture: Architecture,
    grid: Grid,
    batch: int,
    device: torch.device,
    tile_values: int | None = None,
) -> tuple[StageRoute, ...]:
    """Build the index tables of all stages.

    Args:
        architecture: shape of the network.
        grid: tokens D×H×W of the first stage.
        batch: clips B.
        device: of the tables.
        tile_values: rows times channels that a tile should hold; `None` for one tile per stage.

    Returns:
        One route per stage; each one's `enter` refers to the output rows of the one before.
    """
    routes: list[StageRoute] = []
    # `sources` are the input rows of the stage, `left` is the number of rows of the stage before.
    # Built on the device: for eight clips a CPU core takes longer than a GPU for the whole pass.
    sources, left = _grid_rows(plan_stage(grid, architecture.window_size), batch, device), 0
    for stage, depth in enumerate(architecture.depths):
        plan = plan_stage(grid, architecture.window_size)
        channels = architecture.embed_dim << stage
        tile_rows = None if tile_values is None else tile_values // channels
        last = plan.regular if depth % 2 else plan.shifted  # order of the last block's rows
        pads = stage > 0 and int(sources.max()) == left  # merging an odd height or width
        routes.append(_route(plan, last, sources, pads, batch, tile_rows))
        grid = (grid[0], -(-grid[1] // 2), -(-grid[2] // 2))  # merging does not change time
        sources = _merged_rows(
            plan, last, plan_stage(grid, architecture.window_size), batch, device
        )
        left = batch * prod(plan.padded)
    return tuple(routes)


def _route(
    plan: StagePlan,
    last: Partition,
    sources: Tensor,
    enters_padding: bool,
    batch: int,
    tile_rows: int | None,
) -> StageRoute:
    """Build the index tables of one stage, on the device of `sources`."""
    device = sources.device
    regular, shifted = _rows(plan.regular, batch, device), _rows(plan.shifted, batch, device)
    moves, pads = plan.shifted is not plan.regular, plan.grid != plan.padded
    inside = plan.real.flatten().to(device)
    real = inside[:, None].expand(-1, batch)
    leave = _rows(last, batch, device)[inside].t().flatten()  # (B·D·H·W,)

    def in_row_order(table: Tensor, order: Tensor) -> Tensor:
        """Sort (L, B, ...) values of padded grid positions by row number `order` (L, B)."""
        placed = table.new_empty(order.numel(), *table.shape[2:])
        placed[order.flatten()] = table.flatten(0, 1)
        return placed

    def tiles(partition: Partition, rows: Tensor) -> tuple[Tile, ...]:
        padding = in_row_order(real, rows)[:, None] if pads else None
        calls = _attention_rows(plan, partition, batch, device)
        return tuple(_tiles(calls, padding, tile_rows))

    return StageRoute(
        grid=plan.grid,
        regular=tiles(plan.regular, regular),
        shifted=tiles(plan.shifted, shifted),
        enter=in_row_order(sources, regular),
        enters_padding=enters_padding,
        to_shifted=in_row_order(regular, shifted)[:, None] if moves else None,
        to_regular=in_row_order(shifted, regular)[:, None] if moves else None,
        leave=leave,
    )


def _rows(partition: Partition, batch: int, device: torch.device) -> Tensor:
    """Compute the row of each padded grid position and clip: (L, B) int64."""
    order = partition.order.to(device)
    rows = order.new_empty(len(order), batch)
    start = 0
    for group in partition.groups:
        stop = start + group.count * group.size
        block = torch.arange(batch * start, batch * stop, device=device)
        block = block.view(group.count, batch, group.size).transpose(1, 2)
        rows[order[start:stop]] = block.flatten(0, 1)  # (count·n, B)
        start = stop
    return rows


def _grid_rows(plan: StagePlan, batch: int, device: torch.device) -> Tensor:
    """Find the row-major grid row for each padded grid position and clip: (L, B, 1) int64.

    Padding reads row 0: any row would do, because blocks set padding to zero after the norm.
    """
    inside = plan.real.flatten().to(device)
    rows = torch.zeros(len(inside), batch, 1, dtype=torch.int64, device=device)
    count = int(inside.sum())
    rows[inside, :, 0] = torch.arange(batch * count, device=device).view(batch, count).t()
    return rows


def _merged_rows(
    before: StagePlan, last: Partition, plan: StagePlan, batch: int, device: torch.device
) -> Tensor:
    """Find the four rows to merge for each padded grid position and clip: (L, B, 4) int64.

    Args:
        before: the stage whose rows are merged.
        last: the partition that determines the order of its output rows.
        plan: the next stage.
        batch: clips B.
        device: where the table is needed.
    """
    rows = _rows(last, batch, device)
    zero = rows.numel()  # one past the last row: a row of zeros, for an odd height or width
    depth, height, width = plan.padded
    table = rows.new_full((depth, 2 * height, 2 * width, batch), zero)
    d, h, w = before.grid
    table[:d, :h, :w] = rows.view(*before.padded, batch)[:d, :h, :w]
    # The order of the four neighbours (h, w) is the authors': (0,0), (1,0), (0,1), (1,1).
    quads = [table[:, i::2, j::2].flatten(0, 2) for j in (0, 1) for i in (0, 1)]  # 4 × (L, B)
    return torch.stack(quads, -1)


def _attention_rows(
    plan: StagePlan, partition: Partition, batch: int, device: torch.device
) -> tuple[AttentionRows, ...]:
    """List the attention calls of one block, one per window group."""
    groups = partition.groups
    stops = list(accumulate(batch * group.count * group.size for group in groups))
    is_shifted = partition is not plan.regular
    return tuple(
        AttentionRows(
            rows=slice(stop - batch * group.count * group.size, stop),
            batch=batch * group.count,
            size=group.size,
            relative_index=group.relative_index.flatten().to(device),
            key=(plan.grid, is_shifted, number),
        )
        for number, (group, stop) in enumerate(zip(groups, stops, strict=True))
    )


def _tiles(
    calls: tuple[AttentionRows, ...], real: Tensor | None, tile_rows: int | None
) -> Iterator[Tile]:
    """Cut attention calls into tiles of at most `tile_rows` rows, but at least one region each."""
    taken: list[AttentionRows] = []
    start = stop = 0
    for piece in _pieces(calls, tile_rows):
        length = piece.batch * piece.size
        if taken and tile_rows is not None and stop - start + length > tile_rows:
            yield _tile(taken, start, stop, real)
            taken, start = [], stop
        taken.append(replace(piece, rows=slice(stop - start, stop - start + length)))
        stop += length
    yield _tile(taken, start, stop, real)


def _pieces(calls: tuple[AttentionRows, ...], tile_rows: int | None) -> Iterator[AttentionRows]:
    """Cut each attention call where it has more rows than a tile should."""
    for whole in calls:
        most = whole.batch if tile_rows is None else max(1, tile_rows // whole.size)
        for first in range(0, whole.batch, most):
            yield replace(whole, batch=min(most, whole.batch - first))


def _tile(calls: list[AttentionRows], start: int, stop: int, real: Tensor | None) -> Tile:
    rows = slice(start, stop)
    return Tile(rows, tuple(calls), None if real is None else real[rows])

"""Pass rows through a part of the network: tile by tile, or as training needs it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from vswin_cli.models.network.cpu_threads import run_pieces
from vswin_cli.models.network.token_order import Tile

__all__ = ["for_training", "through_tiles"]


def for_training(
    block: nn.Module, branch_scales: Tensor | None, recompute: bool
) -> Callable[[Tensor, Tile], Tensor]:
    """Return a block's forward pass as training needs it; see `VideoSwin.plain_features`."""
    if not recompute:
        return block if branch_scales is None else partial(block, branch_scales=branch_scales)
    from torch.utils.checkpoint import checkpoint

    def run(rows: Tensor, tile: Tile) -> Tensor:
        return checkpoint(  # type: ignore[no-any-return]
            block, rows, tile, branch_scales, use_reentrant=False, preserve_rng_state=False
        )

    return run


def through_tiles(
    part: Callable[[Tensor, Tile], Tensor],
    x: Tensor,
    tiles: tuple[Tile, ...],
    order: Tensor | None,
    channels: int,
) -> Tensor:
    """Apply a part of the network tile by tile, on a CPU one tile per thread.

    Args:
        part: called with the rows of a tile, and the tile. Tiles are independent.
        x: input rows; overwritten if they stay in order.
        tiles: cover the rows of the result.
        order: (R, k) rows of `x` to concatenate to each input row; `None` if the rows of `x` are
            the input rows.
        channels: C of the result.

    Returns:
        (R, C).
    """

    def rows_of(tile: Tile) -> Tensor:
        if order is None:
            return x[tile.rows]
        rows = x.index_select(0, order[tile.rows].flatten())  # (r·k, C)
        return rows.view(-1, order.shape[1] * x.shape[1])  # (r, k·C)

    if len(tiles) == 1:
        return part(rows_of(tiles[0]), tiles[0])
    # In place if each tile reads only the rows that it writes.
    out = x if order is None else x.new_empty(tiles[-1].rows.stop, channels)

    def work(tile: Tile) -> None:
        out[tile.rows] = part(rows_of(tile), tile)

    run_pieces(work, tiles)
    return out

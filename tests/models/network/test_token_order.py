"""Row tables of a batch: reordering, merging and tiles, checked on rows that carry their place."""

import pytest
import torch

from vswin_cli.models.architecture import Architecture
from vswin_cli.models.network.token_order import route_stages

ARCHITECTURE = Architecture("x", 8, (2, 2), (1, 2), (2, 3, 3))
CPU = torch.device("cpu")
GRIDS = [(4, 6, 6), (3, 5, 7), (1, 1, 1), (2, 3, 3)]


def routes(grid, batch, **options):
    return route_stages(ARCHITECTURE, grid, batch, CPU, **options)


def first_rows(route, grid, batch):
    """Rows of the first stage that hold their clip and grid position."""
    return torch.arange(batch * grid[0] * grid[1] * grid[2])[route.enter[:, 0]]


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_tokens_leave_a_stage_in_grid_order_whatever_the_windows(grid, batch):
    route = routes(grid, batch)[0]
    rows = first_rows(route, grid, batch)
    if route.to_shifted is not None:
        rows = rows[route.to_shifted[:, 0]]  # two blocks: the last one is shifted
    assert torch.equal(rows[route.leave], torch.arange(len(route.leave)))


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_shifted_order_and_back_is_the_identity(grid):
    for route in routes(grid, 2):
        if route.to_shifted is None:
            assert route.to_regular is None
            continue
        there_and_back = route.to_shifted[route.to_regular[:, 0], 0]
        assert torch.equal(there_and_back, torch.arange(len(there_and_back)))


@pytest.mark.parametrize("grid", [(4, 6, 6), (3, 5, 7)], ids=str)
def test_merging_takes_the_four_neighbours_in_the_authors_order(grid):
    first, second = routes(grid, 1)
    rows = first_rows(first, grid, 1)
    if first.to_shifted is not None:
        rows = rows[first.to_shifted[:, 0]]
    padded = torch.cat([rows, torch.tensor([-1])])  # the row of zeros
    merged = padded[second.enter]  # (R, 4)
    d, h, w = grid
    at = torch.full((d, h + h % 2, w + w % 2), -1)
    at[:, :h, :w] = torch.arange(d * h * w).view(grid)
    expected = torch.stack(
        [at[:, 0::2, 0::2], at[:, 1::2, 0::2], at[:, 0::2, 1::2], at[:, 1::2, 1::2]], -1
    )
    real = second.regular[0].real
    kept = merged if real is None else merged[real[:, 0]]
    assert sorted(map(tuple, kept.tolist())) == sorted(map(tuple, expected.view(-1, 4).tolist()))
    assert second.enters_padding == bool(h % 2 or w % 2)


@pytest.mark.parametrize("tile_rows", [1, 20, 50, 10_000])
def test_tiles_cover_the_rows_in_order_and_cut_no_region(tile_rows):
    values = tile_rows * ARCHITECTURE.embed_dim
    tiled = routes((5, 7, 8), 2, tile_values=values)[0]
    whole = routes((5, 7, 8), 2)[0]
    for tiles, one in ((tiled.regular, whole.regular), (tiled.shifted, whole.shifted)):
        assert len(one) == 1
        stops = [0]
        for tile in tiles:
            assert tile.rows.start == stops[-1]
            stops.append(tile.rows.stop)
            sizes = [call.batch * call.size for call in tile.attention]
            assert sum(sizes) == tile.rows.stop - tile.rows.start
            one_region = len(tile.attention) == 1 and tile.attention[0].batch == 1
            assert sum(sizes) <= tile_rows or one_region
        assert stops[-1] == one[0].rows.stop
        calls = [(call.key, call.size) for tile in tiles for call in tile.attention]
        assert set(calls) == {(call.key, call.size) for call in one[0].attention}


def test_padding_is_marked_where_the_grid_is_no_multiple_of_the_window():
    route = routes((3, 5, 7), 2)[0]
    assert route.regular[0].real.sum() == route.shifted[0].real.sum() == 2 * 3 * 5 * 7
    assert routes((4, 6, 6), 1)[0].regular[0].real is None

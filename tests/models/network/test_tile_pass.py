"""Tiles give what the whole gives, however many there are and threads at work."""

import pytest
import torch
from torch import nn

from vswin_cli.models.network.tile_pass import for_training, through_tiles
from vswin_cli.models.network.token_order import Tile

ROWS = 12


def tiles_of(*stops):
    starts = (0, *stops[:-1])
    return tuple(Tile(slice(a, b), (), None) for a, b in zip(starts, stops, strict=True))


def doubled(rows, tile):
    assert len(rows) == tile.rows.stop - tile.rows.start
    return 2 * rows


@pytest.mark.parametrize("stops", [(12,), (5, 12), (1, 2, 7, 12)], ids=str)
def test_every_row_passes_once(num_threads, stops):
    x = torch.arange(float(ROWS * 3)).view(ROWS, 3)
    expected = 2 * x
    assert torch.equal(through_tiles(doubled, x.clone(), tiles_of(*stops), None, 3), expected)


@pytest.mark.parametrize("stops", [(6,), (2, 6)], ids=str)
def test_rows_are_concatenated_in_the_given_order(num_threads, stops):
    x = torch.arange(float(ROWS)).view(ROWS, 1)
    order = torch.tensor([[11 - i, i] for i in range(6)])
    found = through_tiles(lambda rows, _: rows, x, tiles_of(*stops), order, 2)
    assert torch.equal(found, order.float())
    assert torch.equal(x[:, 0], torch.arange(float(ROWS)))


class Scaled(nn.Module):
    """A block with one weight, and one scale for each clip."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(3.0))
        self.calls = 0

    def forward(self, rows, tile, branch_scales=None):
        self.calls += 1
        return rows * self.weight * (1.0 if branch_scales is None else branch_scales.sum())


@pytest.mark.parametrize("scales", [None, torch.tensor([2.0, 3.0])])
def test_recomputing_changes_no_gradient(scales):
    found = []
    for recompute in (False, True):
        block = Scaled()
        rows = torch.ones(4, 2, requires_grad=True)
        for_training(block, scales, recompute)(rows, tiles_of(4)[0]).sum().backward()
        found.append((block.weight.grad, rows.grad))
        assert block.calls == 1 + recompute
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])

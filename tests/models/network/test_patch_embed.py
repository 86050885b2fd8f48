"""Patches and their embedding, compared with the convolution that they stand for."""

import pytest
import torch

from vswin_cli.models.network.patch_embed import PatchEmbed

PATCH = (2, 4, 4)


@pytest.fixture
def embed():
    torch.manual_seed(0)
    return PatchEmbed(PATCH, 6)


@pytest.mark.parametrize("size", [(4, 8, 12), (3, 9, 5), (1, 1, 1)], ids=str)
def test_embedding_is_a_convolution_over_the_padded_pixels(embed, size):
    x = torch.randn(2, 3, *size)
    grid = embed.grid(size)
    padded = torch.zeros(2, 3, *(n * p for n, p in zip(grid, PATCH, strict=True)))
    padded[:, :, : size[0], : size[1], : size[2]] = x
    expected = embed.norm(embed.proj(padded).permute(0, 2, 3, 4, 1).reshape(-1, 6))
    torch.testing.assert_close(embed(embed.patches(x), None), expected)


def test_patches_come_clip_by_clip_in_grid_order(embed):
    x = torch.zeros(2, 3, 2, 4, 12)
    x[1, :, :, :, 4:8] = 1.0  # the middle one of the second clip
    assert embed.patches(x).sum(1).tolist() == [0, 0, 0, 0, 3 * 2 * 4 * 4, 0]


def test_a_grid_covers_all_pixels(embed):
    assert embed.grid((32, 224, 224)) == (16, 56, 56)
    assert embed.grid((1, 5, 8)) == (1, 2, 2)

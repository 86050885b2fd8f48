"""Shapes of networks: limits of what a card may ask for, and the sizes that follow."""

from dataclasses import replace

import pytest

from vswin_cli.models.architecture import Architecture, InputSpec

TINY = Architecture("swin3d_tiny", 96, (2, 2, 6, 2), (3, 6, 12, 24))


def test_channels_double_and_cells_grow_with_each_stage():
    assert TINY.num_features == 768
    assert TINY.cell_pixels == (32, 32)
    assert TINY.cell_grid(224, 224) == (7, 7)
    assert TINY.cell_grid(225, 1) == (8, 1)  # the last cells are padded


@pytest.mark.parametrize(
    "change",
    [
        {"num_heads": (3, 6, 12)},
        {"depths": (), "num_heads": ()},
        {"num_heads": (3, 6, 12, 25)},
        {"num_heads": (0, 6, 12, 24)},
        {"window_size": (8, 7, 5000)},
        {"window_size": (8, 70, 70)},
        {"patch_size": (2, 0, 4)},
        {"embed_dim": 1 << 20},
        {"depths": (1,) * 17, "num_heads": (1,) * 17},
    ],
    ids=str,
)
def test_shapes_that_cannot_be_built_are_refused(change):
    with pytest.raises(ValueError, match=r"stage|impossible"):
        replace(TINY, **change)


def test_a_clip_lasts_as_long_as_its_frames():
    assert InputSpec().clip_seconds == pytest.approx(32 / 15)

"""Inflate the weights of a 2D Swin Transformer to initialise a 3D one (arXiv 2106.13230, 3.3).

Takes a 2D network's tensors under our names and returns those of a 3D network that, on a clip of
identical frames, embeds patches as the 2D network does. The head is left out, because its classes
are those of images.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isqrt

import torch.nn.functional as F
from torch import Tensor

from vswin_cli.errors import CheckpointError

__all__ = ["inflate"]


def inflate(
    state: Mapping[str, Tensor],
    window_size: tuple[int, int, int],
    where: str,
    patch_frames: int = 2,
) -> dict[str, Tensor]:
    """Inflate 2D weights to 3D, as the authors do (`inflate_weights` in their release).

    Args:
        state: a 2D Swin's weights under our names; patch kernel (C, 3, h, w), bias tables
            ((2m−1)², heads).
        window_size: attention window P×M×M of the video network. Where M differs from the image
            network's m, the bias table is resized bicubically.
        where: the file, for messages.
        patch_frames: frames per patch.

    Raises:
        CheckpointError: a bias table is not that of a square window, or M×M is not square.
    """
    frames, height, width = window_size
    if height != width:
        raise CheckpointError(
            f"{where}: cannot inflate to a window of {height}×{width} tokens",
            hint="give a window with equal height and width, such as 8,7,7",
        )
    inflated = {}
    for name, tensor in state.items():
        value = tensor.float()
        if name == "patch_embed.proj.weight":
            # Divided by the number of frames, so that identical frames give the 2D network's sum.
            value = value.unsqueeze(2).repeat(1, 1, patch_frames, 1, 1) / patch_frames
        elif name.endswith("relative_position_bias_table"):
            # The same bias at every distance in time, of which there are 2P - 1.
            value = _resize(value, 2 * height - 1, f"{where}: {name}").repeat(2 * frames - 1, 1)
        if not name.startswith("head."):
            inflated[name] = value.contiguous()
    return inflated


def _resize(table: Tensor, side: int, where: str) -> Tensor:
    """Resize a table of offsets from (s², heads) to (side², heads)."""
    rows, heads = table.shape
    old = isqrt(rows)
    if old * old != rows or old % 2 == 0:
        raise CheckpointError(
            f"{where} has {rows} rows, which no square window has",
            hint="give the weights of a 2D Swin Transformer for images",
        )
    if old == side:
        return table
    image = table.t().reshape(1, heads, old, old)
    resized = F.interpolate(image, size=(side, side), mode="bicubic")
    return resized.reshape(heads, side * side).t()

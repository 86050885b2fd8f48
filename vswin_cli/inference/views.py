"""Convert decoded clips to model input: spatial views, the 0-1 scale, normalisation, data type.

Frames are resized before; nothing here interpolates.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vswin_cli.models.architecture import Architecture, InputSpec

__all__ = ["crop_offsets", "make_views", "view_areas"]


def crop_offsets(height: int, width: int, size: int, crops: Literal[1, 3]) -> list[tuple[int, int]]:
    """Top-left corners (y, x) of the square crops.

    One crop is the centre. Three lie along the longer side, in the order of the authors' test
    pipeline (MMAction2's `ThreeCrop`): left or top, right or bottom, centre.

    Raises:
        ValueError: the frame is smaller than the crop.
    """
    if min(height, width) < size:
        raise ValueError(f"a {size}x{size} crop does not fit a frame of {width}x{height}")
    y, x = (height - size) // 2, (width - size) // 2
    if crops == 1:
        return [(y, x)]
    # (2y, 2x) is the opposite corner: the far end of the longer side where the crop is as large as
    # the shorter one.
    return [(0, 0), (2 * y, 2 * x), (y, x)] if height != width else [(y, x)] * 3


def make_views(frames: Tensor, spec: InputSpec, crops: Literal[1, 3], dtype: torch.dtype) -> Tensor:
    """Cut and normalise the views of one clip, on the device that holds its frames.

    Args:
        frames: (T, H, W, 3) uint8 RGB, the shorter side `spec.resize_short_side` pixels.
        spec: crop size, mean and standard deviation.
        crops: views per clip V.
        dtype: of the result; the arithmetic is float32.

    Returns:
        (V, 3, T, S, S), contiguous.
    """
    size = spec.crop_size
    offsets = crop_offsets(frames.shape[1], frames.shape[2], size, crops)
    # Scaled by 255 here, which saves a division of all pixels by 255.
    mean = torch.tensor(spec.mean, device=frames.device).view(3, 1, 1, 1) * 255
    std = torch.tensor(spec.std, device=frames.device).view(3, 1, 1, 1) * 255
    shape = (len(offsets), 3, len(frames), size, size)
    views = torch.empty(shape, dtype=torch.float32, device=frames.device)
    for view, (y, x) in zip(views, offsets, strict=True):
        view.copy_(frames[:, y : y + size, x : x + size].permute(3, 0, 1, 2))  # (3, T, S, S)
    return views.sub_(mean).div_(std).to(dtype)


def view_areas(
    shape: tuple[int, int], size: int, crops: Literal[1, 3], architecture: Architecture
) -> NDArray[np.float64]:
    """Compute which part of the frame the network's last grid covers in each view.

    Args:
        shape: height and width of the resized frame.
        size: of the square crops.
        crops: views per clip V.
        architecture: gives the size of a cell.

    Returns:
        (V, 4) x, y, width and height as parts of the frame's width and height.
    """
    height, width = shape
    rows, columns = architecture.cell_grid(size, size)
    cell_height, cell_width = architecture.cell_pixels
    boxes = [
        (x, y, columns * cell_width, rows * cell_height)
        for y, x in crop_offsets(height, width, size, crops)
    ]
    return np.array(boxes, np.float64) / (width, height, width, height)

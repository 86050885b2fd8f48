"""Random choices for a training clip: which part of the example, which crop, mirrored or not.

Each follows from the seed, the epoch and the example alone. So a run that was interrupted goes on
as if it had not been, on any number of processes, whatever order clips are decoded in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from vswin_cli.models.architecture import InputSpec

__all__ = [
    "ClipChoices",
    "CropBox",
    "choose_crop",
    "draw_choices",
    "epoch_order",
    "make_clip",
    "tells_direction",
]

_ORDER = 1 << 32  # stands for no example in a seed
_ASPECTS = (3 / 4, 4 / 3)
_TRIES = 10
_DIRECTION = re.compile(
    r"(?<![a-z])(((left|right)(s|(-|\s)?(wards?|hand(ed)?|most))?)"
    r"|(anti|counter)?(-|\s)?clockwise|c?cw)(?![a-z])"
)


@dataclass(frozen=True, slots=True)
class CropBox:
    """A rectangle of a frame, in pixels."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True, slots=True, eq=False)
class ClipChoices:
    """Random numbers for one example in one epoch."""

    start: float
    """Where the clip begins, as a share of the room there is, in [0, 1)."""
    crops: NDArray[np.float64]
    """(tries, 4) in [0, 1): area, aspect ratio, top and left."""
    mirror: float
    """In [0, 1): below a half for clips that are mirrored."""
    branches: NDArray[np.float64]
    """(blocks, 2) in [0, 1): branches whose number is below their chance are left out."""
    features: NDArray[np.float64]
    """(C,) in [0, 1): the same for the features before the head."""


def draw_choices(
    seed: int, epoch: int, example: int, *, num_blocks: int, num_features: int
) -> ClipChoices:
    """Draw the random numbers of one example in one epoch."""
    draw = np.random.default_rng([seed, epoch, example])
    return ClipChoices(
        start=float(draw.random()),
        crops=draw.random((_TRIES, 4)),
        mirror=float(draw.random()),
        branches=draw.random((num_blocks, 2)),
        features=draw.random(num_features),
    )


def epoch_order(seed: int, epoch: int, num_examples: int) -> NDArray[np.int64]:
    """Return the order of the examples in one epoch."""
    return np.random.default_rng([seed, epoch, _ORDER]).permutation(num_examples)


def tells_direction(labels: Iterable[str]) -> bool:
    """Return whether a label names a direction that a mirror reverses, such as `turn left`."""
    return any(_DIRECTION.search(label.replace("_", " ").casefold()) for label in labels)


def choose_crop(height: int, width: int, numbers: NDArray[np.float64], smallest: float) -> CropBox:
    """Choose a rectangle of random area, shape and place, as the authors' pipeline does.

    Args:
        height: of the frame.
        width: of the frame.
        numbers: (tries, 4) random numbers in [0, 1); the first rectangle that fits is taken.
        smallest: least share of the frame's area.

    Returns:
        The rectangle; the largest square in the centre if none fits.
    """
    low, high = np.log(_ASPECTS)
    for area, aspect, top, left in numbers:
        pixels = height * width * (smallest + (1 - smallest) * area)
        ratio = float(np.exp(low + (high - low) * aspect))
        h, w = round((pixels / ratio) ** 0.5), round((pixels * ratio) ** 0.5)
        if 0 < h <= height and 0 < w <= width:
            return CropBox(int(top * (height - h + 1)), int(left * (width - w + 1)), h, w)
    side = min(height, width)
    return CropBox((height - side) // 2, (width - side) // 2, side, side)


def make_clip(frames: Tensor, spec: InputSpec, box: CropBox, *, mirrored: bool) -> Tensor:
    """Cut, resize, mirror and normalise: (T, H, W, 3) uint8 -> (3, T, S, S) float32."""
    part = frames[:, box.top : box.top + box.height, box.left : box.left + box.width]
    images = part.permute(0, 3, 1, 2).float()  # (T, 3, h, w)
    size = (spec.crop_size, spec.crop_size)
    if images.shape[2:] != size:
        images = F.interpolate(images, size=size, mode="bilinear", align_corners=False)
    if mirrored:
        images = images.flip(3)
    mean, std = (torch.tensor(values).view(3, 1, 1) * 255 for values in (spec.mean, spec.std))
    return ((images - mean) / std).transpose(0, 1).contiguous()

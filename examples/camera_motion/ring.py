"""Ring buffer of synthesised clips on disk, filled by one process and read by another.

Batches are augmented by mirroring (left-right, up-down, transposed) together with their labels, so
that a clip serves eight times. Nothing here knows the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from library import Library
from paths import FRAMES, GRID, SIDE, STEPS
from synthesis import LABELS, make_sample
from torch import Tensor

from vswin_cli.models.architecture import InputSpec

__all__ = ["Batch", "Ring", "draw", "mirrored", "normalised"]

MEAN, STD = InputSpec().mean, InputSpec().std


@dataclass(frozen=True, slots=True)
class Ring:
    """Memory-mapped clips and labels; the generator overwrites the oldest."""

    frames: Any
    labels: Any
    motion: Any
    flow: Any
    written: Any
    """(1,) int64: clips written so far."""

    @staticmethod
    def open(folder: Path, clips: int) -> Ring:
        """Map the ring buffer, creating it where there is none."""
        folder.mkdir(parents=True, exist_ok=True)

        def mapped(name: str, kind: str, *shape: int) -> Any:  # noqa: ANN401 - a memory map
            path = folder / f"{name}.npy"
            if not path.exists():
                np.lib.format.open_memmap(path, "w+", kind, shape).flush()
            return np.load(path, mmap_mode="r+")

        return Ring(
            mapped("frames", "u1", clips, 3, FRAMES, SIDE, SIDE),
            mapped("labels", "f2", clips, STEPS, len(LABELS)),
            mapped("motion", "f4", clips, STEPS, 4),
            mapped("flow", "f2", clips, STEPS, GRID, GRID, 2),
            mapped("written", "i8", 1),
        )

    def put(self, slot: int, library: Library, seed: tuple[int, int], hard: float) -> None:
        """Synthesise a clip into one slot."""
        sample = make_sample(np.random.default_rng(seed), library, hard)
        self.frames[slot], self.labels[slot] = sample.frames, sample.labels
        self.motion[slot], self.flow[slot] = sample.motion, sample.flow


@dataclass(frozen=True, slots=True)
class Batch:
    """Clips and labels as tensors."""

    x: Tensor
    labels: Tensor
    motion: Tensor
    flow: Tensor


_SWAPS = {"x": ((1, 2), (7, 8)), "y": ((3, 4), (7, 8)), "t": ((1, 3), (2, 4), (7, 8))}


def _swap(labels: Tensor, axis: str) -> Tensor:
    order = list(range(len(LABELS)))
    for a, b in _SWAPS[axis]:
        order[a], order[b] = b, a
    return labels[..., order]


def mirrored(batch: Batch, axis: str) -> Batch:
    """Flip clips in x, in y, or transpose them (t), with their labels, motion and flow."""
    if axis == "t":
        return Batch(
            batch.x.transpose(3, 4),
            _swap(batch.labels, "t"),
            batch.motion[..., [1, 0, 2, 3]] * torch.tensor([1, 1, 1, -1]),
            batch.flow.transpose(2, 3)[..., [1, 0]],
        )
    pixels, tokens, column = (4, 3, 0) if axis == "x" else (3, 2, 1)
    sign = torch.ones(4)
    sign[[column, 3]] = -1
    return Batch(
        batch.x.flip(pixels),
        _swap(batch.labels, axis),
        batch.motion * sign,
        batch.flow.flip(tokens) * sign[:2],
    )


def normalised(frames: Tensor) -> Tensor:
    """Normalise uint8 frames (B, 3, T, H, W) as the network reads them."""
    mean, std = (torch.tensor(v).view(3, 1, 1, 1) for v in (MEAN, STD))
    return frames.float().mul_(1 / (255 * std)).sub_(mean / std)


def draw(ring: Ring, rng: np.random.Generator, size: int) -> Batch:
    """Draw a random batch, each quarter mirrored in its own way."""
    parts = []
    for _ in range(4):
        where = np.sort(rng.integers(min(int(ring.written[0]), len(ring.labels)), size=size // 4))
        part = Batch(
            torch.from_numpy(ring.frames[where]),
            torch.from_numpy(ring.labels[where].astype(np.float32)),
            torch.from_numpy(ring.motion[where]),
            torch.from_numpy(ring.flow[where].astype(np.float32)),
        )
        for axis in "xyt":
            if rng.random() < 0.5:
                part = mirrored(part, axis)
        parts.append(part)
    x, labels, motion, flow = (
        torch.cat([getattr(part, name) for part in parts]) for name in Batch.__slots__
    )
    return Batch(normalised(x), labels, motion, flow)

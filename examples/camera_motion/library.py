"""Build and load the texture library of the synthesised clips: photographs and fixed footage.

In go files (`build_library`), out comes a `Library` of memory-mapped arrays: a mip chain per
photograph, the footage, and mattes of what moves in it. Footage whose camera does move is left out;
some of what is sold as fixed is recorded off a screen by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import torch
import torch.nn.functional as F
from paths import SIDE, Array, log_uniform

__all__ = ["Library", "build_library", "load_library", "photo_at", "read_frames", "sample_texture"]

LEVEL_SIDES = (320, 224, 160, 112, 80)  # pixels, a mip chain of square textures
FOOTAGE_SIDE = 112  # pixels, short side of stored footage
FOOTAGE_RATE = 25.0
BACKGROUND_NOISE = 14.0  # of 255, difference from the background that is still background
MATTE_SOFTNESS = 12.0  # of 255, over which the matte rises from 0 to 1
FIXED_SHARE = 0.9  # of the frames of a fixed camera lie where the first one does


@dataclass(frozen=True, slots=True)
class Library:
    """Textures for the virtual camera."""

    levels: tuple[Array, ...]
    """Per mip level, (photos, side, side, 3) uint8."""
    footage: tuple[Array, ...]
    """Fixed-camera clips, (frames, height, width, 3) uint8 at about 25 per second."""
    mattes: tuple[Array, ...]
    """Per fixed-camera clip, (frames, height, width) uint8: how far a pixel shows what moves."""


def read_frames(path: Path, short_side: int, *, rate: float | None = None) -> Array:
    """Decode an image or a video, resized; (frames, height, width, 3) uint8."""
    images, due = [], 0.0
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if rate is not None and frame.time is not None:
                if frame.time + 1e-6 < due:
                    continue
                due += 1 / rate
            factor = short_side / min(frame.width, frame.height)
            width, height = round(frame.width * factor), round(frame.height * factor)
            small = frame.reformat(width, height, "rgb24", interpolation="AREA")
            images.append(small.to_ndarray())
    return np.stack(images)


def build_library(photos: Sequence[Path], footage: Sequence[Path], folder: Path) -> None:
    """Decode everything once and save it; two squares per photo (its two ends)."""
    folder.mkdir(parents=True, exist_ok=True)
    squares = []
    for path in photos:
        image = read_frames(path, LEVEL_SIDES[0])[0]
        side = min(image.shape[:2])
        squares += [image[:side, :side], image[-side:, -side:]]
    base = torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2)
    for side in LEVEL_SIDES:
        parts = [
            F.interpolate(part.float(), size=(side, side), mode="area")
            if side < LEVEL_SIDES[0]
            else part.float()
            for part in torch.split(base, 64)
        ]
        level = torch.cat([part.round().byte() for part in parts]).permute(0, 2, 3, 1)
        np.save(folder / f"level_{side}.npy", level.contiguous().numpy())
    for index, path in enumerate(footage):
        frames = read_frames(path, FOOTAGE_SIDE, rate=FOOTAGE_RATE)
        if _is_fixed(frames):
            np.save(folder / f"footage_{index:03}.npy", frames)
            np.save(folder / f"matte_{index:03}.npy", _matte(frames))
        else:
            print(f"{path.name}: the camera moves, left out")


def load_library(folder: Path) -> Library:
    """Memory-map what `build_library` wrote."""
    return Library(
        tuple(np.load(folder / f"level_{side}.npy", mmap_mode="r") for side in LEVEL_SIDES),
        tuple(np.load(path, mmap_mode="r") for path in sorted(folder.glob("footage_*.npy"))),
        tuple(np.load(path, mmap_mode="r") for path in sorted(folder.glob("matte_*.npy"))),
    )


def _is_fixed(frames: Array) -> bool:
    """Return whether the camera is fixed, by phase correlation of each frame with the first."""
    spectra = np.fft.rfft2(frames.mean(-1))
    cross = spectra * spectra[0].conj()
    peaks = np.fft.irfft2(cross / np.maximum(np.abs(cross), 1e-9)).reshape(len(frames), -1)
    return float((peaks.argmax(1) == 0).mean()) >= FIXED_SHARE


def _matte(frames: Array) -> Array:
    """Return a soft mask (T, H, W) of what differs from the median frame."""
    background = np.median(frames[::3], axis=0)
    change = torch.from_numpy(np.abs(frames - background).max(-1))[:, None].float()
    smooth = F.avg_pool2d(change, 5, stride=1, padding=2)[:, 0]
    alpha = ((smooth - BACKGROUND_NOISE) / MATTE_SOFTNESS).clamp(0, 1)
    return np.asarray((alpha * 255).byte().numpy())


def sample_texture(
    texture: Array, world: Array, origin: Array, cover: float, *, beyond: str = "reflection"
) -> torch.Tensor:
    """Sample a texture (H, W, C), or one per frame (T, H, W, C), at world points; (C, T, S, S)."""
    moving = texture.ndim == 4
    image = torch.from_numpy(np.array(texture)).float()
    image = image.permute(0, 3, 1, 2) if moving else image.permute(2, 0, 1)[None]
    height, width = image.shape[-2:]
    unit = 2 * cover * min(height, width)
    scale = np.array([unit / width, unit / height])
    grid = torch.from_numpy((world * scale + origin).astype(np.float32))
    if not moving:
        grid = grid.reshape(1, -1, grid.shape[-2], 2)
    out = F.grid_sample(image, grid, padding_mode=beyond, align_corners=False)
    if moving:
        return out.permute(1, 0, 2, 3)
    return out.reshape(len(out[0]), -1, SIDE, SIDE)


def photo_at(rng: np.random.Generator, library: Library, cover: float, index: int) -> Array:
    """Return the mip level (H, W, 3) of a photo whose texels are about as large as pixels."""
    wanted = SIDE * log_uniform(rng, 0.8, 1.35) / cover
    level = int(np.argmin([abs(np.log(side / wanted)) for side in LEVEL_SIDES]))
    return np.asarray(library.levels[level][index])

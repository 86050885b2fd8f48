"""Light, grade and damage the pixels of a clip, and draw over them.

Nothing here changes how the camera moves: only what an overlay covers has unknown flow.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from library import Library
from paths import FRAMES, GRID, PATCH, SIDE, Array, log_uniform

__all__ = ["add_overlay", "degraded", "lit", "tiled"]


def lit(rng: np.random.Generator, pixels: torch.Tensor, hard: float) -> torch.Tensor:
    """Vary exposure, contrast, colour, flicker, flash and softness; (3, T, S, S), 0-255."""
    if rng.random() < 0.25:
        pixels = F.avg_pool2d(pixels, 3, stride=1, padding=1, count_include_pad=False)
    times = torch.linspace(-1, 1, FRAMES).reshape(1, -1, 1, 1)
    gain = torch.full((1, FRAMES, 1, 1), float(log_uniform(rng, 0.6, 1.4)))
    if rng.random() < 0.4 * hard:
        gain = gain * (1 + rng.uniform(-0.25, 0.25) * times)
    if rng.random() < 0.3 * hard:
        gain = gain * _flicker(rng)
    if rng.random() < 0.1 * hard:
        gain = gain * _flash(rng)
    if rng.random() < 0.1 * hard:
        gain = gain * float(log_uniform(rng, 0.15, 0.6))  # at night
    offset = float(rng.uniform(-25, 25))
    contrast = log_uniform(rng, 0.65, 1.3) if rng.random() < 0.9 else rng.uniform(0.2, 0.6)  # haze
    pixels = (pixels - 128) * contrast + 128 + offset
    pixels = pixels.clamp(0, 255) * gain
    tint = torch.from_numpy(np.exp(rng.normal(0, 0.12, (3, 1, 1, 1))).astype(np.float32))
    pixels = pixels * tint
    if rng.random() < 0.12:
        pixels = pixels.mean(0, keepdim=True).expand(3, -1, -1, -1)
    return pixels.clamp(0, 255)


def _flicker(rng: np.random.Generator) -> torch.Tensor:
    """Draw a gain (1, T, 1, 1): noise, a beat with the mains, or a step of the exposure."""
    kind, frames = rng.choice(["noise", "beat", "step"], p=[0.6, 0.2, 0.2]), np.arange(FRAMES)
    if kind == "noise":
        course = log_uniform(rng, 0.005, 0.12) * rng.standard_normal(FRAMES)
    elif kind == "beat":
        course = rng.uniform(0.03, 0.3) * np.sin(frames * rng.uniform(0.3, 3) + rng.uniform(0, 6.3))
    else:
        ramp = np.clip((frames - rng.uniform(0, FRAMES)) / rng.uniform(1, 5), 0, 1)
        course = rng.uniform(-0.4, 0.5) * ramp
    return torch.from_numpy((1 + course).astype(np.float32)).reshape(1, -1, 1, 1)


def _flash(rng: np.random.Generator) -> torch.Tensor:
    """Draw the gain (1, T, S, S) of a flash of the whole image, or of a local explosion."""
    line = torch.arange(SIDE)
    course = torch.zeros(FRAMES)
    first, length = int(rng.integers(FRAMES)), int(rng.integers(1, 3))
    course[first : first + length] = 1
    spot = torch.ones(SIDE, SIDE)
    if rng.random() < 0.6:
        (x, y), size = rng.uniform(0, SIDE, 2), rng.uniform(4, 30)
        squared = (line - x).square() + (line[:, None] - y).square()
        spot = torch.exp(squared / (-2 * size**2)).float()
        if rng.random() < 0.5:  # and it fades slowly
            age = torch.arange(FRAMES) - first
            course = torch.where(age >= 0, torch.exp(-age / rng.uniform(1, 6)), 0.0).float()
    return 1 + float(rng.uniform(0.3, 2)) * course[None, :, None, None] * spot


_COSINES = torch.tensor(
    [
        [np.cos(np.pi * (2 * x + 1) * u / 16) * (0.5 if u else 8**-0.5) for x in range(8)]
        for u in range(8)
    ],
    dtype=torch.float32,
)


def degraded(rng: np.random.Generator, pixels: torch.Tensor, hard: float) -> torch.Tensor:
    """Add grain and codec artefacts to (3, T, S, S): quantised block spectra, skipped blocks."""
    if rng.random() < 0.45 * hard:
        grain = rng.standard_normal(pixels.shape[1:], dtype=np.float32)
        pixels = pixels + log_uniform(rng, 0.6, 6) * torch.from_numpy(grain)
    if rng.random() < 0.25 * hard:
        blocks = pixels.reshape(3, FRAMES, 8, 8, 8, 8).transpose(3, 4)
        order = torch.arange(8)
        coarse = log_uniform(rng, 2, 8) * (1 + 0.35 * (order[:, None] + order))
        spectra = ((_COSINES @ blocks @ _COSINES.T) / coarse).round() * coarse
        pixels = (_COSINES.T @ spectra @ _COSINES).transpose(3, 4).reshape(3, FRAMES, SIDE, SIDE)
    if rng.random() < 0.15 * hard:
        threshold = log_uniform(rng, 0.5, 2.5)
        kept = [pixels[:, 0]]
        for index in range(1, FRAMES):
            change = (pixels[:, index] - kept[-1]).abs().mean(0)[None, None]
            skip = F.interpolate(F.avg_pool2d(change, 4), scale_factor=4)[0] < threshold
            kept.append(torch.where(skip, kept[-1], pixels[:, index]))
        pixels = torch.stack(kept, dim=1)
    if rng.random() < 0.05 * hard:
        pixels = _damaged(rng, pixels)
    return pixels.clamp(0, 255)


def _damaged(rng: np.random.Generator, pixels: torch.Tensor) -> torch.Tensor:
    """Damage blocks of some frames as lost data does: shifted, stale or grey; (3, T, S, S)."""
    pixels = pixels.clone()
    first, length = int(rng.integers(FRAMES)), int(rng.integers(1, 9))
    for _ in range(int(rng.integers(1, 7))):
        height, width = (8 * int(rng.integers(1, SIDE // 8 + 1)) for _ in range(2))
        top, left = int(rng.integers(SIDE - height + 1)), int(rng.integers(SIDE - width + 1))
        where = np.s_[:, first : first + length, top : top + height, left : left + width]
        kind = rng.choice(["shifted", "stale", "grey"], p=[0.4, 0.4, 0.2])
        if kind == "shifted":
            moved = torch.roll(pixels, tuple(rng.integers(-16, 17, 2).tolist()), dims=(2, 3))
            pixels[where] = moved[where]
        elif kind == "stale":
            pixels[where] = pixels[:, first : first + 1].expand_as(pixels)[where]
        else:
            pixels[where] = float(rng.uniform(90, 150))
    return pixels


def _panel(rng: np.random.Generator, library: Library) -> torch.Tensor:
    """Draw a still image, stripes or a plain colour; (3, 1, S, S)."""
    kind = rng.choice(["photo", "stripes", "plain"])
    if kind == "photo":
        photos = library.levels[-1]
        photo = np.asarray(photos[rng.integers(len(photos))])[:SIDE, :SIDE]
        return torch.from_numpy(photo.astype(np.float32)).permute(2, 0, 1)[:, None]
    stripes = rng.uniform(0, 255, (3, 1, 1, SIDE if kind == "stripes" else 1))
    return torch.from_numpy(stripes.astype(np.float32)).expand(-1, -1, SIDE, SIDE)


def add_overlay(
    rng: np.random.Generator, library: Library, pixels: torch.Tensor, flow: Array, hard: float
) -> None:
    """Draw letterbox bars, a still panel or a caption, which do not move, into the clip.

    Args:
        rng: draws what is added.
        library: photographs for the panel.
        pixels: (3, T, S, S), changed in place.
        flow: by step and token; becomes nan, in place, where something is drawn.
        hard: difficulty, 0 to 1.
    """
    if rng.random() < 0.2 * hard:
        bar = int(rng.uniform(0.04, 0.2) * SIDE)
        pixels[:, :, :bar] = 0
        pixels[:, :, SIDE - bar :] = 0
        rows = -(-bar // PATCH)
        flow[:, :rows] = flow[:, GRID - rows :] = np.nan
    if rng.random() < 0.08 * hard:  # the video is an inset beside a still panel
        edge = int(rng.uniform(0.3, 0.7) * SIDE)
        pixels[..., edge:] = _panel(rng, library)[..., edge:]
        flow[:, :, edge // PATCH :] = np.nan
    if rng.random() < 0.1 * hard:
        height, width = rng.integers(4, 12), rng.integers(8, 48)
        top, left = rng.integers(SIDE - height), rng.integers(SIDE - width)
        caption = torch.from_numpy(rng.integers(0, 255, (3, 1, height, width)).astype(np.float32))
        pixels[:, :, top : top + height, left : left + width] = caption
        tokens = slice(top // PATCH, (top + height) // PATCH + 1)
        flow[:, tokens, left // PATCH : (left + width) // PATCH + 1] = np.nan


def tiled(rng: np.random.Generator, library: Library, pixels: torch.Tensor) -> torch.Tensor:
    """Replace (3, T, S, S) tile by tile over at least half a second, as titles do: no cut."""
    columns, rows = int(rng.integers(2, 6)), int(rng.integers(1, 6))
    starts = rng.uniform(-2, FRAMES - 4) + np.linspace(0, rng.uniform(6, 18), columns * rows)
    if rng.random() < 0.5:
        rng.shuffle(starts)
    line = np.arange(SIDE)
    tile = (line[:, None] * rows // SIDE) * columns + line * columns // SIDE
    ages = np.arange(FRAMES)[:, None, None] - starts[tile]
    share = torch.from_numpy(np.clip(ages / log_uniform(rng, 0.3, 4), 0, 1).astype(np.float32))
    return pixels * (1 - share) + _panel(rng, library) * share

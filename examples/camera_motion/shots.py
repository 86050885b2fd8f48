"""Render shots of a virtual camera over photographs and fixed-camera footage, and title cards.

In go a `Library` and a random generator; out come `Shot` records whose motion is known exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from library import Library, photo_at, sample_texture
from paths import (
    FRAMES,
    PIXELS,
    SIDE,
    TOKENS,
    Array,
    CameraPath,
    displacement,
    fine_times,
    integrate,
    jitter_rates,
    log_uniform,
    place,
    steady_rates,
)
from subjects import add_passer, add_person, add_subject

__all__ = ["Shot", "make_card", "make_shot"]

FLAT = 14.0  # of 255, standard deviation below which a view shows nothing
POOR = 6.0  # likewise where poor texture, such as a plain wall, is wanted
BLUR_PIXELS = 4.0  # between the samples of a shutter that is open
WHIPPED = 2.0  # sides/s, speed from which a move is always blurred


@dataclass(frozen=True, slots=True)
class Shot:
    """A rendered shot: pixels, its path, and the flow of what is visible."""

    pixels: torch.Tensor
    """(3, FRAMES, SIDE, SIDE) float, 0-255."""
    path: CameraPath
    flow: Array
    shows_motion: bool = True
    """False for an empty card, on which no camera motion could be seen."""


def _shutter(rng: np.random.Generator, times: Array, hard: float, fastest: float) -> list[Array]:
    """Return the times at which the shutter is open; several sets give motion blur.

    `fastest` is the highest speed of the path in sides per second: the faster, the more sets.
    """
    if rng.random() > 0.3 * hard and fastest < WHIPPED:
        return [times]
    opening = rng.uniform(0.3, 1.0) / (15 if rng.random() < 0.3 else 25)
    count = int(np.clip(fastest * opening * SIDE / BLUR_PIXELS, 3, 8))
    return [times - opening * part / count for part in range(count)]


def _footage(
    rng: np.random.Generator, library: Library, times: Array
) -> tuple[Array, Array, float]:
    """Draw frames (T, H, W, 3) of a fixed camera, an origin and a cover."""
    clip = library.footage[rng.integers(len(library.footage))]
    indices = times * 25 * rng.uniform(0.6, 1.3)
    span = int(indices.max()) + 1
    start = rng.integers(max(len(clip) - span, 1))
    chosen = np.clip((start + indices).astype(int), 0, len(clip) - 1)
    if rng.random() < 0.5:
        chosen = chosen[::-1]
    return np.asarray(clip[chosen]), rng.uniform(-0.3, 0.3, size=2), rng.uniform(0.55, 1.0)


def make_shot(
    rng: np.random.Generator, library: Library, times: Array, hard: float, photo: int
) -> Shot:
    """Render a photo, or real footage, along a random camera path."""
    fine = fine_times()
    real = bool(library.footage) and rng.random() < 0.26 * hard
    steady = steady_rates(rng, fine, hard)
    jitter = jitter_rates(rng, fine, hard)
    if real and rng.random() < 0.55:
        steady, jitter = steady * 0, jitter * 0
    path = integrate(steady, jitter)
    depth: Array | float = 1.0
    token_depth: Array | float = 1.0
    if real:
        texture, origin, cover = _footage(rng, library, times)
    else:
        least = POOR if rng.random() < 0.15 * hard else FLAT
        for _ in range(4):
            cover = log_uniform(rng, 0.32, 1.0)
            texture, origin = photo_at(rng, library, cover, photo), rng.uniform(-0.6, 0.6, size=2)
            first = sample_texture(texture, PIXELS[None], origin, cover)
            if first.std(dim=(1, 2, 3)).mean() > least:
                break  # else bare sky or wall, on which no motion can be seen
        # Parallax of slanted ground or of walls round the view: what is near moves more.
        if rng.random() < 0.4 * hard:
            slant, hollow = rng.uniform(-0.8, 0.8, size=2), rng.uniform(0, 2)
            depth, token_depth = (
                1 + at @ slant + hollow * (at**2).sum(-1) for at in (PIXELS, TOKENS)
            )
    opened = [times] if real else _shutter(rng, times, hard, float(np.abs(steady[:, :2]).max()))
    looks = [
        sample_texture(texture, place(path, at, PIXELS, depth), origin, cover) for at in opened
    ]
    pixels = torch.stack(looks).mean(0) if len(looks) > 1 else looks[0]
    flow = displacement(path, times[0::2], times[1::2], TOKENS, token_depth)
    if real:
        flow = np.full_like(flow, np.nan)
    # Most fixed cameras watch something move.
    crowd = 0.8 * hard if not steady.any() and not real else 0.45 * hard
    for _ in range(rng.choice([0, 1, 2, 3], p=[1 - crowd, *(crowd / 3,) * 3])):
        add = add_person if library.mattes and rng.random() < 0.5 else add_subject
        pixels, flow = add(rng, library, times, (steady, jitter), (pixels, flow))
    if rng.random() < 0.13 * hard:
        pixels, flow = add_passer(rng, library, times, (steady, jitter), (pixels, flow))
    return Shot(pixels, path, flow)


def _appearance(rng: np.random.Generator, width: int) -> Array:
    """Draw how a line of a title appears, letter by letter or softly; (FRAMES, 1, width), 0-1."""
    ages = np.arange(FRAMES)[:, None, None] - rng.uniform(-4, FRAMES)
    if rng.random() < 0.5:
        return np.asarray(np.arange(width) < ages * rng.uniform(1, 12), np.float32)
    soft = np.clip(ages / log_uniform(rng, 0.5, 8), 0, 1)
    return np.asarray(np.broadcast_to(soft, (FRAMES, 1, width)), np.float32)


def make_card(rng: np.random.Generator, times: Array, *, empty: float = 0.0) -> Shot:
    """Render a title card: rows of marks like small print on a plain ground.

    Args:
        rng: The only source of chance.
        times: Of the frames.
        empty: Odds that the ground is all there is.
    """
    still = np.zeros((len(fine_times()), 4))
    path = integrate(still, still)
    bright, dark = rng.uniform(140, 255), rng.uniform(0, 30)
    paper, ink = (dark, bright) if rng.random() < 0.8 else (bright, dark)
    card = np.full((3, FRAMES, SIDE, SIDE), paper, np.float32)
    is_empty = rng.random() < empty
    if not is_empty:
        animated = rng.random() < 0.35
        top, pitch = int(rng.integers(4, 50)), int(rng.integers(3, 12))
        for row in range(top, min(top + pitch * int(rng.integers(1, 9)), SIDE - 2), pitch):
            half = int(rng.uniform(4, 30))
            line = card[:, :, row : row + int(rng.integers(1, max(2, pitch - 1)))]
            words = np.repeat(rng.random(SIDE) < 0.75, rng.integers(1, 4))[: 2 * half]
            strokes = rng.uniform(0.2, 1, (line.shape[2], 2 * half)) * words
            shown = _appearance(rng, 2 * half) if animated else np.ones((FRAMES, 1, 2 * half))
            line[..., SIDE // 2 - half : SIDE // 2 + half] += (ink - paper) * strokes * shown
    pixels = torch.from_numpy(card)
    flow = displacement(path, times[0::2], times[1::2], TOKENS)
    return Shot(pixels, path, flow * np.nan, not is_empty)

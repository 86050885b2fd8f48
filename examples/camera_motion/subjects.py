"""Add subjects that move by themselves in front of the camera: textured blobs, and real people.

People are cut out of fixed-camera footage by the library's mattes; they walk, fight and wave while
the camera pans over another place, follows them, or stands still.
"""

from __future__ import annotations

import numpy as np
import torch
from library import Library, photo_at, sample_texture
from paths import (
    GRID,
    PATCH,
    PATH_RATE,
    PIXELS,
    SIDE,
    STEPS,
    TOKENS,
    Array,
    CameraPath,
    displacement,
    fine_times,
    integrate,
    log_uniform,
    place,
    profile,
)

__all__ = ["add_passer", "add_person", "add_subject"]

Layer = tuple[torch.Tensor, Array]
"""Pixels (3, FRAMES, SIDE, SIDE) and the flow of what is visible (STEPS, GRID, GRID, 2)."""


def _own_path(
    rng: np.random.Generator, rates: tuple[Array, Array], liveliness: float, followed: float
) -> CameraPath:
    """Draw how a subject moves in the view: with parallax, by itself, or tracked by the camera."""
    steady, jitter = rates
    fine = fine_times()
    near = np.array([1, 1, 1, 1]) * rng.choice([1.0, rng.uniform(1.1, 2.2)])
    near[3] = 1
    own = np.zeros_like(steady)
    if rng.random() < 0.8:
        for axis, top in ((0, 1.2), (1, 0.8), (2, 0.5), (3, 1.5)):
            wobble = np.sin(2 * np.pi * rng.uniform(0.3, 2) * fine + rng.uniform(0, 6.3))
            shape = wobble if rng.random() < 0.5 else profile(rng, fine)
            own[:, axis] = shape * rng.uniform(-top, top) * rng.random() * liveliness
    if rng.random() < followed:  # the camera keeps it in place while the ground goes by
        return integrate(own * 0.3, jitter * near)
    return integrate(steady * near + own, jitter * near)


def _composite(layer: Layer, image: torch.Tensor, alpha: Array, front: Array | float) -> Layer:
    """Put `image`, whose flow is `front` (NaN where unknown), in front of a layer."""
    pixels, flow = layer
    mask = torch.from_numpy(alpha)[None]
    share = alpha[0::2].reshape(STEPS, GRID, PATCH, GRID, PATCH).mean((2, 4))[..., None]
    flow = np.where(share > 0.85, front, np.where(share < 0.1, flow, np.nan))
    return pixels * (1 - mask) + image * mask, flow


def add_person(
    rng: np.random.Generator,
    library: Library,
    times: Array,
    rates: tuple[Array, Array],
    layer: Layer,
) -> Layer:
    """Add the moving people of a fixed-camera clip in front, cut out by their matte."""
    index = int(rng.integers(len(library.mattes)))
    clip, matte = library.footage[index], library.mattes[index]
    indices = (times * 25 * rng.uniform(0.6, 1.3)).astype(int)
    chosen = np.clip(rng.integers(max(len(clip) - indices.max(), 1)) + indices, 0, len(clip) - 1)
    cut = np.asarray(matte[chosen])
    crowd = cut[len(cut) // 2].astype(np.float64)
    if not 0.004 < crowd.mean() / 255 < 0.4:
        return layer  # nobody there, or everything changes
    height, width = crowd.shape
    at = rng.choice(crowd.size, p=crowd.ravel() / crowd.sum())
    person = np.array([at % width / width, at // width / height]) * 2 - 1
    cover, middle = log_uniform(rng, 0.3, 0.9), rng.uniform(-0.35, 0.35, size=2)
    unit = 2 * cover * min(height, width) / np.array([width, height])
    path = _own_path(rng, rates, 0.4, followed=0.35)
    world, origin = place(path, times, PIXELS), person - middle * unit
    image = sample_texture(np.asarray(clip[chosen]), world, origin, cover)
    alpha = sample_texture(cut[..., None], world, origin, cover, beyond="zeros")[0].numpy() / 255
    tone = torch.from_numpy(np.exp(rng.normal(0, 0.3, (3, 1, 1, 1))).astype(np.float32))
    return _composite(layer, (image * tone).clamp(0, 255), alpha, np.nan)


def add_subject(
    rng: np.random.Generator,
    library: Library,
    times: Array,
    rates: tuple[Array, Array],
    layer: Layer,
) -> Layer:
    """Add a textured blob in front."""
    path = _own_path(rng, rates, 1.0, followed=0.2)
    middle, size = rng.uniform(-0.4, 0.4, size=2), log_uniform(rng, 0.08, 0.4)
    return _add_blob(rng, library, times, path, (middle, size), layer)


def add_passer(
    rng: np.random.Generator,
    library: Library,
    times: Array,
    rates: tuple[Array, Array],
    layer: Layer,
) -> Layer:
    """Add something large and near that crosses the view, enters it or leaves it: no cut."""
    turn = rng.uniform(0, 2 * np.pi) if rng.random() < 0.3 else rng.normal(0, 0.2)
    towards = np.array([np.cos(turn), np.sin(turn)]) * rng.choice([-1, 1])
    speed, size = log_uniform(rng, 0.6, 6), rng.uniform(0.3, 1.0)
    meets = rng.uniform(0, times[-1])
    fine = fine_times()
    course = np.ones_like(fine)
    if rng.random() < 0.35:  # it stops in the view, or stands there and goes
        course = (fine < meets if rng.random() < 0.5 else fine > meets).astype(float)
    own = np.zeros_like(rates[0])
    own[:, :2] = speed * towards * course[:, None]
    travelled = np.interp(meets, fine, np.cumsum(course)) - np.interp(0, fine, np.cumsum(course))
    middle = rng.uniform(-0.3, 0.3, size=2) - towards * speed * travelled / PATH_RATE
    path = integrate(own, rates[1] * 0)
    opening = rng.uniform(0.2, 1.0) / 25
    return _add_blob(rng, library, times, path, (middle, size), layer, opening)


def _add_blob(
    rng: np.random.Generator,
    library: Library,
    times: Array,
    path: CameraPath,
    shape: tuple[Array, float],
    layer: Layer,
    opening: float = 0.0,
) -> Layer:
    """Add a piece of a photograph with a wavy rim, given its middle and size at the start.

    With an `opening` of the shutter in seconds, its rim and its texture are blurred as it moves.
    """
    middle, size = shape
    stretch = np.array([1.0, log_uniform(rng, 0.5, 2.5)])
    waves, bumps, phase = rng.integers(2, 6), rng.uniform(0, 0.35), rng.uniform(0, 6.3)

    def inside(world: Array) -> Array:
        local = (world - middle) / (size * stretch)
        radius = np.hypot(local[..., 0], local[..., 1])
        edge = 1 + bumps * np.sin(waves * np.arctan2(local[..., 1], local[..., 0]) + phase)
        return np.asarray(np.clip((edge - radius) * size * SIDE + 0.5, 0, 1))

    opened = [times - opening * part / 4 for part in range(4)] if opening else [times]
    worlds = [place(path, at, PIXELS) for at in opened]
    alpha = np.mean([inside(world) for world in worlds], axis=0).astype(np.float32)
    cover = log_uniform(rng, 0.32, 1.0)
    photo = photo_at(rng, library, cover, int(rng.integers(len(library.levels[0]))))
    origin = rng.uniform(-0.6, 0.6, size=2)
    image = torch.stack([sample_texture(photo, world, origin, cover) for world in worlds]).mean(0)
    image = image * float(np.exp(rng.normal(-0.1, 0.35)))
    front = displacement(path, times[0::2], times[1::2], TOKENS)
    return _composite(layer, image.clamp(0, 255), alpha, front)

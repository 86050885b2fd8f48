"""Clips with known camera motion: a virtual camera moved over photographs and fixed-camera footage.

In go textures (`build_textures`) and a random generator; out come `Sample` records: the pixels of a
clip, what is true of each of its time steps, and the exact displacement at each token. Nothing here
knows the network. View coordinates: the square crop is [-0.5, 0.5]², x to the right, y down; speeds
are those of the *content* in crop sides per second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
import torch.nn.functional as F

__all__ = [
    "FRAMES",
    "FRAME_RATE",
    "LABELS",
    "PATCH",
    "SIDE",
    "STEPS",
    "Library",
    "Sample",
    "build_library",
    "load_library",
    "make_sample",
    "read_frames",
]

LABELS = (
    "static",
    "pan-left",
    "pan-right",
    "tilt-up",
    "tilt-down",
    "zoom-in",
    "zoom-out",
    "roll-cw",
    "roll-ccw",
    "shake",
    "cut",
    "fade",
    "dissolve",
)
FRAMES, SIDE, FRAME_RATE = 16, 64, 12.0
PATCH = 8  # pixels per token side
STEPS, GRID = FRAMES // 2, SIDE // PATCH
LEVEL_SIDES = (320, 224, 160, 112, 80)  # pixels, a mip chain of square textures
FOOTAGE_SIDE = 112  # pixels, short side of stored footage

FINE = 192.0  # Hz, at which velocities are integrated
LEAD_SECONDS = 0.5  # of path before the first frame, so that shutters can open early
PATH_SECONDS = FRAMES / FRAME_RATE + 2 * LEAD_SECONDS

MOVING = np.array([0.05, 0.05, 0.05, 0.06])  # certainly moving: sides/s twice, log scale/s, rad/s
STILL = np.array([0.018, 0.018, 0.018, 0.022])  # certainly not, in the same units
REACH = np.array([1.0, 1.0, 0.4, 0.4])  # from a rate to the mean displacement it causes in the crop
SHAKING, STEADY = 0.1, 0.035  # sides/s, effective speed of jitter

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Sample:
    """One synthesised clip and everything known about it."""

    frames: Array
    """(3, FRAMES, SIDE, SIDE) uint8."""
    labels: Array
    """(STEPS, 13) int8: 1 holds, 0 does not, -1 undecided (left out of the loss)."""
    motion: Array
    """(STEPS, 4) float32: x, y (pixels), log scale, angle (rad) between the frames of a step."""
    flow: Array
    """(STEPS, GRID, GRID, 2) float32 pixels between the frames of a step; NaN where unknown."""


@dataclass(frozen=True, slots=True)
class Library:
    """What the camera can look at."""

    levels: tuple[Array, ...]
    """Per mip level, (photos, side, side, 3) uint8."""
    footage: tuple[Array, ...]
    """Fixed-camera clips, (frames, height, width, 3) uint8 at about 25 per second."""


@dataclass(frozen=True, slots=True)
class Path4:
    """A camera path: integrated content motion, and the steady part of its velocity."""

    centre: Array
    """(N, 2) view centre in units of the crop side at scale 1."""
    log_scale: Array
    angle: Array
    steady: Array
    """(N, 4) rates without the jitter."""
    jitter: float
    """Effective speed of the jitter, sides/s."""

    def at(self, times_seconds: Array) -> tuple[Array, Array, Array]:
        """Centre (T, 2), log scale (T,) and angle (T,) at times from the first frame on."""
        index = (times_seconds + LEAD_SECONDS) * FINE
        low = np.clip(index.astype(int), 0, len(self.angle) - 2)
        part = np.clip(index - low, 0, 1)
        both = np.column_stack([self.centre, self.log_scale, self.angle])
        mixed = both[low] * (1 - part[:, None]) + both[low + 1] * part[:, None]
        return mixed[:, :2], mixed[:, 2], mixed[:, 3]


def read_frames(path: Path, short_side: int, *, rate: float | None = None) -> Array:
    """Decode a picture or a video, resized; (frames, height, width, 3) uint8."""
    pictures, due = [], 0.0
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if rate is not None and frame.time is not None:
                if frame.time + 1e-6 < due:
                    continue
                due += 1 / rate
            factor = short_side / min(frame.width, frame.height)
            width, height = round(frame.width * factor), round(frame.height * factor)
            small = frame.reformat(width, height, "rgb24", interpolation="AREA")
            pictures.append(small.to_ndarray())
    return np.stack(pictures)


def build_library(photos: Sequence[Path], footage: Sequence[Path], folder: Path) -> None:
    """Decode everything once; two squares per photo (its two ends)."""
    folder.mkdir(parents=True, exist_ok=True)
    squares = []
    for path in photos:
        picture = read_frames(path, LEVEL_SIDES[0])[0]
        side = min(picture.shape[:2])
        squares += [picture[:side, :side], picture[-side:, -side:]]
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
        np.save(folder / f"footage_{index:03}.npy", read_frames(path, FOOTAGE_SIDE, rate=25.0))


def load_library(folder: Path) -> Library:
    """Map what `build_library` wrote."""
    return Library(
        tuple(np.load(folder / f"level_{side}.npy", mmap_mode="r") for side in LEVEL_SIDES),
        tuple(np.load(path, mmap_mode="r") for path in sorted(folder.glob("footage_*.npy"))),
    )


def _profile(rng: np.random.Generator, times: Array) -> Array:
    """How a speed develops over a clip: constant, eased, begun, ended, or turned round."""
    kind = rng.choice(["constant", "begin", "end", "bump", "turn"], p=[0.5, 0.15, 0.15, 0.1, 0.1])
    where = rng.uniform(0.1, 1.2)
    ease = rng.uniform(0.03, 0.3)
    ramp = 1 / (1 + np.exp(-np.clip((times - where) / ease * 4, -50, 50)))
    if kind == "constant":
        return np.asarray(1 + rng.uniform(0, 0.2) * np.sin(rng.uniform(0, 6, 1) + 3 * times))
    if kind == "bump":
        return np.asarray(np.sin(np.pi * np.clip((times + 0.2) / 1.8, 0, 1)))
    if kind == "turn":
        return np.asarray(1 - 2 * ramp)
    return np.asarray(ramp if kind == "begin" else 1 - ramp)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _steady_rates(rng: np.random.Generator, times: Array, hard: float) -> Array:
    """(N, 4) rates of an intended camera move; zero for a fixed camera."""
    rates = np.zeros((len(times), 4))
    if rng.random() < 0.2:
        return rates
    slowest = 0.2 - 0.15 * hard
    tops = (0.8 + 0.9 * hard, 0.7 + 0.6 * hard, 0.9, 0.9)
    active = rng.choice(
        4, size=rng.choice([1, 2, 3], p=[0.62, 0.3, 0.08]), replace=False, p=[0.3, 0.23, 0.27, 0.2]
    )
    shared = _profile(rng, times)
    for axis in active:
        speed = _log_uniform(rng, slowest, tops[axis]) * rng.choice([-1, 1])
        profile = shared if rng.random() < 0.6 else _profile(rng, times)
        rates[:, axis] = speed * profile
    return rates


def _jitter_rates(rng: np.random.Generator, times: Array, hard: float) -> Array:
    """(N, 4) rates of a hand or a vehicle shaking; its effective speed varies over two decades."""
    draw = rng.random()
    if draw < 0.5 - 0.25 * hard:
        return np.zeros((len(times), 4))
    speed = _log_uniform(rng, 0.12, 0.9) if draw > 0.78 else _log_uniform(rng, 0.004, 0.06)
    rates = np.zeros((len(times), 4))
    weights = np.array(
        [rng.uniform(0.2, 1), rng.uniform(0.2, 1), 0.15 * rng.random(), 0.4 * rng.random()]
    )
    for axis in range(4):
        for frequency in rng.uniform(1.0, 5.5, size=3):
            phase, part = rng.uniform(0, 2 * np.pi), rng.random()
            rates[:, axis] += part * weights[axis] * np.sin(2 * np.pi * frequency * times + phase)
    effective = np.sqrt(((rates * REACH) ** 2).sum(1).mean())
    return np.asarray(rates * (speed / max(effective, 1e-6)))


def _integrate(steady: Array, jitter: Array) -> Path4:
    rates = steady + jitter
    log_scale, angle = np.cumsum(rates[:, 2]) / FINE, np.cumsum(rates[:, 3]) / FINE
    start = round(LEAD_SECONDS * FINE)
    log_scale, angle = log_scale - log_scale[start], angle - angle[start]
    cos, sin = np.cos(-angle), np.sin(-angle)
    shrink = -np.exp(-log_scale) / FINE
    step_x = shrink * (cos * rates[:, 0] - sin * rates[:, 1])
    step_y = shrink * (sin * rates[:, 0] + cos * rates[:, 1])
    centre = np.cumsum(np.column_stack([step_x, step_y]), axis=0)
    effective = float(np.sqrt(((jitter * REACH) ** 2).sum(1).mean()))
    return Path4(centre - centre[start], log_scale, angle, steady, effective)


def _place(path: Path4, times: Array, points: Array, depth: Array | float = 1.0) -> Array:
    """Where view `points` (..., 2) look in the world at each time; (T, ..., 2)."""
    centre, log_scale, angle = path.at(times)
    shape = (-1, *(1,) * (points.ndim - 1))
    cos = (np.exp(-log_scale) * np.cos(angle)).reshape(shape)
    sin = (np.exp(-log_scale) * np.sin(angle)).reshape(shape)
    x, y = points[..., 0][None], points[..., 1][None]
    world_x = cos * x + sin * y + centre[:, 0].reshape(shape) * depth
    world_y = -sin * x + cos * y + centre[:, 1].reshape(shape) * depth
    return np.stack([world_x, world_y], axis=-1)


def _displacement(
    path: Path4, before: Array, after: Array, points: Array, depth: Array | float = 1.0
) -> Array:
    """Pixels that the content at `points` (..., 2) moves from `before` to `after`; (T, ..., 2)."""
    world = _place(path, before, points, depth)
    centre, log_scale, angle = path.at(after)
    shape = (-1, *(1,) * (points.ndim - 1))
    x = world[..., 0] - centre[:, 0].reshape(shape) * depth
    y = world[..., 1] - centre[:, 1].reshape(shape) * depth
    cos = (np.exp(log_scale) * np.cos(angle)).reshape(shape)
    sin = (np.exp(log_scale) * np.sin(angle)).reshape(shape)
    moved = np.stack([cos * x - sin * y, sin * x + cos * y], axis=-1)
    return np.asarray((moved - points[None]) * SIDE)


def _view_points(count: int) -> Array:
    """Centres of a `count` × `count` raster in view coordinates; (count, count, 2) as (x, y)."""
    line = (np.arange(count) + 0.5) / count - 0.5
    return np.stack(np.meshgrid(line, line), axis=-1)


PIXELS, TOKENS = _view_points(SIDE), _view_points(GRID)


def _look(texture: Array, world: Array, origin: Array, cover: float) -> torch.Tensor:
    """Sample a texture (H, W, 3), or one per frame (T, H, W, 3), at world points; (3, T, S, S)."""
    moving = texture.ndim == 4
    image = torch.from_numpy(np.array(texture)).float()
    image = image.permute(0, 3, 1, 2) if moving else image.permute(2, 0, 1)[None]
    height, width = image.shape[-2:]
    unit = 2 * cover * min(height, width)
    scale = np.array([unit / width, unit / height])
    grid = torch.from_numpy((world * scale + origin).astype(np.float32))
    if not moving:
        grid = grid.reshape(1, -1, grid.shape[-2], 2)
    out = F.grid_sample(image, grid, padding_mode="reflection", align_corners=False)
    if moving:
        return out.permute(1, 0, 2, 3)
    return out.reshape(3, -1, SIDE, SIDE)


@dataclass(frozen=True, slots=True)
class Shot:
    """A rendered shot: pixels, its path, and the flow of what is visible."""

    pixels: torch.Tensor
    """(3, FRAMES, SIDE, SIDE) float, 0-255."""
    path: Path4
    flow: Array


def _photo(rng: np.random.Generator, library: Library, cover: float, index: int) -> Array:
    """The mip level of a photo whose texels are about as large as pixels."""
    wanted = SIDE * _log_uniform(rng, 0.8, 1.35) / cover
    level = int(np.argmin([abs(np.log(side / wanted)) for side in LEVEL_SIDES]))
    return np.asarray(library.levels[level][index])


def _shutter(rng: np.random.Generator, times: Array, hard: float) -> list[Array]:
    """Times at which the shutter is open: more than one set means motion blur."""
    if rng.random() > 0.3 * hard:
        return [times]
    opening = rng.uniform(0.3, 1.0) / 25
    return [times - opening * part for part in (0, 1 / 3, 2 / 3)]


def _footage(
    rng: np.random.Generator, library: Library, times: Array
) -> tuple[Array, Array, float]:
    """Frames (T, H, W, 3) of a fixed camera, an origin and a cover."""
    clip = library.footage[rng.integers(len(library.footage))]
    indices = times * 25 * rng.uniform(0.6, 1.3)
    span = int(indices.max()) + 1
    start = rng.integers(max(len(clip) - span, 1))
    chosen = np.clip((start + indices).astype(int), 0, len(clip) - 1)
    if rng.random() < 0.5:
        chosen = chosen[::-1]
    return np.asarray(clip[chosen]), rng.uniform(-0.3, 0.3, size=2), rng.uniform(0.55, 1.0)


def _make_shot(
    rng: np.random.Generator, library: Library, times: Array, hard: float, photo: int
) -> Shot:
    fine = np.arange(round(PATH_SECONDS * FINE)) / FINE - LEAD_SECONDS
    real = bool(library.footage) and rng.random() < 0.22 * hard
    steady = _steady_rates(rng, fine, hard)
    jitter = _jitter_rates(rng, fine, hard)
    if real and rng.random() < 0.55:
        steady, jitter = steady * 0, jitter * 0
    path = _integrate(steady, jitter)
    depth: Array | float = 1.0
    token_depth: Array | float = 1.0
    if real:
        texture, origin, cover = _footage(rng, library, times)
    else:
        cover = _log_uniform(rng, 0.25, 0.9)
        texture, origin = _photo(rng, library, cover, photo), rng.uniform(-0.6, 0.6, size=2)
        if rng.random() < 0.25 * hard:  # a slanted ground: the near side moves more
            slant = rng.uniform(-0.9, 0.9, size=2)
            depth, token_depth = 1 + PIXELS @ slant, 1 + TOKENS @ slant
    opened = [times] if real else _shutter(rng, times, hard)
    looks = [_look(texture, _place(path, at, PIXELS, depth), origin, cover) for at in opened]
    pixels = torch.stack(looks).mean(0) if len(looks) > 1 else looks[0]
    flow = _displacement(path, times[0::2], times[1::2], TOKENS, token_depth)
    if real:
        flow = np.full_like(flow, np.nan)
    for _ in range(rng.choice([0, 1, 2, 3], p=[1 - 0.45 * hard, *(0.15 * hard,) * 3])):
        pixels, flow = _add_subject(rng, library, times, steady, jitter, pixels, flow)
    return Shot(pixels, path, flow)


def _add_subject(
    rng: np.random.Generator,
    library: Library,
    times: Array,
    steady: Array,
    jitter: Array,
    pixels: torch.Tensor,
    flow: Array,
) -> tuple[torch.Tensor, Array]:
    """Lay a textured blob in front: nearer than the ground, moving by itself, or both."""
    fine = np.arange(len(steady)) / FINE - LEAD_SECONDS
    near = np.array([1, 1, 1, 1]) * rng.choice([1.0, rng.uniform(1.1, 2.2)])
    near[3] = 1
    own = np.zeros_like(steady)
    if rng.random() < 0.8:
        for axis, top in ((0, 1.2), (1, 0.8), (2, 0.5), (3, 1.5)):
            wobble = np.sin(2 * np.pi * rng.uniform(0.3, 2) * fine + rng.uniform(0, 6.3))
            shape = wobble if rng.random() < 0.5 else _profile(rng, fine)
            own[:, axis] = shape * rng.uniform(-top, top) * rng.random()
    path = _integrate(steady * near + own, jitter * near)
    middle, size = rng.uniform(-0.4, 0.4, size=2), _log_uniform(rng, 0.08, 0.38)
    stretch = np.array([1.0, _log_uniform(rng, 0.5, 2.5)])
    waves, bumps, phase = rng.integers(2, 6), rng.uniform(0, 0.35), rng.uniform(0, 6.3)

    def inside(world: Array) -> Array:
        local = (world - middle) / (size * stretch)
        radius = np.hypot(local[..., 0], local[..., 1])
        edge = 1 + bumps * np.sin(waves * np.arctan2(local[..., 1], local[..., 0]) + phase)
        return np.asarray(np.clip((edge - radius) * size * SIDE + 0.5, 0, 1))

    world = _place(path, times, PIXELS)
    alpha = inside(world).astype(np.float32)
    cover = _log_uniform(rng, 0.25, 0.9)
    photo = _photo(rng, library, cover, int(rng.integers(len(library.levels[0]))))
    look = _look(photo, world, rng.uniform(-0.6, 0.6, size=2), cover)
    mask = torch.from_numpy(alpha)[None]
    pixels = pixels * (1 - mask) + look * mask
    share = alpha[0::2].reshape(STEPS, GRID, PATCH, GRID, PATCH).mean((2, 4))[..., None]
    front = _displacement(path, times[0::2], times[1::2], TOKENS)
    flow = np.where(share > 0.85, front, np.where(share < 0.1, flow, np.nan))
    return pixels, flow


def _motion_labels(path: Path4, times: Array) -> Array:
    """(STEPS, 10) int8 for static … shake."""
    labels = np.zeros((STEPS, 10), np.int8)
    edges = np.append(times[0::2], times[-1] + 1 / FRAME_RATE)
    for step in range(STEPS):
        first, last = ((edges[step : step + 2] + LEAD_SECONDS) * FINE).astype(int)
        rates = path.steady[first : max(last, first + 1)].mean(0)
        size = np.abs(rates)
        dominant = max(float((size * REACH).max()), path.jitter * 0.6)
        holds = (size >= MOVING) & (size * REACH >= 0.3 * dominant)
        absent = (size <= STILL) | (size * REACH <= 0.08 * dominant)
        for axis, (positive, negative) in enumerate(((1, 2), (3, 4), (5, 6), (8, 7))):
            right, wrong = (positive, negative) if rates[axis] > 0 else (negative, positive)
            labels[step, right] = 1 if holds[axis] else (0 if absent[axis] else -1)
            labels[step, wrong] = 0 if size[axis] >= STILL[axis] or absent[axis] else -1
        steady_speed = float((size * REACH).max())
        shakes = path.jitter >= SHAKING and path.jitter >= 0.7 * steady_speed
        calm = path.jitter <= STEADY or path.jitter <= 0.25 * steady_speed
        labels[step, 9] = 1 if shakes else (0 if calm else -1)
        still = bool((size <= STILL).all()) and path.jitter <= STEADY
        moves = bool((size >= MOVING).any()) or path.jitter >= SHAKING
        labels[step, 0] = 1 if still else (0 if moves else -1)
    return labels


def _light(rng: np.random.Generator, pixels: torch.Tensor, hard: float) -> torch.Tensor:
    """Exposure, contrast, colour, flicker, flash, softness, letterbox; (3, T, S, S), 0-255."""
    if rng.random() < 0.25:
        pixels = F.avg_pool2d(pixels, 3, stride=1, padding=1, count_include_pad=False)
    times = torch.linspace(-1, 1, FRAMES).reshape(1, -1, 1, 1)
    gain = torch.full((1, FRAMES, 1, 1), float(_log_uniform(rng, 0.5, 1.5)))
    if rng.random() < 0.4 * hard:
        gain = gain * (1 + rng.uniform(-0.25, 0.25) * times)
    if rng.random() < 0.2 * hard:
        gain = gain * (
            1
            + rng.uniform(0, 0.06)
            * torch.from_numpy(rng.standard_normal((1, FRAMES, 1, 1)).astype(np.float32))
        )
    if rng.random() < 0.05 * hard:
        gain[:, (flash := rng.integers(FRAMES)) : flash + rng.integers(1, 3)] *= rng.uniform(1.3, 3)
    offset = float(rng.uniform(-25, 25))
    pixels = (pixels - 128) * _log_uniform(rng, 0.5, 1.3) + 128 + offset
    pixels = pixels.clamp(0, 255) * gain
    tint = torch.from_numpy(np.exp(rng.normal(0, 0.12, (3, 1, 1, 1))).astype(np.float32))
    pixels = pixels * tint
    if rng.random() < 0.12:
        pixels = pixels.mean(0, keepdim=True).expand(3, -1, -1, -1)
    return pixels.clamp(0, 255)


_COSINES = torch.tensor(
    [
        [np.cos(np.pi * (2 * x + 1) * u / 16) * (0.5 if u else 8**-0.5) for x in range(8)]
        for u in range(8)
    ],
    dtype=torch.float32,
)


def _degrade(rng: np.random.Generator, pixels: torch.Tensor, hard: float) -> torch.Tensor:
    """Grain, then what a codec leaves: coarse block spectra, and blocks that it did not renew."""
    if rng.random() < 0.6 * hard:
        grain = rng.standard_normal(pixels.shape[1:], dtype=np.float32)
        pixels = pixels + _log_uniform(rng, 1, 10) * torch.from_numpy(grain)
    if rng.random() < 0.35 * hard:
        blocks = pixels.reshape(3, FRAMES, 8, 8, 8, 8).transpose(3, 4)
        order = torch.arange(8)
        coarse = _log_uniform(rng, 3, 14) * (1 + 0.35 * (order[:, None] + order))
        spectra = ((_COSINES @ blocks @ _COSINES.T) / coarse).round() * coarse
        pixels = (_COSINES.T @ spectra @ _COSINES).transpose(3, 4).reshape(3, FRAMES, SIDE, SIDE)
    if rng.random() < 0.2 * hard:
        threshold = _log_uniform(rng, 1, 5)
        kept = [pixels[:, 0]]
        for index in range(1, FRAMES):
            change = (pixels[:, index] - kept[-1]).abs().mean(0)[None, None]
            skip = F.interpolate(F.avg_pool2d(change, 4), scale_factor=4)[0] < threshold
            kept.append(torch.where(skip, kept[-1], pixels[:, index]))
        pixels = torch.stack(kept, dim=1)
    return pixels.clamp(0, 255)


def _overlay(rng: np.random.Generator, pixels: torch.Tensor, flow: Array, hard: float) -> None:
    """Letterbox bars and a burnt-in caption, in place: they stay while the picture moves."""
    if rng.random() < 0.2 * hard:
        bar = int(rng.uniform(0.04, 0.2) * SIDE)
        pixels[:, :, :bar] = 0
        pixels[:, :, SIDE - bar :] = 0
        rows = -(-bar // PATCH)
        flow[:, :rows] = flow[:, GRID - rows :] = np.nan
    if rng.random() < 0.1 * hard:
        height, width = rng.integers(4, 12), rng.integers(8, 48)
        top, left = rng.integers(SIDE - height), rng.integers(SIDE - width)
        caption = torch.from_numpy(rng.integers(0, 255, (3, 1, height, width)).astype(np.float32))
        pixels[:, :, top : top + height, left : left + width] = caption
        tokens = slice(top // PATCH, (top + height) // PATCH + 1)
        flow[:, tokens, left // PATCH : (left + width) // PATCH + 1] = np.nan


def _frame_times(rng: np.random.Generator, hard: float) -> Array:
    """Presentation times that a sampler at FRAME_RATE gets from a source of some other rate."""
    ideal = np.arange(FRAMES) / FRAME_RATE
    source = rng.choice([12.0, 15, 24, 25, 30, 50, 60], p=[0.1, 0.06, 0.2, 0.24, 0.25, 0.05, 0.1])
    if rng.random() > hard:
        return ideal
    phase = rng.random()
    ticks = np.floor(ideal * source + phase + 1e-6)
    return np.asarray((ticks - ticks[0]) / source)


@dataclass(frozen=True, slots=True)
class Edit:
    """How two shots are joined: per frame, and per step edge for the labels."""

    kind: str
    """`none`, `cut`, `dissolve` or `fade`."""
    second: Array
    """(FRAMES + 1,) share of the second shot in the picture."""
    level: Array
    """(FRAMES + 1,) brightness of the picture over the fade's colour, 0-1."""
    first_new_frame: int
    """Of a cut."""


def _draw_edit(rng: np.random.Generator, times: Array, hard: float) -> Edit:
    odds = np.array([0.6, 0.2, 0.1, 0.1]) if hard > 0.3 else np.array([0.88, 0.12, 0, 0])
    kind = str(rng.choice(["none", "cut", "dissolve", "fade"], p=odds))
    instants = np.append(times, times[-1] + 1 / FRAME_RATE)
    second, level, first_new = np.zeros(FRAMES + 1), np.ones(FRAMES + 1), 0
    duration = _log_uniform(rng, 0.25, 1.8)
    start = rng.uniform(-0.6 * duration, FRAMES / FRAME_RATE - 0.4 * duration)
    ramp = np.clip((instants - start) / duration, 0, 1)
    if kind == "cut":
        first_new = int(rng.integers(1, FRAMES))
        second = (np.arange(FRAMES + 1) >= first_new).astype(float)
    elif kind == "dissolve":
        second = ramp
    elif kind == "fade":
        shape = rng.choice(["out", "in", "dip"])
        level = {"out": 1 - ramp, "in": ramp, "dip": np.abs(1 - 2 * ramp)}[shape]
        second = (ramp >= 0.5).astype(float) if shape == "dip" else second
    return Edit(kind, second, level, first_new)


def _edit_labels(edit: Edit) -> Array:
    """(STEPS, 3) int8 for cut, fade, dissolve."""
    labels = np.zeros((STEPS, 3), np.int8)
    for column, (kind, curve) in enumerate(
        (("", None), ("fade", edit.level), ("dissolve", edit.second))
    ):
        if curve is not None and edit.kind == kind:
            change = np.abs(np.diff(curve)).reshape(STEPS, 2).sum(1)
            labels[:, column] = np.where(change >= 0.08, 1, np.where(change > 0.005, -1, 0))
    if edit.kind == "cut":
        step = edit.first_new_frame // 2
        labels[step, 0] = 1
        if edit.first_new_frame % 2 == 0:  # between two steps: either may say so
            labels[step - 1, 0] = -1
    return labels


def _join(edit: Edit, shots: Sequence[Shot], times: Array) -> tuple[Array, Array, Array]:
    """Labels (STEPS, 10), motion (STEPS, 4) and flow of the joined shots."""
    labels = [_motion_labels(shot.path, times) for shot in shots]
    motions = [_step_motion(shot.path, times) for shot in shots]
    label, motion, flow = labels[0].copy(), motions[0].copy(), shots[0].flow.copy()
    for step in range(STEPS):
        shares = edit.second[2 * step : 2 * step + 2]
        if shares.min() > 0.75:
            label[step], motion[step] = labels[-1][step], motions[-1][step]
            flow[step] = shots[-1].flow[step]
        elif shares.max() >= 0.25:
            label[step] = np.where(labels[0][step] == labels[-1][step], labels[0][step], -1)
        level = edit.level[2 * step : 2 * step + 2]
        is_mixed = shares.max() > 0.1 and shares.min() < 0.9
        if is_mixed or level.min() < 0.3:
            motion[step], flow[step] = np.nan, np.nan
        if level.mean() < 0.25:
            label[step] = -1
    return label, motion, flow


def _step_motion(path: Path4, times: Array) -> Array:
    """(STEPS, 4): x, y in pixels, log scale and angle between the two frames of each step."""
    before, after = times[0::2], times[1::2]
    shift = _displacement(path, before, after, np.zeros((1, 2)))[:, 0]
    _, log_scale, angle = path.at(times)
    rest = np.column_stack([np.diff(log_scale)[0::2], np.diff(angle)[0::2]])
    return np.concatenate([shift, rest], axis=1)


def make_sample(rng: np.random.Generator, library: Library, hard: float) -> Sample:
    """Synthesise one clip.

    Args:
        rng: The only source of chance.
        library: What to look at.
        hard: 0 for large clean motion of a photograph, 1 for everything.
    """
    times = _frame_times(rng, hard)
    edit = _draw_edit(rng, times, hard)
    photo = int(rng.integers(len(library.levels[0])))
    shots = [_make_shot(rng, library, times, hard, photo)]
    pixels = shots[0].pixels
    if edit.second.any():
        same = edit.kind == "cut" and rng.random() < 0.2  # a cut between views of one scene
        other = photo if same else int(rng.integers(len(library.levels[0])))
        shots.append(_make_shot(rng, library, times, hard, other))
        if rng.random() < 0.5 or same:  # one light for both, or each shot its own
            shots = [Shot(_light(rng, shot.pixels, 0), shot.path, shot.flow) for shot in shots]
        share = torch.from_numpy(edit.second[:-1].astype(np.float32)).reshape(1, -1, 1, 1)
        pixels = shots[0].pixels * (1 - share) + shots[1].pixels * share
    pixels = _light(rng, pixels, hard)
    if edit.kind == "fade":
        level = torch.from_numpy(edit.level[:-1].astype(np.float32)).reshape(1, -1, 1, 1)
        pixels = pixels * level + (1 - level) * (0.0 if rng.random() < 0.8 else 255.0)
    labels, motion, flow = _join(edit, shots, times)
    _overlay(rng, pixels, flow, hard)
    pixels = _degrade(rng, pixels, hard)
    return Sample(
        pixels.round().byte().numpy(),
        np.concatenate([labels, _edit_labels(edit)], axis=1),
        motion.astype(np.float32),
        flow.astype(np.float32),
    )

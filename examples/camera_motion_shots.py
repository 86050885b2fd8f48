"""A virtual camera over photographs and fixed-camera footage: shots whose motion is known exactly.

In go textures (`build_library`) and a random generator; out come `Shot` records. View coordinates:
the square crop is [-0.5, 0.5]², x to the right, y down; rates are those of the *content*: crop
sides per second in x and y, log scale per second, radians per second (clockwise on screen).
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
    "GRID",
    "LEAD_SECONDS",
    "PATCH",
    "PATH_RATE",
    "REACH",
    "SIDE",
    "STEPS",
    "Array",
    "CameraPath",
    "Library",
    "Shot",
    "build_library",
    "displacement",
    "load_library",
    "log_uniform",
    "make_shot",
    "read_frames",
]

FRAMES, SIDE, FRAME_RATE = 16, 64, 12.0
PATCH = 8  # pixels per token side
STEPS, GRID = FRAMES // 2, SIDE // PATCH
LEVEL_SIDES = (320, 224, 160, 112, 80)  # pixels, a mip chain of square textures
FOOTAGE_SIDE = 112  # pixels, short side of stored footage
FLAT = 14.0  # of 255, standard deviation below which a view shows nothing

PATH_RATE = 192.0  # Hz, at which velocities are integrated
LEAD_SECONDS = 0.5  # of path before the first frame, so that shutters can open early
PATH_SECONDS = FRAMES / FRAME_RATE + 2 * LEAD_SECONDS

REACH = np.array([1.0, 1.0, 0.4, 0.4])  # from a rate to the mean displacement it causes in the crop

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Library:
    """What the camera can look at."""

    levels: tuple[Array, ...]
    """Per mip level, (photos, side, side, 3) uint8."""
    footage: tuple[Array, ...]
    """Fixed-camera clips, (frames, height, width, 3) uint8 at about 25 per second."""


@dataclass(frozen=True, slots=True)
class CameraPath:
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
        index = (times_seconds + LEAD_SECONDS) * PATH_RATE
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


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw so that each octave is equally likely."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _steady_rates(rng: np.random.Generator, times: Array, hard: float) -> Array:
    """(N, 4) rates of an intended camera move; zero for a fixed camera."""
    rates = np.zeros((len(times), 4))
    if rng.random() < 0.2:
        return rates
    slowest = 0.2 - 0.155 * hard
    tops = (0.8 + 0.9 * hard, 0.7 + 0.6 * hard, 0.9, 0.9)
    active = rng.choice(
        4, size=rng.choice([1, 2, 3], p=[0.62, 0.3, 0.08]), replace=False, p=[0.3, 0.23, 0.27, 0.2]
    )
    shared = _profile(rng, times)
    for axis in active:
        speed = log_uniform(rng, slowest, tops[axis]) * rng.choice([-1, 1])
        profile = shared if rng.random() < 0.6 else _profile(rng, times)
        rates[:, axis] = speed * profile
    return rates


def _jitter_rates(rng: np.random.Generator, times: Array, hard: float) -> Array:
    """(N, 4) rates of a hand or a vehicle shaking; its effective speed varies over two decades."""
    draw = rng.random()
    if draw < 0.5 - 0.25 * hard:
        return np.zeros((len(times), 4))
    speed = log_uniform(rng, 0.12, 0.9) if draw > 0.78 else log_uniform(rng, 0.004, 0.06)
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


def _integrate(steady: Array, jitter: Array) -> CameraPath:
    rates = steady + jitter
    log_scale, angle = np.cumsum(rates[:, 2]) / PATH_RATE, np.cumsum(rates[:, 3]) / PATH_RATE
    start = round(LEAD_SECONDS * PATH_RATE)
    log_scale, angle = log_scale - log_scale[start], angle - angle[start]
    cos, sin = np.cos(-angle), np.sin(-angle)
    shrink = -np.exp(-log_scale) / PATH_RATE
    step_x = shrink * (cos * rates[:, 0] - sin * rates[:, 1])
    step_y = shrink * (sin * rates[:, 0] + cos * rates[:, 1])
    centre = np.cumsum(np.column_stack([step_x, step_y]), axis=0)
    effective = float(np.sqrt(((jitter * REACH) ** 2).sum(1).mean()))
    return CameraPath(centre - centre[start], log_scale, angle, steady, effective)


def _place(path: CameraPath, times: Array, points: Array, depth: Array | float = 1.0) -> Array:
    """Where view `points` (..., 2) look in the world at each time; (T, ..., 2)."""
    centre, log_scale, angle = path.at(times)
    shape = (-1, *(1,) * (points.ndim - 1))
    shrink = np.exp(-log_scale.reshape(shape) * depth)
    cos, sin = shrink * np.cos(angle).reshape(shape), shrink * np.sin(angle).reshape(shape)
    x, y = points[..., 0][None], points[..., 1][None]
    world_x = cos * x + sin * y + centre[:, 0].reshape(shape) * depth
    world_y = -sin * x + cos * y + centre[:, 1].reshape(shape) * depth
    return np.stack([world_x, world_y], axis=-1)


def displacement(
    path: CameraPath, before: Array, after: Array, points: Array, depth: Array | float = 1.0
) -> Array:
    """Pixels that the content at `points` (..., 2) moves from `before` to `after`; (T, ..., 2)."""
    world = _place(path, before, points, depth)
    centre, log_scale, angle = path.at(after)
    shape = (-1, *(1,) * (points.ndim - 1))
    x = world[..., 0] - centre[:, 0].reshape(shape) * depth
    y = world[..., 1] - centre[:, 1].reshape(shape) * depth
    grow = np.exp(log_scale.reshape(shape) * depth)
    cos, sin = grow * np.cos(angle).reshape(shape), grow * np.sin(angle).reshape(shape)
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
    path: CameraPath
    flow: Array


def _photo(rng: np.random.Generator, library: Library, cover: float, index: int) -> Array:
    """The mip level of a photo whose texels are about as large as pixels."""
    wanted = SIDE * log_uniform(rng, 0.8, 1.35) / cover
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


def make_shot(
    rng: np.random.Generator, library: Library, times: Array, hard: float, photo: int
) -> Shot:
    """Film a photo, or real footage, along a random camera path."""
    fine = np.arange(round(PATH_SECONDS * PATH_RATE)) / PATH_RATE - LEAD_SECONDS
    real = bool(library.footage) and rng.random() < 0.26 * hard
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
        for _ in range(4):
            cover = log_uniform(rng, 0.32, 1.0)
            texture, origin = _photo(rng, library, cover, photo), rng.uniform(-0.6, 0.6, size=2)
            first = _look(texture, PIXELS[None], origin, cover)
            if first.std(dim=(1, 2, 3)).mean() > FLAT:
                break  # else bare sky or wall, on which no motion can be seen
        if (
            rng.random() < 0.3 * hard
        ):  # slanted ground, or walls round the view: the near moves more
            slant, hollow = rng.uniform(-0.8, 0.8, size=2), rng.uniform(0, 2)
            depth, token_depth = (
                1 + at @ slant + hollow * (at**2).sum(-1) for at in (PIXELS, TOKENS)
            )
    opened = [times] if real else _shutter(rng, times, hard)
    looks = [_look(texture, _place(path, at, PIXELS, depth), origin, cover) for at in opened]
    pixels = torch.stack(looks).mean(0) if len(looks) > 1 else looks[0]
    flow = displacement(path, times[0::2], times[1::2], TOKENS, token_depth)
    if real:
        flow = np.full_like(flow, np.nan)
    # Most fixed cameras watch something move.
    crowd = 0.8 * hard if not steady.any() and not real else 0.45 * hard
    for _ in range(rng.choice([0, 1, 2, 3], p=[1 - crowd, *(crowd / 3,) * 3])):
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
    fine = np.arange(len(steady)) / PATH_RATE - LEAD_SECONDS
    near = np.array([1, 1, 1, 1]) * rng.choice([1.0, rng.uniform(1.1, 2.2)])
    near[3] = 1
    own = np.zeros_like(steady)
    if rng.random() < 0.8:
        for axis, top in ((0, 1.2), (1, 0.8), (2, 0.5), (3, 1.5)):
            wobble = np.sin(2 * np.pi * rng.uniform(0.3, 2) * fine + rng.uniform(0, 6.3))
            shape = wobble if rng.random() < 0.5 else _profile(rng, fine)
            own[:, axis] = shape * rng.uniform(-top, top) * rng.random()
    is_followed = rng.random() < 0.2  # the camera keeps it in place while the ground goes by
    path = _integrate(own * 0.3 if is_followed else steady * near + own, jitter * near)
    middle, size = rng.uniform(-0.4, 0.4, size=2), log_uniform(rng, 0.08, 0.4)
    stretch = np.array([1.0, log_uniform(rng, 0.5, 2.5)])
    waves, bumps, phase = rng.integers(2, 6), rng.uniform(0, 0.35), rng.uniform(0, 6.3)

    def inside(world: Array) -> Array:
        local = (world - middle) / (size * stretch)
        radius = np.hypot(local[..., 0], local[..., 1])
        edge = 1 + bumps * np.sin(waves * np.arctan2(local[..., 1], local[..., 0]) + phase)
        return np.asarray(np.clip((edge - radius) * size * SIDE + 0.5, 0, 1))

    world = _place(path, times, PIXELS)
    alpha = inside(world).astype(np.float32)
    cover = log_uniform(rng, 0.32, 1.0)
    photo = _photo(rng, library, cover, int(rng.integers(len(library.levels[0]))))
    look = _look(photo, world, rng.uniform(-0.6, 0.6, size=2), cover)
    mask = torch.from_numpy(alpha)[None]
    pixels = pixels * (1 - mask) + look * mask
    share = alpha[0::2].reshape(STEPS, GRID, PATCH, GRID, PATCH).mean((2, 4))[..., None]
    front = displacement(path, times[0::2], times[1::2], TOKENS)
    flow = np.where(share > 0.85, front, np.where(share < 0.1, flow, np.nan))
    return pixels, flow

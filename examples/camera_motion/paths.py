"""Draw camera paths whose motion is known exactly, and compute where they move the content.

View coordinates: the square crop is [-0.5, 0.5]², x to the right, y down; rates are those of the
*content*: crop sides per second in x and y, log scale per second, radians per second (clockwise on
screen). Nothing here knows of pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = [
    "FRAMES",
    "FRAME_RATE",
    "GRID",
    "LEAD_SECONDS",
    "PATCH",
    "PATH_RATE",
    "PIXELS",
    "REACH",
    "SIDE",
    "STEPS",
    "TOKENS",
    "Array",
    "CameraPath",
    "displacement",
    "fine_times",
    "integrate",
    "jitter_rates",
    "log_uniform",
    "place",
    "profile",
    "steady_rates",
]

FRAMES, SIDE, FRAME_RATE = 16, 64, 12.0
PATCH = 8  # pixels per token side
STEPS, GRID = FRAMES // 2, SIDE // PATCH

PATH_RATE = 192.0  # Hz, at which velocities are integrated
LEAD_SECONDS = 0.5  # of path before the first frame, so that shutters can open early
PATH_SECONDS = FRAMES / FRAME_RATE + 2 * LEAD_SECONDS

REACH = np.array([1.0, 1.0, 0.4, 0.4])  # from a rate to the mean displacement it causes in the crop
SLOWEST = np.array([0.035, 0.035, 0.024, 0.045])  # rates of an intended move at full difficulty
WHIP_ODDS = 0.09  # of a jerk or a whip pan, at full difficulty

Array = np.ndarray[Any, np.dtype[Any]]


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
        """Interpolate centre (T, 2), log scale (T,) and angle (T,) at given times."""
        index = (times_seconds + LEAD_SECONDS) * PATH_RATE
        low = np.clip(index.astype(int), 0, len(self.angle) - 2)
        part = np.clip(index - low, 0, 1)
        both = np.column_stack([self.centre, self.log_scale, self.angle])
        mixed = both[low] * (1 - part[:, None]) + both[low + 1] * part[:, None]
        return mixed[:, :2], mixed[:, 2], mixed[:, 3]


def profile(rng: np.random.Generator, times: Array) -> Array:
    """Draw how a speed develops over a clip: constant, begun, ended, eased in and out, reversed."""
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
    """Draw a number so that each octave is equally likely."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def steady_rates(rng: np.random.Generator, times: Array, hard: float) -> Array:
    """Draw the rates (N, 4) of an intended camera move; zero for a fixed camera."""
    rates = np.zeros((len(times), 4))
    if rng.random() < WHIP_ODDS * hard:
        rates[:, :2] = whip_rates(rng, times)
        return rates
    if rng.random() < 0.2:
        if rng.random() < 0.25 * hard:  # a tripod that gives a little
            axis = rng.integers(4)
            rates[:, axis] = log_uniform(rng, 0.05, 0.8) * SLOWEST[axis] * rng.choice([-1, 1])
        return rates
    tops = (0.8 + 0.9 * hard, 0.7 + 0.6 * hard, 0.9, 0.9)
    active = rng.choice(
        4, size=rng.choice([1, 2, 3], p=[0.62, 0.3, 0.08]), replace=False, p=[0.3, 0.23, 0.27, 0.2]
    )
    shared = profile(rng, times)
    for axis in active:
        slowest = 0.2 + (SLOWEST[axis] - 0.2) * hard
        fastest = tops[axis] * (3 if rng.random() < 0.05 * hard else 1)  # whipped round
        speed = log_uniform(rng, slowest, fastest) * rng.choice([-1, 1])
        rates[:, axis] = speed * (shared if rng.random() < 0.6 else profile(rng, times))
    return rates


def whip_rates(rng: np.random.Generator, times: Array) -> Array:
    """Draw the rates (N, 2) in x and y of a jerk or a whip pan: a short, fast turn of the camera.

    It blurs a frame or several, and what is seen afterwards may share nothing with what was seen
    before. Still it is no cut: the content passes by.
    """
    duration, middle = log_uniform(rng, 0.08, 0.7), rng.uniform(-0.1, 1.4)
    phase = np.clip((times - middle) / duration + 0.5, 0, 1)
    turn = rng.normal(0, 0.25) + (rng.random() < 0.15) * np.pi / 2
    direction = np.array([np.cos(turn), np.sin(turn)]) * rng.choice([-1, 1])
    speed = log_uniform(rng, 0.8, 9)
    return np.asarray(speed * np.sin(np.pi * phase)[:, None] ** 2 * direction)


def jitter_rates(rng: np.random.Generator, times: Array, hard: float) -> Array:
    """Draw the rates (N, 4) of a shaking hand or vehicle; effective speed spans two decades."""
    draw = rng.random()
    if draw < 0.5 - 0.25 * hard:
        return np.zeros((len(times), 4))
    speed = log_uniform(rng, 0.08, 0.9) if draw > 0.7 else log_uniform(rng, 0.004, 0.06)
    rates = np.zeros((len(times), 4))
    weights = np.array(
        [rng.uniform(0.2, 1), rng.uniform(0.2, 1), 0.15 * rng.random(), 0.4 * rng.random()]
    )
    for axis in range(4):
        for frequency in np.exp(rng.uniform(np.log(0.8), np.log(6.0), size=4)):
            phase, part = rng.uniform(0, 2 * np.pi), rng.random()
            rates[:, axis] += part * weights[axis] * np.sin(2 * np.pi * frequency * times + phase)
    effective = np.sqrt(((rates * REACH) ** 2).sum(1).mean())
    return np.asarray(rates * (speed / max(effective, 1e-6)))


def integrate(steady: Array, jitter: Array) -> CameraPath:
    """Integrate rates (N, 4) to a path that starts in the middle of the world."""
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


def place(path: CameraPath, times: Array, points: Array, depth: Array | float = 1.0) -> Array:
    """Map view `points` (..., 2) to world coordinates at each time; (T, ..., 2)."""
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
    """Compute how far content at `points` (..., 2) moves between two times; (T, ..., 2) pixels."""
    world = place(path, before, points, depth)
    centre, log_scale, angle = path.at(after)
    shape = (-1, *(1,) * (points.ndim - 1))
    x = world[..., 0] - centre[:, 0].reshape(shape) * depth
    y = world[..., 1] - centre[:, 1].reshape(shape) * depth
    grow = np.exp(log_scale.reshape(shape) * depth)
    cos, sin = grow * np.cos(angle).reshape(shape), grow * np.sin(angle).reshape(shape)
    moved = np.stack([cos * x - sin * y, sin * x + cos * y], axis=-1)
    return np.asarray((moved - points[None]) * SIDE)


def _view_points(count: int) -> Array:
    """Return the cell centres of a square grid in view coordinates; (count, count, 2) as (x, y)."""
    line = (np.arange(count) + 0.5) / count - 0.5
    return np.stack(np.meshgrid(line, line), axis=-1)


PIXELS, TOKENS = _view_points(SIDE), _view_points(GRID)


def fine_times() -> Array:
    """Return the times (N,) in seconds from the first frame at which rates are drawn."""
    return np.arange(round(PATH_SECONDS * PATH_RATE)) / PATH_RATE - LEAD_SECONDS

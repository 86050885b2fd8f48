"""Synthesise clips with known camera motion: shots, lit, joined by edits, and degraded.

In go a `Library` of textures and a random generator; out come `Sample` records: the pixels of a
clip, the labels of each time step, and the exact displacement at each token. Nothing here knows the
network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from effects import add_overlay, degraded, lit, tiled
from library import Library
from paths import (
    FRAME_RATE,
    FRAMES,
    LEAD_SECONDS,
    PATH_RATE,
    REACH,
    STEPS,
    Array,
    CameraPath,
    displacement,
    log_uniform,
)
from shots import Shot, make_card, make_shot

__all__ = ["LABELS", "Sample", "make_sample"]

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
EDITS = ("cut", "fade", "dissolve")
MOVING = np.array([0.035, 0.035, 0.025, 0.05])  # moving: sides/s twice, log scale/s, rad/s
STILL = np.array([0.014, 0.014, 0.01, 0.02])  # not moving, likewise; between them is undecided
SHAKING, STEADY = 0.08, 0.03  # sides/s, effective speed of jitter
SALIENCE = np.array(
    [1.0, 1.0, 0.75, 0.75]
)  # of a rate: the eye sees a zoom at the rim, not on average
LEAST = 0.6  # target of a motion that holds but is far from leading


@dataclass(frozen=True, slots=True)
class Sample:
    """One synthesised clip and everything known about it."""

    frames: Array
    """(3, FRAMES, SIDE, SIDE) uint8."""
    labels: Array
    """(STEPS, 13) float32: 0 does not hold, -1 undecided (left out of the loss), above 0.5 holds: 1
    leads, less the more another motion leads, so that scores rank what holds at once."""
    motion: Array
    """(STEPS, 4) float32: x, y (pixels), log scale, angle (rad) between the frames of a step."""
    flow: Array
    """(STEPS, GRID, GRID, 2) float32 pixels between the frames of a step; NaN where unknown."""


def _motion_labels(path: CameraPath, times: Array) -> Array:
    """Label the steps of a path; (STEPS, 10) for static … shake."""
    labels = np.zeros((STEPS, 10), np.float32)
    edges = np.append(times[0::2], times[-1] + 1 / FRAME_RATE)
    for step in range(STEPS):
        first, last = ((edges[step : step + 2] + LEAD_SECONDS) * PATH_RATE).astype(int)
        rates = path.steady[first : max(last, first + 1)].mean(0)
        size = np.abs(rates)
        dominant = max(float((size * REACH).max()), path.jitter * 0.6)
        holds = (size >= MOVING) & (size * REACH >= 0.3 * dominant)
        absent = (size <= STILL) | (size * REACH <= 0.08 * dominant)
        salience = size * SALIENCE
        lead = LEAST + (1 - LEAST) * salience / max(float((salience * holds).max()), 1e-9)
        for axis, (positive, negative) in enumerate(((1, 2), (3, 4), (5, 6), (8, 7))):
            right, wrong = (positive, negative) if rates[axis] > 0 else (negative, positive)
            labels[step, right] = lead[axis] if holds[axis] else (0 if absent[axis] else -1)
            labels[step, wrong] = 0 if size[axis] >= STILL[axis] or absent[axis] else -1
        steady_speed = float((size * REACH).max())
        # Jitter at 1-5 Hz moves the image little for its speed; a slower move outweighs it.
        shakes = path.jitter >= SHAKING and steady_speed <= 0.2 * path.jitter
        calm = path.jitter <= STEADY or steady_speed >= 0.4 * path.jitter
        labels[step, 9] = 1 if shakes else (0 if calm else -1)
        still = bool((size <= STILL).all()) and path.jitter <= STEADY
        moves = bool((size >= MOVING).any()) or path.jitter >= SHAKING
        labels[step, 0] = 1 if still else (0 if moves else -1)
    return labels


def _shot_labels(shot: Shot, times: Array) -> Array:
    """Label the motion of a shot; on an empty card all labels are undecided."""
    labels = _motion_labels(shot.path, times)
    return labels if shot.shows_motion else np.full_like(labels, -1)


def _frame_times(rng: np.random.Generator, hard: float) -> Array:
    """Draw the timestamps that a sampler at FRAME_RATE gets from a source of another rate."""
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
    """(FRAMES + 1,) share of the second shot in the frame."""
    level: Array
    """(FRAMES + 1,) brightness of the frame over the fade's colour, 0-1."""


def _draw_edit(rng: np.random.Generator, times: Array, hard: float) -> Edit:
    odds = np.array([0.52, 0.28, 0.11, 0.09]) if hard > 0.3 else np.array([0.88, 0.12, 0, 0])
    kind = str(rng.choice(["none", "cut", "dissolve", "fade"], p=odds))
    instants = np.append(times, times[-1] + 1 / FRAME_RATE)
    second, level = np.zeros(FRAMES + 1), np.ones(FRAMES + 1)
    duration = log_uniform(rng, 0.25, 1.8)
    start = rng.uniform(-0.6 * duration, FRAMES / FRAME_RATE - 0.4 * duration)
    ramp = np.clip((instants - start) / duration, 0, 1)
    if kind == "cut":
        first_new, last_new = int(rng.integers(1, FRAMES)), FRAMES + 1
        if rng.random() < 0.3:  # and back again
            last_new = first_new + int(rng.integers(2, FRAMES))
        frames = np.arange(FRAMES + 1)
        second = ((frames >= first_new) & (frames < last_new)).astype(float)
    elif kind == "dissolve":
        second = ramp
    elif kind == "fade":
        shape = rng.choice(["out", "in", "dip"])
        level = {"out": 1 - ramp, "in": ramp, "dip": np.abs(1 - 2 * ramp)}[shape]
        second = (ramp >= 0.5).astype(float) if shape == "dip" else second
    return Edit(kind, second, level)


def _edit_labels(edit: Edit) -> Array:
    """Label the steps of an edit; (STEPS, 3) for cut, fade, dissolve."""
    labels = np.zeros((STEPS, 3), np.float32)
    for column, (kind, curve) in enumerate(
        (("", None), ("fade", edit.level), ("dissolve", edit.second))
    ):
        if curve is not None and edit.kind == kind:
            change = np.abs(np.diff(curve)).reshape(STEPS, 2).sum(1)
            labels[:, column] = np.where(change >= 0.08, 1, np.where(change > 0.005, -1, 0))
    if edit.kind == "cut":
        first_new_frames = np.flatnonzero(np.diff(edit.second[:FRAMES])) + 1
        for frame in first_new_frames:
            if frame % 2 == 0 and labels[frame // 2 - 1, 0] == 0:  # between two steps: either may
                labels[frame // 2 - 1, 0] = -1
            labels[frame // 2, 0] = 1
    return labels


def _join(edit: Edit, shots: Sequence[Shot], times: Array) -> tuple[Array, Array, Array]:
    """Join labels (STEPS, 10), motion (STEPS, 4) and flow of two shots."""
    labels = [_shot_labels(shot, times) for shot in shots]
    motions = [_step_motion(shot, times) for shot in shots]
    label, motion, flow = labels[0].copy(), motions[0].copy(), shots[0].flow.copy()
    for step in range(STEPS):
        shares = edit.second[2 * step : 2 * step + 2]
        if shares.min() > 0.75:
            label[step], motion[step] = labels[-1][step], motions[-1][step]
            flow[step] = shots[-1].flow[step]
        elif shares.max() >= 0.25:
            before, after = labels[0][step], labels[-1][step]
            agree = ((before > 0.5) == (after > 0.5)) & (np.minimum(before, after) >= 0)
            label[step] = np.where(agree, (before + after) / 2, -1)
        level = edit.level[2 * step : 2 * step + 2]
        is_mixed = shares.max() > 0.1 and shares.min() < 0.9
        if is_mixed or level.min() < 0.3:
            motion[step], flow[step] = np.nan, np.nan
        if level.mean() < 0.25:
            label[step] = -1
    return label, motion, flow


def _step_motion(shot: Shot, times: Array) -> Array:
    """Compute the motion of each step (STEPS, 4): x, y in pixels, log scale and angle."""
    path, before, after = shot.path, times[0::2], times[1::2]
    shift = displacement(path, before, after, np.zeros((1, 2)))[:, 0]
    _, log_scale, angle = path.at(times)
    rest = np.column_stack([np.diff(log_scale)[0::2], np.diff(angle)[0::2]])
    motion = np.concatenate([shift, rest], axis=1)
    return motion if shot.shows_motion else np.full_like(motion, np.nan)


def _shots_of_edit(
    rng: np.random.Generator,
    library: Library,
    times: Array,
    hard: float,
    edit: Edit,
    shot: Shot,
    photo: int,
) -> list[Shot]:
    """Return `shot` and the one that an edit joins it to, in either order."""
    is_cut = edit.kind == "cut"
    if rng.random() < 0.15 * hard:
        shots = [shot, make_card(rng, times, empty=0.4 if is_cut else 0.0)]
        if is_cut and rng.random() < 0.3:  # from card to card
            shots[0] = make_card(rng, times)
    else:
        same = rng.random() < (0.35 if is_cut else 0.15)  # between two views of one scene
        other = photo if same else int(rng.integers(len(library.levels[0])))
        shots = [shot, make_shot(rng, library, times, hard, other)]
        if rng.random() < 0.5 or same:  # each shot in its own light, or one for both
            shots = [replace(shot, pixels=lit(rng, shot.pixels, 0)) for shot in shots]
    return shots if rng.random() < 0.5 else shots[::-1]


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
    shots = [make_shot(rng, library, times, hard, photo)]
    if edit.kind == "none" and rng.random() < 0.02 * hard:
        shots = [make_card(rng, times)]
    if edit.second.any():
        shots = _shots_of_edit(rng, library, times, hard, edit, shots[0], photo)
        share = torch.from_numpy(edit.second[:-1].astype(np.float32)).reshape(1, -1, 1, 1)
        pixels = shots[0].pixels * (1 - share) + shots[1].pixels * share
    else:
        pixels = shots[0].pixels
    pixels = lit(rng, pixels, hard)
    if edit.kind == "fade":
        level = torch.from_numpy(edit.level[:-1].astype(np.float32)).reshape(1, -1, 1, 1)
        pixels = pixels * level + (1 - level) * (0.0 if rng.random() < 0.8 else 255.0)
    labels, motion, flow = _join(edit, shots, times)
    edits = _edit_labels(edit)
    if edit.kind == "none" and rng.random() < 0.03 * hard:
        pixels = tiled(rng, library, pixels)
        labels[:], motion[:], flow[:] = -1, np.nan, np.nan
        edits[:, EDITS.index("dissolve")] = -1
    add_overlay(rng, library, pixels, flow, hard)
    pixels = degraded(rng, pixels, hard)
    return Sample(
        pixels.round().byte().numpy(),
        np.concatenate([labels, edits], axis=1),
        motion.astype(np.float32),
        flow.astype(np.float32),
    )

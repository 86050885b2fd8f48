"""Choose the frames and crops of a trimmed video as the published tests do.

Pure arithmetic on frame counts; every function says whose loader it follows. Two protocols give
two numbers for the same weights, so an accuracy means nothing without the protocol's name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from vswin_cli.errors import OptionError
from vswin_cli.models.architecture import InputSpec, Sampling
from vswin_cli.storage.humanize import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Indices = NDArray[np.int64]

__all__ = [
    "PROTOCOL_NAMES",
    "Protocol",
    "centred_starts",
    "check_protocol_name",
    "choose_protocol",
    "frame_indices",
    "resampled_indices",
    "spread_starts",
    "uniform_indices",
]

RESAMPLED_RATE = 15.0
"""Frames per second to which torchvision's evaluation brings a video before it cuts clips."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """One way of testing weights on trimmed videos."""

    name: str
    """`paper`, `mmaction2`, `torchvision` or `ssv2`."""
    num_clips: int
    """Clips per video."""
    crops: Literal[1, 3]
    """Square crops per clip: the centre, or three along the longer side."""
    short_side: int
    """Pixels of the frame's shorter side before cropping."""
    description: str
    """What to print beside an accuracy."""


@dataclass(frozen=True, slots=True)
class _Recipe:
    """A protocol before it is adapted to weights."""

    sampling: Sampling
    num_clips: int
    crops: Literal[1, 3]
    enlarge: float
    """Resized short side over that of the weights' input."""
    frames: str
    """In words, with `num_frames`, `interval` and `num_clips` to fill in."""


_RECIPES = {
    "paper": _Recipe(
        "dense", 4, 3, 1.0, "{num_frames} frames, {interval} apart, amid {num_clips} equal parts"
    ),
    "mmaction2": _Recipe(
        "dense", 4, 3, 1.0, "{num_frames} frames, {interval} apart, {num_clips} clips end to end"
    ),
    "torchvision": _Recipe(
        "dense",
        12,
        1,
        256 / 224,
        "{num_frames} frames at 15 frames per second, {num_clips} clips end to end",
    ),
    "ssv2": _Recipe("uniform", 1, 3, 1.0, "{num_frames} frames spread evenly over the video"),
}
PROTOCOL_NAMES = tuple(_RECIPES)


def check_protocol_name(name: str | None) -> None:
    """Check the name of a protocol, before the weights are loaded.

    Raises:
        OptionError: no such protocol.
    """
    if name is not None and name not in _RECIPES:
        raise OptionError(
            f"unknown protocol {name!r}", hint=f"give one of {', '.join(PROTOCOL_NAMES)}"
        )


def choose_protocol(name: str | None, spec: InputSpec) -> Protocol:
    """Choose a protocol and adapt it to weights.

    Args:
        name: one of `PROTOCOL_NAMES`; by default the one that the weights were published with.
        spec: what the weights expect.

    Raises:
        OptionError: no such protocol, or one for weights that sample otherwise.
    """
    check_protocol_name(name)
    name = name or ("ssv2" if spec.sampling == "uniform" else "paper")
    recipe = _RECIPES[name]
    if recipe.sampling != spec.sampling:
        fitting = [
            known for known, candidate in _RECIPES.items() if candidate.sampling == spec.sampling
        ]
        raise OptionError(
            f"the protocol {name} samples {recipe.sampling}ly, but these weights were trained on "
            f"{spec.sampling} clips",
            hint=f"give {' or '.join(fitting)}",
        )
    short_side = round(recipe.enlarge * spec.resize_short_side)
    return Protocol(
        name=name,
        num_clips=recipe.num_clips,
        crops=recipe.crops,
        short_side=short_side,
        description=_describe(recipe, spec, short_side),
    )


def _describe(recipe: _Recipe, spec: InputSpec, short_side: int) -> str:
    frames = recipe.frames.format(
        num_frames=spec.num_frames,
        interval=counted(spec.frame_interval, "source frame"),
        num_clips=recipe.num_clips,
    )
    crop = f"{spec.crop_size}×{spec.crop_size}"
    crops = f"the centre {crop} of it" if recipe.crops == 1 else f"3 crops of {crop}"
    views = recipe.num_clips * recipe.crops
    return f"{frames}; short side {short_side}, {crops}; mean score of {views} views"


def frame_indices(
    protocol: Protocol, spec: InputSpec, num_frames: int, frame_rate: float | None
) -> Indices:
    """Choose the source frames of every clip.

    Args:
        protocol: how to sample.
        spec: frames per clip T and their distance.
        num_frames: length N of the video, at least 1.
        frame_rate: of the video; used by `torchvision` only, which takes an unknown rate as its
            own.

    Returns:
        (num_clips, T) indices in 0..N-1. A video that is too short starts again.
    """
    plan = _PLANNERS[protocol.name]
    return np.asarray(plan(protocol, spec, num_frames, frame_rate) % num_frames, np.int64)


def centred_starts(num_frames: int, num_clips: int, clip_frames: int) -> Indices:
    """Return the first frames of clips in the middles of equal parts.

    Follows MMAction 0.x, `SampleFrames` in testing.

    Args:
        num_frames: length N of the video.
        num_clips: how many.
        clip_frames: T times the frame interval, which that loader takes as a clip's length.

    Returns:
        (num_clips,) rising; all zero where the video is shorter than a clip.
    """
    if num_frames < clip_frames:
        return np.zeros(num_clips, np.int64)
    # In that loader a clip lasts T times the interval, one interval longer than from its first to
    # its last frame; MMAction2 1.x counts the latter, so their clips start at different frames.
    part = (num_frames - clip_frames + 1) / num_clips
    return (np.arange(num_clips) * part + part / 2).astype(np.int64)


def spread_starts(num_frames: int, num_clips: int, span_frames: int) -> Indices:
    """Return the first frames of clips from start to end (MMAction2 1.x `SampleFrames`).

    Args:
        num_frames: length N of the video.
        num_clips: how many; a single one lies in the middle.
        span_frames: from a clip's first to its last frame, both included.
    """
    last = max(num_frames - span_frames, 0)
    if num_clips == 1:
        return np.array([last // 2])
    return np.asarray(np.rint(np.arange(num_clips) * last / (num_clips - 1)), np.int64)


def uniform_indices(num_frames: int, frames_per_clip: int) -> Indices:
    """Return the middles of T equal parts of a video.

    Follows MMAction 0.x, `SampleFrames` with `frame_uniform`.

    Returns:
        (T,) not falling.
    """
    edges = np.rint(np.arange(frames_per_clip + 1) * ((num_frames - 1) / frames_per_clip))
    return np.asarray((edges[:-1] + edges[1:]) // 2, np.int64)


def resampled_indices(num_frames: int, frame_rate: float, new_rate: float) -> Indices:
    """Return the source frames of a video resampled to another rate (torchvision `VideoClips`).

    In that loader's own arithmetic: whole steps are a slice, others rounded down in float32.
    """
    step = frame_rate / new_rate
    if step.is_integer():
        return np.arange(0, num_frames, int(step), dtype=np.int64)
    count = int(num_frames * (new_rate / frame_rate))
    positions = np.arange(count, dtype=np.float32) * np.float32(step)
    return np.asarray(np.floor(positions), np.int64)


_Planner = Callable[[Protocol, InputSpec, int, "float | None"], "Indices"]


def _by_index(starts: Indices, spec: InputSpec) -> Indices:
    offsets = np.arange(spec.num_frames, dtype=np.int64) * spec.frame_interval
    return np.asarray(starts[:, None] + offsets, np.int64)


def _paper(protocol: Protocol, spec: InputSpec, num_frames: int, _: float | None) -> Indices:
    clip_frames = spec.num_frames * spec.frame_interval
    return _by_index(centred_starts(num_frames, protocol.num_clips, clip_frames), spec)


def _mmaction2(protocol: Protocol, spec: InputSpec, num_frames: int, _: float | None) -> Indices:
    span_frames = (spec.num_frames - 1) * spec.frame_interval + 1
    return _by_index(spread_starts(num_frames, protocol.num_clips, span_frames), spec)


def _ssv2(protocol: Protocol, spec: InputSpec, num_frames: int, _: float | None) -> Indices:
    return np.tile(uniform_indices(num_frames, spec.num_frames), (protocol.num_clips, 1))


def _torchvision(
    protocol: Protocol, spec: InputSpec, num_frames: int, frame_rate: float | None
) -> Indices:
    """Choose clips among all those with one start per resampled frame (`UniformClipSampler`).

    That loader leaves out videos shorter than a clip; here they start again. Its pixels are
    matched to one level, except a column where the longer side comes to a half pixel or more,
    which it rounds down and we round up.
    """
    frames = resampled_indices(num_frames, frame_rate or RESAMPLED_RATE, RESAMPLED_RATE)
    if not len(frames):
        frames = np.zeros(1, np.int64)
    last = max(len(frames) - spec.num_frames, 0)
    starts = np.floor(np.linspace(0, last, protocol.num_clips)).astype(np.int64)
    positions = starts[:, None] + np.arange(spec.num_frames)
    return np.asarray(frames[positions % len(frames)], np.int64)


_PLANNERS: dict[str, _Planner] = {
    "paper": _paper,
    "mmaction2": _mmaction2,
    "torchvision": _torchvision,
    "ssv2": _ssv2,
}

"""Plan which frames of a video are sampled: a regular grid of positions, fixed before decoding.

Input is the weights' input spec and the user's options; output a `SamplingPlan`, from which follow
the positions that a frame fills while it is on display. Independent of containers and decoders.

    dense     one position per tick, `frame_rate` ticks a second; tick k shows the frame on
              display at start + k / frame_rate
    index     every source frame is a position, every `frame_interval`-th is a tick
    uniform   a clip is cut into T equal parts and the frame in the middle of each is a tick;
              four positions per part, so that a shorter video can be cut just as finely
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from vswin_cli.config import SamplingOptions, Stride
from vswin_cli.errors import OptionError
from vswin_cli.models.architecture import InputSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "ROUNDING_SECONDS",
    "Progress",
    "RunEnd",
    "SampledFrame",
    "SamplingPlan",
    "as_plans",
    "describe_rounding",
    "plan_sampling",
]

ROUNDING_SECONDS = 0.001
"""Timestamps in whole milliseconds (Matroska) make a frame late by up to this much."""

UNIFORM_CLIP_SECONDS = 4.0
"""Length of a clip for weights that sample uniformly: about that of their training videos
(Something-Something v2 has 2 to 6 seconds)."""
_UNIFORM_POSITIONS_PER_TICK = 4
_FRAMES_PER_STEP = 2  # the network's patches are two frames deep
_NEAR_STRIDE = 0.2  # of the stride asked for; rounding to an even number is less from 6 frames on
_FUZZ = 1e-6  # positions; absorbs float error in seconds × rate


@dataclass(frozen=True, slots=True, eq=False)
class SampledFrame:
    """One frame that fills the positions `[position, position + count)`."""

    position: int
    count: int
    seconds: float
    """Presentation time of the source frame."""
    image: NDArray[np.uint8]
    """(H, W, 3) RGB, upright, with the plan's short side."""
    plan_index: int = 0
    """Which of the plans the frame is for, where a video is sampled for several."""

    def __repr__(self) -> str:
        return (
            f"SampledFrame({self.position}, count={self.count}, {self.seconds:.3f} s, "
            f"{self.image.shape})"
        )


@dataclass(frozen=True, slots=True)
class RunEnd:
    """End of a run, which no clip may cross: the video ends here or frames are missing."""

    end_seconds: float
    """Time at which the last frame before it leaves the display."""
    plan_index: int = 0
    """Which of the plans the run belongs to, as in `SampledFrame`."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A heartbeat of the decoder, with its counters.

    One that equals the previous one is a heartbeat without progress.
    """

    seconds: float
    """Time of the newest frame."""
    frames_decoded: int
    bad_packets: int
    steps: int = 0
    """Frames and packets processed, including those that are read or decoded a second time."""


@dataclass(frozen=True, slots=True)
class SamplingPlan:
    """Which frames are sampled, and the size of their images; arithmetic only."""

    num_frames: int
    """Ticks T per clip; even."""
    stride: int
    """Ticks between the starts of neighbouring clips; even, so that the time steps of all
    clips, two ticks each, lie on one grid."""
    short_side: int
    """Pixels of the shorter side of an image."""
    by: Literal["time", "index"] = "time"
    """Whether positions count fractions of a second or source frames."""
    positions_per_second: float = 15.0
    """Density of positions; unused by index."""
    positions_per_tick: int = 1
    phase: int = 0
    """Offset of a tick from the multiple of `positions_per_tick` below it."""
    short: Literal["loop", "spread"] = "loop"
    """How a run with fewer than T ticks fills a clip: repeated, or sampled more finely."""
    start_seconds: float = 0.0
    """Where the grid and the analysed part begin."""
    end_seconds: float | None = None
    """Where the analysed part ends, exclusive."""

    def __post_init__(self) -> None:
        if self.num_frames < _FRAMES_PER_STEP or self.num_frames % _FRAMES_PER_STEP:
            raise ValueError(f"a clip needs an even number of frames, got {self.num_frames = }")
        if self.stride < _FRAMES_PER_STEP or self.stride % _FRAMES_PER_STEP:
            raise ValueError(f"clips start on even ticks only, got {self.stride = }")

    @property
    def alignment(self) -> int:
        """Positions per time step of the network; a run of clips starts on a multiple."""
        return _FRAMES_PER_STEP * self.positions_per_tick

    @property
    def clip_positions(self) -> int:
        """Positions that one clip spans."""
        return self.num_frames * self.positions_per_tick

    @property
    def sparse(self) -> bool:
        """Whether there is time between clips that no clip covers."""
        return self.stride > self.num_frames

    def seconds_at(self, position: int) -> float:
        """Time of a position; by time only."""
        return self.start_seconds + position / self.positions_per_second

    def first_position_from(self, seconds: float, tolerance_seconds: float) -> int:
        """First position at which a frame that appears at `seconds` is on display.

        A position that is early by no more than the tolerance counts as reached, because
        containers round timestamps. By time only.
        """
        # Without `_FUZZ` a product such as 2.0000000000000004 would skip its own position.
        since_start = seconds - tolerance_seconds - self.start_seconds
        return max(0, math.ceil(since_start * self.positions_per_second - _FUZZ))

    def aligned(self, position: int) -> int:
        """Round a position up to one at which a run of clips may start."""
        return -(-position // self.alignment) * self.alignment

    def is_wanted(self, offset: int) -> bool:
        """Whether the position `offset` positions into a run can become part of a clip.

        Ticks always can; the positions between them only while the run may still end before a
        whole clip, which is then sampled more finely than in ticks.
        """
        return offset < self.clip_positions or offset % self.positions_per_tick == self.phase


def as_plans(plan: SamplingPlan | Sequence[SamplingPlan]) -> tuple[SamplingPlan, ...]:
    """Return the plans for which one video is sampled, whether one or several were given.

    Raises:
        ValueError: there is none, or they begin or end at different times.
    """
    plans = (plan,) if isinstance(plan, SamplingPlan) else tuple(plan)
    if len({(one.start_seconds, one.end_seconds) for one in plans}) != 1:
        raise ValueError(f"plans of one video must have one start and one end, got {plans}")
    return plans


def plan_sampling(spec: InputSpec, options: SamplingOptions) -> SamplingPlan:
    """Compute the sampling plan from the weights' input spec and the user's options.

    The stride is rounded to an even number of ticks, at least two.

    Raises:
        OptionError: the options do not fit the weights' way of sampling.
    """
    if spec.num_frames % _FRAMES_PER_STEP:
        raise OptionError(f"a clip must have an even number of frames, got {spec.num_frames}")
    if spec.sampling == "uniform":
        return _plan_uniform(spec, options)
    rate = options.frame_rate or spec.frame_rate
    interval = options.frame_interval
    return SamplingPlan(
        num_frames=spec.num_frames,
        stride=_even_stride(spec, options, rate),
        short_side=spec.resize_short_side,
        by="time" if interval is None else "index",
        positions_per_second=rate,
        positions_per_tick=interval or 1,
        start_seconds=options.start_seconds or 0.0,
        end_seconds=options.end_seconds,
    )


def _plan_uniform(spec: InputSpec, options: SamplingOptions) -> SamplingPlan:
    """Compute the plan for weights that spread T frames over a clip of any length."""
    if options.frame_interval is not None:
        raise OptionError(
            "these weights spread their frames evenly over a clip; a frame interval does not apply",
            hint=f"leave it out, or set the clip's length by --fps: {spec.num_frames} frames at "
            f"8 frames per second are {spec.num_frames / 8:g} s",
        )
    rate = options.frame_rate or spec.num_frames / UNIFORM_CLIP_SECONDS
    return SamplingPlan(
        num_frames=spec.num_frames,
        stride=_even_stride(spec, options, rate),
        short_side=spec.resize_short_side,
        positions_per_second=rate * _UNIFORM_POSITIONS_PER_TICK,
        positions_per_tick=_UNIFORM_POSITIONS_PER_TICK,
        phase=_UNIFORM_POSITIONS_PER_TICK // 2,
        short="spread",
        start_seconds=options.start_seconds or 0.0,
        end_seconds=options.end_seconds,
    )


def describe_rounding(spec: InputSpec, options: SamplingOptions, plan: SamplingPlan) -> str | None:
    """Describe how far the plan's stride is from the requested one; `None` if it is near."""
    stride = options.clip_stride
    if stride is None:
        return None
    rate = options.frame_rate or spec.frame_rate
    if spec.sampling == "uniform":
        rate = plan.positions_per_second / plan.positions_per_tick
    asked = stride.exact_frames(spec.num_frames, rate)
    if abs(plan.stride - asked) <= _NEAR_STRIDE * asked:
        return None
    return (
        f"the stride of {stride} is rounded to {plan.stride} sampled frames "
        f"({100 * plan.stride / plan.num_frames:g}% of a clip): "
        f"clips start on multiples of {_FRAMES_PER_STEP}"
    )


def _even_stride(spec: InputSpec, options: SamplingOptions, rate: float) -> int:
    """Return the stride in ticks, rounded to whole time steps."""
    stride = options.clip_stride or Stride(spec.stride_percent)
    ticks = stride.frames(spec.num_frames, rate)
    return max(1, round(ticks / _FRAMES_PER_STEP)) * _FRAMES_PER_STEP

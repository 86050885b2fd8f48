"""Assemble clips from sampled frames: their positions, and the arrays that hold them.

The planner is pure arithmetic on tick counts. The assembler receives frames one by one,
keeps those that an open clip still needs, and yields clips as soon as they are complete, in
time order. `open_clips` connects both to a decoder.

A run is a part of the video without a gap. Inside a run of n ticks, clips of T ticks start at
0, stride, 2·stride, ... The last one that would reach beyond the run is moved back to end
with it, to the even tick at or before n - T, because the network's time steps are two ticks
deep and the steps of all clips share one grid. If n is odd, the time of the one tick left over
belongs to the last step. With T = 4, stride 4 and n = 11:

    ticks   0 1 2 3 4 5 6 7 8 9 10
    clips   [0 0 0 0][1 1 1 1]
                        [2 2 2 2](+)       (+) its last step ends where the run ends

A run shorter than a clip starts again from its first frame, as the reference loader does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vswin_cli.config import SamplingOptions
from vswin_cli.models.architecture import InputSpec
from vswin_cli.storage.sources import VideoSource
from vswin_cli.video.decode_options import DecodeOptions
from vswin_cli.video.decoder_pool import DecoderPool
from vswin_cli.video.sampling import RunEnd, SampledFrame, SamplingPlan, plan_sampling
from vswin_cli.video.stream import Sample, VideoStream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vswin_cli.storage.download import OnBytes

__all__ = [
    "Clip",
    "ClipAssembler",
    "ClipPlan",
    "PlannedClip",
    "assemble_clips",
    "assemble_planned_clips",
    "open_clips",
    "open_planned_clips",
    "plan_clips",
]

_STEP = 2  # ticks per time step of the network


@dataclass(frozen=True, slots=True)
class ClipPlan:
    """Position of one clip in a run, in ticks."""

    start: int
    """First tick; even."""
    num_ticks: int
    """Ticks of the run inside the clip; fewer than T only if the run itself is shorter."""


def plan_clips(num_ticks: int, num_frames: int, stride: int) -> tuple[ClipPlan, ...]:
    """Compute the clips of a run.

    Args:
        num_ticks: length n of the run.
        num_frames: length T of a clip.
        stride: distance between clip starts; even. Beyond T it leaves time between clips.

    Returns:
        Clips in ascending order, without duplicates. Up to a stride of T they cover every tick
        of the run, except that an odd last tick may be left over.
    """
    if num_ticks <= 0:
        return ()
    if num_ticks < num_frames:
        return (ClipPlan(0, num_ticks),)
    last_start = (num_ticks - num_frames) // _STEP * _STEP
    starts = list(range(0, last_start + 1, stride))
    # A clip that ends with the run is added only if the next regular one would begin inside it:
    # with a stride beyond T the run may end in time that no clip covers anyway.
    if starts[-1] < last_start and starts[-1] + stride < num_ticks:
        starts.append(last_start)
    return tuple(ClipPlan(start, num_frames) for start in starts)


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """The frames given to the network at once."""

    index: int
    """Position among the clips of the video."""
    images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]
    """T images, (H, W, 3) RGB, upright, short side as in the weights' input spec; neighbouring
    clips have some of them in common. An array of shape (T, H, W, 3) will do."""
    step_edges_seconds: NDArray[np.float64]
    """(T/2 + 1,) times that bound the network's time steps, half-open. The edges after the last
    valid step repeat its end."""
    num_valid_steps: int
    """Leading steps that show the video for the first time; the others repeat it to fill the
    clip."""

    def __post_init__(self) -> None:
        steps = len(self.step_edges_seconds) - 1
        if self.images[0].ndim != 3 or len(self.images) != _STEP * steps:
            shape = (len(self.images), *self.images[0].shape)
            raise ValueError(f"{shape = } does not fit {steps = }")
        if not 1 <= self.num_valid_steps <= steps:
            raise ValueError(f"{self.num_valid_steps = } of {steps = }")

    def __repr__(self) -> str:
        begin, end = self.step_edges_seconds[[0, self.num_valid_steps]]
        shape = (len(self.images), *self.images[0].shape)
        return f"Clip({self.index}, {begin:.3f}-{end:.3f} s, {shape})"

    @property
    def frames(self) -> NDArray[np.uint8]:
        """The images in one array, (T, H, W, 3); copied unless they are in one."""
        return self.images if isinstance(self.images, np.ndarray) else np.stack(self.images)


class PlannedClip(NamedTuple):
    """A clip of one of several plans for which a video is sampled at once."""

    plan_index: int
    clip: Clip


class ClipAssembler:
    """Turn sampled frames into clips, run after run, with bounded memory."""

    def __init__(self, plan: SamplingPlan) -> None:
        self._plan = plan
        self._num_clips = 0
        self._start_run(0)

    def _start_run(self, base: int) -> None:
        self._base = base
        self._length = 0  # positions of this run so far
        self._next_start = 0  # tick at which the next clip starts
        self._last_start = -1
        self._kept: dict[int, SampledFrame] = {}  # by position within the run

    def add(self, sample: SampledFrame) -> Iterator[Clip]:
        """Add the next frame and yield the clips that it completes."""
        if not self._kept and self._length == 0:
            self._start_run(sample.position)
        first = sample.position - self._base
        # One by one, even where a still frame fills thousands of positions: each clip is yielded
        # and each stale position dropped before the next is added, which bounds the memory.
        for position in range(first, first + sample.count):
            self._kept[position] = sample
            self._length = position + 1
            yield from self._complete_clips()
            self._drop_stale()

    def end_run(self, end_seconds: float) -> Iterator[Clip]:
        """Close the run at the time when its last frame leaves the display."""
        num_ticks = self._num_ticks
        if self._length > 0 and num_ticks < self._plan.num_frames:
            yield self._short_clip(num_ticks, end_seconds)
        else:
            for clip in plan_clips(num_ticks, self._plan.num_frames, self._plan.stride):
                if clip.start > self._last_start:  # not yielded while the run was open
                    yield self._full_clip(clip.start, end_seconds)
        self._start_run(0)

    @property
    def _num_ticks(self) -> int:
        plan = self._plan
        return (self._length + plan.positions_per_tick - 1 - plan.phase) // plan.positions_per_tick

    def _complete_clips(self) -> Iterator[Clip]:
        """Yield clips that cannot touch the end of the run.

        The time of an odd last tick belongs to the last clip's last step, so a clip is held back
        until one more step has been added.
        """
        while self._num_ticks >= self._next_start + self._plan.num_frames + _STEP:
            yield self._full_clip(self._next_start, None)
            self._next_start += self._plan.stride

    def _full_clip(self, start: int, end_seconds: float | None) -> Clip:
        """Build the clip from tick `start`; `end_seconds` if the run is known to end there."""
        plan = self._plan
        ticks = range(start, start + plan.num_frames)
        edges = [self._seconds(tick) for tick in ticks[::_STEP]]
        at_end = end_seconds is not None and ticks.stop + _STEP > self._num_ticks
        last = end_seconds if at_end else self._seconds(ticks.stop)
        assert last is not None
        # The run may end before the nominal start of its last tick, because grid positions and
        # timestamps differ by up to the rounding tolerance; edges must never decrease.
        edges.append(max(last, edges[-1]))
        self._last_start = start
        images = [self._kept[self._position(tick)].image for tick in ticks]
        return self._number(images, edges, plan.num_frames // _STEP)

    def _short_clip(self, num_ticks: int, end_seconds: float) -> Clip:
        """Build one clip from a run that does not fill it.

        `spread` samples the run more finely, so that all steps show new frames. `loop` repeats
        it; then only the leading steps are valid, or the repetition would count twice in scores.
        """
        plan = self._plan
        begin = self._kept[0].seconds if plan.by == "index" else plan.seconds_at(self._base)
        steps = plan.num_frames // _STEP
        if plan.short == "spread":
            parts = (np.arange(plan.num_frames) + 0.5) * self._length / plan.num_frames
            positions = parts.astype(int)
            edges = np.linspace(begin, end_seconds, steps + 1)
            valid = steps
        else:
            positions = np.arange(plan.num_frames) * plan.positions_per_tick % self._length
            valid = max(1, num_ticks // _STEP)
            starts = [begin, *(self._seconds(_STEP * step) for step in range(1, valid))]
            edges = np.array(starts + [end_seconds] * (steps + 1 - valid))
        images = [self._kept[int(position)].image for position in positions]
        return self._number(images, edges, valid)

    def _number(
        self,
        images: Sequence[NDArray[np.uint8]],
        edges: list[float] | NDArray[np.float64],
        valid: int,
    ) -> Clip:
        clip = Clip(self._num_clips, images, np.asarray(edges, dtype=np.float64), valid)
        self._num_clips += 1
        return clip

    def _position(self, tick: int) -> int:
        return tick * self._plan.positions_per_tick + self._plan.phase

    def _seconds(self, tick: int) -> float:
        """Start time of the part of the video that a tick represents."""
        plan = self._plan
        if plan.by == "index":
            return self._kept[self._position(tick)].seconds
        return plan.seconds_at(self._base + tick * plan.positions_per_tick)

    def _drop_stale(self) -> None:
        """Drop frames that neither the next clip nor one moved back to end here can use."""
        plan = self._plan
        if self._length < plan.clip_positions:
            return  # the run may end short of a clip, which uses every position
        oldest = min(self._next_start, self._num_ticks - plan.num_frames - _STEP)
        threshold = oldest * plan.positions_per_tick
        stale = [position for position in self._kept if position < threshold]
        for position in stale:
            del self._kept[position]


def assemble_clips(plan: SamplingPlan, samples: Iterable[Sample]) -> Iterator[Clip]:
    """Turn the samples of a whole video into clips."""
    assembler = ClipAssembler(plan)
    for sample in samples:
        if isinstance(sample, RunEnd):
            yield from assembler.end_run(sample.end_seconds)
        else:
            yield from assembler.add(sample)


def assemble_planned_clips(
    plans: Sequence[SamplingPlan], samples: Iterable[Sample]
) -> Iterator[PlannedClip]:
    """Turn the samples of a whole video into the clips of each plan, as they are complete."""
    assemblers = [ClipAssembler(plan) for plan in plans]
    for sample in samples:
        assembler = assemblers[sample.plan_index]
        if isinstance(sample, RunEnd):
            clips = assembler.end_run(sample.end_seconds)
        else:
            clips = assembler.add(sample)
        for clip in clips:
            yield PlannedClip(sample.plan_index, clip)


def open_clips(
    source: VideoSource,
    spec: InputSpec,
    sampling: SamplingOptions,
    decode: DecodeOptions = DecodeOptions(),
    *,
    pool: DecoderPool | None = None,
    on_bytes: OnBytes | None = None,
) -> VideoStream[Clip]:
    """Open a video and iterate over its clips.

    Args:
        source: what to open; an address is copied to a temporary file first.
        spec: input that the weights expect.
        sampling: the user's sampling options.
        decode: how frames are decoded.
        pool: where decoder processes come from; by default one is started for this video.
        on_bytes: called as the bytes of a copy arrive.

    Raises:
        SourceError: the source cannot be opened or holds no video.
        OptionError: the options do not fit the weights.
    """
    plan = plan_sampling(spec, sampling)
    assemble = partial(assemble_clips, plan)
    return VideoStream(source, plan, decode, assemble, pool=pool, on_bytes=on_bytes)


def open_planned_clips(
    source: VideoSource,
    specs: Sequence[InputSpec],
    sampling: SamplingOptions,
    decode: DecodeOptions = DecodeOptions(),
    *,
    pool: DecoderPool | None = None,
    on_bytes: OnBytes | None = None,
) -> VideoStream[PlannedClip]:
    """Open a video once and iterate over its clips for several models.

    The clips of each model are the same, and in the same order, as from `open_clips`. They come
    when they are complete, so that those of different models take turns.

    Args:
        source: what to open; an address is copied to a temporary file first.
        specs: input that the weights of each model expect; a clip has the index of one of them.
        sampling: the user's sampling options, for all of them.
        decode: how frames are decoded.
        pool: where decoder processes come from; by default one is started for this video.
        on_bytes: called as the bytes of a copy arrive.

    Raises:
        SourceError: the source cannot be opened or holds no video.
        OptionError: the options do not fit the weights of one of the models.
    """
    plans = [plan_sampling(spec, sampling) for spec in specs]
    assemble = partial(assemble_planned_clips, plans)
    return VideoStream(source, plans, decode, assemble, pool=pool, on_bytes=on_bytes)

"""Compare timelines made from step scores and from clip scores, at several strides.

Video Swin's head is linear and its pooling a mean, so every clip also yields logits per time step
(two sampled frames). This script compares timelines made from those with timelines made from one
score per clip, on synthetic logits whose truth is known, through vswin's own code from logits to
segments. No weights, no video; a minute or less.

Model of a clip's step logits (label against everything else):

    logit = slope * (mixed(evidence + content noise) - 1/2) + clip noise + step noise

`evidence` is the part of a step that the event covers. `mixed` stands for attention: a step sees
its neighbours through a Gaussian of `blur` steps, cut off at the clip's ends, and `leak` of what
it sees is the mean over its whole clip. Content noise belongs to the video (all clips that see a
moment share it), clip noise to a clip, step noise to one step of one clip. A clip's own logit is
the mean over its steps, as in the network. These are assumptions, not measurements of a model:
hence the sweep over blur, leak, noise and the thresholds.

What came out (100 events per length): step scores of clips that do not overlap need half the
forward passes of clip scores at 50 % overlap, and their segments are as good or better as long as
a step sees mostly its surroundings (blur up to 4 steps, leak up to 25 %): IoU +.05 to +.21 for
events of 2 s at thresholds 0.4/0.2. Where a step sees most of its clip they lose up to .13. A
stride of 75 %, two thirds of the passes, is never more than .03 behind and usually ahead by .02
to .2: the default. How much a trained network mixes over time has not been measured here.

    python examples/timeline_resolution.py [--events 40] [--seed 0]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vswin_cli.config import SegmentOptions
from vswin_cli.timeline.scores import ClipLogits
from vswin_cli.timeline.segments import Segment, find_segments
from vswin_cli.timeline.track_builder import TrackBuilder

Floats = NDArray[np.float64]

STEPS = 16  # per clip: 32 frames, two per step
STEP_SECONDS = 2 / 15
EVENT_SECONDS = (1.0, 2.0, 4.0, 10.0)


@dataclass(frozen=True)
class World:
    """Assumptions on how the simulated network behaves."""

    blur: float = 2.0
    """Standard deviation of what a step sees of its neighbours, in steps."""
    leak: float = 0.25
    """Part of a step's logit that is the mean over its clip."""
    noise: float = 1.0
    """Standard deviation, in logits, of each of the three kinds of noise."""
    slope: float = 8.0
    """Logits between no evidence and full evidence."""

    def __str__(self) -> str:
        return f"blur {self.blur:g} steps, leak {self.leak:.0%}, noise {self.noise:g}"


@dataclass(frozen=True)
class Method:
    """One way to make a timeline: stride, step or clip scores, smoothing."""

    name: str
    stride_steps: int
    per_step: bool = True
    smooth_seconds: float = 0.0

    @property
    def cost(self) -> float:
        """Forward passes relative to clips that do not overlap."""
        return STEPS / self.stride_steps


BASELINE = Method("clip scores, stride 50%", STEPS // 2, per_step=False)
CONTENDERS = (
    Method("step scores, stride 100%", STEPS, smooth_seconds=0.5),
    Method("step scores, stride 75%", STEPS * 3 // 4, smooth_seconds=0.5),
    Method("step scores, stride 50%", STEPS // 2, smooth_seconds=0.5),
)
OTHERS = (
    Method("clip scores, stride 100%", STEPS, per_step=False),
    Method("clip scores, stride 25%", STEPS // 4, per_step=False),
    Method("step scores, stride 100%, not smoothed", STEPS),
    Method("step scores, stride 100%, smoothed 1 s", STEPS, smooth_seconds=1.0),
    Method("step scores, stride 75%, not smoothed", STEPS * 3 // 4),
    Method("step scores, stride 50%, not smoothed", STEPS // 2),
)
MIDDLE = World()
WORLDS = (
    MIDDLE,
    World(blur=0.0, leak=0.0),
    World(blur=4.0),
    World(blur=8.0),
    World(leak=0.75),
    World(blur=4.0, leak=0.5),
    World(noise=0.0),
    World(noise=2.0),
)
THRESHOLDS = ((0.4, 0.2), (0.5, 0.35))


@dataclass(frozen=True)
class Video:
    """Events of a synthetic video, and the evidence that every method shares."""

    events: Floats
    """(E, 2) start and end in seconds."""
    evidence: Floats
    """(N,) part of each step that an event covers."""
    content: Floats
    """(N,) noise that belongs to the moment, standard deviation 1."""


def make_video(length: float, count: int, rng: np.random.Generator) -> Video:
    """Draw `count` events of one length, 6 to 12 s apart, at any phase to the clips."""
    pauses = rng.uniform(6, 12, count)
    starts = np.cumsum(pauses) + length * np.arange(count)
    events = np.stack([starts, starts + length], axis=1)
    num_steps = int(np.ceil((events[-1, 1] + 12) / STEP_SECONDS / STEPS)) * STEPS
    left = np.arange(num_steps) * STEP_SECONDS
    evidence = np.zeros(num_steps)
    for start, end in events:
        evidence += np.clip(np.minimum(left + STEP_SECONDS, end) - np.maximum(left, start), 0, None)
    white = rng.normal(size=num_steps + 6)
    content = np.convolve(white, np.hanning(9)[1:-1], mode="valid")  # lasts about half a second
    return Video(events, evidence / STEP_SECONDS, content / content.std())


def mixing(world: World) -> Floats:
    """Return the weights (D, D) with which each step of a clip sees the others."""
    apart = np.subtract.outer(np.arange(STEPS), np.arange(STEPS))
    near = np.exp(-0.5 * (apart / max(world.blur, 1e-3)) ** 2)
    near /= near.sum(axis=1, keepdims=True)
    return (1 - world.leak) * near + world.leak / STEPS


def clips(video: Video, method: Method, world: World, seed: int) -> Iterator[ClipLogits]:
    """Simulate the network's logits; a clip that two methods share has the same noise in both."""
    seen = video.evidence + video.content * world.noise / world.slope
    matrix = mixing(world)
    last = len(seen) - STEPS
    starts = sorted({*range(0, last + 1, method.stride_steps), last})
    for index, start in enumerate(starts):
        rng = np.random.default_rng((seed, start))
        logits = world.slope * (matrix @ seen[start : start + STEPS] - 0.5)
        logits += world.noise * (rng.normal() + rng.normal(size=STEPS))
        if not method.per_step:
            logits[:] = logits.mean()
        both = np.stack([logits, np.zeros(STEPS)], axis=1)[None].astype(np.float32)  # (1, D, 2)
        edges = (start + np.arange(STEPS + 1)) * STEP_SECONDS
        yield ClipLogits(index, edges, both, STEPS)


def segments_of(
    video: Video, method: Method, world: World, options: SegmentOptions, seed: int
) -> list[Segment]:
    """Make segments from simulated logits with vswin's own code."""
    builder = TrackBuilder(("event", "else"), "softmax", STEP_SECONDS)
    for clip in clips(video, method, world, seed):
        builder.add(clip)
    with builder.finish(len(video.evidence) * STEP_SECONDS) as track:
        return find_segments(
            track, replace(options, include=("event",), smooth_seconds=method.smooth_seconds)
        )


def judge(video: Video, found: Sequence[Segment]) -> tuple[float, float]:
    """Return the mean IoU of the best segment per event, and false segments per event."""
    spans = np.array([(one.start_seconds, one.end_seconds) for one in found]).reshape(-1, 2)
    if not len(spans):
        return 0.0, 0.0
    overlap = np.minimum(spans[:, None, 1], video.events[None, :, 1]) - np.maximum(
        spans[:, None, 0], video.events[None, :, 0]
    )
    overlap = np.clip(overlap, 0, None)  # (segments, events)
    lengths = np.diff(spans, axis=1), np.diff(video.events, axis=1).T
    iou = overlap / (lengths[0] + lengths[1] - overlap)
    return float(iou.max(axis=0).mean()), float(
        (overlap.sum(axis=1) == 0).sum() / len(video.events)
    )


def measure(
    method: Method, world: World, options: SegmentOptions, args: argparse.Namespace
) -> list[tuple[float, float]]:
    """Measure (IoU, false alarms) for each length of event."""
    results = []
    for length in EVENT_SECONDS:
        video = make_video(length, args.events, np.random.default_rng((args.seed, int(length))))
        results.append(judge(video, segments_of(video, method, world, options, args.seed)))
    return results


def print_verdict(args: argparse.Namespace) -> None:
    """Print a line per world and thresholds: the baseline, and what each contender gains."""
    print(f"mean IoU by length of event ({', '.join(f'{s:g}' for s in EVENT_SECONDS)} s), and gain")
    print(f"{'':44}{BASELINE.name:24}" + "".join(f"{one.name:30}" for one in CONTENDERS))
    print(f"{'forward passes per hour, relative':44}{BASELINE.cost:<24.2f}", end="")
    print("".join(f"{one.cost:<30.2f}" for one in CONTENDERS))
    for onset, offset in THRESHOLDS:
        options = SegmentOptions(onset=onset, offset=offset, min_duration_seconds=args.min_duration)
        for world in WORLDS:
            base = [iou for iou, _ in measure(BASELINE, world, options, args)]
            line = f"{onset:g}/{offset:<5g}{world!s:36}"
            line += " ".join(f"{iou:.2f}" for iou in base).ljust(24)
            for method in CONTENDERS:
                ious = [iou for iou, _ in measure(method, world, options, args)]
                gains = zip(ious, base, strict=True)
                line += " ".join(f"{iou - other:+.2f}" for iou, other in gains).ljust(30)
            print(line, flush=True)


def print_details(world: World, options: SegmentOptions, args: argparse.Namespace) -> None:
    """Print a line per method: IoU per length of event, false alarms, cost."""
    print(f"\n{world!s}, onset {options.onset:g}, offset {options.offset:g}")
    print(f"{'':40}" + "".join(f"{length:6g} s" for length in EVENT_SECONDS) + "  false  cost")
    for method in (BASELINE, *CONTENDERS, *OTHERS):
        results = measure(method, world, options, args)
        ious = "".join(f"{iou:8.2f}" for iou, _ in results)
        false = sum(alarms for _, alarms in results) / len(results)
        print(f"{method.name:40}{ious}{false:7.2f}{method.cost:5.2f}x", flush=True)


def main() -> None:
    """Compare over worlds and thresholds, then all methods in the middle one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--events", type=int, default=40, help="per length")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--min-duration", type=float, default=SegmentOptions().min_duration_seconds)
    args = parser.parse_args()
    print_verdict(args)
    print_details(MIDDLE, SegmentOptions(min_duration_seconds=args.min_duration), args)


if __name__ == "__main__":
    main()

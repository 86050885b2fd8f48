"""Measure a video end to end: decoding alone, the network alone, both, and other tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import TYPE_CHECKING

from vswin_cli.bench.decode_ceiling import (
    DecodersAtOnce,
    ceiling_of_decoding,
    hardware_decoders,
    software_decoders,
)
from vswin_cli.bench.machine import synchronise
from vswin_cli.bench.memory import MemoryRequest, measure_memory
from vswin_cli.bench.record import PeerVideo, Stage, Timing, VideoReport
from vswin_cli.bench.timing import OnStep, Workload, ignore_step, measure
from vswin_cli.config import SamplingOptions
from vswin_cli.errors import DecodeError
from vswin_cli.inference.pipeline import analyze_video
from vswin_cli.storage.sources import VideoSource
from vswin_cli.video.clips import Clip, open_clips
from vswin_cli.video.decode_options import DecodeOptions
from vswin_cli.video.info import DecodeReport, VideoInfo

if TYPE_CHECKING:
    from vswin_cli.bench.mmaction_peer import LongVideoDemo
    from vswin_cli.inference.engine import Engine
    from vswin_cli.models.architecture import InputSpec

__all__ = ["BenchVideo", "decode_once", "measure_video"]

_KEPT_CLIPS = 16  # decoded clips held for feeding the network alone
_DECODE, _MODEL, _WHOLE = "decoding alone", "network alone", "end to end"
_WHOLE_FLOAT32 = "end to end in float32"
_SAMPLING = SamplingOptions()


@dataclass(frozen=True, slots=True, eq=False)
class BenchVideo:
    """A video that was decoded once, and its first clips."""

    source: VideoSource
    """On this machine's disk."""
    synthesised: bool
    info: VideoInfo
    report: DecodeReport
    clips: int
    """That the defaults of `vswin tag` make of it."""
    first_clips: tuple[Clip, ...]
    """Decoded, to be fed to networks."""

    @property
    def seconds(self) -> float:
        """Length of the video."""
        return self.report.duration_seconds


def decode_once(source: VideoSource, spec: InputSpec, *, synthesised: bool = False) -> BenchVideo:
    """Decode a video once, which also brings the file into memory.

    Args:
        source: a file on this machine.
        spec: what the network expects.
        synthesised: whether the video was made for this.

    Raises:
        SourceError: it cannot be opened, holds no video, or nothing of it can be decoded.
    """
    kept: list[Clip] = []
    count = 0
    with open_clips(source, spec, _SAMPLING) as stream:
        for clip in stream:
            count += 1
            if len(kept) < _KEPT_CLIPS:
                kept.append(clip)
        info, report = stream.info, stream.report
    if not kept:
        raise DecodeError(
            f"no frame of {source.uri} could be decoded",
            hint=f"`vswin probe --scan {source.uri}` shows what is wrong with the file",
        )
    return BenchVideo(source, synthesised, info, report, count, tuple(kept))


def measure_video(
    video: BenchVideo,
    engines: Mapping[str, Engine],
    precision: str,
    *,
    passes: int,
    demos: Sequence[LongVideoDemo] = (),
    memory: MemoryRequest | None = None,
    on_step: OnStep = ignore_step,
) -> VideoReport:
    """Measure the stages in turns, and other tools with them.

    Args:
        video: what to work on.
        engines: by precision; `float32` among them.
        precision: the one that `vswin tag` would use.
        passes: how often each is measured.
        demos: other tools.
        memory: what to run for measuring memory, if it is to be measured.
        on_step: called before each step.
    """
    stages = _stages(video, engines, precision, with_float32=bool(demos))
    ceilings = _ceilings(video)
    others = [Workload(demo.name, lambda demo=demo: demo.run(video.source.path)) for demo in demos]  # type: ignore[misc]
    on_step(f"the video, {', '.join(workload.name for workload in [*stages, *others])}")
    for _ in engines[precision].score(video.first_clips):
        # Warms up the network; decoding was warmed up by `decode_once`, which has also brought the
        # file into the page cache, so no stage below pays for the disk.
        pass
    workloads = [*stages, *(ceiling.workload for ceiling in ceilings), *others]
    timings = measure(workloads, passes, warm_up=False, on_step=on_step)
    notes: list[str] = []
    peak = None
    if memory is not None:
        on_step("peak memory")
        peak = measure_memory(memory, notes)
    decode, model, whole = (timings[name].fastest_seconds for name in (_DECODE, _MODEL, _WHOLE))
    frames_per_second = video.report.frames_decoded / decode
    return VideoReport(
        uri=video.source.uri,
        synthesised=video.synthesised,
        width=video.info.display_width,
        height=video.info.display_height,
        codec=video.info.codec,
        duration_seconds=video.seconds,
        frames=video.report.frames_decoded,
        clips=video.clips,
        precision=precision,
        decode=_stage(video, timings[_DECODE]),
        frames_per_second=frames_per_second,
        model=_stage(video, timings[_MODEL]),
        end_to_end=_stage(video, timings[_WHOLE]),
        to_slower=whole / max(decode, model),
        to_sum=whole / (decode + model),
        memory=peak,
        float32=_stage(video, timings[_WHOLE_FLOAT32]) if _WHOLE_FLOAT32 in timings else None,
        peers=tuple(_peer(video, demo, timings, engines["float32"]) for demo in demos),
        notes=tuple(notes),
        decode_ceiling=ceiling_of_decoding(frames_per_second, ceilings, timings),
    )


def _ceilings(video: BenchVideo) -> list[DecodersAtOnce]:
    """Return decoders to compare with; none where they cannot decode the video."""
    path, frames = video.source.path, video.report.frames_decoded
    if path is None or video.report.status != "ok":
        return []
    found = (software_decoders(path, frames), hardware_decoders(path, frames))
    return [ceiling for ceiling in found if ceiling is not None]


def _stages(
    video: BenchVideo, engines: Mapping[str, Engine], precision: str, *, with_float32: bool
) -> list[Workload]:
    engine = engines[precision]

    def decode() -> None:
        spec = engine.model.card.input
        options = DecodeOptions(
            decoders=engine.spare_decoders,
            decoder=engine.decoder,
            device_index=engine.device.index or 0,
        )
        with open_clips(video.source, spec, _SAMPLING, options) as stream:
            for _ in stream:
                pass

    def run_network() -> None:
        for _ in engine.score(islice(cycle(video.first_clips), video.clips)):
            pass
        synchronise(engine.device)

    def tag(engine: Engine) -> None:
        analyze_video(video.source, engine, _SAMPLING)
        synchronise(engine.device)

    stages = [
        Workload(_DECODE, decode),
        Workload(_MODEL, run_network),
        Workload(_WHOLE, lambda: tag(engine)),
    ]
    if with_float32 and precision != "float32":
        stages.append(Workload(_WHOLE_FLOAT32, lambda: tag(engines["float32"])))
    return stages


def _stage(video: BenchVideo, timing: Timing) -> Stage:
    return Stage(timing, video.seconds / timing.fastest_seconds)


def _peer(
    video: BenchVideo, demo: LongVideoDemo, timings: Mapping[str, Timing], exact: Engine
) -> PeerVideo:
    timing = timings[demo.name]
    # The demo runs in float32 only, so both ratios are given: as vswin runs, and like for like.
    ours = timings[_WHOLE].fastest_seconds
    ours_float32 = timings.get(_WHOLE_FLOAT32, timings[_WHOLE]).fastest_seconds
    return PeerVideo(
        name=demo.name,
        precision="float32",
        settings=demo.settings,
        timing=timing,
        times_real_time=video.seconds / timing.fastest_seconds,
        clips=demo.clips,
        slower=timing.fastest_seconds / ours,
        slower_float32=timing.fastest_seconds / ours_float32,
        difference=demo.difference(exact, video.first_clips[0]),
    )

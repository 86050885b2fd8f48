"""Run one benchmark from end to end: networks, then the video, then memory."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch

from vswin_cli.bench.machine import describe_machine
from vswin_cli.bench.memory import MemoryRequest
from vswin_cli.bench.mmaction_peer import LongVideoDemo, import_mmaction
from vswin_cli.bench.networks import describe_subject, measure_networks, measure_precisions
from vswin_cli.bench.record import BenchReport
from vswin_cli.bench.subject import Subject, load_subject
from vswin_cli.bench.synthesis import VideoSize, synthesise
from vswin_cli.bench.timing import OnStep, ignore_step
from vswin_cli.bench.torchvision_peer import build_torchvision, import_torchvision
from vswin_cli.bench.videos import BenchVideo, decode_once, measure_video
from vswin_cli.config import EngineOptions, Precision, SamplingOptions
from vswin_cli.errors import OptionError, SourceError
from vswin_cli.inference.engine import Engine, resolve_device
from vswin_cli.inference.precision import choose_precision
from vswin_cli.storage.sources import VideoSource
from vswin_cli.video.sampling import plan_sampling

if TYPE_CHECKING:
    from torch import nn

    from vswin_cli.models.checkpoints.load import LoadedModel

__all__ = ["PEERS", "BenchOptions", "run_bench"]

Peer = Literal["torchvision", "mmaction2"]
PEERS: tuple[Peer, ...] = ("torchvision", "mmaction2")
_PACKAGES = {
    "torchvision": ("torchvision",),
    "mmaction2": ("mmaction2", "mmcv-lite", "opencv-python-headless"),
}
_FALLBACK_RATE = 25.0


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """Options of a benchmark.

    Raises:
        OptionError: an unknown peer, or no pass at all.
    """

    peers: tuple[str, ...] = ()
    """Of `PEERS`."""
    compiled: bool = False
    """Whether to measure networks after `torch.compile`, too."""
    passes: int = 5
    threads: int | None = None
    """Of PyTorch on the CPU; `None` leaves them as they are."""
    engine: EngineOptions = field(default_factory=EngineOptions)
    video: VideoSource | None = None
    """A video; `None` makes one."""
    synthetic: VideoSize = field(default_factory=VideoSize)
    """Of the video that is made."""
    memory: bool = True
    """Whether to measure memory, which tags the video once more."""

    def __post_init__(self) -> None:
        unknown = [peer for peer in self.peers if peer not in PEERS]
        if unknown:
            raise OptionError(
                f"unknown peer {unknown[0]!r}", hint=f"it can be {' or '.join(PEERS)}"
            )
        if self.passes < 1 or (self.threads is not None and self.threads < 1):
            raise OptionError("passes and threads must be at least 1")


def run_bench(
    subject: Subject, options: BenchOptions, *, on_step: OnStep = ignore_step
) -> BenchReport:
    """Measure everything in one run.

    Args:
        subject: the network.
        options: what to measure.
        on_step: called before each step.

    Raises:
        OptionError: a peer is not installed, or the options make no sense.
        SourceError: the video cannot be decoded.
        ModelError: the weights are not here or unusable.
        DeviceError: the device does not exist here, or is out of memory.
    """
    _check_peers(options)
    device = resolve_device(options.engine.device)
    model = load_subject(subject)
    with _threads(options.threads), _local_video(options, on_step) as source:
        choice = choose_precision(options.engine.precision, device, model.card)
        engines = _engines(model, options.engine, choice.name)
        on_step("decoding the video once")
        bench_video = decode_once(source, model.card.input, synthesised=options.video is None)
        job = _Job(
            subject, options, model, engines, choice.name, choice.reason, bench_video, on_step
        )
        return _measure(job)


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """Everything loaded for the measurements."""

    subject: Subject
    options: BenchOptions
    model: LoadedModel
    """As it was loaded, not converted by an engine, so peers can take its weights."""
    engines: Mapping[str, Engine]
    """By precision, float32 first."""
    precision: str
    """The one that `vswin tag` would use."""
    precision_reason: str
    video: BenchVideo
    on_step: OnStep


def _measure(job: _Job) -> BenchReport:
    options, engines, bench_video, on_step = job.options, job.engines, job.video, job.on_step
    demos = _demos(job)
    network = measure_networks(
        engines,
        bench_video.first_clips,
        _network_peers(job),
        batch_size=options.engine.batch_size or _batch_size(engines.values()),
        passes=options.passes,
        compiled=options.compiled,
        on_step=on_step,
    )
    if len(engines) > 1:
        on_step("differences between precisions")
        network = replace(network, precisions=measure_precisions(engines, bench_video.first_clips))
    measured = measure_video(
        bench_video,
        engines,
        job.precision,
        passes=options.passes,
        demos=demos,
        memory=_memory_request(job) if options.memory else None,
        on_step=on_step,
    )
    device = engines[job.precision].device
    return BenchReport(
        machine=describe_machine(device, _versions(options.peers)),
        subject=describe_subject(job.model, random_weights=job.subject.random),
        network=network,
        video=measured,
        passes=options.passes,
        precision_reason=job.precision_reason,
    )


def _check_peers(options: BenchOptions) -> None:
    """Check before any work that the peers are installed."""
    if "torchvision" in options.peers:
        import_torchvision()
    if "mmaction2" in options.peers:
        import_mmaction()


def _engines(model: LoadedModel, options: EngineOptions, wanted: Precision) -> dict[str, Engine]:
    """Build engines by precision, float32 first."""
    engines: dict[str, Engine] = {}
    names: tuple[Precision, ...] = ("float32", wanted)
    for name in dict.fromkeys(names):
        # An engine converts its network in place, so each gets a copy.
        own = replace(model, network=copy.deepcopy(model.network))
        engines[name] = Engine(own, replace(options, precision=name))
    return engines


def _batch_size(engines: Iterable[Engine]) -> int:
    """Return the clips per forward pass: one keeps a CPU busy, an accelerator needs more."""
    sizes = [engine.batch_size for engine in engines if engine.device.type != "cpu"]
    return min(sizes, default=1)


def _network_peers(job: _Job) -> dict[str, dict[str, nn.Module]]:
    if "torchvision" not in job.options.peers:
        return {}
    built = {}
    for precision, engine in job.engines.items():
        peer = build_torchvision(job.model.network)
        built[precision] = peer.to(device=engine.device, dtype=engine.dtype)
    return {"torchvision": built}


def _demos(job: _Job) -> list[LongVideoDemo]:
    if "mmaction2" not in job.options.peers:
        return []
    plan = plan_sampling(job.model.card.input, SamplingOptions())
    if job.video.report.frames_decoded < plan.num_frames:
        raise SourceError(
            f"{job.video.source.uri} is too short for --peer mmaction2: its window has "
            f"{plan.num_frames} frames, the video {job.video.report.frames_decoded}",
            hint="give a longer video",
        )
    share = plan.stride / plan.num_frames
    rate = job.video.info.frame_rate or _FALLBACK_RATE
    device = job.engines["float32"].device
    return [LongVideoDemo(job.model, device, stride=share, frame_rate=rate)]


def _memory_request(job: _Job) -> MemoryRequest:
    engine = job.options.engine
    return MemoryRequest(
        subject=job.subject.name,
        random=job.subject.random,
        video=str(job.video.source.path),
        device=engine.device,
        precision=engine.precision,
        batch_size=engine.batch_size,
        threads=torch.get_num_threads(),
    )


def _versions(peers: tuple[str, ...]) -> tuple[str, ...]:
    found = []
    for package in (package for peer in peers for package in _PACKAGES[peer]):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:  # installed under another name
            continue
    return tuple(found)


@contextmanager
def _threads(number: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _local_video(options: BenchOptions, on_step: OnStep) -> Iterator[VideoSource]:
    """Yield the user's video as a local file, or a synthetic one that the block's end deletes."""
    if options.video is not None:
        with options.video.local() as path:
            yield VideoSource(options.video.uri, Path(path))
        return
    with tempfile.TemporaryDirectory(prefix="vswin-bench-") as folder:
        on_step("making a video")
        size = options.synthetic
        path = synthesise(Path(folder) / f"synthetic-{size.width}x{size.height}.mp4", size)
        yield VideoSource(path.name, path)

"""One benchmark from end to end: which parts, in which order, on what."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import torch

from vswin_cli.bench.films import Film, look_at, measure_film
from vswin_cli.bench.machine import describe_machine, has_bfloat16
from vswin_cli.bench.memory import MemoryRequest
from vswin_cli.bench.mmaction_peer import LongVideoDemo, import_mmaction
from vswin_cli.bench.networks import describe_subject, measure_networks, measure_precisions
from vswin_cli.bench.record import BenchReport
from vswin_cli.bench.subject import Subject, load_subject
from vswin_cli.bench.synthesis import FilmSize, synthesise
from vswin_cli.bench.timing import OnStep, ignore_step
from vswin_cli.bench.torchvision_peer import build_torchvision, import_torchvision
from vswin_cli.config import EngineOptions, Precision, SamplingOptions
from vswin_cli.engine import Engine, resolve_device, resolve_precision
from vswin_cli.errors import OptionError
from vswin_cli.sampling import plan_sampling
from vswin_cli.sources import VideoSource

if TYPE_CHECKING:
    from torch import nn

    from vswin_cli.models.checkpoint import LoadedModel

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
    """What to measure, and how often.

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
    """A film; `None` makes one."""
    film: FilmSize = field(default_factory=FilmSize)
    """Of the film that is made."""
    memory: bool = True
    """Whether to measure memory, which tags the film once more."""

    def __post_init__(self) -> None:
        unknown = [peer for peer in self.peers if peer not in PEERS]
        if unknown:
            raise OptionError(
                f"no peer is called {unknown[0]!r}", hint=f"it can be {' or '.join(PEERS)}"
            )
        if self.passes < 1 or (self.threads is not None and self.threads < 1):
            raise OptionError("passes and threads must be at least 1")


def run_bench(
    subject: Subject,
    options: BenchOptions,
    *,
    model: LoadedModel | None = None,
    on_step: OnStep = ignore_step,
) -> BenchReport:
    """Measure everything in one run.

    Args:
        subject: the network.
        options: what to measure.
        model: the network, where it is loaded already.
        on_step: told what comes next.

    Raises:
        OptionError: a peer is not installed, or the options make no sense.
        SourceError: the film cannot be decoded.
        ModelError: the weights are not here or unusable.
        DeviceError: the device does not exist here, or is out of memory.
    """
    _check_peers(options)
    device = resolve_device(options.engine.device)
    with _threads(options.threads), _local_film(options, on_step) as source:
        model = load_subject(subject) if model is None else model
        engines, precision = _engines(model, options.engine, device)
        on_step("decoding the film once")
        film = look_at(source, model.card.input, synthesised=options.video is None)
        return _measure(subject, options, film, engines, precision, on_step)


def _measure(
    subject: Subject,
    options: BenchOptions,
    film: Film,
    engines: Mapping[str, Engine],
    precision: str,
    on_step: OnStep,
) -> BenchReport:
    exact = engines["float32"]
    batch_size = options.engine.batch_size or _batch_size(engines.values())
    network = measure_networks(
        engines,
        film.first_clips,
        _network_peers(options, engines),
        batch_size=batch_size,
        passes=options.passes,
        compiled=options.compiled,
        on_step=on_step,
    )
    on_step("differences between precisions")
    network = replace(network, precisions=measure_precisions(engines, film.first_clips))
    measured = measure_film(
        film,
        engines,
        precision,
        passes=options.passes,
        demos=_demos(options, exact, film),
        memory=_memory_request(subject, options, film) if options.memory else None,
        on_step=on_step,
    )
    return BenchReport(
        machine=describe_machine(exact.device, _versions(options.peers)),
        subject=describe_subject(exact.model, random_weights=subject.random),
        network=network,
        film=measured,
        passes=options.passes,
    )


def _check_peers(options: BenchOptions) -> None:
    """Find out before any work whether peers are installed."""
    if "torchvision" in options.peers:
        import_torchvision()
    if "mmaction2" in options.peers:
        import_mmaction()


def _engines(
    model: LoadedModel, options: EngineOptions, device: torch.device
) -> tuple[dict[str, Engine], str]:
    """Engines by precision, float32 first, each with a network of its own; and which is wanted."""
    wanted = str(resolve_precision(options.precision, device)).removeprefix("torch.")
    names = {"float32": None, wanted: None}
    if options.precision == "auto" and has_bfloat16(device):
        names["bfloat16"] = None
    engines = {}
    for name in names:
        own = replace(model, network=copy.deepcopy(model.network))
        engines[name] = Engine(own, replace(options, precision=cast(Precision, name)))
    return engines, wanted


def _batch_size(engines: Iterable[Engine]) -> int:
    """Clips per forward pass: one keeps a CPU busy, an accelerator wants more."""
    sizes = [one.batch_size for one in engines if one.device.type != "cpu"]
    return min(sizes, default=1)


def _network_peers(
    options: BenchOptions, engines: Mapping[str, Engine]
) -> dict[str, dict[str, nn.Module]]:
    if "torchvision" not in options.peers:
        return {}
    built = {}
    for precision, engine in engines.items():
        peer = build_torchvision(engines["float32"].model.network)
        built[precision] = peer.to(device=engine.device, dtype=engine.dtype)
    return {"torchvision": built}


def _demos(options: BenchOptions, exact: Engine, film: Film) -> list[LongVideoDemo]:
    if "mmaction2" not in options.peers:
        return []
    plan = plan_sampling(exact.model.card.input, SamplingOptions())
    share = plan.stride / plan.num_frames
    rate = film.info.frame_rate or _FALLBACK_RATE
    return [LongVideoDemo(exact.model, exact.device, stride=share, frame_rate=rate)]


def _memory_request(subject: Subject, options: BenchOptions, film: Film) -> MemoryRequest:
    return MemoryRequest(
        subject=subject.name,
        random=subject.random,
        video=str(film.source.path),
        device=options.engine.device,
        precision=options.engine.precision,
        batch_size=options.engine.batch_size,
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
def _local_film(options: BenchOptions, on_step: OnStep) -> Iterator[VideoSource]:
    """The user's film on this machine's disk, or one that lasts as long as the block."""
    if options.video is not None:
        with options.video.local() as path:
            yield VideoSource(options.video.uri, Path(path))
        return
    with tempfile.TemporaryDirectory(prefix="vswin-bench-") as folder:
        on_step("making a film")
        size = options.film
        path = synthesise(Path(folder) / f"synthetic-{size.width}x{size.height}.mp4", size)
        yield VideoSource(path.name, path)

"""Measure the network alone: clips per second, share of the ceiling, peers, precision.

Every network of a run gets the same clips and the same weights, and all take turns with the matrix
products that make the ceiling. On a CPU each is measured in both ways of using the threads, all of
them on one pass or one pass per thread, and the faster one counts, for peers as for ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vswin_cli.bench.ceiling import best_products, ceiling_of
from vswin_cli.bench.flops import count_macs, mlp_shapes
from vswin_cli.bench.machine import synchronise
from vswin_cli.bench.record import (
    Ceiling,
    NetworkReport,
    NetworkRow,
    PrecisionRow,
    SubjectRecord,
    Timing,
)
from vswin_cli.bench.timing import OnStep, Workload, ignore_step, measure
from vswin_cli.inference.engine import Engine
from vswin_cli.inference.views import make_views
from vswin_cli.models.checkpoints.load import LoadedModel
from vswin_cli.models.network.cpu_threads import run_pieces
from vswin_cli.models.network.cuda_path import products_in_tf32
from vswin_cli.storage.humanize import counted
from vswin_cli.video.clips import Clip

__all__ = ["describe_subject", "measure_networks", "measure_precisions"]

OURS = "vswin"
_PASS_SECONDS = 0.2
_COMPILED_CALLS = 5  # torch.compile compiles again in the first few calls


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """One network in one precision."""

    name: str
    precision: str
    run: Callable[[Tensor], Tensor]
    batch: Tensor
    """(B, 3, T, S, S) on the device."""
    threads: int
    """How many passes run at once, one per thread; 1 if it cannot run so."""

    @property
    def all_threads(self) -> Workload:
        """Run one pass on all threads, or on the accelerator."""
        return Workload(f"{self.name} in {self.precision}", self.logits)

    @property
    def per_thread(self) -> Workload:
        """Run one pass per thread."""

        def work(batch: Tensor) -> None:
            self.run(batch)

        def run() -> None:
            run_pieces(work, [self.batch] * self.threads)

        return Workload(f"{self.name} in {self.precision}, a pass per thread", run)

    @property
    def workloads(self) -> list[Workload]:
        """All ways to run it."""
        return [self.all_threads, self.per_thread] if self.threads > 1 else [self.all_threads]

    @torch.inference_mode()
    def logits(self) -> Tensor:
        """Run the batch and wait for its logits (B, K)."""
        with products_in_tf32(self.precision == "tf32"):
            logits = self.run(self.batch)
        synchronise(self.batch.device)
        return logits


def describe_subject(model: LoadedModel, *, random_weights: bool) -> SubjectRecord:
    """Describe the measured network, and count the multiply-adds of one clip."""
    card, size = model.card, _clip_size(model)
    shape, classes = card.architecture, card.num_classes
    return SubjectRecord(
        id=card.id,
        architecture=shape.name,
        random_weights=random_weights,
        num_classes=classes,
        input=size,
        reference_macs=count_macs(shape, size, classes),
        unmasked_macs=count_macs(shape, size, classes, skip_masked=True),
    )


def measure_networks(
    engines: Mapping[str, Engine],
    clips: Sequence[Clip],
    peers: Mapping[str, Mapping[str, nn.Module]],
    *,
    batch_size: int,
    passes: int,
    compiled: bool = False,
    on_step: OnStep = ignore_step,
) -> NetworkReport:
    """Measure forward passes in each precision.

    Args:
        engines: ours, by precision; `float32` among them.
        clips: decoded clips to feed, one at least.
        peers: other implementations on the same device, by name and precision.
        batch_size: clips per forward pass.
        passes: how often each is measured.
        compiled: also measure each network after `torch.compile`, where that works.
        on_step: called before each step.
    """
    entries = [
        _Entry(name, precision, network, _batch(engine, clips, batch_size), _threads(engine))
        for precision, engine in engines.items()
        for name, network in [
            (OURS, engine.model.network),
            *((peer, built[precision]) for peer, built in peers.items()),
        ]
    ]
    on_step(counted(len(entries), "network"))
    notes: list[str] = []
    if compiled:
        for entry in list(entries):
            on_step(f"compiling {entry.all_threads.name}, which may take minutes")
            _add_compiled(entry, entries, notes)
    products = {
        precision: best_products(
            engine.device, engine.dtype, _products_of(engine, batch_size), tf32=precision == "tf32"
        )
        for precision, engine in engines.items()
    }
    timings = measure(
        [
            *(workload for entry in entries for workload in entry.workloads),
            *(product.workload for kept, _ in products.values() for product in kept),
        ],
        passes,
        pass_seconds=_PASS_SECONDS,
        on_step=on_step,
    )
    ceilings = {
        precision: ceiling_of(precision, kept, tried, timings)
        for precision, (kept, tried) in products.items()
    }
    rows = _rows(next(iter(engines.values())).model, entries, timings, ceilings)
    return NetworkReport(tuple(ceilings.values()), rows, (), tuple(notes))


def measure_precisions(
    engines: Mapping[str, Engine], clips: Sequence[Clip]
) -> tuple[PrecisionRow, ...]:
    """Compare the results of each faster precision with those in float32."""
    steps = {name: _logits(engine, clips) for name, engine in engines.items()}  # (N, D, K)
    exact = steps.pop("float32")
    rows = []
    for precision, rough in steps.items():
        clip_exact, clip_rough = exact.mean(1), rough.mean(1)  # (N, K)
        rows.append(
            PrecisionRow(
                precision=precision,
                largest_difference=_largest(clip_rough - clip_exact),
                largest_logit=_largest(clip_exact),
                agreement=_agreement(clip_exact, clip_rough),
                step_agreement=_agreement(exact, rough),
                clips=len(exact),
            )
        )
    return tuple(rows)


def _clip_size(model: LoadedModel) -> tuple[int, int, int]:
    spec = model.card.input
    return spec.num_frames, spec.crop_size, spec.crop_size


def _products_of(engine: Engine, batch_size: int) -> list[tuple[int, int, int]]:
    return mlp_shapes(engine.model.card.architecture, _clip_size(engine.model), batch_size)


def _batch(engine: Engine, clips: Sequence[Clip], size: int) -> Tensor:
    """Make a batch (size, 3, T, S, S) of the first clips, repeated if there are too few."""
    views = [
        make_views(
            torch.from_numpy(clips[number % len(clips)].frames).to(engine.device),
            engine.model.card.input,
            1,
            engine.dtype,
        )
        for number in range(size)
    ]
    return torch.cat(views)


def _threads(engine: Engine) -> int:
    return torch.get_num_threads() if engine.device.type == "cpu" else 1


def _add_compiled(entry: _Entry, entries: list[_Entry], notes: list[str]) -> None:
    """Append the compiled network if compiling it works.

    It is measured on all threads only: the number of threads is compiled in.
    """
    network = torch.compile(entry.run)
    compiled = _Entry(f"{entry.name} compiled", entry.precision, network, entry.batch, 1)
    try:
        for _ in range(_COMPILED_CALLS):
            compiled.logits()
    except Exception as problem:  # whatever a compiler may raise, the rest can be measured
        reason = next(iter(str(problem).splitlines()), type(problem).__name__)
        notes.append(f"torch.compile failed on {entry.all_threads.name}: {reason[:200]}")
    else:
        entries.append(compiled)


def _rows(
    model: LoadedModel,
    entries: Sequence[_Entry],
    timings: Mapping[str, Timing],
    ceilings: Mapping[str, Ceiling],
) -> tuple[NetworkRow, ...]:
    """Derive rates and ratios from the timings, entry by entry."""
    macs = count_macs(model.card.architecture, _clip_size(model), model.card.num_classes)
    ours = {entry.precision: entry for entry in entries if entry.name == OURS}
    # Peers are compared with ours in the same precision: else rounding would count as a fault.
    outputs = {precision: entry.logits() for precision, entry in ours.items()}
    ours_seconds = {name: _ways(entry, timings)[0].seconds for name, entry in ours.items()}
    rows = []
    for entry in entries:
        best, *others = _ways(entry, timings)
        is_ours = entry is ours[entry.precision]
        gflops = 2 * macs / best.seconds / 1e9
        rows.append(
            NetworkRow(
                name=entry.name,
                precision=entry.precision,
                timing=best.timing,
                one_pass_per_thread=best.per_thread,
                clips_at_once=best.clips,
                other_way_seconds=others[0].seconds if others else None,
                clips_per_second=1 / best.seconds,
                gflops=gflops,
                share=gflops / ceilings[entry.precision].gflops,
                slower=best.seconds / ours_seconds[entry.precision],
                slower_than_best=best.seconds / min(ours_seconds.values()),
                difference=None
                if is_ours
                else _largest(entry.logits().float() - outputs[entry.precision].float()),
            )
        )
    return tuple(rows)


@dataclass(frozen=True, slots=True)
class _Way:
    """One way of using the threads, measured."""

    per_thread: bool
    """One pass per thread, or all threads on one pass."""
    clips: int
    timing: Timing
    """Of one clip."""

    @property
    def seconds(self) -> float:
        """Of one clip in the fastest pass."""
        return self.timing.fastest_seconds


def _ways(entry: _Entry, timings: Mapping[str, Timing]) -> list[_Way]:
    """Return the measured ways to use the threads, the fastest first."""
    batch = len(entry.batch)
    ways = [
        _Way(per_thread, batch * passes, timings[workload.name].per(batch * passes))
        for per_thread, passes, workload in zip(
            (False, True), (1, entry.threads), entry.workloads, strict=False
        )
    ]
    return sorted(ways, key=lambda way: way.seconds)


def _logits(engine: Engine, clips: Sequence[Clip]) -> Tensor:
    """Run clips through an engine: (N, D, K) in float32."""
    return torch.stack([torch.from_numpy(clip.logits[0]) for clip in engine.score(clips)])


def _largest(values: Tensor) -> float:
    return float(values.abs().max())


def _agreement(a: Tensor, b: Tensor) -> float:
    return float((a.argmax(-1) == b.argmax(-1)).float().mean())

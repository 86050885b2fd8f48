"""The network without a film around it: clips per second, share of the ceiling, peers, precision.

Every network of a run gets the same clips and the same weights, and all take turns with the matrix
products that make the ceiling.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vswin_cli.bench.ceiling import Product, best_products, ceiling_of
from vswin_cli.bench.flops import count_macs, mlp_shapes
from vswin_cli.bench.machine import synchronise
from vswin_cli.bench.record import NetworkReport, NetworkRow, PrecisionRow, SubjectRecord, Timing
from vswin_cli.bench.timing import Contender, OnStep, ignore_step, measure
from vswin_cli.clips import Clip
from vswin_cli.engine import Engine
from vswin_cli.models.checkpoint import LoadedModel
from vswin_cli.transforms import make_views

__all__ = ["describe_subject", "measure_networks", "measure_precisions"]

OURS = "vswin"
_PASS_SECONDS = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """One network in one precision."""

    name: str
    precision: str
    run: Callable[[Tensor], Tensor]
    batch: Tensor
    """(B, 3, T, S, S) on the device."""

    @property
    def key(self) -> str:
        return f"{self.name} in {self.precision}"

    @torch.inference_mode()
    def __call__(self) -> Tensor:
        """Logits (B, K), once the device has finished."""
        logits = self.run(self.batch)
        synchronise(self.batch.device)
        return logits


def describe_subject(model: LoadedModel, *, random_weights: bool) -> SubjectRecord:
    """What is measured, and the work that one clip of it is."""
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
        on_step: told what comes next.
    """
    entries = [
        _Entry(name, precision, network, _batch(engines[precision], clips, batch_size))
        for precision, engine in engines.items()
        for name, network in [
            (OURS, engine.model.network),
            *((peer, built[precision]) for peer, built in peers.items()),
        ]
    ]
    on_step(f"{len(entries)} networks, {batch_size} clips at a time")
    notes: list[str] = []
    if compiled:
        for entry in list(entries):
            on_step(f"compiling {entry.key}, which may take minutes")
            _add_compiled(entry, entries, notes)
    outputs = {entry.key: entry().float().cpu() for entry in entries}
    products = {
        precision: best_products(engine.device, engine.dtype, _products_of(engine, batch_size))
        for precision, engine in engines.items()
    }
    timings = measure(
        [
            *(Contender(entry.key, entry) for entry in entries),
            *(product.contender for kept, _ in products.values() for product in kept),
        ],
        passes,
        pass_seconds=_PASS_SECONDS,
        on_step=on_step,
    )
    return _report(engines, entries, outputs, products, timings, notes)


def measure_precisions(
    engines: Mapping[str, Engine], clips: Sequence[Clip]
) -> tuple[PrecisionRow, ...]:
    """Hold the results of each faster precision against those in float32."""
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
    """The first clips, over again if there are too few: (size, 3, T, S, S)."""
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


def _add_compiled(entry: _Entry, entries: list[_Entry], notes: list[str]) -> None:
    """Append the compiled network if compiling it works."""
    network = torch.compile(entry.run)
    one = _Entry(f"{entry.name} compiled", entry.precision, network, entry.batch)
    try:
        one()
    except Exception as problem:  # whatever a compiler may raise, the rest can be measured
        reason = next(iter(str(problem).splitlines()), type(problem).__name__)
        notes.append(f"torch.compile failed on {entry.key}: {reason[:200]}")
    else:
        entries.append(one)


def _report(
    engines: Mapping[str, Engine],
    entries: Sequence[_Entry],
    outputs: Mapping[str, Tensor],
    products: Mapping[str, tuple[list[Product], int]],
    timings: Mapping[str, Timing],
    notes: Sequence[str],
) -> NetworkReport:
    ceilings = {
        precision: ceiling_of(precision, kept, tried, timings)
        for precision, (kept, tried) in products.items()
    }
    ours = {one.precision: one for one in entries if one.name == OURS}
    best = min(timings[one.key].fastest_seconds for one in ours.values())
    model = next(iter(engines.values())).model
    macs = count_macs(model.card.architecture, _clip_size(model), model.card.num_classes)
    rows = []
    for entry in entries:
        timing, first = timings[entry.key], ours[entry.precision]
        rate = len(entry.batch) / timing.fastest_seconds
        gflops = 2 * macs * rate / 1e9
        difference = _largest(outputs[entry.key] - outputs[first.key])
        rows.append(
            NetworkRow(
                name=entry.name,
                precision=entry.precision,
                timing=timing,
                batch=len(entry.batch),
                clips_per_second=rate,
                gflops=gflops,
                share=gflops / ceilings[entry.precision].gflops,
                slower=timing.fastest_seconds / timings[first.key].fastest_seconds,
                slower_than_best=timing.fastest_seconds / best,
                difference=None if entry is first else difference,
            )
        )
    return NetworkReport(tuple(ceilings.values()), tuple(rows), (), tuple(notes))


def _logits(engine: Engine, clips: Sequence[Clip]) -> Tensor:
    """(N, D, K) in float32."""
    return torch.stack([torch.from_numpy(one.logits[0]) for one in engine.score(clips)])


def _largest(values: Tensor) -> float:
    return float(values.abs().max())


def _agreement(a: Tensor, b: Tensor) -> float:
    return float((a.argmax(-1) == b.argmax(-1)).float().mean())

"""Choose workers and devices from `--workers` and the options of the model."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import islice, product
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vswin_cli.cli import console
from vswin_cli.cli.model_choice import ModelChoice, make_engine
from vswin_cli.config import Decoder, EngineOptions, Precision, SamplingOptions
from vswin_cli.errors import OptionError
from vswin_cli.storage.files import is_there
from vswin_cli.video.cores import usable_cores

if TYPE_CHECKING:
    from vswin_cli.batch.executor import Executor
    from vswin_cli.batch.job import EngineSetup, Task
    from vswin_cli.batch.ray_executor import Cluster
    from vswin_cli.inference.engine import Engine

__all__ = [
    "WorkerSetup",
    "Workers",
    "as_earlier_results",
    "set_up_workers",
]

_AUTO_PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")
_AUTO_DECODERS: tuple[Decoder, ...] = ("software", "auto")
_ENTRIES_TO_LOOK_AT = 20


@dataclass(frozen=True, slots=True)
class Workers:
    """Value of `--workers`."""

    kind: Literal["auto", "local", "ray"]
    count: int | None = None
    """Number of workers; `None` for as many as fit."""

    @classmethod
    def parse(cls, text: str) -> Workers:
        """Read `auto`, a number of processes, `local`, `ray` or `ray:8`.

        Raises:
            OptionError: it is none of these.
        """
        kind, _, count = text.partition(":")
        if kind.isdecimal() and not count:
            kind, count = "local", kind
        known = kind in ("auto", "local", "ray") and not (kind == "auto" and count)
        if not known or (count and not count.isdecimal()) or count == "0":
            raise OptionError(
                f"cannot read --workers {text!r}",
                hint="give auto, a number of processes, local, ray or ray:8",
            )
        return cls(kind, int(count) if count else None)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class WorkerSetup:
    """Engine, devices and settings from which workers are started."""

    engine: Engine
    """In this process; it has the same weights as those of the workers."""
    precision: Precision
    """Precision of all workers."""
    setup: EngineSetup
    devices: tuple[str, ...]
    """One per worker process; empty if this process does the work itself."""
    workers: Workers
    cluster: Cluster | None
    """Where workers run as Ray actors, if they do."""

    def close(self) -> None:
        """Leave the Ray cluster, if any."""
        if self.cluster is not None:
            self.cluster.close()

    @property
    def has_other_processes(self) -> bool:
        """Whether workers run outside this process."""
        return self.cluster is not None or bool(self.devices)

    def executor_for(self, task: Task) -> Callable[[int], Executor]:
        """Return a function that makes an executor for a number of jobs."""
        cluster = self.cluster
        if cluster is not None:
            from vswin_cli.batch.ray_executor import RayExecutor

            return lambda jobs: RayExecutor(
                cluster, self.setup, task, count=self.workers.count, max_count=jobs
            )
        if self.devices:
            from vswin_cli.batch.process_executor import ProcessExecutor

            return lambda jobs: ProcessExecutor(self.setup, task, self.devices)
        from vswin_cli.batch.executor import InlineExecutor

        return lambda jobs: InlineExecutor(self.engine, task, num_jobs=jobs)


def set_up_workers(
    workers: Workers,
    choice: ModelChoice,
    options: EngineOptions,
    *,
    crops: Literal[1, 3],
    ray_address: str | None,
    quiet: bool,
) -> WorkerSetup:
    """Choose workers, devices and precision, and load the model.

    Raises:
        DeviceError: the device does not exist here.
        ModelError: the weights cannot be fetched, read or used for tagging.
        OptionError: Ray is requested and not installed.
    """
    import torch

    from vswin_cli.batch.job import EngineSetup
    from vswin_cli.inference.engine import choose_decoder, resolve_device
    from vswin_cli.inference.precision import choose_precision

    cluster = None
    devices: tuple[str, ...] = ()
    if workers.kind == "ray":
        cluster = _join_cluster(ray_address, quiet=quiet)
        kind = "cuda" if cluster.has_gpus and options.device != "cpu" else "cpu"
    else:
        kind = resolve_device(options.device).type
        devices = _devices(workers, options.device, kind)
    many = cluster is not None or bool(devices)
    # Beside other processes, the engine in this one is there for its model only.
    here = replace(options, device="cpu", precision="float32") if many else options
    engine = make_engine(choice, here, crops=crops, quiet=quiet)
    # All workers must use the same precision: it is part of the fingerprint of the scores. Their
    # device may differ from this process's.
    card = engine.model.card
    precision = choose_precision(options.precision, torch.device(kind), card).name
    decoder = choose_decoder(options.decoder, torch.device(kind))
    setup = EngineSetup(
        reference=_absolute(choice.reference),
        labels=None if choice.labels is None else choice.labels.absolute(),
        options=replace(options, precision=precision, decoder=decoder),
        crops=crops,
        weights_sha256=engine.model.weights_sha256,
        ema=choice.ema,
        num_threads=_cores_each(len(devices)) if devices and devices[0] == "cpu" else None,
        decoding_cores=_cores_each(len(devices)) if devices and devices[0] != "cpu" else None,
    )
    return WorkerSetup(engine, precision, setup, devices, workers, cluster)


def _join_cluster(address: str | None, *, quiet: bool) -> Cluster:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # Ray warns if it is unset
    from vswin_cli.batch.ray_executor import connect

    cluster = connect(address)
    if not quiet:
        console.note(f"Ray on {cluster.address}: {cluster.num_nodes} machine(s)")
    return cluster


def as_earlier_results(
    setup: WorkerSetup,
    journals: Iterable[Path],
    choice: ModelChoice,
    sampling: SamplingOptions,
    wanted: EngineOptions,
) -> WorkerSetup:
    """Use precision and decoder of earlier results, if only so they need not be computed again.

    Args:
        setup: with what `auto` has chosen here.
        journals: folders of the journals of earlier runs, the most important first.
        choice: how to load the model.
        sampling: of this batch.
        wanted: as the user gave them; only what is `auto` changes.

    Returns:
        The same setup, or one with the other precision or decoder that `auto` may choose.
    """
    from vswin_cli.batch.fingerprints import scoring_fingerprint
    from vswin_cli.batch.journal import Journal

    own = setup.setup.options
    precisions = [own.precision, *(_AUTO_PRECISIONS if wanted.precision == "auto" else ())]
    decoders = [own.decoder, *(_AUTO_DECODERS if wanted.decoder == "auto" else ())]
    for journal in map(Journal, journals):
        outcomes = map(journal.outcome, islice(journal.entries(), _ENTRIES_TO_LOOK_AT))
        recorded = {outcome.scoring for outcome in outcomes if outcome is not None}
        for precision, decoder in product(precisions, decoders) if recorded else ():
            options = replace(own, precision=precision, decoder=decoder)
            if scoring_fingerprint(setup.engine.model, sampling, options) in recorded:
                return setup if options == own else _with_options(setup, options, choice)
    return setup


def _with_options(setup: WorkerSetup, options: EngineOptions, choice: ModelChoice) -> WorkerSetup:
    engine = setup.engine
    if not setup.has_other_processes:  # its network is in the other precision
        engine = make_engine(choice, options, crops=setup.setup.crops, quiet=True)
    inner = replace(setup.setup, options=options)
    return replace(setup, engine=engine, precision=options.precision, setup=inner)


def _devices(workers: Workers, name: str, kind: str) -> tuple[str, ...]:
    """Choose a device for each worker process; none if this process does the work."""
    import torch

    if kind == "cuda" and name in ("auto", "cuda"):
        cards = tuple(f"cuda:{i}" for i in range(torch.cuda.device_count()))
    else:
        cards = (name if name != "auto" else kind,)
    if workers.kind == "auto":
        return cards if len(cards) > 1 else ()
    # Four cores per worker on a CPU: one decodes, the others run the network.
    count = workers.count or max(len(cards), 1 if kind == "cuda" else usable_cores() // 4)
    return tuple(cards[i % len(cards)] for i in range(max(1, count)))


def _cores_each(num_workers: int) -> int:
    return max(1, usable_cores() // num_workers)


def _absolute(reference: str) -> str:
    """Make a path absolute, so that it is valid in every worker; keep a name."""
    path = Path(reference)
    return str(path.absolute()) if is_there(path) else reference

"""Run jobs in Ray actors, on all machines of a Ray cluster.

Only jobs and short messages go over the network: workers read videos and write the journal
themselves, so both must be on storage that all machines share. Ray's own retries are off, because
it would retry a job that kills its worker for ever; the scheduler decides.
"""

from __future__ import annotations

import logging
import os
import queue
import sys
import time
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

from vswin_cli.batch.executor import Deliver
from vswin_cli.batch.job import (
    MAX_CAPACITY,
    Decoded,
    EngineSetup,
    Fatal,
    Heartbeat,
    Job,
    Lost,
    Message,
    Ready,
    Task,
)
from vswin_cli.batch.outcome import WORKER_CRASHED
from vswin_cli.errors import DeviceError, OptionError, OutputError, VswinError
from vswin_cli.storage.child_python import outside_current_folder

if TYPE_CHECKING:
    from pathlib import Path

    from vswin_cli.batch.thread_worker import ThreadWorker

__all__ = ["Cluster", "RayExecutor", "connect"]

_POLL_INTERVAL_SECONDS = 5.0
_CPUS_PER_WORKER = 4  # one decodes, the others prepare clips
_STDOUT, _STDERR = 1, 2

_Position: TypeAlias = "tuple[int, float]"
"""Number of heartbeats so far, and the position in seconds of the last one.

The number shows progress while the position stays 0, as during a download.
"""


@dataclass(slots=True)
class Cluster:
    """A connection to Ray; `close` restores stdout."""

    has_gpus: bool
    address: str
    num_nodes: int
    stdout: int | None
    """Duplicate of the real stdout's descriptor; `None` once closed."""

    def close(self) -> None:
        """Leave the cluster, or end it if `connect` started it; idempotent."""
        ray = _ray()
        if self.stdout is not None:
            ray.shutdown()
            sys.stdout.flush()
            os.dup2(self.stdout, _STDOUT)
            os.close(self.stdout)
            self.stdout = None


def connect(address: str | None) -> Cluster:
    """Join a cluster, or start one on this machine if there is no address to join.

    Ray's processes write to the stdout that they inherit, whatever the options, so until `close`
    it is redirected to stderr.

    Raises:
        OptionError: Ray is not installed, or nothing answers at the address.
    """
    ray = _ray()
    address = address or os.environ.get("RAY_ADDRESS")
    sys.stdout.flush()
    stdout = os.dup(_STDOUT)
    os.dup2(_STDERR, _STDOUT)
    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    try:
        with outside_current_folder():  # Ray puts the current one first on its workers' path
            if address:
                ray.init(address=address, **quiet)
            else:
                ray.init(include_dashboard=False, **quiet)
    except (ConnectionError, ValueError, RuntimeError) as error:
        os.dup2(stdout, _STDOUT)
        os.close(stdout)
        raise OptionError(
            f"cannot join the Ray cluster at {address}: {error}",
            hint="see `ray status`; without an address a cluster on this machine is started",
        ) from error
    nodes = [node for node in ray.nodes() if node["Alive"]]
    has_gpus = any(node["Resources"].get("GPU") for node in nodes)
    return Cluster(has_gpus, address or "this machine", len(nodes), stdout)


def _ray() -> Any:  # noqa: ANN401  # its types are incomplete, and optional
    try:
        return import_module("ray")
    except ImportError as error:
        raise OptionError(
            "--workers ray needs Ray, which is not installed", hint='pip install "vswin[ray]"'
        ) from error


class _ActorWorker:
    """Runs in an actor: a thread worker, with one waiting `run` call per job."""

    def __init__(self, setup: EngineSetup, task: Task) -> None:
        self._setup = setup
        self._task = task
        self._worker: ThreadWorker | None = None
        self._answers: dict[str, queue.SimpleQueue[Message]] = {}
        self._positions: dict[str, _Position] = {}

    def start(self) -> Message:
        """Load the network; returns `Ready` or `Fatal`."""
        from vswin_cli.batch.job_runner import load_engine
        from vswin_cli.batch.thread_worker import ThreadWorker

        try:
            _check_sees(self._task.journal)
            self._worker = ThreadWorker(load_engine(self._setup), self._task, self._note)
        except VswinError as error:
            return Fatal(error)
        ready = self._worker.ready
        return Ready(  # `Decoded` is not sent on, so a larger capacity would never be used
            f"{ready.device}@{os.uname().nodename}", ready.num_decoders, ready.num_decoders
        )

    def run(self, job: Job) -> Message:
        """Do one job; every failure is an answer, none an exception."""
        assert self._worker is not None
        self._answers[job.key] = queue.SimpleQueue()
        self._worker.submit(job)
        answer = self._answers[job.key].get()
        self._positions.pop(job.key, None)
        return answer

    def positions(self) -> dict[str, _Position]:
        """Return the position in each video by key of the job, while `run` runs."""
        return dict(self._positions)

    def _note(self, key: str, message: Message) -> None:
        if isinstance(message, Heartbeat):
            number, _ = self._positions.get(key, (0, 0.0))
            self._positions[key] = number + 1, message.seconds
        elif not isinstance(message, Decoded):
            self._answers[key].put(message)


def _check_sees(journal: Path) -> None:
    """Raise if this machine cannot access the folder of the journal."""
    if not journal.is_dir():
        raise OutputError(
            f"{os.uname().nodename} cannot access {journal}",
            hint="all machines need access to the results: give an --out on shared storage or, if "
            "--out is an address, set VSWIN_CACHE to a folder on it",
        )


@dataclass(slots=True)
class _Actor:
    handle: Any
    positions: dict[str, _Position] = field(default_factory=dict)
    """By key of the job."""


class RayExecutor:
    """Actors of a Ray cluster that take jobs.

    Args:
        cluster: where the actors run.
        setup: how each loads its network.
        task: what the jobs have in common.
        count: number of actors; `None` for one per GPU, or as many as the CPUs allow.
        max_count: number of jobs: more actors would have nothing to do.
    """

    def __init__(
        self, cluster: Cluster, setup: EngineSetup, task: Task, *, count: int | None, max_count: int
    ) -> None:
        ray = _ray()
        num_cpus, room = _room(cluster)
        device = "cuda" if cluster.has_gpus and setup.options.device == "auto" else None
        options = replace(setup.options, device=device or setup.options.device)
        threads = None if cluster.has_gpus else num_cpus
        self._setup = replace(setup, options=options, num_threads=threads)
        self._task = task
        self._size = min(count or room, max_count)
        num_gpus = 1 if options.device.startswith("cuda") else 0
        self._actor_class = ray.remote(_ActorWorker).options(
            num_cpus=num_cpus,
            num_gpus=num_gpus,
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=MAX_CAPACITY + 1,  # so that `positions` answers while `run` runs
        )
        self._actors: dict[int, _Actor] = {}
        # By reference of a pending answer: the worker's number, and the key of the job.
        self._answers: dict[Any, tuple[int, str | None]] = {}
        self._positions: dict[Any, int] = {}
        self._number = 0
        self._asked = time.monotonic()

    @property
    def size(self) -> int:
        """As many as fit into the cluster, or as were requested."""
        return self._size

    def start_worker(self) -> int:
        """Request an actor; Ray starts it when the cluster has room."""
        self._number += 1
        handle = self._actor_class.remote(self._setup, self._task)
        self._actors[self._number] = _Actor(handle)
        self._answers[handle.start.remote()] = self._number, None
        return self._number

    def assign(self, worker: int, job: Job) -> None:
        """Send a job."""
        self._answers[self._actors[worker].handle.run.remote(job)] = worker, job.key

    def stop_worker(self, worker: int) -> None:
        """Kill an actor."""
        ray = _ray()
        actor = self._actors.pop(worker, None)
        if actor is not None:
            ray.kill(actor.handle)
        # Without its pending answers, which would all report the loss again.
        self._answers = {r: what for r, what in self._answers.items() if what[0] != worker}
        self._positions = {r: number for r, number in self._positions.items() if number != worker}

    def wait(self, timeout_seconds: float, deliver: Deliver) -> None:
        """Deliver answers that have come, and poll busy actors for their positions."""
        ray = _ray()
        self._request_positions()
        waiting = [*self._answers, *self._positions]
        if not waiting:
            time.sleep(timeout_seconds)
            return
        come, _ = ray.wait(waiting, num_returns=1, timeout=timeout_seconds)
        for reference in come:
            if reference in self._positions:
                self._take_position(reference, deliver)
            elif reference in self._answers:
                self._take_answer(reference, deliver)

    def close(self) -> None:
        """Kill all actors."""
        for worker in list(self._actors):
            self.stop_worker(worker)

    def _take_answer(self, reference: Any, deliver: Deliver) -> None:  # noqa: ANN401
        ray = _ray()
        worker, key = self._answers.pop(reference)
        message: Message
        try:
            message = ray.get(reference)
        except ray.exceptions.RayError as error:
            reason = str(error).strip().splitlines() or [type(error).__name__]
            key, message = None, Lost(WORKER_CRASHED, f"{type(error).__name__}: {reason[0]}")
        if key is not None:
            self._actors[worker].positions.pop(key, None)
        if isinstance(message, (Lost, Fatal)):
            self.stop_worker(worker)
        deliver(worker, key, message)

    def _request_positions(self) -> None:
        if time.monotonic() - self._asked < _POLL_INTERVAL_SECONDS or self._positions:
            return  # an unanswered request is enough: more would pile up at a busy actor
        self._asked = time.monotonic()
        for worker in {worker for worker, _ in self._answers.values()}:
            reference = self._actors[worker].handle.positions.remote()
            self._positions[reference] = worker

    def _take_position(self, reference: Any, deliver: Deliver) -> None:  # noqa: ANN401
        """Deliver a heartbeat for each job whose position has changed since the last poll.

        So an actor that is alive but makes no progress gives no heartbeat.
        """
        ray = _ray()
        worker = self._positions.pop(reference)
        try:
            positions: dict[str, _Position] = ray.get(reference)
        except ray.exceptions.RayError:
            return  # the actor is lost; `_take_answer` reports it
        before = self._actors[worker].positions
        for key in [key for key, position in positions.items() if before.get(key) != position]:
            before[key] = positions[key]
            deliver(worker, key, Heartbeat(positions[key][1]))


def _room(cluster: Cluster) -> tuple[int, int]:
    """Return the CPUs for each worker, and how many workers fit into the cluster.

    Raises:
        DeviceError: the cluster has no CPUs.
    """
    ray = _ray()
    resources = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    processors = [int(resource.get("CPU", 0)) for resource in resources]
    per_worker = min([_CPUS_PER_WORKER, *(n for n in processors if n > 0)])
    room = sum(n // per_worker for n in processors)
    if cluster.has_gpus:
        cards = [
            (int(resource.get("GPU", 0)), int(resource.get("CPU", 0))) for resource in resources
        ]
        per_worker = max(1, min([per_worker, *(cpus // gpus for gpus, cpus in cards if gpus)]))
        room = sum(gpus for gpus, _ in cards)
    if room == 0:
        raise DeviceError(
            f"the Ray cluster at {cluster.address} has no CPUs", hint="see `ray status`"
        )
    return per_worker, room

"""Run jobs in threads of this process, as many at a time as it takes to fill a batch.

Each video is analysed in a thread of its own. With one clip per batch, the default on CPUs, there
is a single thread and the engine is not shared.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from vswin_cli.batch.job import (
    MAX_CAPACITY,
    Decoded,
    Fatal,
    Heartbeat,
    Job,
    Lost,
    Message,
    Ready,
    Task,
)
from vswin_cli.batch.job_runner import JobRunner
from vswin_cli.batch.shared_engine import SharedEngine, clips_per_batch
from vswin_cli.errors import VswinError
from vswin_cli.inference.pipeline import evidence_classes
from vswin_cli.video.decoder_pool import DecoderPool

if TYPE_CHECKING:
    from vswin_cli.inference.engine import Engine

__all__ = ["Report", "ThreadWorker"]

Report: TypeAlias = Callable[[str, Message], None]
"""Called with a job's key and a message about it."""

_SHUTDOWN_SECONDS = 1.0  # threads inside a pass of a large network end with the process


class _StoppedError(BaseException):
    """The worker is closed. Not an `Exception`, so that it counts as no video's failure."""


class ThreadWorker:
    """Threads that do jobs and share one engine.

    Args:
        engine: scores the clips of all threads.
        task: what the jobs have in common.
        report: called from these threads, with a `Heartbeat` now and then and once with the
            result of a job.
        num_jobs: how many there will be, if that is known.
        cores: for decoding; by default the engine's device decides, see `_decoding_cores`.
    """

    def __init__(
        self,
        engine: Engine,
        task: Task,
        report: Report,
        *,
        num_jobs: int = MAX_CAPACITY,
        cores: int | None = None,
    ) -> None:
        if task.features is not None:  # clips of all videos share batches
            engine = engine.with_features()
        if task.evidence:
            engine = engine.with_cells(evidence_classes(engine, task.segments))
        cores = cores or _decoding_cores(engine)
        self._report = report
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._is_closed = False
        self._shared: SharedEngine | None = None
        self._decoders = DecoderPool()
        self.capacity = min(MAX_CAPACITY, clips_per_batch(engine))
        self._num_decoding = min(self.capacity, _num_processors())
        if cores is not None:
            self.capacity = MAX_CAPACITY
            self._num_decoding = max(1, min(self.capacity, cores, num_jobs))
        self._threads = [
            threading.Thread(target=self._work, name=f"vswin-video-{i}", daemon=True)
            for i in range(self.capacity)
        ]
        if self.capacity > 1:
            self._shared = SharedEngine(engine)
            self._threads.append(
                threading.Thread(target=self._shared.serve, name="vswin-engine", daemon=True)
            )
        self._runner = JobRunner(
            self._shared or engine,
            task,
            self._decoders,
            cores=None if cores is None else -(-cores // self._num_decoding),
        )
        for thread in self._threads:
            thread.start()

    @property
    def ready(self) -> Ready:
        """The device and how many jobs it takes at a time."""
        return Ready(self._runner.device, self.capacity, self._num_decoding)

    def submit(self, job: Job) -> None:
        """Queue a job; no more than `capacity` at a time."""
        self._jobs.put(job)

    def close(self) -> None:
        """Stop all work as soon as possible; jobs that were not done are not reported."""
        # A thread may wait for logits, for a job, or be decoding: the first is woken by `fail`, the
        # second by `None`, the third ends at its next message, see `_deliver`.
        self._is_closed = True
        if self._shared is not None:
            self._shared.close()
            self._shared.fail(_StoppedError())
        for _ in self._threads:
            self._jobs.put(None)
        deadline = time.monotonic() + _SHUTDOWN_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._decoders.close()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                self._do(job)
            except _StoppedError:
                return

    def _do(self, job: Job) -> None:
        if self._shared is None:
            self._run(job)
            return
        with self._shared.expecting(lambda: self._deliver(job.key, Decoded())):
            self._run(job)

    def _run(self, job: Job) -> None:
        """Run a job and deliver its result."""
        try:
            answer: Message = self._runner.run(
                job, lambda seconds: self._deliver(job.key, Heartbeat(seconds))
            )
        except VswinError as error:
            answer = Fatal(error)
        except Exception as error:  # a bug of ours costs one video, not the batch
            answer = Lost("INTERNAL", f"{type(error).__name__}: {error}")
        self._deliver(job.key, answer)

    def _deliver(self, key: str, message: Message) -> None:
        """Report a message, or end this thread if the worker was closed meanwhile."""
        if self._is_closed:
            raise _StoppedError
        self._report(key, message)


def _decoding_cores(engine: Engine) -> int | None:
    """Return how many cores decode for an engine that leaves them free, as one on a GPU does.

    Then several videos are decoded at once, as many as there are cores if need be, and share the
    engine. `None` on a CPU, where network and decoders share the cores.
    """
    return None if engine.device.type == "cpu" else engine.spare_decoders


def _num_processors() -> int:
    """Torch's thread count: one worker among several on a machine keeps to its share of cores."""
    import torch

    return torch.get_num_threads()

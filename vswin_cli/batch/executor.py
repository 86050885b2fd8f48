"""The interface of all executors, and the executor that works in this process.

An executor starts workers, passes jobs to them and delivers their messages. Queues, retries and
the journal are the scheduler's business.
"""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias

from vswin_cli.batch.job import Fatal, Job, Lost, Message, Ready, Task
from vswin_cli.batch.job_runner import JobRunner
from vswin_cli.batch.shared_engine import clips_per_batch
from vswin_cli.batch.thread_worker import ThreadWorker, run_job
from vswin_cli.video.decoder_pool import DecoderPool

if TYPE_CHECKING:
    from vswin_cli.inference.engine import Engine

__all__ = ["Deliver", "Executor", "InlineExecutor"]

Deliver: TypeAlias = Callable[[int, "str | None", Message], None]
"""Called with a worker's number, the key of a job, and a message about it.

Without a key the message is about the worker itself.
"""


class Executor(Protocol):
    """Workers of one kind, known by number.

    A worker sends `Ready` once it has started, then answers each job with an `Outcome`,
    `TooLong`, `PartDone` or `Fatal`, after any number of `Heartbeat`s. After `Lost` or `Fatal`
    the worker is gone, and all its jobs with it.
    """

    @property
    def size(self) -> int:
        """How many workers there should be."""

    def start_worker(self) -> int:
        """Begin to start a worker; returns its number at once."""

    def assign(self, number: int, job: Job) -> None:
        """Give a job to a worker that is ready and below its capacity."""

    def stop_worker(self, number: int) -> None:
        """End a worker, whatever it is doing; no message of it is delivered afterwards."""

    def wait(self, timeout_seconds: float, deliver: Deliver) -> None:
        """Deliver messages of workers; returns after the first ones or at the timeout."""

    def close(self) -> None:
        """End all workers; idempotent."""


class InlineExecutor:
    """One worker: this process.

    With one clip per batch, `wait` does the work and no thread is started. With more, a
    `ThreadWorker` analyses several videos at a time, so that their clips fill a batch.
    """

    size = 1

    def __init__(self, engine: Engine, task: Task) -> None:
        self._engine = engine
        self._task = task
        self._decoders = DecoderPool()
        self._runner = JobRunner(engine, task, self._decoders)
        self._uses_threads = clips_per_batch(engine) > 1
        self._number = 0
        self._jobs: list[Job] = []
        self._messages: queue.SimpleQueue[tuple[str | None, Message]] = queue.SimpleQueue()
        self._worker: ThreadWorker | None = None

    def start_worker(self) -> int:
        """Start new threads, if any are needed."""
        self._number += 1
        ready = Ready(self._runner.device)
        if self._uses_threads:
            # A new queue: messages of the threads before must not count for the new worker.
            messages = self._messages = queue.SimpleQueue()
            self._worker = ThreadWorker(self._engine, self._task, lambda *item: messages.put(item))
            ready = self._worker.ready
        self._messages.put((None, ready))
        return self._number

    def assign(self, number: int, job: Job) -> None:
        """Begin with the job, or keep it for `wait`."""
        if self._worker is None:
            self._jobs.append(job)
        else:
            self._worker.submit(job)

    def stop_worker(self, number: int) -> None:
        """Drop the jobs and end the threads."""
        self._jobs.clear()
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def wait(self, timeout_seconds: float, deliver: Deliver) -> None:
        """Do a job, if one is assigned, or deliver a message of the threads."""
        number = self._number
        if self._jobs:
            run_job(self._runner, self._jobs.pop(), lambda *item: deliver(number, *item))
            return
        try:
            key, message = self._messages.get(timeout=timeout_seconds)
        except queue.Empty:
            return
        if isinstance(message, (Lost, Fatal)):
            self.stop_worker(number)
        deliver(number, key, message)

    def close(self) -> None:
        """End the threads and the decoders."""
        self.stop_worker(self._number)
        self._decoders.close()

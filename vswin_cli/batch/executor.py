"""The interface of all executors, and the executor that works in this process.

An executor starts workers, passes jobs to them and delivers their messages. The
scheduler handles queues, retries and the journal.
"""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias

from vswin_cli.batch.job import MAX_CAPACITY, Fatal, Job, Lost, Message, Task
from vswin_cli.batch.thread_worker import ThreadWorker

if TYPE_CHECKING:
    from vswin_cli.inference.engine import Engine

__all__ = ["Deliver", "Executor", "InlineExecutor"]

Deliver: TypeAlias = Callable[[int, "str | None", Message], None]
"""Called with a worker's number, the key of a job, and a message about it.

Without a key the message is about the worker itself.
"""


class Executor(Protocol):
    """Workers of one kind, identified by number.

    A worker sends `Ready` once it has started, then answers each job with an `Outcome`,
    `TooLong`, `PartDone` or `Fatal`, after any number of `Heartbeat`s. After `Lost` or `Fatal`
    the worker is gone, and all its jobs with it.
    """

    @property
    def size(self) -> int:
        """How many workers there should be."""

    def start_worker(self) -> int:
        """Start a worker in the background and return its number."""

    def assign(self, number: int, job: Job) -> None:
        """Give a job to a worker that is ready and below its capacity."""

    def stop_worker(self, number: int) -> None:
        """End a worker, whatever it is doing; no message of it is delivered afterwards."""

    def wait(self, timeout_seconds: float, deliver: Deliver) -> None:
        """Deliver messages of workers; returns after the first ones or at the timeout."""

    def close(self) -> None:
        """End all workers; idempotent."""


class InlineExecutor:
    """One worker: the threads of a `ThreadWorker` in this process.

    Args:
        engine: scores the clips.
        task: what the jobs have in common.
        num_jobs: how many jobs there will be, if that is known.
    """

    size = 1

    def __init__(self, engine: Engine, task: Task, *, num_jobs: int = MAX_CAPACITY) -> None:
        self._engine = engine
        self._num_jobs = num_jobs
        self._task = task
        self._number = 0
        self._messages: queue.SimpleQueue[tuple[str | None, Message]] = queue.SimpleQueue()
        self._worker: ThreadWorker | None = None

    def start_worker(self) -> int:
        """Start new threads."""
        self._number += 1
        # A new queue: messages of the threads before must not count for the new worker.
        messages = self._messages = queue.SimpleQueue()
        self._worker = ThreadWorker(
            self._engine,
            self._task,
            lambda *item: messages.put(item),
            num_jobs=self._num_jobs,
        )
        messages.put((None, self._worker.ready))
        return self._number

    def assign(self, number: int, job: Job) -> None:
        """Give the job to a thread."""
        assert self._worker is not None
        self._worker.submit(job)

    def stop_worker(self, number: int) -> None:
        """End the threads."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def wait(self, timeout_seconds: float, deliver: Deliver) -> None:
        """Deliver the next message of the threads."""
        # The main thread only waits here, so that it handles signals while a job runs.
        try:
            key, message = self._messages.get(timeout=timeout_seconds)
        except queue.Empty:
            return
        if isinstance(message, (Lost, Fatal)):
            self.stop_worker(self._number)
        deliver(self._number, key, message)

    def close(self) -> None:
        """End the threads and the decoders."""
        self.stop_worker(self._number)

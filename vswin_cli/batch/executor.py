"""Who does the work: the small interface of all back-ends, and the one that needs nobody.

A crew hires workers, hands jobs to them and passes on what they say. It knows nothing of queues,
retries and journals, which are the scheduler's.
"""

from __future__ import annotations

import queue
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol, TypeAlias

from vswin_cli.batch.job import Fatal, Job, Lost, Message, Ready, Task
from vswin_cli.batch.job_runner import Analyst
from vswin_cli.batch.shared_engine import clips_per_batch
from vswin_cli.batch.thread_worker import Office, do_job
from vswin_cli.video.decoder_process import reusing_decoders

if TYPE_CHECKING:
    from vswin_cli.inference.engine import Engine

__all__ = ["Crew", "Deliver", "InlineCrew"]

Deliver: TypeAlias = Callable[[int, "str | None", Message], None]
"""Called with a worker's number, the key of the job that is spoken of, and what is said.

Without a key it is about the worker itself.
"""


class Crew(Protocol):
    """Workers of one kind, known by number.

    A hired worker says `Ready` once, then answers each job with an `Outcome`, `TooLong`,
    `PartDone` or `Fatal`, with `Pulse`s before. After `Lost` or `Fatal` it is gone, with all
    its jobs.
    """

    @property
    def size(self) -> int:
        """How many workers there should be."""

    def hire(self) -> int:
        """Begin to start a worker; returns its number at once."""

    def assign(self, worker: int, job: Job) -> None:
        """Give a job to a worker that is ready and has fewer than its capacity."""

    def dismiss(self, worker: int) -> None:
        """End a worker, whatever it is doing; it says nothing more."""

    def wait(self, timeout_seconds: float, deliver: Deliver) -> None:
        """Pass on what workers say; returns after the first words or the time."""

    def close(self) -> None:
        """End all workers; idempotent."""


class InlineCrew:
    """One worker that is this process.

    Where one clip fills a batch, `wait` does the work and no thread is needed.
    """

    size = 1

    def __init__(self, engine: Engine, task: Task) -> None:
        self._engine = engine
        self._task = task
        self._analyst = Analyst(engine, task)
        self._is_shared = clips_per_batch(engine) > 1
        self._number = 0
        self._jobs: list[Job] = []
        self._said: queue.SimpleQueue[tuple[str | None, Message]] = queue.SimpleQueue()
        self._office: Office | None = None
        self._stack = ExitStack()
        self._stack.enter_context(reusing_decoders())

    def hire(self) -> int:
        """This process, again; with new threads, if it has any."""
        self._number += 1
        ready = Ready(self._analyst.device)
        if self._is_shared:
            said = self._said = queue.SimpleQueue()
            self._office = Office(self._engine, self._task, lambda *word: said.put(word))
            ready = self._office.ready
        self._said.put((None, ready))
        return self._number

    def assign(self, worker: int, job: Job) -> None:
        """Begin with the job, or keep it for `wait`."""
        if self._office is None:
            self._jobs.append(job)
        else:
            self._office.submit(job)

    def dismiss(self, worker: int) -> None:
        """Drop the jobs."""
        self._jobs.clear()
        if self._office is not None:
            self._office.close()
            self._office = None

    def wait(self, timeout_seconds: float, deliver: Deliver) -> None:
        """Do the job, if there is one, or see what the threads say."""
        number = self._number
        if self._jobs:
            do_job(self._analyst, self._jobs.pop(), lambda key, word: deliver(number, key, word))
            return
        try:
            key, message = self._said.get(timeout=timeout_seconds)
        except queue.Empty:
            return
        if isinstance(message, (Lost, Fatal)):
            self.dismiss(number)
        deliver(number, key, message)

    def close(self) -> None:
        """End what is still at work."""
        self.dismiss(self._number)
        self._stack.close()

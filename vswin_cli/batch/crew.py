"""Who does the work: the small interface of all back-ends, and the one that needs nobody.

A crew hires workers, gives each one job at a time and passes on what they say. It knows nothing
of queues, retries and journals, which are the scheduler's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from vswin_cli.batch.analyst import Analyst
from vswin_cli.batch.job import Fatal, Job, Lost, Message, Pulse, Ready
from vswin_cli.errors import VswinError

__all__ = ["Crew", "Deliver", "InlineCrew"]

Deliver: TypeAlias = Callable[[int, Message], None]
"""Called with a worker's number and what it says."""


class Crew(Protocol):
    """Workers of one kind, known by number.

    A hired worker says `Ready` once, then answers each job with an `Outcome`, `TooLong`,
    `PartDone` or `Fatal`, with `Pulse`s before. After `Lost` or `Fatal` it is gone.
    """

    @property
    def size(self) -> int:
        """How many workers there should be."""

    def hire(self) -> int:
        """Begin to start a worker; returns its number at once."""

    def assign(self, worker: int, job: Job) -> None:
        """Give a job to a worker that is ready and has none."""

    def dismiss(self, worker: int) -> None:
        """End a worker, whatever it is doing; it says nothing more."""

    def wait(self, timeout_seconds: float, deliver: Deliver) -> None:
        """Pass on what workers say; returns after the first words or the time."""

    def close(self) -> None:
        """End all workers; idempotent."""


class InlineCrew:
    """One worker that is this process: `wait` does the work."""

    size = 1

    def __init__(self, analyst: Analyst) -> None:
        self._analyst = analyst
        self._number = 0
        self._job: Job | None = None
        self._is_new = False

    def hire(self) -> int:
        """This process, again."""
        self._number += 1
        self._is_new = True
        return self._number

    def assign(self, worker: int, job: Job) -> None:
        """Keep the job for `wait`."""
        self._job = job

    def dismiss(self, worker: int) -> None:
        """Drop the job."""
        self._job = None

    def wait(self, timeout_seconds: float, deliver: Deliver) -> None:
        """Do the job, if there is one."""
        if self._is_new:
            self._is_new = False
            deliver(self._number, Ready(self._analyst.device))
        elif self._job is not None:
            job, self._job = self._job, None
            deliver(self._number, self._do(job, deliver))

    def close(self) -> None:
        """Drop the job."""
        self._job = None

    def _do(self, job: Job, deliver: Deliver) -> Message:
        number = self._number
        try:
            return self._analyst.run(job, lambda seconds: deliver(number, Pulse(seconds)))
        except VswinError as error:
            return Fatal(error)
        except Exception as error:  # a fault of ours costs one video, not the batch
            return Lost("INTERNAL", f"{type(error).__name__}: {error}")

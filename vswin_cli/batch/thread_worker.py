"""Does jobs in this process, as many at a time as it takes to fill a batch.

A video is done in a thread of its own. Where one clip fills a batch, as on most processors, there
is one thread and nothing is shared.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias, cast

from vswin_cli.batch.job import MAX_CAPACITY, Decoded, Fatal, Job, Lost, Message, Pulse, Ready, Task
from vswin_cli.batch.job_runner import Analyst
from vswin_cli.batch.shared_engine import SharedEngine, clips_per_batch
from vswin_cli.errors import VswinError
from vswin_cli.video.decoder_process import DecoderPool, reusing_decoders

if TYPE_CHECKING:
    from vswin_cli.inference.engine import Engine

__all__ = ["Office", "Say", "do_job"]

Say: TypeAlias = Callable[[str, Message], None]
"""Called with a job's key and what is to be said of it."""

_FAREWELL_SECONDS = 5.0


class _StoppedError(BaseException):
    """The office is closed; not an `Exception`, so that no video is blamed for it."""


def do_job(analyst: Analyst, job: Job, say: Say) -> None:
    """Do a job and say what it came to; only what ends the process is raised."""
    try:
        say(job.key, analyst.run(job, lambda seconds: say(job.key, Pulse(seconds))))
    except VswinError as error:
        say(job.key, Fatal(error))
    except Exception as error:  # a fault of ours costs one video, not the batch
        say(job.key, Lost("INTERNAL", f"{type(error).__name__}: {error}"))


class Office:
    """Threads that do jobs.

    Args:
        engine: what they share.
        task: what the jobs have in common.
        say: called from these threads, with a `Pulse` now and then and once with what a job
            came to.
    """

    def __init__(self, engine: Engine, task: Task, say: Say) -> None:
        self._say = say
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._is_closed = False
        self._shared: SharedEngine | None = None
        self._decoders = DecoderPool()
        self.capacity = min(MAX_CAPACITY, clips_per_batch(engine))
        self._threads = [
            threading.Thread(target=self._work, name=f"vswin-video-{i}", daemon=True)
            for i in range(self.capacity)
        ]
        if self.capacity > 1:
            self._shared = SharedEngine(engine)
            self._threads.append(
                threading.Thread(target=self._shared.serve, name="vswin-engine", daemon=True)
            )
        # It has all of an engine that an analysis asks for.
        self._analyst = Analyst(cast("Engine", self._shared or engine), task)
        for thread in self._threads:
            thread.start()

    @property
    def ready(self) -> Ready:
        """What the office has to offer."""
        return Ready(self._analyst.device, self.capacity, min(self.capacity, _num_processors()))

    def submit(self, job: Job) -> None:
        """Take a job on; no more than `capacity` at a time."""
        self._jobs.put(job)

    def close(self) -> None:
        """Stop all work as soon as it can be stopped; nothing is said of what was not done."""
        self._is_closed = True
        if self._shared is not None:
            self._shared.close()
            self._shared.fail(_StoppedError())
        for _ in self._threads:
            self._jobs.put(None)
        deadline = time.monotonic() + _FAREWELL_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._decoders.close()

    def _work(self) -> None:
        with reusing_decoders(self._decoders):
            while (job := self._jobs.get()) is not None:
                try:
                    self._do(job)
                except _StoppedError:
                    return

    def _do(self, job: Job) -> None:
        if self._shared is None:
            do_job(self._analyst, job, self._tell)
            return
        with self._shared.expecting(lambda: self._tell(job.key, Decoded())):
            do_job(self._analyst, job, self._tell)

    def _tell(self, key: str, message: Message) -> None:
        if self._is_closed:
            raise _StoppedError
        self._say(key, message)


def _num_processors() -> int:
    """Those that this process may use: a worker among others on a machine keeps to its share."""
    import torch

    return torch.get_num_threads()

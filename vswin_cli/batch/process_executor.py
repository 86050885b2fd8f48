"""Workers as processes of this machine, started afresh (`spawn`), with a pipe to each.

A worker that crashes takes nobody with it; one that hangs can be killed. It ends by itself when
the process that hired it is gone.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from multiprocessing import connection as mp_connection
from multiprocessing import process as mp_process
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, TypeAlias

from vswin_cli.batch.executor import Deliver
from vswin_cli.batch.job import Decoded, Fatal, Job, Lost, Message, Pulse, Setup, Task
from vswin_cli.batch.outcome import WORKER_CRASHED
from vswin_cli.errors import VswinError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

__all__ = ["LocalCrew"]

_PULSE_SECONDS = 0.5
_FAREWELL_SECONDS = 5.0
_STDOUT, _STDERR = 1, 2

_Word: TypeAlias = "tuple[str | None, Message]"
"""What goes over the pipe: the key of the job that is spoken of, and what is said."""


@dataclass(frozen=True, slots=True)
class _Hand:
    """A worker process and the pipe to it."""

    process: mp_process.BaseProcess
    pipe: Connection
    device: str
    keys: set[str] = field(default_factory=set)
    """Of the jobs that it has not yet answered."""


class LocalCrew:
    """Several processes that pull jobs.

    Args:
        setup: how each gets its network.
        task: what the jobs have in common.
        devices: one worker for each of these.
    """

    def __init__(self, setup: Setup, task: Task, devices: tuple[str, ...]) -> None:
        self._setup = setup
        self._task = task
        self._devices = devices
        self._context = multiprocessing.get_context("spawn")
        self._hands: dict[int, _Hand] = {}
        self._number = 0

    @property
    def size(self) -> int:
        """One worker per device."""
        return len(self._devices)

    def hire(self) -> int:
        """Start a process; it says `Ready` in some seconds."""
        self._number += 1
        device = self._free_device()
        ours, theirs = self._context.Pipe()
        setup = replace(self._setup, options=replace(self._setup.options, device=device))
        process = self._context.Process(
            target=_serve, args=(theirs, setup, self._task), name=f"vswin-worker-{self._number}"
        )
        with _interrupt_held_back():
            process.start()
        theirs.close()  # so that the pipe ends when the worker does
        self._hands[self._number] = _Hand(process, ours, device)
        return self._number

    def assign(self, worker: int, job: Job) -> None:
        """Send a job."""
        hand = self._hands[worker]
        hand.keys.add(job.key)
        with suppress(OSError):  # it has just died, which `wait` will find out
            hand.pipe.send(job)

    def dismiss(self, worker: int) -> None:
        """Kill a process."""
        hand = self._hands.pop(worker, None)
        if hand is not None:
            hand.process.kill()
            hand.process.join()
            hand.pipe.close()

    def wait(self, timeout_seconds: float, deliver: Deliver) -> None:
        """Read the next words of every process that has any."""
        by_pipe = {hand.pipe: number for number, hand in self._hands.items()}
        for pipe in mp_connection.wait(list(by_pipe), timeout_seconds):
            number = by_pipe[pipe]  # type: ignore[index]
            key, message = self._next(number)
            if key is not None and not isinstance(message, (Pulse, Decoded)):
                self._hands[number].keys.discard(key)
            if isinstance(message, (Lost, Fatal)):
                self.dismiss(number)
            deliver(number, key, message)

    def close(self) -> None:
        """Let idle processes leave and kill the others."""
        for hand in self._hands.values():
            hand.pipe.close()  # an idle worker ends when its pipe does
            if hand.keys:
                hand.process.kill()
        deadline = time.monotonic() + _FAREWELL_SECONDS
        for hand in self._hands.values():
            hand.process.join(max(0.0, deadline - time.monotonic()))
            hand.process.kill()
            hand.process.join()
        self._hands.clear()

    def _free_device(self) -> str:
        taken = [hand.device for hand in self._hands.values()]
        return min(self._devices, key=taken.count)

    def _next(self, number: int) -> _Word:
        hand = self._hands[number]
        try:
            word: _Word = hand.pipe.recv()
        except (EOFError, OSError):
            hand.process.join()
            fate = f"its process ended with {_fate(hand.process.exitcode)}"
            return None, Lost(WORKER_CRASHED, fate)
        return word


@contextmanager
def _interrupt_held_back() -> Iterator[None]:
    """A process started in here is deaf to Ctrl-C from its first instruction on.

    It ignores it anyway, but only after seconds of imports. This process hears of it afterwards.
    """
    if sys.platform == "win32":
        yield
        return
    resource_tracker.ensure_running()  # its start would let the signal through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _fate(code: int | None) -> str:
    if code is not None and code < 0:
        try:
            return signal.Signals(-code).name
        except ValueError:
            pass
    return f"exit code {code}"


def _serve(pipe: Connection, setup: Setup, task: Task) -> None:
    """What a worker process does: load the network, then what comes over the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the scheduler to handle
    os.dup2(_STDERR, _STDOUT)  # whatever a library prints must not mix with results
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _work(_Line(pipe), setup, task)
    except (EOFError, ConnectionResetError):
        pass  # dismissed
    except VswinError as error:
        pipe.send((None, Fatal(error)))
    except Exception as error:  # the process may be of no more use: the next job gets a new one
        pipe.send((None, Lost("INTERNAL", f"{type(error).__name__}: {error}")))


class _Line:
    """The pipe as the worker sees it; many threads may talk into it."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()
        self._last_pulse: dict[str, float] = {}

    def say(self, key: str | None, message: Message) -> None:
        """Send what is said of a job, but not every pulse.

        If nobody listens any more, `next_job` will find out.
        """
        with self._lock:
            if isinstance(message, Pulse) and key is not None:
                now = time.monotonic()
                if now - self._last_pulse.get(key, 0.0) < _PULSE_SECONDS:
                    return
                self._last_pulse[key] = now
            elif key is not None and not isinstance(message, Decoded):
                self._last_pulse.pop(key, None)
            with suppress(OSError):
                self._pipe.send((key, message))

    def next_job(self) -> Job:
        """Wait for one.

        Raises:
            EOFError: there will be no more.
        """
        job: Job = self._pipe.recv()
        return job


def _work(line: _Line, setup: Setup, task: Task) -> None:
    from vswin_cli.batch.job_runner import load_engine
    from vswin_cli.batch.thread_worker import Office

    with closing(Office(load_engine(setup), task, line.say)) as office:
        line.say(None, office.ready)
        while True:
            office.submit(line.next_job())


def _end_with_parent() -> None:
    """Leave as soon as the process that started this one is gone."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    mp_connection.wait([parent.sentinel])
    os._exit(1)

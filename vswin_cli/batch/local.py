"""Workers as processes of this machine, started afresh (`spawn`), one job at a time over a pipe.

A worker that crashes takes nobody with it; one that hangs can be killed. It ends by itself when
the process that hired it is gone.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing import connection as mp_connection
from multiprocessing import process as mp_process
from typing import TYPE_CHECKING

from vswin_cli.batch.crew import Deliver
from vswin_cli.batch.job import Fatal, Job, Lost, Message, Pulse, Ready, Setup, Task
from vswin_cli.batch.outcome import WORKER_CRASHED
from vswin_cli.errors import VswinError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

__all__ = ["LocalCrew"]

_PULSE_SECONDS = 0.5
_FAREWELL_SECONDS = 5.0
_STDOUT, _STDERR = 1, 2


@dataclass(frozen=True, slots=True)
class _Hand:
    """A worker process and the pipe to it."""

    process: mp_process.BaseProcess
    pipe: Connection
    device: str


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
        self._busy: set[int] = set()
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
        process.start()
        theirs.close()  # so that the pipe ends when the worker does
        self._hands[self._number] = _Hand(process, ours, device)
        return self._number

    def assign(self, worker: int, job: Job) -> None:
        """Send a job."""
        self._busy.add(worker)
        with suppress(OSError):  # it has just died, which `wait` will find out
            self._hands[worker].pipe.send(job)

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
            message = self._next(number)
            if not isinstance(message, Pulse):
                self._busy.discard(number)
            if isinstance(message, (Lost, Fatal)):
                self.dismiss(number)
            deliver(number, message)

    def close(self) -> None:
        """Let idle processes leave and kill the others."""
        for number, hand in self._hands.items():
            hand.pipe.close()  # an idle worker ends when its pipe does
            if number in self._busy:
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

    def _next(self, number: int) -> Message:
        hand = self._hands[number]
        try:
            message: Message = hand.pipe.recv()
        except (EOFError, OSError):
            hand.process.join()
            return Lost(WORKER_CRASHED, f"its process ended with {_fate(hand.process.exitcode)}")
        return message


def _fate(code: int | None) -> str:
    if code is not None and code < 0:
        try:
            return signal.Signals(-code).name
        except ValueError:
            pass
    return f"exit code {code}"


def _serve(pipe: Connection, setup: Setup, task: Task) -> None:
    """What a worker process does: load the network, then one job after the other."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the scheduler to handle
    os.dup2(_STDERR, _STDOUT)  # whatever a library prints must not mix with results
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _work(pipe, setup, task)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # dismissed
    except VswinError as error:
        pipe.send(Fatal(error))
    except Exception as error:  # the process may be of no more use: the next job gets a new one
        pipe.send(Lost("INTERNAL", f"{type(error).__name__}: {error}"))


def _work(pipe: Connection, setup: Setup, task: Task) -> None:
    from vswin_cli.batch.analyst import make_analyst

    analyst = make_analyst(setup, task)
    pipe.send(Ready(analyst.device))
    last_pulse = 0.0

    def on_seconds(seconds: float) -> None:
        nonlocal last_pulse
        if time.monotonic() - last_pulse > _PULSE_SECONDS:
            last_pulse = time.monotonic()
            pipe.send(Pulse(seconds))

    while True:
        pipe.send(analyst.run(pipe.recv(), on_seconds))


def _end_with_parent() -> None:
    """Leave as soon as the process that started this one is gone."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    mp_connection.wait([parent.sentinel])
    os._exit(1)

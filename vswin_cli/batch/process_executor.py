"""Run jobs in worker processes of this machine, started by `spawn`, with a pipe to each.

A worker that crashes does not affect the others, and one that hangs can be killed. A worker ends
by itself when its parent process is gone.
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
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from vswin_cli.batch.executor import Deliver
from vswin_cli.batch.job import Decoded, EngineSetup, Fatal, Heartbeat, Job, Lost, Message, Task
from vswin_cli.batch.outcome import WORKER_CRASHED
from vswin_cli.errors import VswinError
from vswin_cli.storage.child_python import outside_current_folder

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

__all__ = ["ProcessExecutor"]

_HEARTBEAT_INTERVAL_SECONDS = 0.5
_SHUTDOWN_SECONDS = 1.0  # for an idle worker; a second Ctrl-C must not wait longer
_STDOUT, _STDERR = 1, 2

_PipeMessage: TypeAlias = "tuple[str | None, Message]"
"""What goes over the pipe: the key of a job, and a message about it."""


@dataclass(frozen=True, slots=True)
class _Worker:
    """A worker process and the pipe to it."""

    process: mp_process.BaseProcess
    pipe: Connection
    device: str
    keys: set[str] = field(default_factory=set)
    """Of the jobs that it has not yet answered."""


class ProcessExecutor:
    """Several processes that take jobs.

    Args:
        setup: how each loads its network.
        task: what the jobs have in common.
        devices: one worker is started for each of these.
    """

    def __init__(self, setup: EngineSetup, task: Task, devices: tuple[str, ...]) -> None:
        self._setup = setup
        self._task = task
        self._devices = devices
        self._context = multiprocessing.get_context("spawn")
        self._workers: dict[int, _Worker] = {}
        self._number = 0

    @property
    def size(self) -> int:
        """One worker per device."""
        return len(self._devices)

    def start_worker(self) -> int:
        """Start a process; its `Ready` comes some seconds later."""
        self._number += 1
        device = self._free_device()
        ours, theirs = self._context.Pipe()
        setup = replace(self._setup, options=replace(self._setup.options, device=device))
        process = self._context.Process(
            target=_serve,
            args=(theirs, setup, self._task, Path.cwd()),
            name=f"vswin-worker-{self._number}",
        )
        with _stop_signals_blocked(), outside_current_folder():
            process.start()
        theirs.close()  # so that our end sees EOF when the worker dies
        self._workers[self._number] = _Worker(process, ours, device)
        return self._number

    def assign(self, number: int, job: Job) -> None:
        """Send a job."""
        worker = self._workers[number]
        worker.keys.add(job.key)
        with suppress(OSError):  # the worker has just died; `wait` reports that
            worker.pipe.send(job)

    def stop_worker(self, number: int) -> None:
        """Kill a process."""
        worker = self._workers.pop(number, None)
        if worker is not None:
            # Not SIGTERM, which workers ignore. Their decoders read EOF and end.
            worker.process.kill()
            worker.process.join()
            worker.pipe.close()

    def wait(self, timeout_seconds: float, deliver: Deliver) -> None:
        """Deliver the next message of every process that has sent one."""
        # One message per worker and call, so that a busy worker does not delay the others.
        by_pipe = {worker.pipe: number for number, worker in self._workers.items()}
        for pipe in mp_connection.wait(list(by_pipe), timeout_seconds):
            number = by_pipe[pipe]  # type: ignore[index]
            key, message = self._receive(self._workers[number])
            if key is not None and not isinstance(message, (Heartbeat, Decoded)):
                self._workers[number].keys.discard(key)
            if isinstance(message, (Lost, Fatal)):
                self.stop_worker(number)
            deliver(number, key, message)

    def close(self) -> None:
        """Let idle processes end by themselves and kill the others."""
        for worker in self._workers.values():
            worker.pipe.close()  # an idle worker reads EOF and ends
            if worker.keys:
                worker.process.kill()
        deadline = time.monotonic() + _SHUTDOWN_SECONDS
        for worker in self._workers.values():
            worker.process.join(max(0.0, deadline - time.monotonic()))
            worker.process.kill()
            worker.process.join()
        self._workers.clear()

    def _free_device(self) -> str:
        """Return the device with the fewest workers: that of the worker to be replaced."""
        taken = [worker.device for worker in self._workers.values()]
        return min(self._devices, key=taken.count)

    def _receive(self, worker: _Worker) -> _PipeMessage:
        try:
            received: _PipeMessage = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join()
            status = _exit_status(worker.process.exitcode)
            return None, Lost(WORKER_CRASHED, f"its process ended with {status}")
        return received


@contextmanager
def _stop_signals_blocked() -> Iterator[None]:
    """Block Ctrl-C and SIGTERM in the processes that are started inside the block.

    A worker ignores them itself, but only after seconds of imports; until then the signal mask
    that it inherits protects it. A signal for this process is delivered after the block.
    """
    if sys.platform == "win32":
        yield
        return
    with outside_current_folder():
        resource_tracker.ensure_running()  # when `Process.start` does it, it unblocks the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _exit_status(code: int | None) -> str:
    """Name the signal that ended a process, or give its exit code."""
    if code is not None and code < 0:
        try:
            return signal.Signals(-code).name
        except ValueError:
            pass
    return f"exit code {code}"


def _serve(pipe: Connection, setup: EngineSetup, task: Task, folder: Path) -> None:
    """Run in a worker process: load the network, then do the jobs that come over the pipe."""
    os.chdir(folder)  # it was started elsewhere
    _leave_signals_to_parent()
    os.dup2(_STDERR, _STDOUT)  # whatever a library prints must not mix with results
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    try:
        _run_jobs(_ParentPipe(pipe), setup, task)
    except (EOFError, ConnectionResetError):
        pass  # the parent closed the pipe: there is no more work
    except VswinError as error:
        pipe.send((None, Fatal(error)))
    except Exception as error:  # this process may be unusable now: the next job gets a new one
        pipe.send((None, Lost("INTERNAL", f"{type(error).__name__}: {error}")))


def _leave_signals_to_parent() -> None:
    """Ignore what a terminal or a job system sends to all processes at once.

    SIGTERM gets a handler, because decoders inherit that a signal is ignored or blocked, and
    must be stoppable by it; a handler they do not inherit.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda _number, _frame: None)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


class _ParentPipe:
    """The pipe to the parent process, as the worker's threads share it."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()
        self._last_heartbeat: dict[str, float] = {}

    def report(self, key: str | None, message: Message) -> None:
        """Send a message about a job, but heartbeats only now and then.

        An error of sending is ignored: if the parent is gone, `next_job` raises it.
        """
        with self._lock:
            # The parent handles messages one by one: a heartbeat per clip from every worker would
            # delay the answers.
            if isinstance(message, Heartbeat) and key is not None:
                now = time.monotonic()
                if now - self._last_heartbeat.get(key, 0.0) < _HEARTBEAT_INTERVAL_SECONDS:
                    return
                self._last_heartbeat[key] = now
            elif key is not None and not isinstance(message, Decoded):
                self._last_heartbeat.pop(key, None)
            with suppress(OSError):
                self._pipe.send((key, message))

    def next_job(self) -> Job:
        """Wait for the next job.

        Raises:
            EOFError: there will be no more.
        """
        job: Job = self._pipe.recv()
        return job


def _run_jobs(parent: _ParentPipe, setup: EngineSetup, task: Task) -> None:
    from vswin_cli.batch.job_runner import load_engine
    from vswin_cli.batch.thread_worker import ThreadWorker

    engine, cores = load_engine(setup), setup.decoding_cores
    with closing(ThreadWorker(engine, task, parent.report, cores=cores)) as worker:
        parent.report(None, worker.ready)
        while True:
            worker.submit(parent.next_job())


def _exit_with_parent() -> None:
    """Exit as soon as the parent process is gone."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    mp_connection.wait([parent.sentinel])
    os._exit(1)  # an exception in this thread would not end the others

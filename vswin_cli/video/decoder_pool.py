"""Start decoder processes and reuse idle ones for further videos.

A decoder process is a plain `python` that runs `vswin_cli.video.decoder_worker`: no fork of a
process with threads, no second run of the user's script as `multiprocessing` would do. A thread
reads its events into a bounded queue, so that decoding continues while the network computes.

Starting a process takes longer than decoding a short video. One process therefore decodes several
videos in turn. It is replaced after any video that was damaged or failed half-way, so that one
video cannot affect the next, and after `VIDEOS_PER_DECODER` videos, so that leaks cannot grow.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from typing import IO

from vswin_cli.errors import VswinError
from vswin_cli.storage.child_python import python_command
from vswin_cli.video.decoder_protocol import Event, read_event, set_capacity
from vswin_cli.video.image_slots import ImageSlots, share_memory

__all__ = ["VIDEOS_PER_DECODER", "DecoderPool", "DecoderProcess", "decoder_command"]

VIDEOS_PER_DECODER = 64
"""A decoder process is replaced after this many videos, which bounds leaks of native libraries."""

_QUEUED_EVENTS = 96  # about 25 MB of images: three clips ahead of the network
_PIPE_BYTES = 1 << 20  # a few images, where they take the pipe; 64 KiB is a quarter of one
_SINGLE_THREADED_NUMPY = {"OPENBLAS_NUM_THREADS": "1"}
"""Environment of a decoder. OpenBLAS, which decoding never uses, otherwise starts its threads on
import: a third of the start-up time of the process."""
_IMPORT_ERRORS = ("ImportError", "ModuleNotFoundError")
_MAIN = """
from vswin_cli.video.decoder_worker import main
main(float(sys.argv[1]), *map(int, sys.argv[2:]))
"""


def decoder_command(stall_timeout_seconds: float) -> list[str]:
    """Return the command line of a decoder process with the same packages as this one."""
    # The child's own alarm backs up the parent's watchdog and must never fire first, or the parent
    # would report a crash instead of a timeout.
    return python_command(_MAIN, str(2 * stall_timeout_seconds))


class DecoderProcess:
    """A decoder process and the thread that reads its events."""

    def __init__(self, command: Sequence[str]) -> None:
        self.command = command
        self.num_served = 0
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115
        memory = share_memory()
        shared = () if memory is None else (memory,)
        try:
            self._slots = None if memory is None else ImageSlots(memory)
            self._process = subprocess.Popen(
                [*command, *map(str, shared)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                bufsize=0,
                env=_SINGLE_THREADED_NUMPY | os.environ,
                pass_fds=shared,
            )
        finally:
            for descriptor in shared:
                os.close(descriptor)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        set_capacity(self._process.stdout, _PIPE_BYTES)
        self._closing = threading.Event()
        self._queue: queue.Queue[Event | VswinError | None] = queue.Queue(_QUEUED_EVENTS)
        self._thread = threading.Thread(
            target=self._read, args=(self._process.stdout,), name="vswin-decoder", daemon=True
        )
        self._thread.start()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process is still running."""
        return self._process.poll() is None

    def begin(self, request: bytes) -> None:
        """Send the request for the next video, once all events of the previous one were taken."""
        assert self._process.stdin is not None
        self.num_served += 1
        # Drop what the child wrote about earlier videos; it shares the file's offset.
        self._stderr.seek(0)
        self._stderr.truncate()
        with contextlib.suppress(BrokenPipeError):  # it has ended: `next_event` reports that
            self._process.stdin.write(request)

    def next_event(self, timeout_seconds: float) -> Event | None:
        """Wait for the next event; `None` if the process has ended.

        Raises:
            queue.Empty: no event came in time.
            VswinError: the error that the process sent.
        """
        event = self._queue.get(timeout=timeout_seconds)
        if isinstance(event, VswinError):
            raise event
        return event

    def import_error(self) -> str | None:
        """Return why the process could not load its packages; `None` if it ended otherwise.

        The message may have several lines, of which the first names the cause.
        """
        self._process.wait()
        found = [line for line in self._stderr_lines() if line.startswith(_IMPORT_ERRORS)]
        return found[-1] if found else None

    def exit_status(self) -> str:
        """Describe how the process ended: its signal, last line of stderr or exit code."""
        code = self._process.wait()
        if code < 0:
            return signal.Signals(-code).name
        lines = self._stderr_lines()
        return lines[-1] if lines else f"exit code {code}"

    def _stderr_lines(self) -> list[str]:
        self._stderr.seek(0)
        return self._stderr.read().decode("utf-8", "replace").strip().splitlines()

    def kill(self) -> None:
        """Kill the process."""
        self._process.kill()

    def close(self) -> None:
        """Kill the process, join the thread and close the pipes."""
        self._closing.set()
        self._process.kill()
        self._process.wait()
        self._thread.join()
        for pipe in (self._process.stdin, self._process.stdout, self._stderr):
            if pipe is not None:
                pipe.close()

    def _read(self, pipe: IO[bytes]) -> None:
        event: Event | VswinError | None
        while not self._closing.is_set():
            try:
                event = read_event(pipe, self._slots)
            except VswinError as error:
                event = error
            except (OSError, ValueError, KeyError, TypeError):
                event = None  # the pipe broke in the middle of a message
            self._put(event)
            if event is None:
                return

    def _put(self, event: Event | VswinError | None) -> None:
        """Queue an event; while the queue is full, check now and then for `close`."""
        while not self._closing.is_set():
            with contextlib.suppress(queue.Full):
                self._queue.put(event, timeout=0.2)
                return


class DecoderPool:
    """Idle decoder processes, shared by threads.

    Use as a context manager, or call `close`.
    """

    def __init__(self) -> None:
        self._idle: list[DecoderProcess] = []
        self._is_open = True
        self._lock = threading.Lock()

    def __enter__(self) -> DecoderPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def take(self, command: Sequence[str]) -> DecoderProcess:
        """Return an idle process with this command line if one is alive, else start one."""
        with self._lock:
            idle = self._idle.pop() if self._idle else None
        if idle is not None:
            if idle.command == command and idle.is_alive:
                return idle
            idle.close()
        return DecoderProcess(command)

    def put_back(self, process: DecoderProcess) -> None:
        """Keep a process for the next video, unless it has decoded enough of them."""
        with self._lock:
            if self._is_open and process.num_served < VIDEOS_PER_DECODER:
                self._idle.append(process)
                return
        process.close()

    def close(self) -> None:
        """Kill the idle processes; busy ones are killed when they are put back."""
        with self._lock:
            self._is_open = False
            idle, self._idle = self._idle, []
        for process in idle:
            process.close()

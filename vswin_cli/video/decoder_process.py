"""Decoding in a child process, so that a decoder that hangs or crashes costs one video only.

The child is a plain `python` that runs `vswin_cli.video.decoder_worker`: no fork of a process with
threads, no second run of the user's script as `multiprocessing` would do. A thread reads its
events into a bounded queue, so that decoding goes on while the network computes. What the child
delivered before it failed is kept.

Starting a child takes longer than decoding a short video. `reusing_decoders` lets one child
serve several videos in turn, under rules that keep them apart: after anything but a sound video
or a refused file the next one gets a fresh child, and so it does after `VIDEOS_PER_DECODER`, so
that leaks cannot grow; and a child that crashes after it has served others is not held against
the video, which a fresh child begins again.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Literal

from vswin_cli.errors import DecodeError, SourceError, VswinError
from vswin_cli.video.decoder_protocol import Event, encode_plan, read_event
from vswin_cli.video.info import DecodeReport, Gap, MediaWarning, VideoInfo
from vswin_cli.video.sampling import Progress, RunEnd, SampledFrame, SamplingPlan

__all__ = [
    "STALL_TIMEOUT_SECONDS",
    "VIDEOS_PER_DECODER",
    "DecoderPool",
    "decode_isolated",
    "decoder_command",
    "reusing_decoders",
]

STALL_TIMEOUT_SECONDS = 60.0
"""A decoder that gives no sign of life for this long is ended."""
VIDEOS_PER_DECODER = 64
"""A decoder that has served so many videos is replaced."""

_Failure = Literal["decode_timeout", "decode_crashed"]

_QUEUED_EVENTS = 96  # about 25 MB of pictures: three clips ahead of the network
_PIPE_BYTES = 1 << 20
_F_SETPIPE_SZ = 1031  # Linux; fcntl names it from Python 3.10 on, but not on every platform
_WITHOUT_ALGEBRA = {"OPENBLAS_NUM_THREADS": "1"}
"""NumPy's matrix library starts threads when loaded, a third of the work; decoding needs none."""
_BOOTSTRAP = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from vswin_cli.video.decoder_worker import main; main(float(sys.argv[1]))"
)


def decoder_command(stall_timeout_seconds: float) -> list[str]:
    """The command line of a decoder process that sees the same packages as this one."""
    paths = json.dumps([str(Path(path).resolve()) for path in sys.path])
    # The child's own alarm is a net below the parent's: it must never fire first.
    return [sys.executable, "-c", _BOOTSTRAP, str(2 * stall_timeout_seconds), paths]


def decode_isolated(
    path: Path,
    plan: SamplingPlan,
    *,
    stall_timeout_seconds: float = STALL_TIMEOUT_SECONDS,
    command: Sequence[str] | None = None,
) -> Generator[Event, None, None]:
    """As `decode_samples`, in a child process.

    A child that stops half-way does not raise: the events end with a `DecodeReport` whose
    `end_reason` says what happened and whose last gap is what was not decoded.

    Args:
        path: the video.
        plan: what to deliver.
        stall_timeout_seconds: how long to wait for a sign of life.
        command: the decoder's command line, if not the usual one.

    Raises:
        SourceError: as for `decode_samples`, or `DecodeError` if the child failed before it
            said what the video is.
    """
    command = command or decoder_command(stall_timeout_seconds)
    pool = _POOL.get()
    if pool is not None:
        yield from _Supervisor(pool, command, path, plan, stall_timeout_seconds).events()
        return
    with contextlib.closing(DecoderPool()) as own:
        yield from _Supervisor(own, command, path, plan, stall_timeout_seconds).events()


class DecoderPool:
    """Where children wait for their next videos, of whichever thread."""

    def __init__(self) -> None:
        self._idle: list[_Child] = []
        self._is_open = True
        self._lock = threading.Lock()

    def take(self, command: Sequence[str]) -> _Child:
        """A child that waits here, if one fits and lives, or else a new one."""
        with self._lock:
            waiting = self._idle.pop() if self._idle else None
        if waiting is not None:
            if waiting.command == command and waiting.is_alive:
                return waiting
            waiting.close()
        return _Child(command)

    def put_back(self, child: _Child) -> None:
        """Let a child wait for the next video, unless it has served enough."""
        with self._lock:
            if self._is_open and child.num_served < VIDEOS_PER_DECODER:
                self._idle.append(child)
                return
        child.close()

    def close(self) -> None:
        """End the children that wait; those at work end with their videos."""
        with self._lock:
            self._is_open = False
            waiting, self._idle = self._idle, []
        for child in waiting:
            child.close()


_POOL: ContextVar[DecoderPool | None] = ContextVar("vswin_decoder_pool", default=None)


@contextlib.contextmanager
def reusing_decoders(pool: DecoderPool | None = None) -> Iterator[None]:
    """Have children decode the videos of this block, and of this thread, one after the other.

    Args:
        pool: to share with other threads; by default one that is closed with the block.
    """
    with contextlib.ExitStack() as stack:
        if pool is None:
            pool = stack.enter_context(contextlib.closing(DecoderPool()))
        token = _POOL.set(pool)
        stack.callback(_POOL.reset, token)
        yield


class _Child:
    """A decoder process and the thread that reads from it."""

    def __init__(self, command: Sequence[str]) -> None:
        self.command = command
        self.num_served = 0
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            bufsize=0,
            env=_WITHOUT_ALGEBRA | os.environ,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        _widen(self._process.stdout)
        self._closing = threading.Event()
        self._queue: queue.Queue[Event | VswinError | None] = queue.Queue(_QUEUED_EVENTS)
        self._thread = threading.Thread(
            target=self._read, args=(self._process.stdout,), name="vswin-decoder", daemon=True
        )
        self._thread.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def begin(self, request: bytes) -> None:
        """Ask for the next video; the events of the one before have all been taken."""
        assert self._process.stdin is not None
        self.num_served += 1
        self._complaints.seek(0)  # the child's offset, too: what it said of other videos goes
        self._complaints.truncate()
        with contextlib.suppress(BrokenPipeError):  # it is gone, as its events will tell
            self._process.stdin.write(request)

    def next_event(self, timeout_seconds: float) -> Event | None:
        """The next event, or `None` if the child is gone.

        Raises:
            queue.Empty: nothing came in time.
            VswinError: what the child sent as the reason for its end.
        """
        event = self._queue.get(timeout=timeout_seconds)
        if isinstance(event, VswinError):
            raise event
        return event

    def fate(self) -> str:
        """How the process ended, for a message."""
        code = self._process.wait()
        self._complaints.seek(0)
        lines = self._complaints.read().decode("utf-8", "replace").strip().splitlines()
        if code < 0:
            return signal.Signals(-code).name
        return lines[-1] if lines else f"exit code {code}"

    def kill(self) -> None:
        """End the process whatever it is doing."""
        self._process.kill()

    def close(self) -> None:
        """End process and thread and release the pipes."""
        self._closing.set()
        self._process.kill()
        self._process.wait()
        self._thread.join()
        for pipe in (self._process.stdin, self._process.stdout, self._complaints):
            if pipe is not None:
                pipe.close()

    def _read(self, pipe: IO[bytes]) -> None:
        event: Event | VswinError | None
        while not self._closing.is_set():
            try:
                event = read_event(pipe)
            except VswinError as error:
                event = error
            except (OSError, ValueError, KeyError, TypeError):
                event = None  # the pipe broke in the middle of a message
            self._put(event)
            if event is None:
                return

    def _put(self, event: Event | VswinError | None) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(queue.Full):
                self._queue.put(event, timeout=0.2)
                return


class _Supervisor:
    """Passes a child's events on and completes them if the child does not."""

    def __init__(
        self,
        pool: DecoderPool,
        command: Sequence[str],
        path: Path,
        plan: SamplingPlan,
        stall_timeout_seconds: float,
    ) -> None:
        self._pool = pool
        self._command = command
        self._path = path
        self._plan = plan
        self._timeout = stall_timeout_seconds
        self._info: VideoInfo | None = None
        self._gaps: list[Gap] = []
        self._run_end: float | None = None
        self._seconds = plan.start_seconds  # up to where pictures came
        self._progress = Progress(plan.start_seconds, 0, 0)
        self._sampled = 0
        self._num_passed_on = 0  # without `Progress`, which depends on the clock
        self._num_known = 0  # of those to come, passed on already
        self._is_sound = False

    def events(self) -> Iterator[Event]:
        """Events up to and including the report."""
        self._child = self._pool.take(self._command)
        try:
            self._begin()
            yield from self._supervised()
        except SourceError:
            self._is_sound = self._info is None  # refused at once: nothing was decoded
            raise
        finally:
            if self._is_sound:
                self._pool.put_back(self._child)
            else:
                self._child.close()

    def _supervised(self) -> Iterator[Event]:
        while True:
            try:
                event = self._child.next_event(self._timeout)
            except queue.Empty:
                self._child.kill()
                what = f"gave no sign of life for {self._timeout:g} s"
                yield from self._complete("decode_timeout", what)
                return
            if event is None and self._child.num_served > 1:
                self._begin_again()
            elif event is None:
                yield from self._complete("decode_crashed", f"crashed ({self._child.fate()})")
                return
            elif not self._is_known(event):
                self._note(event)
                if isinstance(event, DecodeReport):
                    self._is_sound = event.status == "ok"
                    yield event
                    return
                yield event

    def _begin(self) -> None:
        self._child.begin(encode_plan(str(self._path), self._plan))

    def _begin_again(self) -> None:
        """A child that served others before may have crashed for their sake: ask another."""
        self._child.close()
        self._child = self._pool.take(self._command)
        self._num_known = self._num_passed_on
        self._begin()

    def _is_known(self, event: Event) -> bool:
        """Whether an event was passed on before the video was begun again."""
        if self._num_known == 0:
            self._num_passed_on += not isinstance(event, Progress)
            return False
        self._num_known -= not isinstance(event, Progress)
        return True

    def _note(self, event: Event) -> None:
        if isinstance(event, VideoInfo):
            self._info = event
        elif isinstance(event, SampledFrame):
            self._sampled += 1
            self._seconds = self._end_of(event)
            self._run_end = self._seconds
        elif isinstance(event, RunEnd):
            self._run_end = None
            self._seconds = event.end_seconds
        elif isinstance(event, Gap):
            self._gaps.append(event)
            self._seconds = event.end_seconds
        elif isinstance(event, Progress):
            self._progress = event

    def _end_of(self, sample: SampledFrame) -> float:
        """Until when a picture is known to be on display."""
        if self._plan.by == "time":
            return self._plan.seconds_at(sample.position + sample.count)
        rate = self._info.frame_rate if self._info else None
        return sample.seconds + 1.0 / (rate or 25.0)

    def _complete(self, reason: _Failure, what: str) -> Iterator[Event]:
        """The end of the events that the child still owes."""
        info = self._info
        if info is None:
            raise DecodeError(
                f"the decoder {what} on {self._path}",
                hint="the file is probably damaged; `vswin probe` says more",
            )
        if self._run_end is not None:
            yield RunEnd(self._run_end)
        plan = self._plan
        duration = max(info.declared_duration_seconds or 0.0, self._seconds)
        end = duration if plan.end_seconds is None else min(duration, plan.end_seconds)
        if end > self._seconds:
            self._gaps.append(Gap(self._seconds, end, reason))
        notice = MediaWarning(reason.upper(), f"the decoder {what} at {self._seconds:.3f} s")
        yield DecodeReport(
            end_reason=reason,
            start_seconds=plan.start_seconds,
            end_seconds=max(end, plan.start_seconds),
            duration_seconds=duration,
            frames_decoded=max(self._progress.frames_decoded, self._sampled),
            frames_sampled=self._sampled,
            bad_packets=self._progress.bad_packets,
            gaps=tuple(self._gaps),
            warnings=(*info.warnings, notice),
        )


def _widen(pipe: IO[bytes]) -> None:
    """Let a few pictures fit into the pipe; the usual 64 KiB is a quarter of one."""
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe, _F_SETPIPE_SZ, _PIPE_BYTES)

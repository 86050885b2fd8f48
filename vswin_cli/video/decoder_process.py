"""Decode in a child process, so that a decoder that hangs or crashes costs one video only.

What the child delivered before it failed is kept: the supervisor completes the events that the
child still owed. A child that crashes after it has served other videos is not held against this
one, which a fresh child begins again.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

from vswin_cli.errors import DecodeError, SourceError, VswinError
from vswin_cli.video.decode_options import DecodeOptions
from vswin_cli.video.decoder_pool import DecoderPool, decoder_command
from vswin_cli.video.decoder_protocol import Event, encode_request
from vswin_cli.video.info import DecodeReport, Gap, MediaWarning, VideoInfo
from vswin_cli.video.sampling import Progress, RunEnd, SampledFrame, SamplingPlan

__all__ = ["decode_isolated"]

_Failure = Literal["decode_timeout", "decode_crashed"]
_IMPORT_ERRORS = ("ImportError", "ModuleNotFoundError")


def decode_isolated(
    path: Path,
    plan: SamplingPlan,
    options: DecodeOptions = DecodeOptions(),
    *,
    pool: DecoderPool | None = None,
    command: Sequence[str] | None = None,
) -> Generator[Event, None, None]:
    """Decode like `decode_samples`, in a child process.

    A child that stops half-way does not raise: the events end with a `DecodeReport` whose
    `end_reason` says what happened and whose last gap is what was not decoded.

    Args:
        path: the video.
        plan: which frames are sampled.
        options: by what means they are decoded.
        pool: where the child comes from; by default one is started for this video.
        command: the decoder's command line, if not the usual one.

    Raises:
        SourceError: as for `decode_samples`, or `DecodeError` if the child failed before it
            said what the video is.
        VswinError: the child could not import what it decodes with.
    """
    command = command or decoder_command(options.stall_timeout_seconds)
    with ExitStack() as stack:
        if pool is None:
            pool = stack.enter_context(DecoderPool())
        yield from _Supervisor(pool, command, path, plan, options).events()


class _Supervisor:
    """Pass a child's events on and complete them if the child does not."""

    def __init__(
        self,
        pool: DecoderPool,
        command: Sequence[str],
        path: Path,
        plan: SamplingPlan,
        options: DecodeOptions,
    ) -> None:
        self._pool = pool
        self._command = command
        self._path = path
        self._plan = plan
        self._options = options
        self._info: VideoInfo | None = None
        self._gaps: list[Gap] = []
        self._run_end: float | None = None
        self._seconds = plan.start_seconds  # up to where frames came
        self._progress = Progress(plan.start_seconds, 0, 0)
        self._sampled = 0
        self._num_passed_on = 0  # without `Progress`, which depends on the clock
        self._num_known = 0  # of those to come, passed on already
        self._is_sound = False

    def events(self) -> Iterator[Event]:
        """Yield events up to and including the report."""
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
                event = self._next_event()
            except queue.Empty:
                self._child.kill()
                what = f"made no progress for {self._options.stall_timeout_seconds:g} s"
                yield from self._complete("decode_timeout", what)
                return
            if event is None and self._child.num_served > 1:
                self._begin_again()
            elif event is None:
                status = self._child.exit_status()
                if self._info is None and status.startswith(_IMPORT_ERRORS):
                    raise _broken_installation(status)
                yield from self._complete("decode_crashed", f"crashed ({status})")
                return
            elif not self._is_known(event):
                self._note(event)
                if isinstance(event, DecodeReport):
                    self._is_sound = event.status == "ok"
                    yield event
                    return
                yield event

    def _next_event(self) -> Event | None:
        """Wait for the next event that shows progress, or for the end of the child.

        Heartbeats that repeat the last one are dropped: a decoder in an endless loop sends them,
        too. Only the time spent here counts, not that of whoever takes the events.

        Raises:
            queue.Empty: there was no progress in time.
        """
        deadline = time.monotonic() + self._options.stall_timeout_seconds
        while (left := deadline - time.monotonic()) > 0:
            event = self._child.next_event(left)
            if not isinstance(event, Progress) or event != self._progress:
                return event
        raise queue.Empty

    def _begin(self) -> None:
        self._child.begin(encode_request(self._path, self._plan, self._options))

    def _begin_again(self) -> None:
        """Ask another child: one that served others before may have crashed because of them."""
        self._child.close()
        self._child = self._pool.take(self._command)
        self._num_known = self._num_passed_on
        self._begin()

    def _is_known(self, event: Event) -> bool:
        """Tell whether an event was passed on before the video was begun again.

        Decoding is deterministic except for `Progress`, which depends on the clock: counting the
        other events is enough to find the place.
        """
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
        """Until when a frame is known to be on display."""
        if self._plan.by == "time":
            return self._plan.seconds_at(sample.position + sample.count)
        rate = self._info.frame_rate if self._info else None
        return sample.seconds + 1.0 / (rate or 25.0)

    def _complete(self, reason: _Failure, what: str) -> Iterator[Event]:
        """Yield the end of the events that the child still owes."""
        info = self._info
        if info is None:
            raise DecodeError(
                f"the decoder {what} on {self._path}",
                hint="the file is probably damaged; see `vswin probe --scan`",
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


def _broken_installation(status: str) -> VswinError:
    """Make the error for a child that cannot import its packages: no video is to blame."""
    return VswinError(
        f"the decoder cannot start: {status}",
        hint="the installation of vswin is incomplete: reinstall it in its environment",
    )

"""Decode in a child process, so that a decoder that hangs or crashes costs one video only.

Everything that the child delivered before it failed is kept, and the supervisor adds the events
that are missing. If a child that had decoded other videos before crashes, the video is decoded
again by a new child, because an earlier video may be the cause.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

from vswin_cli.errors import DecodeError, InstallationError, SourceError
from vswin_cli.video.decode_options import DecodeOptions
from vswin_cli.video.decoder_pool import DecoderPool, decoder_command
from vswin_cli.video.decoder_protocol import Event, encode_request
from vswin_cli.video.info import DecodeReport, Gap, MediaWarning, VideoInfo
from vswin_cli.video.sampling import Progress, RunEnd, SampledFrame, SamplingPlan, as_plans

__all__ = ["decode_isolated"]

_Failure = Literal["decode_timeout", "decode_crashed"]


def decode_isolated(
    path: Path,
    plan: SamplingPlan | Sequence[SamplingPlan],
    options: DecodeOptions = DecodeOptions(),
    *,
    pool: DecoderPool | None = None,
    command: Sequence[str] | None = None,
) -> Generator[Event, None, None]:
    """Decode like `decode_samples`, in a child process.

    A child that stops half-way does not raise: the events end with a `DecodeReport` whose
    `end_reason` states the cause and whose last gap is the part that was not decoded.

    Args:
        path: the video.
        plan: which frames are sampled; several plans share one decoding.
        options: how they are decoded.
        pool: where the child comes from; by default one is started for this video.
        command: the decoder's command line, if not the usual one.

    Raises:
        SourceError: as for `decode_samples`, or `DecodeError` if the child failed before it
            sent the `VideoInfo`.
        InstallationError: the child could not import its packages.
    """
    command = command or decoder_command(options.stall_timeout_seconds)
    with ExitStack() as stack:
        if pool is None:
            pool = stack.enter_context(DecoderPool())
        yield from _Supervisor(pool, command, path, plan, options).events()


class _Supervisor:
    """Forward a child's events, and add the last ones if the child fails."""

    def __init__(
        self,
        pool: DecoderPool,
        command: Sequence[str],
        path: Path,
        plan: SamplingPlan | Sequence[SamplingPlan],
        options: DecodeOptions,
    ) -> None:
        self._pool = pool
        self._command = command
        self._request = encode_request(path, plan, options)
        self._options = options
        self._received = _Received(path, as_plans(plan))
        self._num_forwarded = 0  # without `Progress`, which depends on wall time
        self._num_repeated = 0  # events to drop: forwarded before the video was restarted
        self._is_sound = False

    def events(self) -> Iterator[Event]:
        """Yield events up to and including the report."""
        self._child = self._pool.take(self._command)
        try:
            self._child.begin(self._request)
            yield from self._supervised()
        except SourceError:
            self._is_sound = self._received.info is None  # rejected at once: nothing was decoded
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
                # Killed by the watchdog: a native call that hangs reacts to nothing else.
                self._child.kill()
                what = f"made no progress for {self._options.stall_timeout_seconds:g} s"
                yield from self._received.complete("decode_timeout", what)
                return
            if event is None and self._child.num_served > 1:
                self._restart()
            elif event is None:
                fault = self._child.import_error()
                if self._received.info is None and fault is not None:
                    raise _broken_installation(fault)
                status = self._child.exit_status()
                yield from self._received.complete("decode_crashed", f"crashed ({status})")
                return
            elif not self._is_repeated(event):
                self._received.add(event)
                if isinstance(event, DecodeReport):
                    self._is_sound = event.status == "ok"
                    yield event
                    return
                yield event

    def _next_event(self) -> Event | None:
        """Wait for the next event that shows progress, or for the end of the child.

        Heartbeats equal to the last one are dropped and do not extend the deadline: a decoder in
        an endless loop sends them, too. Only time spent waiting here counts, so that a slow
        consumer of the events cannot cause a timeout.

        Raises:
            queue.Empty: there was no progress in time.
        """
        deadline = time.monotonic() + self._options.stall_timeout_seconds
        while (left := deadline - time.monotonic()) > 0:
            event = self._child.next_event(left)
            if not isinstance(event, Progress) or event != self._received.progress:
                return event
        raise queue.Empty

    def _restart(self) -> None:
        """Start over with another child; an earlier video may have made this one crash."""
        self._child.close()
        self._child = self._pool.take(self._command)
        self._num_repeated = self._num_forwarded
        self._child.begin(self._request)

    def _is_repeated(self, event: Event) -> bool:
        """Return whether an event was already forwarded before the video was restarted.

        Decoding is deterministic except for `Progress`, which depends on wall time, so counting
        the other events is enough to find the place.
        """
        if self._num_repeated == 0:
            self._num_forwarded += not isinstance(event, Progress)
            return False
        self._num_repeated -= not isinstance(event, Progress)
        return True


class _Received:
    """The events that a child has sent, summed up for the report if the child fails.

    Attributes:
        info: metadata, once it was sent.
        progress: the newest heartbeat.

    Args:
        path: the video.
        plans: which frames are sampled.
    """

    def __init__(self, path: Path, plans: Sequence[SamplingPlan]) -> None:
        self.info: VideoInfo | None = None
        self._path = path
        self._plans = plans
        self._start, self._end = plans[0].start_seconds, plans[0].end_seconds
        self.progress = Progress(self._start, 0, 0)
        self._gaps: list[Gap] = []
        self._run_ends: dict[int, float] = {}  # of open runs, by plan
        self._seconds = self._start  # decoded up to here
        self._sampled = 0

    def add(self, event: Event) -> None:
        """Update what the report needs if the child fails after this event."""
        if isinstance(event, VideoInfo):
            self.info = event
        elif isinstance(event, SampledFrame):
            self._sampled += 1
            end = self._run_ends[event.plan_index] = self._end_of(event)
            self._seconds = self._latest(end)
        elif isinstance(event, RunEnd):
            self._run_ends.pop(event.plan_index, None)
            self._seconds = self._latest(event.end_seconds)
        elif isinstance(event, Gap):
            self._gaps.append(event)
            self._seconds = event.end_seconds
        elif isinstance(event, Progress):
            self.progress = event

    def _latest(self, seconds: float) -> float:
        """Return how far all plans together show that the video was decoded."""
        return seconds if len(self._plans) == 1 else max(self._seconds, seconds)

    def _end_of(self, sample: SampledFrame) -> float:
        """End of the time for which a sampled frame is known to be on display."""
        plan = self._plans[sample.plan_index]
        if plan.by == "time":
            return plan.seconds_at(sample.position + sample.count)
        rate = self.info.frame_rate if self.info else None
        return sample.seconds + 1.0 / (rate or 25.0)

    def complete(self, reason: _Failure, what: str) -> Iterator[Event]:
        """Yield the events that a failed child did not send.

        Raises:
            DecodeError: the child failed before it sent the `VideoInfo`.
        """
        info = self.info
        if info is None:
            raise DecodeError(
                f"the decoder {what} on {self._path}",
                hint="the file is probably damaged; see `vswin probe --scan`",
            )
        for number, run_end in sorted(self._run_ends.items()):
            yield RunEnd(run_end, number)
        # The true end is unknown: everything up to the declared one counts as a gap.
        duration = max(info.declared_duration_seconds or 0.0, self._seconds)
        end = duration if self._end is None else min(duration, self._end)
        if end > self._seconds:
            self._gaps.append(Gap(self._seconds, end, reason))
        notice = MediaWarning(reason.upper(), f"the decoder {what} at {self._seconds:.3f} s")
        yield DecodeReport(
            end_reason=reason,
            start_seconds=self._start,
            end_seconds=max(end, self._start),
            duration_seconds=duration,
            frames_decoded=max(self.progress.frames_decoded, self._sampled),
            frames_sampled=self._sampled,
            bad_packets=self.progress.bad_packets,
            gaps=tuple(self._gaps),
            warnings=(*info.warnings, notice),
        )


def _broken_installation(fault: str) -> InstallationError:
    """Make the error for a child that cannot import its packages: no video is to blame."""
    return InstallationError(
        f"the decoder cannot start: {fault}",
        hint="the installation of vswin is incomplete or damaged: reinstall it in its environment, "
        "such as `pip install --force-reinstall --no-deps av numpy`",
    )

"""Sample decoded frames: fill the grids of one or several plans, detect and report gaps.

Runs where the decoder runs, in a child process or in this one, and yields the events listed in
`vswin_cli.video.decoder_protocol`. Holds one undelivered frame, however long the video is. Frames
that no clip of any plan uses are decoded only if others refer to them.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from vswin_cli.storage.humanize import counted
from vswin_cli.video.constant_rate import ConstantRate
from vswin_cli.video.decode_options import DecodeOptions
from vswin_cli.video.decoder_protocol import Event
from vswin_cli.video.ending import missing_end
from vswin_cli.video.frame_rate import GAP_SECONDS, Intervals
from vswin_cli.video.frames import TimedFrame
from vswin_cli.video.info import DecodeReport, EndReason, Gap, GapReason, MediaWarning
from vswin_cli.video.nvdec import nvdec_for
from vswin_cli.video.parallel import frames_in_parallel
from vswin_cli.video.plan_sampler import PlanSampler
from vswin_cli.video.reader import VideoReader
from vswin_cli.video.sampling import ROUNDING_SECONDS, Progress, SamplingPlan, as_plans

__all__ = ["decode_samples"]

_PROGRESS_SECONDS = 0.5  # of wall time between heartbeats
_FALLBACK_RATE = 25.0
_LISTED = 3  # times in a warning
_SCAN_SHARE = 0.05  # decoding this share of a video takes longer than reading all its packets
_GAP_REASONS: dict[EndReason, GapReason] = {"truncated": "truncated", "read_error": "read_error"}


def decode_samples(
    path: Path,
    plan: SamplingPlan | Sequence[SamplingPlan],
    options: DecodeOptions = DecodeOptions(),
) -> Generator[Event, None, None]:
    """Decode a video, or the part given in the plan, into sampled frames.

    Several plans share one decoding: their events come in time order, each with the index of its
    plan. They must have the same start and end.

    Raises:
        SourceError: the file cannot be opened, holds no video, or not one frame can be decoded.
    """
    rate, threads = options.input_frame_rate, options.threads
    with VideoReader(path, input_frame_rate=rate, threads=threads) as reader:
        yield reader.info
        yield from _Sampler(reader, as_plans(plan), options).events()


class _Sampler:
    """Iterate over the frames of one reader and fill the positions of all plans."""

    def __init__(
        self, reader: VideoReader, plans: Sequence[SamplingPlan], options: DecodeOptions
    ) -> None:
        self._reader = reader
        self._start, self._end = plans[0].start_seconds, plans[0].end_seconds
        self._is_sparse = all(plan.sparse for plan in plans)
        self._by_time = all(plan.by == "time" for plan in plans)
        self._options = options
        self._nvdec = None if options.decoder == "software" else nvdec_for(options)
        tolerance = min(ROUNDING_SECONDS, reader.info.time_base_seconds)
        sides = self._short_sides = list(dict.fromkeys(plan.short_side for plan in plans))
        self._plans = [
            PlanSampler(plan, index, reader.info, tolerance, options, sides.index(plan.short_side))
            for index, plan in enumerate(plans)
        ]
        self._tolerance = tolerance
        self._intervals = Intervals(
            1.0 / (reader.info.frame_rate or _FALLBACK_RATE), reader.info.longest_seconds
        )
        self._rate = ConstantRate()
        self._gaps: list[Gap] = []
        self._shape_changes: list[float] = []
        self._held: TimedFrame | None = None
        self._decoded: TimedFrame | None = None  # the last one that has pixels
        self._held_since = 0.0  # the held frame's time, or earlier for the first of the video
        self._bad_packets_explained = 0  # attributed to earlier gaps
        self._frames_decoded = 0
        self._steps = 0
        self._last_heartbeat = time.monotonic()
        self._stopped = False
        self._sought = False
        self._last_target: float | None = None  # so that a seek is not tried twice
        # By index every frame must be counted, so none may be skipped.
        if self._by_time and not options.every_frame:
            reader.decode_only(self._is_wanted)

    def events(self) -> Iterator[Event]:
        """Yield everything after the `VideoInfo`."""
        target: float | None = self._start
        if (yield from self._is_worth_seeking(0.0, self._start)):
            self._reader.seek(self._start)
        while target is not None:
            target = yield from self._decode_from(target)
            if target is not None:
                self._sought = True
                self._held = None
                self._reader.seek(target)
        yield from self._finish()

    def _decode_from(self, start_seconds: float) -> Generator[Event, None, float | None]:
        """Decode from the current position; return a seek target, or `None` at the end."""
        for frame in self._frames():
            # After a fall-back from parallel decoding, frames come again from the first on.
            if self._held is None or frame.seconds > self._held.seconds:
                self._frames_decoded += 1
                yield from self._take(frame, start_seconds)
            if self._stopped:
                return None
            here = frame.seconds if self._held is None else self._held.seconds
            yield from self._heartbeat(here)
            target = yield from self._seek_target(frame.seconds)
            if target is not None:
                return target
        return None

    def _frames(self) -> Iterator[TimedFrame]:
        """Frames from the reader's position on, by several decoders if the plan allows it."""
        options, plans = self._options, [one.plan for one in self._plans]
        is_regular = self._by_time and not self._is_sparse
        if not is_regular or options.resize != "fast" or options.every_frame:
            return self._reader.frames()
        return frames_in_parallel(
            self._reader,
            decoders=options.decoders,
            short_sides=self._short_sides,
            images_per_second=sum(plan.positions_per_second for plan in plans),
            end_seconds=self._end,
            nvdec=self._nvdec,
        )

    def _is_wanted(self, begin_seconds: float, end_seconds: float) -> bool:
        """Return whether any plan has a position in `[begin_seconds, end_seconds)`."""
        return any(plan.walker.has_position(begin_seconds, end_seconds) for plan in self._plans)

    def _heartbeat(self, here_seconds: float) -> Iterator[Event]:
        self._steps += 1
        if time.monotonic() - self._last_heartbeat > _PROGRESS_SECONDS:
            self._last_heartbeat = time.monotonic()
            bad_packets = self._reader.bad_packets
            yield Progress(here_seconds, self._frames_decoded, bad_packets, self._steps)

    def _is_worth_seeking(self, here: float, target: float) -> Generator[Event, None, bool]:
        """Return whether to seek; yields heartbeats while timestamps are scanned for that.

        A seek is safe only if no time occurs twice in the file. For formats that may be joined
        recordings, this takes a scan of all packets, which a short distance does not repay.
        """
        reader = self._reader
        if not reader.worth_seeking(here, target):
            return False
        if reader.has_continuous_timestamps is None and not self._is_sparse:
            whole = reader.info.declared_duration_seconds or 0.0
            if target - here < _SCAN_SHARE * whole:
                return False
        for _ in reader.scan_timestamps():
            yield from self._heartbeat(here)
        return reader.worth_seeking(here, target)

    def _seek_target(self, here_seconds: float) -> Generator[Event, None, float | None]:
        """Return the next time needed by sparse plans if seeking there is cheaper."""
        walkers = [plan.walker for plan in self._plans]
        if not (self._is_sparse and self._by_time) or any(one.run_is_open for one in walkers):
            return None
        target = min(one.wanted_from_seconds for one in walkers)
        if self._end is not None and target >= self._end:
            return None
        if target == self._last_target:
            return None
        if not (yield from self._is_worth_seeking(here_seconds, target)):
            return None
        self._last_target = target
        return target

    def _take(self, frame: TimedFrame, start_seconds: float) -> Iterator[Event]:
        """Deliver the held frame, now that its end is known, and hold the new one.

        A frame stays on display until the next one. A step far beyond the usual one is a gap
        instead: the frame before it must not represent time whose frames were lost.
        """
        held = self._held
        if held is None:
            yield from self._begin(frame, start_seconds)
            return
        step = frame.seconds - held.seconds
        if frame.is_break:
            self._rate.anchor(frame.seconds)
            yield from self._end_run(frame.seconds)
        elif any(plan.changes_shape(frame) for plan in self._plans):
            # For all plans at once: of images of different sizes, aspects are rounded differently.
            self._shape_changes.append(frame.seconds)
            self._rate.add(frame.seconds)
            yield from self._end_run(frame.seconds)
        elif self._intervals.is_gap(step, held.declared_seconds):
            # The frames' numbers are counted anew: how many were lost is unknown.
            self._rate.anchor(frame.seconds)
            lost_since = held.seconds + self._intervals.shown_before_gap_seconds
            yield from self._end_run(lost_since)
            yield from self._gap(lost_since, frame.seconds, self._loss_reason())
        else:
            self._intervals.add(step)
            self._rate.add(frame.seconds)
            yield from self._show(held, frame.seconds)
        self._hold(frame, frame.seconds)

    def _begin(self, frame: TimedFrame, start_seconds: float) -> Iterator[Event]:
        """Hold the first frame: a short time before it is attributed to it, a long one a gap."""
        self._rate.anchor(frame.seconds)
        since = min(start_seconds, frame.seconds)
        if frame.seconds - start_seconds > self._intervals.longest_step_seconds:
            yield from self._gap(start_seconds, frame.seconds, self._loss_reason())
            since = frame.seconds
        self._hold(frame, since)

    def _hold(self, frame: TimedFrame, since: float) -> None:
        self._held = frame
        self._decoded = self._decoded if frame.frame is None else frame
        self._held_since = since
        end = self._end
        self._stopped = end is not None and frame.seconds >= end - self._tolerance

    def _loss_reason(self) -> GapReason:
        """Return `decode_error` if there are bad packets that no earlier gap accounts for.

        Decoders with several threads count a bad packet some frames before the gap it causes, so
        a comparison with the count at the frame before would miss it.
        """
        damaged = self._reader.bad_packets > self._bad_packets_explained
        self._bad_packets_explained = self._reader.bad_packets
        return "decode_error" if damaged else "missing_frames"

    def _show(self, held: TimedFrame, end_seconds: float) -> Iterator[Event]:
        """Deliver a frame to every plan for the positions at which it is on display."""
        for plan in self._plans:
            yield from plan.show(held, self._decoded, self._held_since, end_seconds)

    def _end_run(self, end_seconds: float) -> Iterator[Event]:
        """Deliver the held frame until `end_seconds` and close the run."""
        if self._held is not None:
            yield from self._show(self._held, end_seconds)
            for plan in self._plans:
                yield from plan.end_run(end_seconds)

    def _gap(self, start: float, end: float, reason: GapReason) -> Iterator[Event]:
        """Record a gap, cut to the analysed part."""
        start = max(start, self._start)
        end = end if self._end is None else min(end, self._end)
        if end > start:
            self._gaps.append(Gap(start, end, reason))
            yield self._gaps[-1]

    def _finish(self) -> Iterator[Event]:
        """Close the last run and yield the report."""
        last_end = self._last_end()
        yield from self._end_run(last_end)
        end_reason: EndReason = "stopped"
        end = last_end
        if not self._stopped:
            end_reason, end = missing_end(self._reader, last_end, self._intervals)
            reason = _GAP_REASONS.get(end_reason) or self._loss_reason()
            yield from self._gap(last_end, end, reason)
        yield self._report(end_reason, end)

    def _last_end(self) -> float:
        """Estimate when the last frame, which has no successor, leaves the display."""
        held = self._held
        if held is None:
            return self._start
        declared_end = self._reader.info.declared_duration_seconds or 0.0
        left = declared_end - held.seconds
        return held.seconds + self._intervals.last_frame_seconds(held.declared_seconds, left)

    def _report(self, end_reason: EndReason, end: float) -> DecodeReport:
        reader = self._reader
        declared = reader.info.declared_duration_seconds or 0.0
        declared_rate = reader.info.declared_frame_rate
        rate = self._rate.rate(Fraction(declared_rate) if declared_rate else None)
        # What looks like a join is one only in a stream that has no damage.
        joins = reader.joins.num_joins if reader.bad_packets or reader.corrupt_frames else 0
        analysed_end = end if self._end is None else min(end, self._end)
        return DecodeReport(
            end_reason=end_reason,
            start_seconds=self._start,
            end_seconds=max(analysed_end, self._start),
            duration_seconds=max(end, declared) if self._stopped else end,
            frames_decoded=self._frames_decoded,
            frames_sampled=sum(plan.num_sampled for plan in self._plans),
            bad_packets=reader.bad_packets + joins,
            corrupt_frames=reader.corrupt_frames,
            out_of_order_frames=reader.out_of_order_frames,
            gaps=tuple(self._gaps),
            usual_interval_seconds=self._intervals.usual_seconds,
            variable_frame_rate=self._is_variable,
            constant_frame_rate=None if rate is None or self._is_variable else str(rate),
            shape_changes_seconds=tuple(self._shape_changes),
            sampled_sparsely=self._sought,
            warnings=(
                *reader.info.warnings,
                *reader.warnings,
                *reader.joins.warnings,
                *self._decoder_warnings(),
                *self._warnings(end),
            ),
        )

    @property
    def _is_variable(self) -> bool:
        """Whether frames cannot be numbered by time."""
        return self._intervals.are_variable or self._rate.is_refuted

    def _decoder_warnings(self) -> tuple[MediaWarning, ...]:
        """Return why NVDEC did not decode what it should have."""
        if self._nvdec is None or self._options.decoder != "nvdec":
            return ()
        return self._nvdec.warnings

    def _warnings(self, end: float) -> list[MediaWarning]:
        found = []
        if self._is_variable:
            found.append(
                MediaWarning("VARIABLE_FRAME_RATE", "frames are not equally spaced in time")
            )
        codes = {warning.code for warning in self._reader.warnings}
        if self._intervals.are_stretched and "STRETCHED_CLOCK" not in codes:
            found.append(
                MediaWarning(
                    "STRETCHED_CLOCK",
                    "timestamps are too far apart for the frames and bytes of the file; "
                    "the time between them counts as missing",
                )
            )
        if self._shape_changes:
            found.append(_shape_warning(self._shape_changes))
        damaged = self._reader.corrupt_frames
        if damaged:
            found.append(MediaWarning("DAMAGED_PICTURES", counted(damaged, "damaged frame")))
        dropped = self._reader.out_of_order_frames
        if dropped:
            text = f"{counted(dropped, 'frame')} left out: time did not advance"
            found.append(MediaWarning("OUT_OF_ORDER", text))
        info = self._reader.info
        declared = info.declared_duration_seconds
        if info.duration_source == "estimate":
            declared = None
        if not self._stopped and declared is not None and abs(declared - end) > GAP_SECONDS:
            found.append(
                MediaWarning(
                    "DURATION_MISMATCH",
                    f"the container declares {declared:.3f} s, its frames end at {end:.3f} s",
                )
            )
        return found


def _shape_warning(times: Sequence[float]) -> MediaWarning:
    listed = ", ".join(f"{seconds:.3f} s" for seconds in times[:_LISTED])
    more = f" and {len(times) - _LISTED:,} more times" if len(times) > _LISTED else ""
    return MediaWarning(
        "SHAPE_CHANGE", f"the frames change shape at {listed}{more}; no clip reaches across"
    )

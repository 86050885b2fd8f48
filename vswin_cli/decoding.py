"""From decoded frames to sampled pictures: the grid is filled, gaps are found and reported.

Runs wherever the decoder runs, in a child process or in place, and hands on events: first a
`VideoInfo`, then `SampledFrame`, `RunEnd` and `Progress` in the order of time, last a
`DecodeReport`. Holds one undelivered frame, whatever the length of the video.
"""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Union

from vswin_cli.media import (
    DecodeReport,
    EndReason,
    Gap,
    GapReason,
    MediaWarning,
    VideoInfo,
)
from vswin_cli.pictures import PictureMaker
from vswin_cli.sampling import ROUNDING_SECONDS, Progress, RunEnd, SampledFrame, SamplingPlan
from vswin_cli.video import TimedFrame, VideoReader

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Event", "decode_samples"]

Event = Union[VideoInfo, SampledFrame, RunEnd, Progress, DecodeReport]

_GAP_FACTOR = 4.0  # a step of more than this many usual intervals is a gap ...
_GAP_SECONDS = 0.5  # ... if it is longer than this as well
_LONGEST_HOLD_SECONDS = 60.0  # of a still that the container declares; more is taken for damage
_PROGRESS_SECONDS = 0.5  # of wall time between signs of life
_MEMORY = 121  # intervals that the running median looks back on
_VARIABLE = 1.5  # intervals further apart than this factor make a frame rate variable
_SAME_SHAPE = 0.02  # relative difference of aspect that still counts as the same picture shape


def decode_samples(path: Path, plan: SamplingPlan) -> Iterator[Event]:
    """Decode a video, or the part that the plan names, into sampled pictures.

    Raises:
        SourceError: the file cannot be opened, holds no video, or not one frame can be decoded.
    """
    with VideoReader(path) as reader:
        yield reader.info
        yield from _Sampler(reader, plan).events()


class _Intervals:
    """Running median of the time between frames, and its extremes."""

    def __init__(self, first_guess_seconds: float) -> None:
        self._guess = first_guess_seconds
        self._recent: deque[float] = deque(maxlen=_MEMORY)
        self._median: float | None = None
        self._since_median = 0
        self.shortest = float("inf")
        self.longest = 0.0

    def add(self, seconds: float) -> None:
        self._recent.append(seconds)
        self._since_median += 1
        self.shortest = min(self.shortest, seconds)
        self.longest = max(self.longest, seconds)

    @property
    def median(self) -> float:
        """Of the recent intervals; the first guess before there are any."""
        if len(self._recent) < 3:
            return self._guess
        if self._median is None or self._since_median >= 8 or len(self._recent) < 16:
            self._median = statistics.median(self._recent)
            self._since_median = 0
        return self._median

    @property
    def variable(self) -> bool:
        """Whether intervals differ by more than the rounding of timestamps explains."""
        if not self._recent:
            return False
        spread = self.longest - self.shortest
        return self.longest > _VARIABLE * self.shortest and spread > 3 * ROUNDING_SECONDS


class _Sampler:
    """Walks over the frames of one reader and fills the plan's positions."""

    def __init__(self, reader: VideoReader, plan: SamplingPlan) -> None:
        self._reader = reader
        self._plan = plan
        self._maker = PictureMaker(plan.short_side, plan.resize)
        self._tolerance = min(ROUNDING_SECONDS, reader.info.time_base_seconds)
        self._intervals = _Intervals(1.0 / (reader.info.frame_rate or 25.0))
        self._gaps: list[Gap] = []
        self._held: TimedFrame | None = None
        self._held_since = 0.0  # differs from its own time only at the very start
        self._next_position = 0
        self._run_base: int | None = None
        self._shape: tuple[int, int] | None = None
        self._bad_packets_explained = 0
        self._frames_decoded = 0
        self._frames_sampled = 0
        self._stopped = False

    def events(self) -> Iterator[Event]:
        """Everything after the `VideoInfo`."""
        last_sign = time.monotonic()
        for frame in self._reader.frames():
            self._frames_decoded += 1
            yield from self._take(frame)
            if self._stopped:
                break
            if time.monotonic() - last_sign > _PROGRESS_SECONDS:
                last_sign = time.monotonic()
                yield Progress(frame.seconds, self._frames_decoded, self._reader.bad_packets)
        yield from self._finish()

    def _take(self, frame: TimedFrame) -> Iterator[Event]:
        held = self._held
        if held is None:
            self._begin(frame)
            return
        step = frame.seconds - held.seconds
        lost_since = self._lost_since(held, step)
        if lost_since is not None and not frame.is_break:
            yield from self._end_run(lost_since)
            self._add_gap(lost_since, frame.seconds, self._loss_reason())
        elif frame.is_break or self._shape_changes(frame):
            yield from self._end_run(frame.seconds)
        else:
            self._intervals.add(step)
            yield from self._show(held, self._held_since, frame.seconds)
        self._hold(frame, frame.seconds)
        end = self._plan.end_seconds
        self._stopped = end is not None and frame.seconds >= end - self._tolerance

    def _begin(self, frame: TimedFrame) -> None:
        """The first frame: a short wait before it belongs to it, a long one is a gap."""
        start = self._plan.start_seconds
        longest_wait = max(_GAP_FACTOR * self._intervals.median, _GAP_SECONDS)
        if frame.seconds - start > longest_wait:
            self._add_gap(start, frame.seconds, self._loss_reason())
            self._hold(frame, frame.seconds)
        else:
            self._hold(frame, min(start, frame.seconds))

    def _hold(self, frame: TimedFrame, since: float) -> None:
        self._held = frame
        self._held_since = since

    def _lost_since(self, held: TimedFrame, step: float) -> float | None:
        """From when on pictures are missing before the next frame; `None` if none are."""
        usual = self._intervals.median
        if step <= max(_GAP_FACTOR * usual, _GAP_SECONDS):
            return None
        declared = held.declared_seconds
        if step <= _LONGEST_HOLD_SECONDS and declared >= step - 2 * usual:
            return None  # the container says that this picture stands still for so long
        return held.seconds + usual

    def _loss_reason(self) -> GapReason:
        """Damage that no earlier gap accounts for; frame threads report it ahead of time."""
        damaged = self._reader.bad_packets > self._bad_packets_explained
        self._bad_packets_explained = self._reader.bad_packets
        return "decode_error" if damaged else "missing_frames"

    def _shape_changes(self, frame: TimedFrame) -> bool:
        """Whether the upright picture's proportions differ from those before."""
        if self._shape is None:
            return False
        height, width = self._upright_shape(frame)
        before = self._shape[1] / self._shape[0]
        return abs(width / height / before - 1) > _SAME_SHAPE

    def _upright_shape(self, frame: TimedFrame) -> tuple[int, int]:
        height, width = self._maker.shape(frame.frame)
        return (width, height) if frame.rotation_degrees % 180 else (height, width)

    def _show(self, held: TimedFrame, begin: float, end: float) -> Iterator[Event]:
        """Deliver a frame for the positions that it is on display at, if a clip may use it."""
        positions = self._positions(begin, end)
        if not positions:
            return
        if self._run_base is None:
            aligned = self._plan.aligned(positions.start)
            if aligned >= positions.stop:
                return
            positions = range(aligned, positions.stop)
            self._run_base = aligned
            self._shape = self._upright_shape(held)
        self._next_position = positions.stop
        base = self._run_base
        if any(self._plan.is_wanted(position - base) for position in positions):
            self._frames_sampled += 1
            picture = self._picture(held)
            yield SampledFrame(positions.start, len(positions), held.seconds, picture)

    def _positions(self, begin: float, end: float) -> range:
        """Positions not filled before, at which a picture shown over [begin, end) is seen."""
        plan = self._plan
        limit = plan.end_seconds
        if plan.by == "index":
            inside = begin >= plan.start_seconds - self._tolerance and (
                limit is None or begin < limit - self._tolerance
            )
            first = self._next_position
            if self._run_base is None:
                first = plan.aligned(first)
            return range(first, first + inside)
        first = max(self._next_position, plan.first_position_from(begin, self._tolerance))
        stop = plan.first_position_from(end, self._tolerance)
        if limit is not None:
            stop = min(stop, plan.first_position_from(limit, 0.0))
        return range(first, stop)

    def _picture(self, held: TimedFrame) -> NDArray[np.uint8]:
        assert self._shape is not None
        height, width = self._shape
        shape = (width, height) if held.rotation_degrees % 180 else (height, width)
        return self._maker.make(held.frame, held.rotation_degrees, shape)

    def _end_run(self, end: float) -> Iterator[Event]:
        """Deliver the held frame until `end` and close the run."""
        if self._held is None:
            return
        yield from self._show(self._held, self._held_since, end)
        self._held = None
        if self._run_base is not None:
            limit = self._plan.end_seconds
            yield RunEnd(end if limit is None else min(end, limit))
        self._run_base = None
        self._shape = None

    def _add_gap(self, start: float, end: float, reason: GapReason) -> None:
        """Note a gap, cut to the analysed part."""
        start = max(start, self._plan.start_seconds)
        end = end if self._plan.end_seconds is None else min(end, self._plan.end_seconds)
        if end > start:
            self._gaps.append(Gap(start, end, reason))

    def _finish(self) -> Iterator[Event]:
        """Close the last run and give the account."""
        last_end = self._last_end()
        yield from self._end_run(last_end)
        end_reason: EndReason = "stopped" if self._stopped else "end"
        end = last_end
        if not self._stopped:
            end_reason, end = self._missing_end(last_end)
        yield self._report(end_reason, last_end=last_end, end=end)

    def _last_end(self) -> float:
        """When the last frame leaves the display."""
        held = self._held
        if held is None:
            return self._plan.start_seconds
        usual = self._intervals.median
        declared = held.declared_seconds
        total = self._reader.info.declared_duration_seconds or 0.0
        plausible = declared <= max(_GAP_FACTOR * usual, _GAP_SECONDS) or (
            held.seconds + declared <= total + usual and declared <= _LONGEST_HOLD_SECONDS
        )
        return held.seconds + (declared if declared > 0 and plausible else usual)

    def _missing_end(self, last_end: float) -> tuple[EndReason, float]:
        """Why the stream ended where it did, and where it should have ended."""
        info = self._reader.info
        declared = info.declared_duration_seconds or 0.0
        longest_wait = max(_GAP_FACTOR * self._intervals.median, _GAP_SECONDS)
        short = declared - last_end > longest_wait
        if self._reader.read_failed:
            return "read_error", max(declared, last_end)
        if info.cut_off:
            return "truncated", max(declared, last_end)
        if not short:
            return "end", last_end
        if self._reader.bad_packets > self._bad_packets_explained:
            return "end", declared
        if info.cut_off is None:
            return "truncated", declared
        return "end", last_end

    def _report(self, end_reason: EndReason, *, last_end: float, end: float) -> DecodeReport:
        plan, reader = self._plan, self._reader
        limit = plan.end_seconds
        analysed_end = end if limit is None else min(end, limit)
        if end > last_end:
            reasons: dict[EndReason, GapReason] = {
                "truncated": "truncated",
                "read_error": "read_error",
            }
            self._add_gap(last_end, end, reasons.get(end_reason, "decode_error"))
        duration = max(end, reader.info.declared_duration_seconds or 0.0) if self._stopped else end
        return DecodeReport(
            end_reason=end_reason,
            start_seconds=plan.start_seconds,
            end_seconds=max(analysed_end, plan.start_seconds),
            duration_seconds=duration,
            frames_decoded=self._frames_decoded,
            frames_sampled=self._frames_sampled,
            bad_packets=reader.bad_packets,
            corrupt_frames=reader.corrupt_frames,
            out_of_order_frames=reader.out_of_order_frames,
            gaps=tuple(self._gaps),
            median_interval_seconds=self._intervals.median,
            variable_frame_rate=self._intervals.variable,
            warnings=(*reader.info.warnings, *reader.warnings, *self._warnings(end)),
        )

    def _warnings(self, end: float) -> list[MediaWarning]:
        found = []
        if self._intervals.variable:
            found.append(
                MediaWarning("VARIABLE_FRAME_RATE", "frames are not equally spaced in time")
            )
        declared = self._reader.info.declared_duration_seconds
        if not self._stopped and declared is not None and abs(declared - end) > _GAP_SECONDS:
            found.append(
                MediaWarning(
                    "DURATION_MISMATCH",
                    f"the container declares {declared:.3f} s, its frames end at {end:.3f} s",
                )
            )
        return found

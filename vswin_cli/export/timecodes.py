"""Convert times to milliseconds, clock text, frames at an editing rate and timecode."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

from vswin_cli.errors import OptionError
from vswin_cli.timeline.record import Timeline
from vswin_cli.timeline.segments import Segment
from vswin_cli.video.constant_rate import STANDARD_RATES

__all__ = [
    "EditRate",
    "as_played",
    "clock",
    "drop_rate",
    "edit_rate",
    "frame_range",
    "milliseconds",
    "own_rate",
    "timecode",
]

_DROP_RATES = (Fraction(30000, 1001), Fraction(60000, 1001))
_EPSILON = 1e-4  # of a frame: times carry microseconds


def milliseconds(seconds: float) -> int:
    """Round to the nearest whole millisecond."""
    return round(seconds * 1000)


def clock(seconds: float, point: str = ".") -> str:
    """Format as `HH:MM:SS.mmm`; hours are always there and take as many digits as they need."""
    rest, ms = divmod(milliseconds(seconds), 1000)
    minutes, secs = divmod(rest, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{secs:02d}{point}{ms:03d}"


def as_played(timeline: Timeline) -> Timeline:
    """Shift a timeline to a player's clock, which begins with the sound if that comes first."""
    lead = timeline.video.lead_seconds
    if not lead:
        return timeline
    moved = (
        replace(
            one,
            start_seconds=one.start_seconds + lead,
            end_seconds=one.end_seconds + lead,
            peak_seconds=one.peak_seconds + lead,
        )
        for one in timeline.segments
    )
    return replace(timeline, segments=tuple(moved))


@dataclass(frozen=True, slots=True)
class EditRate:
    """The frame rate at which a format counts the frames of a video."""

    frames_per_second: Fraction
    exact: bool
    """Whether every frame of the video has its own number at this rate."""

    @property
    def timebase(self) -> int:
        """Frames that a timecode counts per second: 30 for 29.97."""
        return math.ceil(self.frames_per_second)


def edit_rate(timeline: Timeline) -> EditRate:
    """Return the video's own rate if it is constant and a standard one, else the nearest one.

    Raises:
        OptionError: the timeline knows no rate at all.
    """
    constant = timeline.video.constant_frame_rate
    if constant in STANDARD_RATES:
        return EditRate(constant, exact=True)
    average = timeline.video.average_frame_rate
    wanted = float(constant) if constant is not None else average
    if not wanted:
        raise OptionError(
            f"this format counts frames, and the timeline of {timeline.video.uri} "
            "knows no frame rate",
            hint="choose a format with times, such as srt, csv or otio",
        )
    nearest = min(STANDARD_RATES, key=lambda rate: abs(math.log(float(rate) / wanted)))
    return EditRate(nearest, exact=False)


def drop_rate(timeline: Timeline) -> EditRate:
    """Return `edit_rate`, where drop-frame timecode keeps real time.

    Raises:
        OptionError: the video has another rate, at which nothing is dropped, or none.
    """
    rate = edit_rate(timeline)
    if rate.frames_per_second not in _DROP_RATES:
        raise OptionError(
            "drop-frame timecode exists at 29.97 and 59.94 frames per second, "
            f"{timeline.video.uri} has {float(rate.frames_per_second):g}",
            hint="choose `edl`",
        )
    return rate


def own_rate(timeline: Timeline) -> EditRate:
    """Return the video's own rate if it is constant, whatever it is, else `edit_rate`.

    Raises:
        OptionError: the timeline knows no rate at all.
    """
    constant = timeline.video.constant_frame_rate
    return edit_rate(timeline) if constant is None else EditRate(constant, exact=True)


def frame_range(segment: Segment, rate: EditRate) -> tuple[int, int]:
    """Return the half-open range of frames first shown inside the segment, at least one.

    The same rule as for `Segment.start_frame`. Rounding up, not to the nearest: a frame that began
    before the segment belongs to what came before, as the last frame of a shot before a cut.
    """
    start = max(0, math.ceil(segment.start_seconds * rate.frames_per_second - _EPSILON))
    end = math.ceil(segment.end_seconds * rate.frames_per_second - _EPSILON)
    return start, max(end, start + 1)


def timecode(frame: int, rate: EditRate, *, drop: bool = False) -> str:
    """Format as `HH:MM:SS:FF`, or `HH:MM:SS;FF` counting drop-frame (SMPTE 12M).

    At 29.97 a clock that counts 30 per second falls behind by 3.6 s an hour, 108 numbers.
    Drop-frame skips numbers, not frames: the first two of each minute (four at 59.94) except every
    tenth, 108 in an hour.
    """
    base = rate.timebase
    if drop:
        skipped = base // 15
        # Only the first minute of ten keeps its first numbers and is longer than the others.
        tens, rest = divmod(frame, 10 * 60 * base - 9 * skipped)
        minutes = max(0, rest - skipped) // (60 * base - skipped)
        frame += skipped * (9 * tens + minutes)
    seconds, frames = divmod(frame, base)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    mark = ";" if drop else ":"
    return f"{hours % 24:02d}:{minutes:02d}:{seconds:02d}{mark}{frames:02d}"

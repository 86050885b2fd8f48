"""Convert times to milliseconds, clock text, frames at an editing rate and timecode."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

from vswin_cli.errors import OptionError
from vswin_cli.timeline.record import Timeline
from vswin_cli.timeline.segments import Segment
from vswin_cli.video.constant_rate import STANDARD_RATES
from vswin_cli.video.timecode import Timecode, parse_timecode

__all__ = [
    "EditRate",
    "as_played",
    "clock",
    "drop_rate",
    "edit_rate",
    "frame_range",
    "frames_per_day",
    "milliseconds",
    "own_rate",
    "start_frame",
    "starts_in_drop_frame",
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
    """Shift a timeline to a player's time axis, which starts with the audio if that is first."""
    lead = timeline.video.lead_seconds
    if not lead:
        return timeline
    first, *others = [
        replace(one, segments=tuple(_later(segment, lead) for segment in one.segments))
        for one in timeline.each_model()
    ]
    return first.with_tracks(others)


def _later(segment: Segment, seconds: float) -> Segment:
    return replace(
        segment,
        start_seconds=segment.start_seconds + seconds,
        end_seconds=segment.end_seconds + seconds,
        peak_seconds=segment.peak_seconds + seconds,
    )


@dataclass(frozen=True, slots=True)
class EditRate:
    """The frame rate at which a format counts the frames of a video."""

    frames_per_second: Fraction
    exact: bool
    """Whether every frame of the video has its own number at this rate."""
    numbers_per_frame: int = 1
    """Numbers that each frame takes, 3 for a video of 10 frames per second counted at 30."""

    @property
    def timebase(self) -> int:
        """Frames that a timecode counts per second: 30 for 29.97."""
        return math.ceil(self.frames_per_second)


def edit_rate(timeline: Timeline) -> EditRate:
    """Return the standard rate at which every frame has a number, else the nearest one.

    That is the video's own constant rate or, for one that editing programs do not support (10,
    12.5, 15), a multiple: 30 or 25. At the nearest rate times are rounded to frames.

    Raises:
        OptionError: the timeline has no frame rate.
    """
    constant = timeline.video.constant_frame_rate
    if constant is not None:
        multiples = (rate for rate in STANDARD_RATES if (rate / constant).denominator == 1)
        smallest = next(multiples, None)
        if smallest is not None:
            return EditRate(smallest, exact=True, numbers_per_frame=int(smallest / constant))
    average = timeline.video.average_frame_rate
    wanted = float(constant) if constant is not None else average
    if not wanted or wanted < 0:
        raise OptionError(
            f"this format counts frames, and the timeline of {timeline.video.uri} "
            "has no frame rate",
            hint="choose a format with times, such as srt, csv or otio",
        )
    nearest = min(STANDARD_RATES, key=lambda rate: abs(math.log(float(rate) / wanted)))
    return EditRate(nearest, exact=False)


def drop_rate(timeline: Timeline) -> EditRate:
    """Return `edit_rate` if drop-frame timecode exists at it.

    Raises:
        OptionError: the video has another rate, or none.
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
    """Return the video's own rate if it is constant, standard or not, else `edit_rate`.

    Raises:
        OptionError: the timeline has no frame rate.
    """
    constant = timeline.video.constant_frame_rate
    return edit_rate(timeline) if constant is None else EditRate(constant, exact=True)


def frame_range(segment: Segment, rate: EditRate) -> tuple[int, int]:
    """Return the half-open range of frames first shown inside the segment, at least one.

    The same rule as for `Segment.start_frame`. Rounded up, not to the nearest: a frame that began
    before the segment belongs to the part before it, as the last frame of a shot before a cut.
    """
    own = rate.frames_per_second / rate.numbers_per_frame
    start = max(0, math.ceil(segment.start_seconds * own - _EPSILON))
    end = max(start + 1, math.ceil(segment.end_seconds * own - _EPSILON))
    return start * rate.numbers_per_frame, end * rate.numbers_per_frame


def start_frame(timeline: Timeline, rate: EditRate) -> int:
    """Return the number of a video's first frame by its start timecode; 0 if it has none.

    Raises:
        OptionError: the timecode counts more frames per second than the video has.
    """
    start = _start_timecode(timeline)
    if start is None:
        return 0
    # A video of 10 frames per second counts them to 10 in its timecode.
    own = rate.frames_per_second / rate.numbers_per_frame
    timebase = math.ceil(own)
    if start.frames >= timebase:
        raise OptionError(
            f"the start timecode {start} of {timeline.video.uri} counts {start.frames} frames, "
            f"at {float(own):g} frames per second",
            hint="give the right one with --timecode-start HH:MM:SS:FF",
        )
    if not starts_in_drop_frame(timeline, rate):
        start = replace(start, is_drop_frame=False)
    return start.frame_number(timebase) * rate.numbers_per_frame


def starts_in_drop_frame(timeline: Timeline, rate: EditRate) -> bool:
    """Return whether a video has drop-frame timecode, which exists at two rates only."""
    start = _start_timecode(timeline)
    is_drop_frame = start is not None and start.is_drop_frame
    return is_drop_frame and rate.frames_per_second in _DROP_RATES


def _start_timecode(timeline: Timeline) -> Timecode | None:
    text = timeline.video.start_timecode
    return None if text is None else parse_timecode(text)


def frames_per_day(rate: EditRate, *, drop: bool) -> int:
    """Return the number of frames after which a timecode restarts at 00:00:00:00."""
    skipped = rate.timebase // 15 * (24 * 60 - 24 * 6) if drop else 0
    return 24 * 60 * 60 * rate.timebase - skipped


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
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{mark}{frames:02d}"

"""Unwrap file timestamps to one monotonic timeline.

A backward jump of more than `RESET_SECONDS` is a timestamp reset: the frames after it continue the
timeline. A single frame whose time is far from those of its neighbours, which are near each other,
has a damaged timestamp: it is placed between them, and no other time changes. A frame far ahead
that only a few others precede came too early from the decoder, such as the last one of a file whose
middle is destroyed: it keeps its time, and the others are shown first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TypeAlias

from vswin_cli.storage.humanize import counted
from vswin_cli.video.info import MediaWarning

__all__ = ["RESET_SECONDS", "TimestampUnwrapper", "to_seconds"]

RESET_SECONDS = 0.5
"""A step back in time by more than this is a timestamp reset, not reordering."""
# Jumps ahead up to this are accepted whatever the file's size, as stills of the same length are
# (`frame_rate`). Damaged timestamps jump by hours or years, which the file's size must allow.
_FREE_JUMP_SECONDS = 60.0
# Upper limit of the step across a reset, which is the usual interval: with damaged timestamps that
# is itself too long, and every reset would add it.
_LONGEST_BREAK_SECONDS = 1.0
# At most, between the two frames around a damaged timestamp. Further apart, frames may be missing
# between them, and the one timestamp is not known to be the wrong one.
_NEIGHBOUR_SECONDS = 1.0
# That a decoder holds back while it already yields a later one.
_MOST_HELD_FRAMES = 4

FollowingStamps: TypeAlias = Callable[[int], "Sequence[float | None]"]
"""Returns the stamps of so many next frames, fewer at the end of the video."""


class TimestampUnwrapper:
    """Compute the times of frames given in presentation order.

    Args:
        interval_seconds: usual time between two frames.

    Attributes:
        longest_jumps_seconds: remaining budget for long jumps ahead, all of them together.
    """

    def __init__(self, interval_seconds: float) -> None:
        self.interval_seconds = interval_seconds
        self.longest_jumps_seconds = math.inf
        self._first_jump_seconds: float | None = None
        self._first_reset_seconds: float | None = None
        self._num_resets = 0
        self._num_misplaced = 0
        self.restart()

    def restart(self) -> None:
        """Start from another frame, such as after a seek; the warnings are kept."""
        self._newest: float | None = None
        self._shift = 0.0

    def num_before(self, stamp: float | None, following: FollowingStamps) -> int:
        """Return how many of the frames after this one are shown before it.

        Args:
            stamp: the frame's timestamp in the file, in seconds.
            following: called if this one jumps ahead.

        Returns:
            More than 0 if some are near the last frame, and the video then ends or goes on near
            this one. Where it goes on from them, the timestamp of this one is damaged.
        """
        newest = self._newest
        if stamp is None or newest is None or stamp + self._shift - newest <= RESET_SECONDS:
            return 0
        for count in range(_MOST_HELD_FRAMES + 1):
            stamps = following(count + 1)
            after = stamps[count] if count < len(stamps) else stamp
            if after is None or abs(after - stamp) <= RESET_SECONDS:
                return 0 if after is None else count
            if not newest < after + self._shift <= newest + _NEIGHBOUR_SECONDS:
                return 0
        return 0

    def time_of_next(self, stamp: float | None, following: FollowingStamps) -> tuple[float, bool]:
        """Return the time of the next frame, and whether timestamps were reset before it.

        Args:
            stamp: the frame's timestamp in the file, in seconds; without one the frame is one
                interval after the last.
            following: called if this one jumps.
        """
        newest = self._newest
        if newest is None:
            seconds, is_reset = stamp or 0.0, False
        elif stamp is None:
            seconds, is_reset = newest + self.interval_seconds, False
        else:
            seconds, is_reset = self._after(newest, stamp + self._shift, following)
        self._newest = seconds if newest is None else max(newest, seconds)
        return seconds, is_reset

    def _after(
        self, newest: float, seconds: float, following: FollowingStamps
    ) -> tuple[float, bool]:
        # Decoders and demuxers put frames out of order by a few frames, which `frames.in_order`
        # sorts. Joined recordings and wrapped counters step back by seconds to hours.
        if abs(seconds - newest) <= RESET_SECONDS:
            return seconds, False
        # A single deviating timestamp is damage; two in a row are a jump of the recording.
        stamp = next(iter(following(1)), None)
        if stamp is not None and self._is_misplaced(newest, seconds, stamp + self._shift):
            self._num_misplaced += 1
            return newest + min(self.interval_seconds, (stamp + self._shift - newest) / 2), False
        if seconds > newest:
            return self._ahead(newest, seconds)
        begin = newest + self._break_seconds
        self._shift += begin - seconds
        self._num_resets += 1
        if self._first_reset_seconds is None:
            self._first_reset_seconds = begin
        return begin, True

    def _ahead(self, newest: float, seconds: float) -> tuple[float, bool]:
        """Accept a jump ahead as missing frames, up to as much as the file could hold."""
        jump = seconds - newest
        if jump <= _FREE_JUMP_SECONDS:
            return seconds, False
        # One budget for all jumps together, because many short ones would add up to years, too.
        possible = min(jump, self.longest_jumps_seconds)
        self.longest_jumps_seconds -= possible
        if possible == jump:
            return seconds, False
        is_break = possible <= _FREE_JUMP_SECONDS  # budget used up: treated like a reset
        step = self._break_seconds if is_break else possible
        self._shift += newest + step - seconds
        if self._first_jump_seconds is None:
            self._first_jump_seconds = newest
        return newest + step, is_break

    @property
    def _break_seconds(self) -> float:
        return min(self.interval_seconds, _LONGEST_BREAK_SECONDS)

    @staticmethod
    def _is_misplaced(newest: float, seconds: float, following: float) -> bool:
        """Return whether the frames around this one are close, and it is far from both."""
        are_near = newest < following <= newest + _NEIGHBOUR_SECONDS
        return are_near and abs(seconds - following) > RESET_SECONDS

    @property
    def warnings(self) -> tuple[MediaWarning, ...]:
        """Warnings of the resets, jumps and damaged timestamps so far."""
        found = []
        if self._num_resets:
            times = f", {self._num_resets:,} times in all" if self._num_resets > 1 else ""
            text = f"the file's timestamps restart at {self._first_reset_seconds:.3f} s{times}"
            found.append(MediaWarning("TIMESTAMP_RESET", text))
        if self._first_jump_seconds is not None:
            text = (
                f"the file's timestamps jump ahead at {self._first_jump_seconds:.3f} s, by more "
                "than a file of this size can hold; later times are uncertain"
            )
            found.append(MediaWarning("STRETCHED_CLOCK", text))
        if self._num_misplaced:
            text = f"{counted(self._num_misplaced, 'damaged timestamp')} corrected from neighbours"
            found.append(MediaWarning("DAMAGED_TIMESTAMPS", text))
        return tuple(found)


def to_seconds(timestamp: int, tick: Fraction, origin: Fraction) -> float:
    """Convert a timestamp to seconds from an origin: `timestamp * tick - origin`, rounded once.

    Args:
        timestamp: in ticks.
        tick: in seconds.
        origin: in seconds.
    """
    # In whole numbers, which round the same: with fractions this took half of the interpreter's
    # time per frame, and all decoders of a video share the interpreter.
    scale = tick.denominator
    distance = timestamp * tick.numerator * origin.denominator - origin.numerator * scale
    return distance / (scale * origin.denominator)

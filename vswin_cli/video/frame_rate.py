"""Measure how far apart frames usually are, and tell gaps from long intervals.

Pure arithmetic on seconds; the rules for gaps, for stills and for variable frame rates are here.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Collection

from vswin_cli.video.sampling import ROUNDING_SECONDS

__all__ = ["GAP_SECONDS", "Intervals", "usual_interval"]

GAP_SECONDS = 0.5
"""A shorter step between two frames is never a gap."""

_GAP_FACTOR = 4.0  # nor is one of up to this many usual intervals
_LONGEST_HOLD_SECONDS = 60.0  # of a still that the container declares; more is taken for damage
_LONGEST_USUAL_SECONDS = 10.0  # a clock with a longer usual interval is stretched
_SHOWN_BEFORE_GAP_SECONDS = 1.0  # at the most
_STILLS_SHARE = 0.1  # of the time that a file can last at the most
_MEMORY = 121  # intervals that the running statistics look back on
_MEDIAN_EVERY = 8  # intervals between two computations of the usual one
_FEW = 3  # with fewer intervals the first guess holds
_RATE_JITTER = 0.1  # share of the usual interval by which others may differ
_VARIABLE_SHARE = 0.02  # more unusual intervals than this make a frame rate variable


def usual_interval(intervals_seconds: Collection[float]) -> float:
    """Return the mean of those intervals that are about as long as the median.

    The median alone would be one of the rounded values that containers with coarse timestamps
    hold, 33 ms for 30 frames per second.
    """
    median = statistics.median_low(intervals_seconds)  # one of them, so that the mean exists
    return statistics.fmean(step for step in intervals_seconds if _is_usual(step, median))


def _is_usual(seconds: float, usual: float) -> bool:
    return abs(seconds - usual) <= max(2 * ROUNDING_SECONDS, _RATE_JITTER * usual)


class Intervals:
    """Keep running statistics of the time between frames.

    Args:
        first_guess_seconds: the usual interval until frames have told it.
        longest_seconds: how long the file can last. A share of it bounds the time over which
            frames may stand still: the clock of a damaged or hostile file claims years for a few
            bytes, and a second of stills costs as much work as any other.
    """

    def __init__(self, first_guess_seconds: float, longest_seconds: float = math.inf) -> None:
        self._usual = first_guess_seconds
        self._stills_left_seconds = _STILLS_SHARE * longest_seconds
        self._recent: deque[float] = deque(maxlen=_MEMORY)
        self._num_intervals = 0
        self._num_unusual = 0

    def add(self, seconds: float) -> None:
        """Take the time between two neighbouring frames."""
        self._stills_left_seconds -= max(0.0, seconds - _SHOWN_BEFORE_GAP_SECONDS)
        self._recent.append(seconds)
        self._num_intervals += 1
        known = self._num_intervals
        # The median of up to 121 values for every frame would cost more than some decoders do.
        if known >= _FEW and (known < 2 * _MEDIAN_EVERY or known % _MEDIAN_EVERY == 0):
            self._usual = usual_interval(self._recent)
        self._num_unusual += not _is_usual(seconds, self._usual)

    @property
    def usual_seconds(self) -> float:
        """The usual interval, as far as it is believed."""
        return min(self._usual, _LONGEST_USUAL_SECONDS)

    @property
    def are_stretched(self) -> bool:
        """Whether the usual interval is too long to be believed."""
        return self._usual > _LONGEST_USUAL_SECONDS

    @property
    def shown_before_gap_seconds(self) -> float:
        """How long a frame is shown before frames are missing."""
        return min(self._usual, _SHOWN_BEFORE_GAP_SECONDS)

    @property
    def longest_step_seconds(self) -> float:
        """The longest step from frame to frame that is not a gap."""
        return max(_GAP_FACTOR * self.usual_seconds, GAP_SECONDS)

    @property
    def are_variable(self) -> bool:
        """Whether intervals differ by more than the rounding of timestamps explains."""
        return self._num_unusual > _VARIABLE_SHARE * self._num_intervals

    def is_gap(self, step_seconds: float, declared_seconds: float) -> bool:
        """Return whether frames are missing between two frames.

        Args:
            step_seconds: time between them.
            declared_seconds: how long the container wants the first one shown. A still that it
                declares is not a gap: screen recordings have them.
        """
        if step_seconds - _SHOWN_BEFORE_GAP_SECONDS > self._stills_left_seconds:
            return True
        # A step of a few intervals is a dropped frame or a variable rate; below half a second no
        # clip could tell. Both bounds count, so that 1 frame per second is no row of gaps.
        if step_seconds <= self.longest_step_seconds:
            return False
        # What the container declares is used only here: a recorder that drops frames leaves the
        # usual duration on the last one, one that writes stills states how long they last.
        is_still = declared_seconds >= step_seconds - 2 * self.usual_seconds
        return not (is_still and step_seconds <= _LONGEST_HOLD_SECONDS)

    def last_frame_seconds(self, declared_seconds: float, declared_left_seconds: float) -> float:
        """Return how long a frame without a successor is shown.

        Args:
            declared_seconds: how long the container wants it shown; 0 if it does not say.
            declared_left_seconds: from its time to the declared end of the video. A long still
                is believed only if the two declarations agree.
        """
        short = declared_seconds <= self.longest_step_seconds
        usual = self.usual_seconds
        agreed = declared_seconds <= min(declared_left_seconds + usual, _LONGEST_HOLD_SECONDS)
        return declared_seconds if declared_seconds > 0 and (short or agreed) else usual

"""Measure the usual interval between frames, and distinguish gaps from long intervals.

Pure arithmetic on seconds, with the rules for gaps, stills and variable frame rates.
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
_LONGEST_HOLD_SECONDS = 60.0  # of a still that the container declares; a longer one is damage
_LONGEST_USUAL_SECONDS = 10.0  # a longer usual interval means damaged timestamps
_SHOWN_BEFORE_GAP_SECONDS = 1.0  # at the most
_STILLS_SHARE = 0.1  # of the longest possible duration of the file
_MEMORY = 121  # intervals in the running statistics
_MEDIAN_EVERY = 8  # intervals between two computations of the usual one
_FEW = 3  # with fewer intervals the initial value is used
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
        initial_seconds: the usual interval before any was measured.
        longest_seconds: longest possible duration of the file. A share of it bounds the total
            time of stills: timestamps of a damaged or hostile file may span years in a few bytes,
            and a second of stills costs as much work as any other.
    """

    def __init__(self, initial_seconds: float, longest_seconds: float = math.inf) -> None:
        self._usual = initial_seconds
        self._stills_left_seconds = _STILLS_SHARE * longest_seconds
        self._recent: deque[float] = deque(maxlen=_MEMORY)
        self._num_intervals = 0
        self._num_unusual = 0

    def add(self, seconds: float) -> None:
        """Add the time between two neighbouring frames."""
        self._stills_left_seconds -= max(0.0, seconds - _SHOWN_BEFORE_GAP_SECONDS)
        self._recent.append(seconds)
        self._num_intervals += 1
        count = self._num_intervals
        # The median of up to 121 values for every frame would cost more than some decoders do.
        if count >= _FEW and (count < 2 * _MEDIAN_EVERY or count % _MEDIAN_EVERY == 0):
            self._usual = usual_interval(self._recent)
        self._num_unusual += not _is_usual(seconds, self._usual)

    @property
    def usual_seconds(self) -> float:
        """The usual interval, limited to a plausible length."""
        return min(self._usual, _LONGEST_USUAL_SECONDS)

    @property
    def are_stretched(self) -> bool:
        """Whether the usual interval is implausibly long."""
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
            declared_seconds: duration of the first one in the container. A still with a matching
                duration is not a gap: screen recordings have them.
        """
        # Once the budget for stills is used up, every longer step is a gap.
        if step_seconds - _SHOWN_BEFORE_GAP_SECONDS > self._stills_left_seconds:
            return True
        # A step of a few intervals is a dropped frame or a variable rate, and one below half a
        # second makes no difference to a clip. Both bounds must be exceeded, or a video with one
        # frame per second would be a series of gaps.
        if step_seconds <= self.longest_step_seconds:
            return False
        # The container's duration is used only here: a recorder that drops frames leaves the
        # usual duration on the last one, one that records stills stores their real duration.
        is_still = declared_seconds >= step_seconds - 2 * self.usual_seconds
        return not (is_still and step_seconds <= _LONGEST_HOLD_SECONDS)

    def last_frame_seconds(self, declared_seconds: float, declared_left_seconds: float) -> float:
        """Return the display time of a frame without a successor.

        Args:
            declared_seconds: its duration in the container; 0 if there is none.
            declared_left_seconds: from its time to the declared end of the video. A long still
                is accepted only if the two declarations agree.
        """
        short = declared_seconds <= self.longest_step_seconds
        usual = self.usual_seconds
        # AVI with B-frames declares twice the rate, so half the duration of each frame.
        if declared_seconds < usual and not _is_usual(declared_seconds, usual):
            declared_seconds = (
                usual if _is_usual(declared_left_seconds, usual) else declared_seconds
            )
        agreed = declared_seconds <= min(declared_left_seconds + usual, _LONGEST_HOLD_SECONDS)
        return declared_seconds if declared_seconds > 0 and (short or agreed) else usual

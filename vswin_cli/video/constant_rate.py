"""Check that frames lie on one regular grid, and find its rate.

Only then does `time * rate` give the number of a frame. The rate declared by the container is no
proof: a phone that dropped a few frames early still declares 30 frames per second, and some
containers declare the rate of fields, of their time base, or a wrong one.
"""

from __future__ import annotations

import math
from fractions import Fraction

__all__ = ["STANDARD_RATES", "ConstantRate"]

STANDARD_RATES = (
    Fraction(24000, 1001),
    Fraction(24),
    Fraction(25),
    Fraction(30000, 1001),
    Fraction(30),
    Fraction(48000, 1001),
    Fraction(48),
    Fraction(50),
    Fraction(60000, 1001),
    Fraction(60),
    Fraction(120000, 1001),
    Fraction(120),
)
"""Frame rates that editing programs support."""

_TOLERANCE = 0.2  # of an interval: above rounding and jitter, below half of a missing frame
_FEWEST = 2  # checked frames after an anchor; one always lies on a grid
_SAME_RATE = 1e-4  # relative: 2997/100 and 989/33 are rounded 30000/1001


class ConstantRate:
    """Track the range of frame intervals that are consistent with all frame times so far.

    Frame n after an anchor at time a must be shown at a + n * interval, within a fifth of the
    interval. Each frame narrows the range of intervals for which that holds; when it is empty,
    as after one missing frame, the frames lie on no grid.

    The last frame before an anchor or the end is not checked: decoders often output it with an
    irregular time when they are flushed, and no other frame's number depends on it.
    """

    def __init__(self) -> None:
        self._lowest = 0.0
        self._highest = math.inf
        self._anchor = 0.0
        self._since_anchor = 0
        self._newest: float | None = None
        self._num_checked = 0

    def anchor(self, seconds: float) -> None:
        """Restart counting at a frame before which an unknown number of frames is missing."""
        self._anchor = seconds
        self._since_anchor = 0
        self._newest = None

    def add(self, seconds: float) -> None:
        """Add the next frame and check the one before."""
        newest, self._newest = self._newest, seconds
        if newest is None:
            return
        self._since_anchor += 1
        self._num_checked += 1
        passed = newest - self._anchor
        self._lowest = max(self._lowest, passed / (self._since_anchor + _TOLERANCE))
        self._highest = min(self._highest, passed / (self._since_anchor - _TOLERANCE))

    @property
    def is_refuted(self) -> bool:
        """Whether no rate is consistent with the frames so far."""
        return self._lowest > self._highest

    def rate(self, declared: Fraction | None) -> Fraction | None:
        """Return the frame rate of the grid; `None` if there is none, or too few frames.

        Args:
            declared: the container's rate, used if it is consistent with the frames. Otherwise
                the rate is a standard one, or the simplest consistent fraction.
        """
        if self.is_refuted or self._num_checked < _FEWEST or self._lowest <= 0:
            return None
        low, high = 1 / self._highest, 1 / self._lowest
        if declared is not None and low <= declared <= high:
            fits = (rate for rate in STANDARD_RATES if low <= rate <= high)
            return next((r for r in fits if abs(r / declared - 1) < _SAME_RATE), declared)
        fitting = [rate for rate in STANDARD_RATES if low <= rate <= high]
        middle = (low + high) / 2
        if fitting:
            return min(fitting, key=lambda rate: abs(float(rate) - middle))
        return _simplest_between(Fraction(low), Fraction(high))


def _simplest_between(low: Fraction, high: Fraction) -> Fraction:
    """Return the fraction with the smallest denominator in `[low, high]` (Stern-Brocot)."""
    whole = math.ceil(low)
    if whole <= high:
        return Fraction(whole)
    whole -= 1
    return whole + 1 / _simplest_between(1 / (high - whole), 1 / (low - whole))

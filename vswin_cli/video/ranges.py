"""The queue of ranges of one video from which its decoders take work.

A range extends from one key frame to another. Decoders of any kind take ranges in time order and
decode them in parallel. A range buffers its frames until those before it were yielded, so the
queue also bounds the memory. Independent of how a range is decoded.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Protocol

from vswin_cli.video.frames import TimedFrame

__all__ = ["Range", "RangeDecoder", "RangeLimits", "RangeQueue", "UnsoundRangeError"]

_LONGEST_RANGE_SECONDS = 20.0  # all images of a range may be in memory at once

FindKeyframe = Callable[[float], "float | None"]
"""Returns the time of the first key frame from a time on, `None` if none is found."""


class UnsoundRangeError(Exception):
    """A range does not begin or end as the index lists it, or has an irregularity."""


class RangeDecoder(Protocol):
    """Decode ranges of one video, one after the other.

    A decoder is made, used and closed in one thread; decoders of different kinds may decode one
    video in parallel. All yield the same times. Their images have the same size and, except for a
    hardware decoder's rounding, the same pixels.
    """

    @property
    def is_reference(self) -> bool:
        """Whether a range that this decoder cannot decode counts as damaged.

        Then the video is decoded again from the start by the caller's reader. If not, as with a
        hardware decoder, the range is put back and a reference decoder decodes it.
        """

    def keyframe_from(self, seconds: float) -> float | None:
        """Return the time of the first key frame from `seconds` on, `None` if none is found."""

    def decode(self, begin_seconds: float, end_seconds: float) -> Iterator[TimedFrame]:
        """Yield the frames shown in `[begin_seconds, end_seconds)`, in time order.

        Wanted ones have an `rgb24` frame of the size that `ImageResizer.shape` returns, not yet
        rotated; the others have no pixels.

        Args:
            begin_seconds: time of a key frame, from `keyframe_from`.
            end_seconds: time of another one.

        Raises:
            UnsoundRangeError: the range does not begin and end with these key frames, or
                anything in it was damaged, dropped, rotated or resized. Frames that were
                yielded before are correct.
        """

    def close(self) -> None:
        """Release the file and the decoder."""


@dataclass(slots=True, eq=False)
class Range:
    """An interval between two key frames, and the queue of its frames, which ends with `None`."""

    begin_seconds: float
    end_seconds: float
    frames: SimpleQueue[TimedFrame | None] = field(default_factory=SimpleQueue)
    num_frames: int = 0
    """Frames put into it so far; a second decoder of the range leaves out as many."""


@dataclass(frozen=True, slots=True)
class RangeLimits:
    """Limits on open ranges: those claimed by a decoder and not yet yielded."""

    num_ranges: int
    seconds: float
    """Of video; one range is open whatever its length."""
    range_seconds: float = 4.0
    """Of a range at the least; it ends with the first key frame after that."""


class RangeQueue:
    """Thread-safe queue of the ranges of a video, from `begin_seconds` to about `until_seconds`.

    Attributes:
        end_seconds: end of the frames yielded so far, exclusive.
        is_sound: whether no irregularity was met so far.

    Args:
        begin_seconds: time of the first frame, at which decoding can start.
        until_seconds: expected end of the video. The part after the last key frame before it is
            in no range, because where a video really ends is decided by the caller's reader.
        limits: on open ranges.
    """

    def __init__(self, begin_seconds: float, until_seconds: float, limits: RangeLimits) -> None:
        self.end_seconds = self._claimed_seconds = begin_seconds
        self._until_seconds = until_seconds
        self._limits = limits
        self.is_sound = True
        self._open: deque[Range] = deque()
        self._returned: list[Range] = []  # to be decoded again by a reference decoder
        self._num_provisional = 0  # ranges that other decoders work on and may give back
        self._is_exhausted = False
        self._is_closed = False
        self._changed = threading.Condition()

    @property
    def num_open(self) -> int:
        """Ranges that were claimed and not yet yielded."""
        return len(self._open)

    @property
    def is_over(self) -> bool:
        """Whether decoders should stop at once."""
        return self._is_closed or not self.is_sound

    def claim(self, find_keyframe: FindKeyframe, *, is_reference: bool) -> Range | None:
        """Take the next range for a decoder; waits while too much is open.

        Args:
            find_keyframe: as `RangeDecoder.keyframe_from`.
            is_reference: as `RangeDecoder.is_reference`.

        Returns:
            The range, or `None` if there will be none for this decoder.
        """
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._has_work(is_reference=is_reference))
                if self.is_over:
                    return None
                if is_reference and self._returned:
                    return self._returned.pop(0)
                if self._is_exhausted:
                    return None
                # Inside the lock, although it reads the file: the next range begins where this one
                # ends, so that no other decoder could claim one meanwhile.
                claimed = self._next(find_keyframe)
                self._changed.notify_all()
                if claimed is not None:
                    self._open.append(claimed)
                    self._num_provisional += not is_reference
                    return claimed
                # A reference decoder that meets the end waits like those that come after it.

    def finish(self, done: Range, *, is_reference: bool) -> None:
        """Mark a range as complete."""
        done.frames.put(None)
        with self._changed:
            self._num_provisional -= not is_reference
            self._changed.notify_all()

    def give_back(self, unsound: Range) -> None:
        """Put a range back for a reference decoder, which adds the missing frames."""
        with self._changed:
            self._num_provisional -= 1
            self._returned.append(unsound)
            self._changed.notify_all()

    def give_up(self) -> None:
        """Mark the video as irregular: no further range is claimed or yielded."""
        with self._changed:
            self.is_sound = False
            for waiting in self._open:
                waiting.frames.put(None)
            self._changed.notify_all()

    def close(self) -> None:
        """Make all decoders stop."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def frames(self) -> Iterator[TimedFrame]:
        """Yield frames in order, up to `end_seconds`, exclusive, or the first irregularity."""
        while (first := self._first()) is not None:
            # Outside the lock, which the decoder of this range needs to finish it.
            while (frame := first.frames.get()) is not None:
                yield frame
            if not self.is_sound:
                return
            with self._changed:
                self.end_seconds = first.end_seconds
                self._open.popleft()
                self._changed.notify_all()

    def _first(self) -> Range | None:
        with self._changed:
            self._changed.wait_for(lambda: self._open or self._is_exhausted or self.is_over)
            return self._open[0] if self._open and self.is_sound else None

    def _has_work(self, *, is_reference: bool) -> bool:
        """Whether a decoder need not wait: there is a range for it, or there will be none."""
        if self.is_over or (is_reference and self._returned):
            return True
        if self._is_exhausted:
            # A reference decoder stays while another decoder may still put its range back.
            return not is_reference or self._num_provisional == 0
        open_seconds = self._claimed_seconds - self.end_seconds
        is_within = open_seconds < self._limits.seconds
        return not self._open or (len(self._open) < self._limits.num_ranges and is_within)

    def _next(self, find_keyframe: FindKeyframe) -> Range | None:
        begin = self._claimed_seconds
        end = find_keyframe(begin + self._limits.range_seconds)
        if end is None or not begin < end <= begin + _LONGEST_RANGE_SECONDS:
            # No range: the images of a longer one could fill the memory, and a key frame not after
            # the last one is a sign of a wrong index. The caller's reader takes the rest.
            end = self._until_seconds
        if end >= self._until_seconds:
            self._is_exhausted = True
            return None
        self._claimed_seconds = end
        return Range(begin, end)

"""Yield the frames that a player shows in a part of a video, and when each is shown."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from vswin_cli.video.reader import TimedFrame, VideoReader

if TYPE_CHECKING:
    from av import VideoFrame

__all__ = ["TOLERANCE_SECONDS", "FrameSpans", "ShownFrame"]

TOLERANCE_SECONDS = 0.001
"""Times in timelines, tables and Matroska files are rounded, to a millisecond at most."""
_DEFAULT_INTERVAL_SECONDS = 0.04


@dataclass(frozen=True, slots=True, eq=False)
class ShownFrame:
    """A frame and when it is shown, `[start_seconds, end_seconds)` from the part's start."""

    frame: VideoFrame
    rotation_degrees: int
    """Counter-clockwise rotation that puts it upright."""
    start_seconds: float
    end_seconds: float


class FrameSpans:
    """Read parts of one video; those in order of time cost no seeks where they are near."""

    def __init__(self, reader: VideoReader) -> None:
        self._reader = reader
        self._frames: Iterator[TimedFrame] = reader.frames()
        self._here_seconds = 0.0  # of the frame that comes next

    def between(self, start_seconds: float, end_seconds: float) -> Iterator[ShownFrame]:
        """Yield what is shown from `start_seconds` to `end_seconds`.

        The first frame is the one on display at the start, although its own time may be earlier:
        between two frames, players show the earlier one.
        """
        self._go_to(start_seconds)
        # Unless it is read to its end, the next part has to seek.
        self._here_seconds = math.inf
        shown: TimedFrame | None = None
        for frame in self._frames:
            if shown is not None and frame.seconds > start_seconds + TOLERANCE_SECONDS:
                yield from _span(shown, frame.seconds, start_seconds, end_seconds)
            if frame.seconds >= end_seconds - TOLERANCE_SECONDS:
                self._put_back([frame] if shown is None else [shown, frame])
                return
            shown = frame
        if shown is not None:
            self._put_back([shown])
            last = shown.seconds + (shown.declared_seconds or self._interval_seconds)
            yield from _span(shown, last, start_seconds, end_seconds)

    @property
    def _interval_seconds(self) -> float:
        rate = self._reader.info.frame_rate
        return 1 / rate if rate else _DEFAULT_INTERVAL_SECONDS

    def _go_to(self, seconds: float) -> None:
        is_behind = seconds + TOLERANCE_SECONDS < self._here_seconds
        if is_behind or self._reader.worth_seeking(self._here_seconds, seconds):
            self._reader.seek(seconds)
            self._frames, self._here_seconds = self._reader.frames(), 0.0

    def _put_back(self, frames: list[TimedFrame]) -> None:
        """Keep frames for the next part, which may begin with them."""
        self._frames = chain(frames, self._frames)
        self._here_seconds = frames[0].seconds


def _span(
    shown: TimedFrame, next_seconds: float, start_seconds: float, end_seconds: float
) -> Iterator[ShownFrame]:
    begin = max(0.0, shown.seconds - start_seconds)
    begin = 0.0 if begin <= TOLERANCE_SECONDS else begin
    end = min(next_seconds, end_seconds) - start_seconds
    if end > begin:
        assert shown.frame is not None  # this reader skips no frame
        yield ShownFrame(shown.frame, shown.rotation_degrees, begin, end)

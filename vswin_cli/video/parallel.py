"""Decoders that work on neighbouring ranges of a video at once, and their frames in order.

A range goes from one key frame to another that lies at least a few seconds later. Each decoder is a
thread with a `VideoReader` of its own; FFmpeg works without the interpreter's lock. A range counts
only if it begins and ends with exactly the frames that the container promised, and if nothing was
damaged, left out, turned or resized in it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from vswin_cli.video.frames import TimedFrame
from vswin_cli.video.reader import VideoReader
from vswin_cli.video.resize import ImageResizer
from vswin_cli.video.skip import IsWanted

if TYPE_CHECKING:
    from av import Packet, VideoStream

__all__ = ["Relay"]

_RANGE_SECONDS = 4.0  # at the least; a range ends with the first key frame behind that
_LONGEST_RANGE_SECONDS = 20.0  # its pictures wait in memory until it is their turn


class _Decoder(VideoReader):
    """A reader with one thread, for one range after the other."""

    _last_pts: int | None = None

    def _configure(self) -> None:
        super()._configure()
        context = self._stream.codec_context
        context.thread_count = 1
        context.options = context.options | {"err_detect": "explode"}  # nothing is patched up

    def enter(self, begin_seconds: float, end_seconds: float) -> Iterator[TimedFrame]:
        """Frames of a range and the key frame behind it; nothing later is decoded."""
        self._last_pts = self._timestamp(end_seconds)
        self.seek(begin_seconds)
        return self.frames()

    def _demux(self) -> Iterator[Packet[VideoStream]]:
        """Packets up to the key frame that ends the range and those that are shown before it."""
        for packet in super()._demux():
            last, here = self._last_pts, packet.pts
            if last is not None and here is not None and here > last:
                return
            yield packet

    @property
    def is_sound(self) -> bool:
        """Whether nothing odd was noticed so far."""
        counted = self.bad_packets + self.corrupt_frames + self.out_of_order_frames
        return counted == 0 and not self.read_failed and not self.warnings


@dataclass(frozen=True, slots=True, eq=False)
class _Range:
    """A stretch between two key frames, and its frames as they come; `None` ends them."""

    begin_seconds: float
    end_seconds: float
    frames: SimpleQueue[TimedFrame | None] = field(default_factory=SimpleQueue)


class Relay:
    """Frames of a video from `begin_seconds` on, decoded by several at once; close it after use.

    Args:
        path: the video.
        is_wanted: asked with the stretch of time over which a frame is on display.
        short_side: of the pictures that wanted frames are scaled to.
        decoders: how many.
        begin_seconds: time of the first frame; decoding can begin there.
        until_seconds: where the video is thought to end; the last stretch is left to others.
    """

    def __init__(
        self,
        path: Path,
        is_wanted: IsWanted,
        short_side: int,
        *,
        decoders: int,
        begin_seconds: float,
        until_seconds: float,
    ) -> None:
        self._path = path
        self._is_wanted = is_wanted
        self._short_side = short_side
        self._begin_seconds = self._claimed_seconds = self.end_seconds = begin_seconds
        self._until_seconds = until_seconds
        self.is_sound = True
        self._open: deque[_Range] = deque()  # claimed by a decoder and not yet given out
        self._is_exhausted = False
        self._is_closed = False
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._work, name="vswin-range", daemon=True)
            for _ in range(decoders)
        ]
        for thread in self._threads:
            thread.start()

    def frames(self) -> Iterator[TimedFrame]:
        """Frames in order, up to `end_seconds`, exclusive, or to the first oddity."""
        while (first := self._next_range()) is not None:
            while (frame := first.frames.get()) is not None:
                yield frame
            if not self.is_sound:
                return
            self.end_seconds = first.end_seconds
            with self._changed:
                self._open.popleft()
                self._changed.notify_all()

    def close(self) -> None:
        """End the decoders."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _next_range(self) -> _Range | None:
        with self._changed:
            self._changed.wait_for(lambda: self._open or self._is_exhausted or not self.is_sound)
            return self._open[0] if self._open and self.is_sound else None

    @property
    def _is_over(self) -> bool:
        return self._is_closed or self._is_exhausted or not self.is_sound

    def _claim(self, reader: _Decoder) -> _Range | None:
        """The next range for a decoder, once fewer are open than there are decoders."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._open) < len(self._threads) or self._is_over)
            if self._is_over:
                return None
            begin = self._claimed_seconds
            end = reader.keyframe_from(begin + _RANGE_SECONDS)
            if end is None or not begin < end <= begin + _LONGEST_RANGE_SECONDS:
                end = self._until_seconds
            claimed = None
            if end < self._until_seconds:
                claimed = _Range(begin, end)
                self._claimed_seconds = end
                self._open.append(claimed)
            else:
                self._is_exhausted = True
            self._changed.notify_all()
            return claimed

    def _work(self) -> None:
        is_done = False
        with suppress(Exception), closing(_Decoder(self._path)) as reader:
            reader.decode_only(self._is_wanted)
            while (claimed := self._claim(reader)) is not None:
                self._fill(claimed, reader)
            is_done = True
        if not is_done:  # whatever it was, the one decoder will meet it again and tell
            self._give_up()

    def _fill(self, claimed: _Range, reader: _Decoder) -> None:
        is_sound = False
        try:
            is_sound = self._decode(reader, claimed)
        finally:
            if not is_sound:
                self._give_up()
            claimed.frames.put(None)

    def _give_up(self) -> None:
        with self._changed:
            self.is_sound = False
            self._changed.notify_all()

    def _decode(self, reader: _Decoder, claimed: _Range) -> bool:
        """Decode a range; whether it was as it should be."""
        resizer = ImageResizer(self._short_side)
        held: TimedFrame | None = None
        looks = set()
        for frame in reader.enter(claimed.begin_seconds, claimed.end_seconds):
            if frame.frame is not None:
                looks.add((frame.frame.width, frame.frame.height, frame.rotation_degrees))
            if self._is_closed or not reader.is_sound or len(looks) > 1:
                return False
            if held is not None:
                claimed.frames.put(self._scaled(held, frame.seconds, resizer))
            elif frame.seconds != claimed.begin_seconds:
                return False
            if frame.seconds >= claimed.end_seconds:
                return frame.seconds == claimed.end_seconds
            held = frame
        return False

    def _scaled(self, frame: TimedFrame, end_seconds: float, resizer: ImageResizer) -> TimedFrame:
        """The frame as small as its picture, or without pixels where nobody wants them."""
        pixels = frame.frame
        is_first = frame.seconds == self._begin_seconds  # may have to stand for time before it
        if pixels is not None:
            is_wanted = is_first or self._is_wanted(frame.seconds, end_seconds)
            pixels = resizer.scale(pixels, *resizer.shape(pixels)) if is_wanted else None
        return replace(frame, frame=pixels)

"""Decode several ranges of one video at once and give out their frames in order.

The frame threads of one decoder wait for each other's rows; decoders of their own, each from one
key frame to another, do not. FFmpeg works without the interpreter's lock, so that threads suffice.
Only videos that FFmpeg can enter at any key frame are divided, and only while everything is sound:
at the first oddity the video is decoded anew by one decoder, because how damage looks depends on
all that a decoder has seen.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import SimpleQueue

from vswin_cli.errors import SourceError
from vswin_cli.video.frames import TimedFrame
from vswin_cli.video.reader import VideoReader
from vswin_cli.video.resize import ImageResizer
from vswin_cli.video.skip import IsWanted

__all__ = ["ParallelDecoder", "frames_in_parallel"]

_CODECS = ("h264", "hevc", "vp8", "vp9", "av1")  # whose key frames are places to begin at
_CONTAINERS = ("mov", "matroska")  # which keep an index of them
_WORTHWHILE_SECONDS = 20.0  # of video; each decoder opens the file for itself
_RANGE_SECONDS = 4.0  # at the least; a range ends with the first key frame behind that
_LONGEST_RANGE_SECONDS = 20.0  # its images wait in memory until it is their turn


def frames_in_parallel(
    reader: VideoReader, *, decoders: int, short_side: int, end_seconds: float | None
) -> Iterator[TimedFrame]:
    """Yield the frames that `reader.frames()` would, by several decoders where the video allows it.

    Then frames that are not wanted come without pixels, the others scaled, so that ranges that
    wait for their turn need little memory. After an oddity frames come again from the first on.

    Args:
        reader: stands where the frames begin, and was told which ones to decode.
        decoders: how many may work at once.
        short_side: pixels of the images that wanted frames are scaled to.
        end_seconds: where the wanted part of the video ends, if not at its end.
    """
    declared = reader.info.declared_duration_seconds or 0.0
    until = min(declared, end_seconds or declared)
    begin = reader.next_seconds
    is_wanted = reader.is_wanted
    if decoders > 1 and is_wanted and begin is not None and _can_be_divided(reader, until - begin):
        decoder = ParallelDecoder(
            reader.path,
            is_wanted,
            short_side,
            decoders=decoders,
            begin_seconds=begin,
            until_seconds=until,
        )
        with closing(decoder):
            reader.close()  # what a container knows of a long video takes room
            yield from decoder.frames()
        try:
            reader.reopen()
        except SourceError:  # the file is gone; what was given is not lost
            return
        resume = decoder.end_seconds if decoder.is_sound else begin
        if resume > 0:
            reader.seek(resume)
    yield from reader.frames()


def _can_be_divided(reader: VideoReader, seconds: float) -> bool:
    """Return whether that many seconds of a video may and should be decoded in ranges."""
    info = reader.info
    return (
        info.seekable
        and not (info.cut_off or reader.bad_packets)
        and info.codec in _CODECS
        and reader.format_name in _CONTAINERS
        and seconds >= _WORTHWHILE_SECONDS
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Range:
    """A stretch between two key frames, and its frames as they come; `None` ends them."""

    begin_seconds: float
    end_seconds: float
    frames: SimpleQueue[TimedFrame | None] = field(default_factory=SimpleQueue)


class ParallelDecoder:
    """Decode a video from `begin_seconds` on in several threads; close it after use.

    A range goes from one key frame to another that lies at least a few seconds later. It counts
    only if it begins and ends with exactly the frames that the container promised, and if nothing
    was damaged, dropped, rotated or resized in it.

    Attributes:
        end_seconds: up to where frames were given, exclusive.
        is_sound: whether nothing odd was met so far.

    Args:
        path: the video.
        is_wanted: asked with the stretch of time over which a frame is on display.
        short_side: of the images that wanted frames are scaled to.
        decoders: how many.
        begin_seconds: time of the first frame; decoding can begin there.
        until_seconds: where the video is thought to end; the last stretch is left to the caller's
            reader, which knows what to make of an end that is not where it should be.
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
        self._open: deque[_Range] = deque()  # claimed by a thread and not yet given out
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
        """Yield frames in order, up to `end_seconds`, exclusive, or to the first oddity."""
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
        """End the threads."""
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

    def _claim(self, reader: VideoReader) -> _Range | None:
        """Claim the next range, once fewer are open than there are threads.

        That bounds the memory: frames of an open range wait in it until those before are taken.
        """
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
        """Decode one range after the other, in a thread with a reader of its own."""
        is_done = False
        with suppress(Exception), closing(VideoReader(self._path, strict=True)) as reader:
            reader.decode_only(self._is_wanted)
            while (claimed := self._claim(reader)) is not None:
                self._fill(claimed, reader)
            is_done = True
        if not is_done:  # whatever it was, the one decoder will meet it again and tell
            self._give_up()

    def _fill(self, claimed: _Range, reader: VideoReader) -> None:
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

    def _decode(self, reader: VideoReader, claimed: _Range) -> bool:
        """Decode a range; return whether it was as it should be."""
        resizer = ImageResizer(self._short_side)
        held: TimedFrame | None = None
        looks = set()
        reader.stop_after(claimed.end_seconds)
        reader.seek(claimed.begin_seconds)
        for frame in reader.frames():
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
        """Return the frame with its image for pixels, or without any where it is not wanted."""
        pixels = frame.frame
        is_first = frame.seconds == self._begin_seconds  # may have to stand for time before it
        if pixels is not None:
            is_wanted = is_first or self._is_wanted(frame.seconds, end_seconds)
            pixels = resizer.scale(pixels, *resizer.shape(pixels)) if is_wanted else None
        return replace(frame, frame=pixels)

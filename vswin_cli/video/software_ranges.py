"""Decode ranges of a video in software, with one thread per decoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from vswin_cli.video.frames import TimedFrame
from vswin_cli.video.ranges import UnsoundRangeError
from vswin_cli.video.reader import VideoReader
from vswin_cli.video.resize import ImageResizer, colour_tags
from vswin_cli.video.skip import IsWanted

__all__ = ["SoftwareRangeDecoder", "range_frames"]


def range_frames(
    reader: VideoReader, begin_seconds: float, end_seconds: float
) -> Iterator[tuple[TimedFrame, float]]:
    """Yield the frames of a range as decoded, each with the time of the next one.

    Args:
        reader: a strict one.
        begin_seconds: time of a key frame.
        end_seconds: time of another one.

    Raises:
        UnsoundRangeError: the range is incomplete or has an irregularity.
    """
    held: TimedFrame | None = None
    formats = set()
    reader.stop_after(end_seconds)
    reader.seek(begin_seconds)
    for frame in reader.frames():
        if frame.frame is not None:
            formats.add((frame.frame.width, frame.frame.height, frame.rotation_degrees))
            # A decoder keeps the colour tags of an earlier part of a joined video where a later one
            # has none. They are known only where all of the video is decoded.
            if colour_tags(frame.frame) != reader.colours:
                raise UnsoundRangeError("other colours than at the start of the video")
        if not reader.is_sound or len(formats) > 1:
            raise UnsoundRangeError("damage, or a change of size or rotation")
        if held is not None:
            yield held, frame.seconds
        elif frame.seconds != begin_seconds:
            raise UnsoundRangeError("the first frame is not the key frame")
        if frame.seconds == end_seconds:
            return
        if frame.seconds > end_seconds:
            break
        held = frame
    if held is None or not (reader.reached_last_keyframe and reader.is_sound):
        raise UnsoundRangeError("the key frame at the end did not come")
    yield held, end_seconds


class SoftwareRangeDecoder:
    """A strict reader that decodes one range after the other; see `RangeDecoder`.

    Args:
        path: the video.
        is_wanted: called with the interval over which a frame is on display.
        short_side: of the images that wanted frames are scaled to.
        further_sides: the same for `TimedFrame.further_sizes`.
        first_seconds: time of the video's first frame, which is always wanted: it may also fill
            positions before it.

    Raises:
        SourceError: as for `VideoReader`.
    """

    is_reference = True

    def __init__(
        self,
        path: Path,
        is_wanted: IsWanted,
        short_side: int,
        *,
        first_seconds: float,
        further_sides: Sequence[int] = (),
    ) -> None:
        self._is_wanted = is_wanted
        self._first_seconds = first_seconds
        self._resizers = [  # of one thread, as the other cores decode
            ImageResizer(side, threads=1) for side in (short_side, *further_sides)
        ]
        self._reader = VideoReader(path, strict=True)
        self._reader.decode_only(is_wanted)

    def keyframe_from(self, seconds: float) -> float | None:
        """Return the time of the first key frame from `seconds` on, `None` if none is found."""
        return self._reader.keyframe_from(seconds)

    def decode(self, begin_seconds: float, end_seconds: float) -> Iterator[TimedFrame]:
        """Yield the frames of a range, the wanted ones scaled; see `RangeDecoder.decode`.

        Raises:
            UnsoundRangeError: the range is incomplete or has an irregularity.
        """
        for frame, until in range_frames(self._reader, begin_seconds, end_seconds):
            yield self._scaled(frame, until)

    def close(self) -> None:
        """Release the file and the decoder."""
        self._reader.close()

    def _scaled(self, frame: TimedFrame, end_seconds: float) -> TimedFrame:
        """Return the frame with scaled pixels, or without any if it is not wanted."""
        pixels = frame.frame
        is_first = frame.seconds == self._first_seconds
        if pixels is None:
            return frame
        if not (is_first or self._is_wanted(frame.seconds, end_seconds)):
            return replace(frame, frame=None)
        first, *further = [one.scale(pixels, *one.shape(pixels)) for one in self._resizers]
        return replace(frame, frame=first, further_sizes=tuple(further))

"""Decode several ranges of one video at once and give out their frames in order.

The frame threads of one decoder wait for each other's rows; decoders of their own, each from one
key frame to another, do not. FFmpeg works without the interpreter's lock, so that threads suffice.
Only videos that FFmpeg can enter at any key frame are divided, and only while everything is sound:
at the first oddity the video is decoded anew by one decoder, because how damage looks depends on
all that a decoder has seen.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from functools import partial
from typing import TypeAlias

from vswin_cli.errors import SourceError
from vswin_cli.video.frames import TimedFrame
from vswin_cli.video.memory_limit import limit_decoders
from vswin_cli.video.ranges import (
    Range,
    RangeDecoder,
    RangeLimits,
    RangeQueue,
    UnsoundRangeError,
)
from vswin_cli.video.reader import VideoReader
from vswin_cli.video.resize import resized_shape
from vswin_cli.video.software_ranges import SoftwareRangeDecoder

__all__ = ["MakeDecoder", "ParallelDecoder", "frames_in_parallel"]

MakeDecoder: TypeAlias = "Callable[[], RangeDecoder | None]"
"""Opens the video once more; called in the thread that the decoder is for. `None` if there can be
no decoder of this kind, as where a chip has no session left: then the others do its work."""

_CODECS = ("h264", "hevc", "vp8", "vp9", "av1")  # whose key frames are places to begin at
_CONTAINERS = ("mov", "matroska")  # which keep an index of them
_WORTHWHILE_SECONDS = 20.0  # of video; each decoder opens the file for itself
_SECONDS_PER_DECODER = 4.0  # of video; more decoders would find no range
_WAITING_BYTES = 1 << 30  # for images that wait for their turn


def frames_in_parallel(
    reader: VideoReader,
    *,
    decoders: int,
    short_side: int,
    images_per_second: float,
    end_seconds: float | None,
) -> Iterator[TimedFrame]:
    """Yield the frames that `reader.frames()` would, by several decoders where the video allows it.

    Then frames that are not wanted come without pixels, the others scaled, so that ranges that
    wait for their turn need little memory. After an oddity frames come again from the first on.

    Args:
        reader: stands where the frames begin, and was told which ones to decode.
        decoders: how many may work at once; fewer do where the video is short or its frames
            are large.
        short_side: pixels of the images that wanted frames are scaled to.
        images_per_second: how many frames are wanted at most.
        end_seconds: where the wanted part of the video ends, if not at its end.
    """
    declared = reader.info.declared_duration_seconds or 0.0
    until = min(declared, end_seconds or declared)
    begin = reader.next_seconds
    decoders = min(decoders, limit_decoders(reader.info))
    if decoders > 1 and begin is not None and _can_be_divided(reader, until - begin):
        makers = _decoder_makers(reader, decoders, short_side, begin, until)
        limits = _limits(reader, len(makers), short_side, images_per_second)
        decoder = ParallelDecoder(makers, RangeQueue(begin, until, limits))
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
        reader.is_wanted is not None
        and info.seekable
        and not (info.cut_off or reader.bad_packets)
        and info.codec in _CODECS
        and reader.format_name in _CONTAINERS
        and seconds >= _WORTHWHILE_SECONDS
    )


def _decoder_makers(
    reader: VideoReader, decoders: int, short_side: int, begin: float, until: float
) -> list[MakeDecoder]:
    """Return functions that make the decoders for `[begin, until)`, no more than have work."""
    assert reader.is_wanted is not None
    make = partial(
        SoftwareRangeDecoder, reader.path, reader.is_wanted, short_side, first_seconds=begin
    )
    return [make] * min(decoders, int((until - begin) / _SECONDS_PER_DECODER))


def _limits(
    reader: VideoReader, decoders: int, short_side: int, images_per_second: float
) -> RangeLimits:
    """Return how much may be decoded ahead.

    With half as many ranges again as decoders none waits for another that has a harder range
    (simulated: 15 % of the time is lost with none more, 2 % with half as many); the memory for
    images bounds it further.
    """
    height, width = resized_shape(reader.info.height, reader.info.width, short_side)
    rate = min(images_per_second, reader.info.frame_rate or images_per_second)
    seconds = _WAITING_BYTES / (3 * height * width * rate)
    return RangeLimits(decoders + max(1, decoders // 2), seconds)


class ParallelDecoder:
    """Decode the ranges of a queue in several threads; close it after use.

    Args:
        makers: make the decoders, one per thread.
        ranges: where decoders take their work from.
    """

    def __init__(self, makers: Sequence[MakeDecoder], ranges: RangeQueue) -> None:
        self._ranges = ranges
        self._threads = [
            threading.Thread(target=self._work, args=(make,), name="vswin-range", daemon=True)
            for make in makers
        ]
        for thread in self._threads:
            thread.start()

    @property
    def is_sound(self) -> bool:
        """Whether nothing odd was met so far."""
        return self._ranges.is_sound

    @property
    def end_seconds(self) -> float:
        """Up to where frames were given, exclusive."""
        return self._ranges.end_seconds

    def frames(self) -> Iterator[TimedFrame]:
        """Yield frames in order, up to `end_seconds`, exclusive, or to the first oddity."""
        return self._ranges.frames()

    def close(self) -> None:
        """End the threads."""
        self._ranges.close()
        for thread in self._threads:
            thread.join()

    def _work(self, make: MakeDecoder) -> None:
        """Decode one range after the other, in a thread with a decoder of its own."""
        is_reference = True
        with suppress(Exception):
            decoder = make()
            if decoder is None:
                return
            with closing(decoder):
                is_reference = decoder.is_reference
                while (claimed := self._claim(decoder)) is not None:
                    self._decode(claimed, decoder)
                return
        if is_reference:  # whatever it was, the one decoder will meet it again and report it
            self._ranges.give_up()

    def _claim(self, decoder: RangeDecoder) -> Range | None:
        return self._ranges.claim(decoder.keyframe_from, is_reference=decoder.is_reference)

    def _decode(self, claimed: Range, decoder: RangeDecoder) -> None:
        """Put the frames of a range into it; at an oddity it goes back or ends everything."""
        known = claimed.num_frames  # by a decoder that gave the range back
        try:
            frames = decoder.decode(claimed.begin_seconds, claimed.end_seconds)
            for number, frame in enumerate(frames):
                if self._ranges.is_over:
                    return
                if number >= known:
                    claimed.frames.put(frame)
                    claimed.num_frames += 1
        except Exception as fault:
            if not decoder.is_reference:
                self._ranges.give_back(claimed)
            if decoder.is_reference or not isinstance(fault, UnsoundRangeError):
                raise
        else:
            self._ranges.finish(claimed, is_reference=decoder.is_reference)

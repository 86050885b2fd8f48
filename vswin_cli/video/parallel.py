"""Decode several ranges of one video in parallel and yield their frames in order.

The frame threads of one decoder wait for each other's rows; independent decoders, each from one
key frame to another, do not. FFmpeg releases the interpreter's lock, so that threads suffice.
Only videos that FFmpeg can decode from any key frame are divided, and only while no damage is met:
at the first irregularity the video is decoded again by one decoder, because how damaged frames
look depends on everything decoded before them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from functools import partial
from typing import TypeAlias

from vswin_cli.errors import SourceError
from vswin_cli.video.frames import TimedFrame
from vswin_cli.video.memory_limit import limit_decoders
from vswin_cli.video.nvdec import Nvdec
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
"""Opens the video once more; called in the decoder's thread. `None` if no decoder of this kind is
available, as when a chip has no session left: the others then decode its ranges."""

_CODECS = ("h264", "hevc", "vp8", "vp9", "av1")  # decoding can start at their key frames
_CONTAINERS = ("mov", "matroska")  # with an index of key frames
_WORTHWHILE_SECONDS = 20.0  # of video; each decoder opens the file for itself
_SECONDS_PER_DECODER = 4.0  # of video; further decoders would get no range
_RANGE_SECONDS = 4.0  # of video at the least; the key frame after a range is decoded twice
_RANGE_SECONDS_OF_MANY = 2.0  # with more than a few decoders, for the memory of all their ranges
_FEW_DECODERS = 4
_WAITING_BYTES = 1 << 30  # for images that are not taken yet


def frames_in_parallel(
    reader: VideoReader,
    *,
    decoders: int,
    short_sides: Sequence[int],
    images_per_second: float,
    end_seconds: float | None,
    nvdec: Nvdec | None = None,
) -> Iterator[TimedFrame]:
    """Yield the frames of `reader.frames()`, by several decoders if the video allows it.

    Several decoders yield unwanted frames without pixels and scale the others, so that finished
    ranges need little memory. After an irregularity, frames are yielded again from the first on.

    Args:
        reader: positioned at the first frame, after `decode_only`.
        decoders: how many may run at once; fewer do if the video is short or its frames are
            large.
        short_sides: pixels of the images that wanted frames are scaled to; several sizes are for
            several plans, see `TimedFrame.further_sizes`.
        images_per_second: upper limit of wanted frames.
        end_seconds: end of the analysed part, if it is not that of the video.
        nvdec: makes further decoders, on a GPU.
    """
    declared = reader.info.declared_duration_seconds or 0.0
    until = min(declared, end_seconds or declared)
    begin = reader.next_seconds
    decoders = min(decoders, limit_decoders(reader.info))
    if begin is None or not _can_be_divided(reader, until - begin):
        if nvdec is not None:
            nvdec.note_undivided(reader.info)
    elif decoders > 1 or nvdec is not None:
        makers = _decoder_makers(reader, decoders, short_sides, begin, until)
        if nvdec is not None and len(short_sides) > 1:
            nvdec.obstacle = "models take images of several sizes"
        elif nvdec is not None:
            makers += nvdec.makers(reader, short_sides[0], begin, until - begin, decoders)
        limits = _limits(reader, len(makers), short_sides, images_per_second)
        decoder = ParallelDecoder(makers, RangeQueue(begin, until, limits))
        with closing(decoder), ExitStack() as stack:
            if nvdec is not None:
                stack.callback(nvdec.stop)
            reader.close()  # the index of a long video takes much memory
            yield from decoder.frames()
        try:
            reader.reopen()
        except SourceError:  # the file is gone; the frames so far are kept
            return
        resume = decoder.end_seconds if decoder.is_sound else begin
        if resume > 0:
            reader.seek(resume)
    yield from reader.frames()


def _can_be_divided(reader: VideoReader, seconds: float) -> bool:
    """Return whether this many seconds of a video can and should be decoded in ranges."""
    info = reader.info
    return (
        reader.is_wanted is not None
        and info.seekable
        # Damage and a missing end are judged by one reader that reads all packets in order.
        and not (info.cut_off or reader.bad_packets)
        and info.codec in _CODECS
        and reader.format_name in _CONTAINERS
        and seconds >= _WORTHWHILE_SECONDS
    )


def _decoder_makers(
    reader: VideoReader, decoders: int, short_sides: Sequence[int], begin: float, until: float
) -> list[MakeDecoder]:
    """Return functions that make the decoders for `[begin, until)`, at most one per range."""
    assert reader.is_wanted is not None
    make = partial(
        SoftwareRangeDecoder,
        reader.path,
        reader.is_wanted,
        short_sides[0],
        first_seconds=begin,
        further_sides=short_sides[1:],
    )
    return [make] * min(decoders, int((until - begin) / _SECONDS_PER_DECODER))


def _limits(
    reader: VideoReader, decoders: int, short_sides: Sequence[int], images_per_second: float
) -> RangeLimits:
    """Return how much may be decoded ahead.

    With 1.5 ranges per decoder hardly any decoder waits for one that has a costlier range
    (simulated: 2 % of the time is lost, 15 % with one range per decoder). The memory for images
    is a second limit.
    """
    shapes = [resized_shape(reader.info.height, reader.info.width, side) for side in short_sides]
    pixels = sum(height * width for height, width in shapes)
    rate = min(images_per_second, reader.info.frame_rate or images_per_second)
    seconds = _WAITING_BYTES / (3 * pixels * rate)
    length = _RANGE_SECONDS if decoders <= _FEW_DECODERS else _RANGE_SECONDS_OF_MANY
    return RangeLimits(decoders + max(1, decoders // 2), seconds, length)


class ParallelDecoder:
    """Decode the ranges of a queue in several threads; close it after use.

    Args:
        makers: make the decoders, one per thread.
        ranges: the queue from which decoders take ranges.
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
        """Whether no irregularity was met so far."""
        return self._ranges.is_sound

    @property
    def end_seconds(self) -> float:
        """End of the frames yielded so far, exclusive."""
        return self._ranges.end_seconds

    def frames(self) -> Iterator[TimedFrame]:
        """Yield frames in order, up to `end_seconds`, exclusive, or the first irregularity."""
        return self._ranges.frames()

    def close(self) -> None:
        """Stop and join the threads."""
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
        if is_reference:  # any error occurs again, and is reported, in the fall-back decoder
            self._ranges.give_up()

    def _claim(self, decoder: RangeDecoder) -> Range | None:
        return self._ranges.claim(decoder.keyframe_from, is_reference=decoder.is_reference)

    def _decode(self, claimed: Range, decoder: RangeDecoder) -> None:
        """Put the frames of a range into it; give it back or give up at an irregularity."""
        num_before = claimed.num_frames  # from a decoder that gave the range back
        try:
            frames = decoder.decode(claimed.begin_seconds, claimed.end_seconds)
            for number, frame in enumerate(frames):
                if self._ranges.is_over:
                    return
                # The first ones were put there by a decoder that gave the range back.
                if number >= num_before:
                    claimed.frames.put(frame)
                    claimed.num_frames += 1
        except Exception as fault:
            if not decoder.is_reference:
                self._ranges.give_back(claimed)
            if decoder.is_reference or not isinstance(fault, UnsoundRangeError):
                raise
        else:
            self._ranges.finish(claimed, is_reference=decoder.is_reference)

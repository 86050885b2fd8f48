"""Decode ranges of a video to frames on a device, and check the device's frames.

FFmpeg feeds a device's decoder like a software decoder; frames stay on the device until they are
small images. Independent of the kind of device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Protocol

import av
import numpy as np

from vswin_cli.video.frames import TimedFrame
from vswin_cli.video.nv12 import ChromaSite
from vswin_cli.video.ranges import RangeDecoder, UnsoundRangeError
from vswin_cli.video.reader import VideoReader
from vswin_cli.video.resize import resized_shape
from vswin_cli.video.skip import IsWanted
from vswin_cli.video.software_ranges import range_frames

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DeviceRangeDecoder", "FrameConverter", "HardwareMismatchError", "find_chroma_site"]

_FRAMES_PER_LAUNCH = 8
_COMPARED_FRAMES = 8
_COMPARED_SECONDS = 20.0
_MEAN_DIFFERENCE, _LARGEST_DIFFERENCE = 0.5, 16  # of 255; real videos were within 0.1 and 4


class HardwareMismatchError(Exception):
    """A hardware decoder's frames are not those of a software decoder."""


class FrameConverter(Protocol):
    """Make small RGB images of decoded frames; `Nv12Converter` is one."""

    def convert(
        self, frames: Sequence[av.VideoFrame], height: int, width: int
    ) -> NDArray[np.uint8]:
        """Return (N, height, width, 3) of N frames of one size."""


class DeviceRangeDecoder:
    """Decode ranges to frames on a device and convert several of them at a time.

    Not a reference decoder: what it cannot decode is put back; see `RangeDecoder`.

    Args:
        reader: a strict one, whose frames are on the device.
        is_wanted: called with the interval over which a frame is on display.
        short_side: of the images that wanted frames are scaled to.
        converter: makes these images.
        first_seconds: time of the video's first frame, which is always wanted.
        on_fault: called with what made decoding fail, other than an irregular range.
    """

    is_reference = False

    def __init__(
        self,
        reader: VideoReader,
        is_wanted: IsWanted,
        short_side: int,
        converter: FrameConverter,
        *,
        first_seconds: float,
        on_fault: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        self._on_fault = on_fault
        self._reader = reader
        self._reader.decode_only(is_wanted)
        self._is_wanted = is_wanted
        self._short_side = short_side
        self._converter = converter
        self._first_seconds = first_seconds

    def keyframe_from(self, seconds: float) -> float | None:
        """Return the time of the first key frame from `seconds` on, `None` if none is found."""
        return self._reader.keyframe_from(seconds)

    def decode(self, begin_seconds: float, end_seconds: float) -> Iterator[TimedFrame]:
        """Yield the frames of a range, the wanted ones as images; see `RangeDecoder.decode`.

        Raises:
            UnsoundRangeError: the range is incomplete or has an irregularity.
            UnsupportedFrameError: its frames are in a format that cannot be converted.
        """
        try:
            yield from self._decode(begin_seconds, end_seconds)
        except UnsoundRangeError:
            raise
        except Exception as fault:
            self._on_fault(fault)
            raise

    def _decode(self, begin_seconds: float, end_seconds: float) -> Iterator[TimedFrame]:
        batch: list[TimedFrame] = []
        num_wanted = 0
        for frame, until in range_frames(self._reader, begin_seconds, end_seconds):
            is_first = frame.seconds == self._first_seconds
            is_wanted = is_first or self._is_wanted(frame.seconds, until)
            batch.append(frame if is_wanted else replace(frame, frame=None))
            num_wanted += batch[-1].frame is not None
            if num_wanted == _FRAMES_PER_LAUNCH:
                yield from self._converted(batch)
                batch, num_wanted = [], 0
        yield from self._converted(batch)

    def close(self) -> None:
        """Release the file and the decoder."""
        self._reader.close()

    def _converted(self, batch: Sequence[TimedFrame]) -> Iterator[TimedFrame]:
        pixels = [one.frame for one in batch if one.frame is not None]
        images: Iterator[NDArray[np.uint8]] = iter(())
        if pixels:
            shape = resized_shape(pixels[0].height, pixels[0].width, self._short_side)
            images = iter(self._converter.convert(pixels, *shape))
        for one in batch:
            if one.frame is not None:
                image = av.VideoFrame.from_ndarray(next(images), format="rgb24")
                one = replace(one, frame=image)
            yield one


def find_chroma_site(
    reader: VideoReader,
    reference: RangeDecoder,
    make_converter: Callable[[ChromaSite], FrameConverter],
    begin_seconds: float,
) -> ChromaSite:
    """Compare the first frames of a device decoder with those of a software decoder.

    Args:
        reader: as for `DeviceRangeDecoder`.
        reference: decodes the same video in software.
        make_converter: makes a converter for chroma samples that sit there.
        begin_seconds: time of the video's first key frame.

    Returns:
        Where chroma samples must sit for the images to be the same.

    Raises:
        HardwareMismatchError: the frames differ, wherever chroma samples sit.
    """
    end_seconds = begin_seconds + _COMPARED_SECONDS
    frames = _up_to_irregularity(reference.decode(begin_seconds, end_seconds))
    expected = list(islice((one for one in frames if one.frame is not None), _COMPARED_FRAMES))
    times = {frame.seconds for frame in expected}
    pairs = range_frames(reader, begin_seconds, end_seconds)
    frames = _up_to_irregularity(frame for frame, _ in pairs)
    found = list(islice((one for one in frames if one.seconds in times), len(expected)))
    if not expected or [one.seconds for one in found] != [one.seconds for one in expected]:
        raise HardwareMismatchError("times other than in software")
    pixels = [one.frame for one in found if one.frame is not None]
    arrays = [one.frame.to_ndarray() for one in expected if one.frame is not None]
    truth: NDArray[np.int16] = np.stack(arrays).astype(np.int16)
    if len(pixels) != len(truth):
        raise HardwareMismatchError("fewer frames than in software")
    differences = {}
    for site in ChromaSite:
        images = make_converter(site).convert(pixels, *truth.shape[1:3])
        distance = np.abs(images.astype(np.int16) - truth)
        differences[site] = (float(distance.mean()), int(distance.max()))
    best = min(differences, key=lambda site: differences[site])
    mean, largest = differences[best]
    if mean > _MEAN_DIFFERENCE or largest > _LARGEST_DIFFERENCE:
        raise HardwareMismatchError(
            f"images differ from those in software by {mean:.2f} on average, at most {largest}"
        )
    return best


def _up_to_irregularity(frames: Iterable[TimedFrame]) -> Iterator[TimedFrame]:
    with suppress(UnsoundRangeError):
        yield from frames

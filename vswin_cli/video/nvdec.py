"""Decode ranges of a video on an NVIDIA GPU's video decoder, NVDEC, beside those in software.

Frames stay on the GPU until they are small images. What NVDEC cannot decode, and everything
irregular, is left to the software decoders: times, gaps and damage are theirs. The first frames of
each video are compared with those of a software decoder before any other frame counts.

NVDEC conceals damage within the coded data of a frame without a word. Damage of packets and headers
is found, as FFmpeg parses these.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING, Protocol

import av
import numpy as np

from vswin_cli.video.decode_options import DecodeOptions
from vswin_cli.video.frames import TimedFrame
from vswin_cli.video.info import MediaWarning, VideoInfo
from vswin_cli.video.memory_limit import allow_device_memory
from vswin_cli.video.nv12 import ChromaSite, Nv12Converter
from vswin_cli.video.ranges import RangeDecoder, UnsoundRangeError
from vswin_cli.video.reader import VideoReader
from vswin_cli.video.resize import resized_shape
from vswin_cli.video.skip import IsWanted
from vswin_cli.video.software_ranges import SoftwareRangeDecoder, range_frames

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "DeviceRangeDecoder",
    "FrameConverter",
    "HardwareMismatchError",
    "Nvdec",
    "find_chroma_site",
    "nvdec_for",
    "nvdec_obstacle",
]

_CODECS = ("h264", "hevc", "vp8", "vp9", "av1")
_PIXEL_FORMATS = ("yuv420p", "yuvj420p", "yuv420p10le")
_LIBRARIES = {"linux": ("libcuda.so.1", "libnvcuvid.so.1"), "win32": ("nvcuda.dll", "nvcuvid.dll")}
_FRAMES_PER_LAUNCH = 8
_POLL_SECONDS = 0.05
_MOST_DECODERS, _LEAST_DECODERS = 8, 2  # that work on one video
_PIXELS_FOR_ALL = 1920 * 1088  # larger frames get fewer decoders, for their memory
_LEAST_FREE_BYTES = 1 << 30  # of the GPU's memory, which the network needs more urgently
_WORTHWHILE_SECONDS = 60.0  # of video per software decoder, which are done before less is loaded
_SECONDS_PER_DECODER = 4.0  # of video
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
        raise HardwareMismatchError("other times than in software")
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


@lru_cache(maxsize=1)
def _missing_library() -> str | None:
    """Name a library of the driver that is not there; `None` if all are."""
    names = _LIBRARIES.get(sys.platform)
    if names is None:
        return "a driver for this system"
    for name in names:
        try:
            ctypes.CDLL(name)
        except OSError:
            return name
    return None


def nvdec_obstacle(info: VideoInfo | None = None) -> str | None:
    """Say why NVDEC cannot be used here, or not for a video; `None` if nothing speaks against it.

    Whether the chip has this profile shows only when it decodes.
    """
    if (missing := _missing_library()) is not None:
        return f"{missing} is missing"
    if info is None:
        return None
    if info.codec not in _CODECS:
        return f"it does not decode {info.codec}"
    if info.pixel_format not in _PIXEL_FORMATS or info.width % 2 or info.height % 2:
        return f"it does not decode {info.pixel_format} of {info.width}×{info.height} pixels"
    return None


class _StoppedError(Exception):
    """The video is decoded already."""


class _Loading(Thread):
    """Import what NVDEC needs, which takes seconds, beside software decoders that work already."""

    def __init__(self) -> None:
        super().__init__(name="vswin-nvdec", daemon=True)
        self.fault: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            allow_device_memory()
            import torch

            import vswin_cli.video.nv12_kernel  # noqa: F401

            torch.cuda.init()
        except Exception as fault:  # whatever is missing or broken, software decodes
            self.fault = fault


@lru_cache(maxsize=1)
def _loading() -> _Loading:
    """Return the loading of this process, begun by the first call."""
    return _Loading()


def nvdec_for(options: DecodeOptions) -> Nvdec:
    """Make the decoders that a video's options ask for; `auto` only where they pay off."""
    is_cold = options.decoder == "auto" and not _loading.cache_info().currsize
    least_seconds = options.decoders * _WORTHWHILE_SECONDS if is_cold else 0.0
    return Nvdec(options.device_index, least_seconds)


class Nvdec:
    """NVDEC decoders of one video.

    Attributes:
        obstacle: why they decode nothing or stopped doing so; `None` if nothing was in the way.

    Args:
        device_index: of the GPU.
        least_seconds: of video; less is not worth loading what NVDEC needs.
    """

    def __init__(self, device_index: int = 0, least_seconds: float = 0.0) -> None:
        self._least_seconds = least_seconds
        self.obstacle: str | None = None
        self._device_index = device_index
        self._site: ChromaSite | None = None
        self._lock = Lock()
        self._is_stopped = False

    def stop(self) -> None:
        """Open no further decoder: the video is decoded."""
        self._is_stopped = True

    @property
    def warnings(self) -> tuple[MediaWarning, ...]:
        """That the video was decoded in software, and why, if it was."""
        if self.obstacle is None:
            return ()
        return (MediaWarning("SOFTWARE_DECODING", f"decoded without NVDEC: {self.obstacle}"),)

    def makers(
        self, reader: VideoReader, short_side: int, begin_seconds: float, seconds: float, most: int
    ) -> list[Callable[[], RangeDecoder | None]]:
        """Return functions that make decoders, none if NVDEC cannot decode the video.

        Args:
            reader: of the video, after `decode_only`.
            short_side: of the images.
            begin_seconds: time of the first frame, a key frame.
            seconds: how much is to be decoded.
            most: number of decoders.
        """
        self.obstacle = nvdec_obstacle(reader.info)
        if seconds < self._least_seconds or reader.is_wanted is None or self.obstacle is not None:
            return []
        pixels = reader.info.width * reader.info.height
        room = max(1, _MOST_DECODERS * _PIXELS_FOR_ALL // max(pixels, _PIXELS_FOR_ALL))
        most = min(max(_LEAST_DECODERS, most), room, int(seconds / _SECONDS_PER_DECODER))
        make = partial(self._make, reader.path, reader.is_wanted, short_side, begin_seconds)
        return [make] * most

    def _make(
        self, path: Path, is_wanted: IsWanted, short_side: int, begin_seconds: float
    ) -> RangeDecoder | None:
        """Open the video on NVDEC; `None` if that fails or its first frames are wrong."""
        reader = None
        try:
            with self._lock:  # the first one looks for obstacles, the others wait for its findings
                if self.obstacle is not None or self._is_stopped:
                    return None
                reader = self._open(path, is_wanted)
                if self._site is None:
                    software = SoftwareRangeDecoder(
                        path, is_wanted, short_side, first_seconds=begin_seconds
                    )
                    with closing(software):
                        self._site = find_chroma_site(
                            reader, software, self._converter, begin_seconds
                        )
            converter = self._converter(self._site)
            return DeviceRangeDecoder(
                reader,
                is_wanted,
                short_side,
                converter,
                first_seconds=begin_seconds,
                on_fault=self._note,
            )
        except _StoppedError:
            return None
        except Exception as fault:  # of PyAV, torch, Triton or the driver: software decodes it
            self._note(fault)
            if reader is not None:
                reader.close()
            return None

    def _open(self, path: Path, is_wanted: IsWanted) -> VideoReader:
        loading = _loading()
        while loading.is_alive():
            loading.join(_POLL_SECONDS)
            if self._is_stopped:
                raise _StoppedError
        if loading.fault is not None:
            raise loading.fault
        import torch
        from av.codec.hwaccel import HWAccel

        torch.cuda.set_device(self._device_index)
        if torch.cuda.mem_get_info()[0] < _LEAST_FREE_BYTES:
            raise MemoryError("the GPU's memory is in use")
        hardware = HWAccel(
            "cuda", str(self._device_index), allow_software_fallback=False, is_hw_owned=True
        )
        reader = VideoReader(path, strict=True, hardware=hardware)
        reader.decode_only(is_wanted)
        return reader

    def _converter(self, site: ChromaSite) -> Nv12Converter:
        import torch

        return Nv12Converter(torch.device("cuda", self._device_index), site)

    def _note(self, fault: Exception) -> None:
        if self.obstacle is None:
            text = str(fault).strip().partition("\n")[0] or type(fault).__name__
            self.obstacle = text[:200]

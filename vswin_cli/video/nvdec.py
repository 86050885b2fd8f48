"""Decode ranges of a video on an NVIDIA GPU's video decoder, NVDEC, beside those in software.

Frames stay on the GPU until they are small images. What NVDEC cannot decode, and everything
irregular, is left to the software decoders, which alone determine times, gaps and damage. The first
frames of each video are compared with those of a software decoder before any other is used.

NVDEC conceals damage within the coded data of a frame and does not report it. Damage of packets and
headers is found, as FFmpeg parses these.
"""

from __future__ import annotations

import ctypes
import math
import sys
from collections.abc import Callable
from contextlib import closing
from functools import lru_cache, partial
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING

from vswin_cli.video.decode_options import DecodeOptions
from vswin_cli.video.device_ranges import DeviceRangeDecoder, find_chroma_site
from vswin_cli.video.info import MediaWarning, VideoInfo
from vswin_cli.video.memory_limit import allow_device_memory
from vswin_cli.video.nv12 import ChromaSite, Nv12Converter
from vswin_cli.video.ranges import RangeDecoder
from vswin_cli.video.reader import VideoReader
from vswin_cli.video.skip import IsWanted
from vswin_cli.video.software_ranges import SoftwareRangeDecoder

if TYPE_CHECKING:
    from av.codec.hwaccel import HWAccel

__all__ = ["Nvdec", "missing_driver_library", "nvdec_device", "nvdec_for", "nvdec_obstacle"]

_CODECS = ("h264", "hevc", "vp8", "vp9", "av1")
_PIXEL_FORMATS = ("yuv420p", "yuvj420p", "yuv420p10le")
_LIBRARIES = {"linux": ("libcuda.so.1", "libnvcuvid.so.1"), "win32": ("nvcuda.dll", "nvcuvid.dll")}
_POLL_SECONDS = 0.05
_MOST_DECODERS, _LEAST_DECODERS = 8, 2  # that work on one video
_PIXELS_FOR_ALL = 1920 * 1088  # larger frames get fewer decoders, for their memory
_LEAST_FREE_BYTES, _LEAST_FREE_SHARE = 1 << 30, 1 / 8  # of the GPU's memory, for the network
_WORTHWHILE_SECONDS = 60.0  # of video per software decoder, which are done before less is loaded
_SECONDS_PER_DECODER = 4.0  # of video
# Threads of both kinds share the interpreter's lock, which calls of CUDA hold. On an H200 machine
# with 16 cores NVDEC beside 8 software decoders gave 1,570 frames/s; beside 15 it gave 1,454, and
# these alone 1,654.
_MOST_SOFTWARE_DECODERS = 8


@lru_cache(maxsize=1)
def missing_driver_library() -> str | None:
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


def nvdec_obstacle(info: VideoInfo) -> str | None:
    """Return why NVDEC cannot decode a video here; `None` if no reason is known.

    Whether the chip supports the profile shows only when it decodes.
    """
    if (missing := missing_driver_library()) is not None:
        return f"{missing} is missing"
    if info.codec not in _CODECS:
        return f"it does not decode {info.codec}"
    if info.pixel_format not in _PIXEL_FORMATS or info.width % 2 or info.height % 2:
        return f"it does not decode {info.pixel_format} of {info.width}×{info.height} pixels"
    return None


def nvdec_device(index: int) -> HWAccel:
    """Return the device on which PyAV decodes, so that torch can read the frames.

    FFmpeg and torch must share the GPU's primary context, but FFmpeg refuses it once torch has
    activated it with settings of its own. So FFmpeg takes this thread's context, which is torch's.

    Args:
        index: of the GPU.

    Raises:
        RuntimeError: PyTorch finds no GPU.
    """
    import torch
    from av.codec.hwaccel import HWAccel

    if not torch.cuda.is_available():
        raise RuntimeError("PyTorch finds no GPU")
    torch.cuda.set_device(index)
    torch.cuda.synchronize()  # makes the context this thread's
    options: dict[str, object] = {"primary_ctx": "0", "current_ctx": "1"}
    return HWAccel(
        "cuda", str(index), allow_software_fallback=False, options=options, is_hw_owned=True
    )


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

            torch.cuda.current_device()  # the driver is there; no memory yet
        except Exception as fault:  # whatever is missing or broken, software decodes
            self.fault = fault


@lru_cache(maxsize=1)
def _loading() -> _Loading:
    """Return the loading of this process, begun by the first call."""
    return _Loading()


def nvdec_for(options: DecodeOptions) -> Nvdec:
    """Make the decoders that a video's options ask for; `auto` only where they pay off."""
    least_seconds = 0.0
    if options.decoder == "auto":
        if options.decoders > _MOST_SOFTWARE_DECODERS:
            least_seconds = math.inf
        elif not _loading.cache_info().currsize:
            least_seconds = options.decoders * _WORTHWHILE_SECONDS
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

    def note_undivided(self, info: VideoInfo) -> None:
        """Note that a video is not decoded in ranges, and so not here."""
        reason = "the video is short or cannot be decoded from every key frame"
        self.obstacle = nvdec_obstacle(info) or reason

    def stop(self) -> None:
        """Open no further decoder: the video is decoded."""
        self._is_stopped = True

    @property
    def warnings(self) -> tuple[MediaWarning, ...]:
        """That the video was decoded in software, and why, if it was."""
        if self.obstacle is None:
            return ()
        return (
            MediaWarning(
                "SOFTWARE_DECODING", f"decoded in software, not by NVDEC: {self.obstacle}"
            ),
        )

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
            with self._lock:  # the first one compares its frames, the others wait for the outcome
                if self.obstacle is not None or self._is_stopped:
                    return None
                if self._site is None:
                    reader = self._open(path, is_wanted)
                    software = SoftwareRangeDecoder(
                        path, is_wanted, short_side, first_seconds=begin_seconds
                    )
                    with closing(software):
                        self._site = find_chroma_site(
                            reader, software, self._converter, begin_seconds
                        )
            reader = reader or self._open(path, is_wanted)
            return DeviceRangeDecoder(
                reader,
                is_wanted,
                short_side,
                self._converter(self._site),
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

        torch.cuda.set_device(self._device_index)
        free, total = torch.cuda.mem_get_info()
        if free < max(_LEAST_FREE_BYTES, _LEAST_FREE_SHARE * total):
            raise MemoryError("the GPU's memory is in use")
        reader = VideoReader(path, strict=True, hardware=nvdec_device(self._device_index))
        reader.decode_only(is_wanted)
        return reader

    def _converter(self, site: ChromaSite) -> Nv12Converter:
        import torch

        return Nv12Converter(torch.device("cuda", self._device_index), site)

    def _note(self, fault: Exception) -> None:
        if self.obstacle is None:
            text = str(fault).strip().partition("\n")[0] or type(fault).__name__
            self.obstacle = text[:200]

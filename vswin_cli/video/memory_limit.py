"""Limit the memory of decoding, whatever frame size a file declares.

A file of a few kilobytes can declare frames of two gigabytes. Each thread of a decoder holds one,
so the number of threads depends on the frame size. A decoder process may not allocate more than
`MOST_BYTES`: beyond it allocations fail, which costs packets of this video and nothing else.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from vswin_cli.video.info import VideoInfo

if TYPE_CHECKING:
    from av import VideoCodecContext

__all__ = ["MOST_BYTES", "allow_device_memory", "limit_decoders", "limit_memory", "limit_threads"]

MOST_BYTES = 4 << 30
"""Memory limit of a decoder process; 8K video with 10 bits needs 3 GiB."""
_THREADS_BYTES = 1 << 30  # for the frames of all threads of one decoder
_DECODERS_BYTES = 2 << 30  # for the frames of all decoders that work on one video
_FRAMES_PER_DECODER = 10  # references, those that wait for their turn, and the newest
_DRIVER_BYTES = 32 << 30  # that a GPU's driver and libraries map, most of it untouched
_UNKNOWN_BITS = 64  # per pixel, while the pixel format is unknown: the most of any format


def limit_threads(context: VideoCodecContext, most: int | None = None) -> None:
    """Reduce a decoder's threads to `most`, or if frames are large; before its first packet."""
    bits = context.format.padded_bits_per_pixel if context.format else _UNKNOWN_BITS
    frame_bytes = context.width * context.height * bits // 8
    threads = _THREADS_BYTES // max(1, frame_bytes)
    if most is not None or threads <= (os.cpu_count() or 1):  # FFmpeg's own choice is one more
        context.thread_count = max(1, min(threads, most or threads))


def limit_decoders(info: VideoInfo) -> int:
    """Return how many decoders have room for their frames of a video, at least one."""
    from av import VideoFormat

    bits = VideoFormat(info.pixel_format).padded_bits_per_pixel
    frame_bytes = info.width * info.height * bits // 8
    return max(1, _DECODERS_BYTES // max(1, _FRAMES_PER_DECODER * frame_bytes))


def allow_device_memory() -> None:
    """Raise the limit of `limit_memory`, before a GPU's driver maps its memory into this process.

    The frames themselves are then in the GPU's memory.
    """
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if soft != resource.RLIM_INFINITY:
        wanted = MOST_BYTES + _DRIVER_BYTES
        allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (max(soft, allowed), hard))


def limit_memory() -> None:
    """Make allocations of this process fail beyond `MOST_BYTES`, where the system supports it."""
    if sys.platform == "win32":
        return
    import resource

    # Limit data, not address space: threads reserve far more of the latter than they use.
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limits = [MOST_BYTES, *(limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY)]
    resource.setrlimit(resource.RLIMIT_DATA, (min(limits), hard))

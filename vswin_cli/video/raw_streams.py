"""Streams without timestamps: which formats they are, and the frame rate that a user gives them.

FFmpeg makes up a rate for them, 25 frames per second unless the codec states one.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from vswin_cli.errors import OptionError
from vswin_cli.video.constant_rate import STANDARD_RATES
from vswin_cli.video.info import MediaWarning

__all__ = ["has_no_timestamps", "no_timestamps_warning", "rate_for"]

_RAW_STREAMS = {
    *("apv", "avs2", "avs3", "bitpacked", "cavsvideo", "dirac", "dnxhd", "evc", "h261", "h263"),
    *("h264", "hevc", "image2", "image2pipe", "ingenient", "ipu", "m4v", "mjpeg", "mjpeg_2000"),
    *("mpegvideo", "mpjpeg", "obu", "rawvideo", "v210", "v210x", "vc1", "vvc"),
}
_PIPE = "_pipe"  # of images: png_pipe, jpeg_pipe, ...
_SAME_RATE = 1e-4  # relative: 29.97 is meant for 30000/1001
_LARGEST_DENOMINATOR = 1001


def has_no_timestamps(container: str) -> bool:
    """Return whether files of a format hold no timestamps.

    Args:
        container: FFmpeg's short name of the format.
    """
    return container in _RAW_STREAMS or container.endswith(_PIPE)


def rate_for(path: Path, container: str, frames_per_second: float | None) -> Fraction | None:
    """Return the rate at which the frames of a file are counted; `None` if it has timestamps.

    Args:
        path: the file.
        container: FFmpeg's short name of its format.
        frames_per_second: as the user gave it, if so.

    Raises:
        OptionError: a rate was given for a file that has timestamps.
    """
    if frames_per_second is None:
        return None
    if not has_no_timestamps(container):
        raise OptionError(
            f"--input-fps is for streams without timestamps, and {path} ({container}) has them",
            hint="leave --input-fps out",
        )
    given = Fraction(frames_per_second).limit_denominator(_LARGEST_DENOMINATOR)
    near = (rate for rate in STANDARD_RATES if abs(rate / given - 1) < _SAME_RATE)
    return next(near, given)


def no_timestamps_warning(rate: Fraction | None) -> MediaWarning:
    """Return the warning that times are counted, and at which rate if the user gave one."""
    counted = "its frame rate" if rate is None else f"{float(rate):.6g} frames per second, as given"
    hint = "; --input-fps gives another" if rate is None else ""
    return MediaWarning(
        "NO_TIMESTAMPS", f"the file has no timestamps; times are counted from {counted}{hint}"
    )

"""Make a video to measure on where the user gives none: an image that drifts under grain."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from vswin_cli.errors import OptionError

__all__ = ["VideoSize", "synthesise"]

_PATCHES = (64, 16, 4)  # pixels per side, in the layers that add up to the image
_GRAINS = 8
_KEYFRAME_EVERY = 60
# With AVX-512, x264 reads leftovers of other memory in its macroblock tree where a frame is narrow.
_ENCODER = {"preset": "veryfast", "mbtree": "0"}


@dataclass(frozen=True, slots=True)
class VideoSize:
    """Size and length of the video to make.

    Raises:
        OptionError: too small, too large, too short or too long.
    """

    width: int = 1280
    height: int = 720
    seconds: float = 20.0
    rate: int = 30

    def __post_init__(self) -> None:
        if not (32 <= self.width <= 8192 and 32 <= self.height <= 8192):
            raise OptionError(
                f"a video of {self.width}x{self.height} cannot be made",
                hint="sides go from 32 to 8192 pixels, such as 1920x1080",
            )
        if not 1 <= self.seconds <= 36_000:
            raise OptionError(
                f"a video of {self.seconds:g} s cannot be made", hint="give 1 to 36000 seconds"
            )

    @classmethod
    def parse(cls, size: str, seconds: float) -> VideoSize:
        """Read `1280x720`.

        Raises:
            OptionError: the text is not a size, or the size is useless.
        """
        width, by, height = size.lower().partition("x")
        if not (by and width.isdecimal() and height.isdecimal()):
            raise OptionError(f"cannot read the size {size!r}", hint="write it as 1280x720")
        # Even sides, as chroma has half the resolution in yuv420p.
        return cls(int(width) // 2 * 2, int(height) // 2 * 2, seconds)


def synthesise(path: Path, size: VideoSize) -> Path:
    """Encode a video as H.264 in MP4, the same every time, in one slice per frame as videos are.

    Args:
        path: file to write.
        size: of the video.
    """
    import av

    draw = np.random.default_rng(0)
    canvas = _canvas(draw, size)
    grains = draw.integers(0, 13, (_GRAINS, size.height, size.width, 1), np.uint8)
    count = round(size.seconds * size.rate)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=size.rate, options=_ENCODER)
        stream.width, stream.height, stream.pix_fmt = size.width, size.height, "yuv420p"
        stream.codec_context.gop_size = _KEYFRAME_EVERY
        stream.codec_context.thread_type = "FRAME"  # else a slice per core of this machine
        stream.codec_context.time_base = Fraction(1, size.rate)
        for number in range(count):
            y, x = _drift(number, canvas, size)
            image = canvas[y : y + size.height, x : x + size.width] + grains[number % _GRAINS]
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, size.rate)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def _canvas(draw: np.random.Generator, size: VideoSize) -> np.ndarray:
    """Draw an image 1.5 times as wide and high as the video, (H, W, 3) uint8 up to 240."""
    height, width = size.height * 3 // 2, size.width * 3 // 2
    canvas = np.zeros((height, width, 3), np.uint8)
    for step in _PATCHES:
        shape = (-(-height // step), -(-width // step), 3)
        patches = draw.integers(0, 81, shape, np.uint8)
        canvas += patches.repeat(step, 0).repeat(step, 1)[:height, :width]
    return canvas


def _drift(number: int, canvas: np.ndarray, size: VideoSize) -> tuple[int, int]:
    """Return the corner (y, x) of a frame in the canvas, on a slow circle."""
    turn = 2 * np.pi * number / (10 * size.rate)
    room_y, room_x = canvas.shape[0] - size.height, canvas.shape[1] - size.width
    return int(room_y * (1 + np.sin(turn)) / 2), int(room_x * (1 + np.cos(turn)) / 2)

"""A video in which something moves in one part of the frame only, and all else stands still."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RATE = 24
_GRAIN = 12  # pixels between random values, which are blended


def make_corner_video(
    path: Path, part: tuple[float, float, float, float], *, seconds: float = 3.0, rotation: int = 0
) -> Path:
    """Encode a still texture with another one that pans in one part of the frame.

    Args:
        path: of the file.
        part: x, y, width and height of the part in the upright frame, whose width and height are 1.
        seconds: length.
        rotation: counter-clockwise turn that puts the stored frame upright.
    """
    draw = np.random.default_rng(0)
    width, height = 256, 128
    left, top = round(part[0] * width), round(part[1] * height)
    across, down = round(part[2] * width), round(part[3] * height)
    scene, strip = _texture(draw, height, width), _texture(draw, down, 1024)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=RATE, options={"crf": "12", "mbtree": "0"})
        turned = rotation % 180 != 0
        stream.width, stream.height = (height, width) if turned else (width, height)
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        if rotation:
            stream.set_display_rotation(rotation)
        for number in range(round(seconds * RATE)):
            image = scene.copy()
            image[top : top + down, left : left + across] = strip[:, 3 * number :][:, :across]
            stored = np.ascontiguousarray(np.rot90(image, -rotation // 90))
            frame = av.VideoFrame.from_ndarray(stored, format="rgb24").reformat(format="yuv420p")
            frame.time_base, frame.pts = Fraction(1, RATE), number
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def _texture(draw: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Random values, blended linearly, (height, width, 3)."""
    coarse = draw.uniform(0, 255, (height // _GRAIN + 2, width // _GRAIN + 2, 3))
    y, x = np.arange(height) / _GRAIN, np.arange(width) / _GRAIN
    i, j = y.astype(int), x.astype(int)
    v, u = (y - i)[:, None, None], (x - j)[:, None]
    upper = coarse[i][:, j] * (1 - u) + coarse[i][:, j + 1] * u
    lower = coarse[i + 1][:, j] * (1 - u) + coarse[i + 1][:, j + 1] * u
    return np.asarray(upper * (1 - v) + lower * v, np.uint8)

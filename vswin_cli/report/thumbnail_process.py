"""The child of `vswin_cli.report.thumbnails`: reads a request from stdin, writes images to stdout.

Each image is a line of JSON (index of the request, seconds, width, height, MIME type, bytes) and
the bytes.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from vswin_cli.errors import SourceError
from vswin_cli.video.memory_limit import limit_memory
from vswin_cli.video.reader import TimedFrame, VideoReader
from vswin_cli.video.resize import ImageResizer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["main"]

_ENCODERS = (  # the first that this FFmpeg has: name, pixels, options, MIME type
    ("libwebp", "yuv420p", {"quality": "50", "compression_level": "6"}, "image/webp"),
    ("mjpeg", "yuvj420p", {"qmin": "7", "qmax": "7"}, "image/jpeg"),
)


def main() -> None:
    """Serve one request."""
    limit_memory()
    request = json.load(sys.stdin)
    try:
        path, rate = Path(request["path"]), request["input_frame_rate"]
        with VideoReader(path, input_frame_rate=rate) as reader:
            _take(reader, request["requests"], sys.stdout.buffer)
    except (SourceError, BrokenPipeError):
        return  # no images, or the parent has stopped reading


def _take(reader: VideoReader, requests: list[tuple[float, float, int]], out: IO[bytes]) -> None:
    frames = reader.frames()
    here = 0.0
    for index, (seconds, earliest, area) in enumerate(requests):
        if seconds < here or reader.worth_seeking(here, seconds):
            reader.seek(seconds)
            frames = reader.frames()
        frame = _frame_at(frames, seconds, earliest)
        if frame is None:  # past the end, as after a wrong declared duration: start over
            reader.seek(0.0)
            frames, here = reader.frames(), 0.0
            continue
        here = frame.seconds
        _send(out, index, frame, _image(reader, frame, area))


def _frame_at(frames: Iterator[TimedFrame], seconds: float, earliest: float) -> TimedFrame | None:
    """Return the first frame from `earliest` on, else the last."""
    frame = None
    for frame in frames:
        if frame.seconds >= earliest:
            return frame
    return frame


def _image(reader: VideoReader, frame: TimedFrame, area: int) -> NDArray[np.uint8]:
    """Resize a frame, upright and in display shape, to about `area` pixels; (H, W, 3)."""
    assert frame.frame is not None  # this reader skips no frame
    ratio = Fraction(reader.info.sample_aspect_ratio.replace(":", "/")) or Fraction(1)
    width, height = frame.frame.width * float(ratio), float(frame.frame.height)
    scale = math.sqrt(area / (width * height))
    shape = (_even(height * scale), _even(width * scale))
    return ImageResizer(min(shape)).resize(frame.frame, frame.rotation_degrees, shape)


def _even(pixels: float) -> int:
    return max(16, 2 * round(pixels / 2))


def _send(out: IO[bytes], index: int, frame: TimedFrame, image: NDArray[np.uint8]) -> None:
    data, kind = _encode(image)
    height, width = image.shape[:2]
    head = [index, round(frame.seconds, 3), width, height, kind, len(data)]
    out.write(json.dumps(head).encode() + b"\n" + data)
    out.flush()


def _encode(image: NDArray[np.uint8]) -> tuple[bytes, str]:
    import av

    frame = av.VideoFrame.from_ndarray(image, format="rgb24")
    for name, pixels, options, kind in _ENCODERS:
        try:
            encoder = cast("av.VideoCodecContext", av.CodecContext.create(name, "w"))
        except av.codec.codec.UnknownCodecError:
            continue
        encoder.width, encoder.height = frame.width, frame.height
        encoder.pix_fmt = pixels
        encoder.time_base = Fraction(1, 25)
        encoder.options = options
        packets = [*encoder.encode(frame.reformat(format=pixels)), *encoder.encode(None)]
        return b"".join(bytes(packet) for packet in packets), kind
    raise SourceError("FFmpeg can write neither WebP nor JPEG images")

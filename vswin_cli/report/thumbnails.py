"""Take thumbnails of a video for a page: along the whole video and at the peaks of segments.

Decoding runs in a child process with a time limit, so that a page of a damaged or enormous video
lacks some thumbnails at worst. Those received before the limit are used.
"""

from __future__ import annotations

import base64
import json
import subprocess
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from vswin_cli.storage.child_python import python_command
from vswin_cli.timeline.segments import Segment

__all__ = [
    "Thumbnail",
    "ThumbnailRequest",
    "cover_request",
    "in_time_order",
    "plan_requests",
    "still_pixels",
    "take_images",
]

SMALL_PIXELS = 160 * 90
LARGE_PIXELS = 288 * 162
"""For a video that browsers cannot play, of which the page shows stills."""
TIME_LIMIT_SECONDS = 120.0
_PLAYED = (".mp4", ".m4v", ".mov", ".webm", ".ogv")  # by the usual browsers
_AXIS_COUNT = 48
_AXIS_SHORTEST_STEP_SECONDS = 0.5
_COVER_PIXELS = 112 * 63
_COVER_SHARE = 0.05  # of the video before the frame that is wanted, to find a key frame in
_PEAK_COUNT = 240
_PEAK_GROUP = 40  # peaks per pass over the video; the first pass has the most important ones
_START_SECONDS = 10.0  # for the child to start and open the video
_MAIN = "from vswin_cli.report.thumbnail_process import main; main()"


@dataclass(frozen=True, slots=True)
class ThumbnailRequest:
    """A requested thumbnail."""

    seconds: float
    """Time of the frame to show."""
    earliest_seconds: float
    """Earliest time of a frame to show instead, if it takes less decoding."""
    area_pixels: int = SMALL_PIXELS
    """About how large the image is."""


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small image of one frame."""

    seconds: float
    """Time of the frame."""
    width: int
    height: int
    url: str
    """A `data:` URL with the image itself."""

    def __repr__(self) -> str:
        size = f"{self.width}x{self.height}, {len(self.url)} characters"
        return f"Thumbnail({self.seconds:.3f} s, {size})"


def plan_requests(
    duration_seconds: float, segments: Sequence[Segment], area_pixels: int = SMALL_PIXELS
) -> list[ThumbnailRequest]:
    """List the thumbnails to request, the most important first.

    Along the axis any frame of each part of the video is accepted, usually a key frame; a peak is
    shown exactly.

    Args:
        duration_seconds: of the video.
        segments: whose peaks are shown.
        area_pixels: about how large the images are.
    """
    count = min(_AXIS_COUNT, max(1, int(duration_seconds / _AXIS_SHORTEST_STEP_SECONDS)))
    step = duration_seconds / count
    requests = [ThumbnailRequest((i + 0.5) * step, i * step, area_pixels) for i in range(count)]
    by_weight = sorted(segments, key=lambda segment: -segment.duration_seconds * segment.score)
    peaks = list(dict.fromkeys(segment.peak_seconds for segment in by_weight))[:_PEAK_COUNT]
    for first in range(0, len(peaks), _PEAK_GROUP):
        group = sorted(peaks[first : first + _PEAK_GROUP])
        requests += [ThumbnailRequest(seconds, seconds, area_pixels) for seconds in group]
    return requests


def still_pixels(video: Path) -> int:
    """Return how large images of a video should be: larger where browsers cannot play it."""
    return SMALL_PIXELS if video.suffix.lower() in _PLAYED else LARGE_PIXELS


def cover_request(duration_seconds: float, segments: Sequence[Segment]) -> ThumbnailRequest:
    """Choose the image that stands for a video: the middle of its longest segment."""
    longest = max(segments, key=lambda segment: segment.duration_seconds, default=None)
    at = duration_seconds / 3
    if longest is not None:
        at = (longest.start_seconds + longest.end_seconds) / 2
    return ThumbnailRequest(at, max(0.0, at - _COVER_SHARE * duration_seconds), _COVER_PIXELS)


def take_images(
    video: Path,
    requests: Sequence[ThumbnailRequest],
    max_bytes: int,
    *,
    input_frame_rate: float | None = None,
    time_limit_seconds: float = TIME_LIMIT_SECONDS,
) -> dict[int, Thumbnail]:
    """Take images of a video, by index of the request; fewer where a limit is reached.

    Args:
        video: the file.
        requests: what to show, the most important first.
        max_bytes: for all `data:` URLs together.
        input_frame_rate: frames per second of a stream without timestamps.
        time_limit_seconds: when to stop without the rest.
    """
    request = {
        "path": str(video.absolute()),
        "input_frame_rate": input_frame_rate,
        "requests": [(one.seconds, one.earliest_seconds, one.area_pixels) for one in requests],
    }
    found: dict[int, Thumbnail] = {}
    for index, thumbnail in _from_child(json.dumps(request).encode(), time_limit_seconds):
        max_bytes -= len(thumbnail.url)
        if max_bytes < 0:
            break
        found[index] = thumbnail
    return found


def in_time_order(images: Iterable[Thumbnail]) -> list[Thumbnail]:
    """Sort images by time, and keep one of each time."""
    by_time = {one.seconds: one for one in images}
    return [by_time[seconds] for seconds in sorted(by_time)]


def _from_child(request: bytes, time_limit_seconds: float) -> Iterator[tuple[int, Thumbnail]]:
    command = python_command(_MAIN)
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        alarm = threading.Timer(time_limit_seconds + _START_SECONDS, child.kill)
        alarm.daemon = True
        alarm.start()
        try:
            assert child.stdin is not None
            assert child.stdout is not None
            _send(child.stdin, request)
            for line in child.stdout:
                if not line.endswith(b"\n"):
                    return
                index, seconds, width, height, kind, size = json.loads(line)
                data = child.stdout.read(size)
                if len(data) < size:
                    return
                text = base64.b64encode(data).decode("ascii")
                yield index, Thumbnail(seconds, width, height, f"data:{kind};base64,{text}")
        finally:
            alarm.cancel()
            child.kill()


def _send(pipe: IO[bytes], request: bytes) -> None:
    try:
        pipe.write(request)
        pipe.close()
    except BrokenPipeError:
        pass  # the child has ended; reading finds no thumbnails

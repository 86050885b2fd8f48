"""Inspect a video without a model: its metadata and, by decoding all of it, its damage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from vswin_cli.storage.sources import VideoSource
from vswin_cli.video.decode_options import DecodeOptions
from vswin_cli.video.info import DecodeReport, VideoInfo
from vswin_cli.video.sampling import SamplingPlan
from vswin_cli.video.stream import open_video

__all__ = ["Inspection", "inspect"]

# A scan decodes every frame but samples only one small image in 100 seconds, which is not used.
_SCAN_PLAN = SamplingPlan(num_frames=2, stride=2, short_side=32, positions_per_second=0.01)
_SCAN = DecodeOptions(every_frame=True)


@dataclass(frozen=True, slots=True)
class Inspection:
    """Metadata from opening a video and, if it was scanned, the report of decoding all of it."""

    info: VideoInfo
    report: DecodeReport | None
    """`None` if the video was not scanned."""


def inspect(
    source: VideoSource,
    *,
    scan: bool = False,
    input_frame_rate: float | None = None,
    on_progress: Callable[[float, float | None], None] | None = None,
) -> Inspection:
    """Inspect a video in a child process.

    Args:
        source: the video.
        scan: decode it from beginning to end.
        input_frame_rate: frames per second of a stream without timestamps.
        on_progress: called with the seconds scanned and the declared total.

    Raises:
        SourceError: it cannot be opened, or not one frame can be decoded.
        OptionError: a frame rate is given for a file that has timestamps.
    """
    total: float | None = None

    def on_position(seconds: float) -> None:
        if on_progress is not None:
            on_progress(seconds, total)

    options = replace(_SCAN, input_frame_rate=input_frame_rate)
    with open_video(source, _SCAN_PLAN, options, on_position=on_position) as stream:
        total = stream.info.declared_duration_seconds
        if not scan:
            return Inspection(stream.info, None)
        for _ in stream:
            pass
        return Inspection(stream.info, stream.report)

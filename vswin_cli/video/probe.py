"""What is in a video and what is wrong with it, without a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vswin_cli.storage.sources import VideoSource, naming_source
from vswin_cli.video.decoder_process import decode_isolated
from vswin_cli.video.info import DecodeReport, VideoInfo
from vswin_cli.video.sampling import Progress, SampledFrame, SamplingPlan

__all__ = ["Inspection", "inspect"]

# A scan decodes every frame; one small picture in 100 seconds of video is its by-product.
_SCAN_PLAN = SamplingPlan(
    num_frames=2, stride=2, short_side=32, positions_per_second=0.01, every_frame=True
)


@dataclass(frozen=True, slots=True)
class Inspection:
    """What opening a video told, and what decoding all of it did."""

    info: VideoInfo
    report: DecodeReport | None
    """`None` if the video was not scanned."""


def inspect(
    source: VideoSource,
    *,
    scan: bool = False,
    on_progress: Callable[[float, float | None], None] | None = None,
) -> Inspection:
    """Look at a video in a process of its own.

    Args:
        source: the video.
        scan: decode it from beginning to end.
        on_progress: called with the seconds scanned and the declared total.

    Raises:
        SourceError: it cannot be opened, or not one frame can be decoded.
    """
    info: VideoInfo | None = None
    report: DecodeReport | None = None
    with source.local() as path, naming_source(source, path):
        events = decode_isolated(path, _SCAN_PLAN)
        try:
            for event in events:
                if isinstance(event, VideoInfo):
                    info = event
                    if not scan:
                        break
                elif isinstance(event, DecodeReport):
                    report = event
                elif isinstance(event, (Progress, SampledFrame)) and on_progress and info:
                    on_progress(event.seconds, info.declared_duration_seconds)
        finally:
            events.close()
    assert info is not None  # a decoder's first word
    return Inspection(info, report)

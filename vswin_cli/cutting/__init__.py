"""Cut a clip out of a video for every segment of its timeline, with a table of all clips."""

from vswin_cli.cutting.records import Clip, CutFailure, CutOptions, CutResult, VideoSegments
from vswin_cli.cutting.run import cut_segments, cut_videos

__all__ = [
    "Clip",
    "CutFailure",
    "CutOptions",
    "CutResult",
    "VideoSegments",
    "cut_segments",
    "cut_videos",
]

"""Options of decoding, as opposed to those that decide which frames are sampled.

`vswin_cli.video.sampling` plans which frames are sampled. Of the fields here only `resize` and
`decoder` change the pixels of an undamaged video, and only `input_frame_rate` its times.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vswin_cli.config import Decoder

__all__ = ["STALL_TIMEOUT_SECONDS", "DecodeOptions", "Resize"]

Resize = Literal["fast", "reference"]

STALL_TIMEOUT_SECONDS = 60.0
"""A decoder process that makes no progress for this long is killed."""


@dataclass(frozen=True, slots=True)
class DecodeOptions:
    """How the frames of a sampling plan are decoded."""

    resize: Resize = "fast"
    """`fast`: one pass of swscale with its bilinear filter; `reference`: RGB first, then
    bilinear without antialiasing, as the published evaluations do."""
    every_frame: bool = False
    """Decode also frames that no clip uses, to find all damage."""
    decoders: int = 1
    """Parallel decoders for one video, where it can be divided; the images do not depend on it."""
    threads: int | None = None
    """Threads of a decoder that works on the whole video, at most; by default one more than there
    are cores. Fewer are faster where several videos are decoded at once."""
    decoder: Decoder = "software"
    """`nvdec` adds decoders on a GPU where a video is divided, with a warning where there are
    none; `auto` gives no warning. Their images differ by rounding, and which frames they decode
    differs from run to run."""
    device_index: int = 0
    """Of the GPU that decodes."""
    isolate: bool = True
    """Decode in a child process, so that a decoder that hangs or crashes costs one video only."""
    stall_timeout_seconds: float = STALL_TIMEOUT_SECONDS
    """How long to wait for progress of the child process; heartbeats alone are not progress."""
    input_frame_rate: float | None = None
    """Frames per second of a stream without timestamps, in place of what FFmpeg assumes; refused
    for files that have timestamps."""

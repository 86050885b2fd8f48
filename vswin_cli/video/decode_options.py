"""How a video is decoded: what does not decide which frames are sampled.

`vswin_cli.video.sampling` says which frames, this says by what means. Of all fields only `resize`
changes pixels of a sound video.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["STALL_TIMEOUT_SECONDS", "DecodeOptions", "Resize"]

Resize = Literal["fast", "reference"]

STALL_TIMEOUT_SECONDS = 60.0
"""A decoder process that makes no progress for this long is ended."""


@dataclass(frozen=True, slots=True)
class DecodeOptions:
    """By what means the frames of a sampling plan are decoded."""

    resize: Resize = "fast"
    """`fast`: one pass of swscale with its bilinear filter; `reference`: RGB first, then
    bilinear without antialiasing, as the published evaluations do."""
    every_frame: bool = False
    """Decode also what no clip looks at, to find all damage."""
    decoders: int = 1
    """How many may work on one video at once, where it can be divided; images are the same."""
    isolate: bool = True
    """Decode in a child process, so that a decoder that hangs or crashes costs one video only."""
    stall_timeout_seconds: float = STALL_TIMEOUT_SECONDS
    """How long to wait for the child process to make progress; heartbeats alone are none."""

"""Several ranges of one video decoded at once, given out as if one decoder had gone through it.

The frame threads of one decoder wait for each other's rows. Decoders of their own, each from one
key frame to another, do not. Only videos that FFmpeg can enter at any key frame are divided, and
only while everything is sound: at the first oddity the video is decoded anew by one decoder,
because how damage looks depends on all that a decoder has seen. Images are scaled where they are
decoded, so that ranges that wait for their turn need little memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from vswin_cli.errors import SourceError
from vswin_cli.video.container import container_name
from vswin_cli.video.frames import TimedFrame
from vswin_cli.video.parallel import Relay
from vswin_cli.video.reader import VideoReader
from vswin_cli.video.sampling import SamplingPlan

__all__ = ["RangedReader"]

_CODECS = ("h264", "hevc", "vp8", "vp9", "av1")  # whose key frames are places to begin at
_CONTAINERS = ("mov", "matroska")  # which keep an index of them
_WORTHWHILE_SECONDS = 20.0  # of video; each decoder opens the file for itself


class RangedReader(VideoReader):
    """A `VideoReader` that uses several decoders where the plan and the video allow it.

    Then frames that the plan does not want come without pixels, the others scaled as it says.

    Args:
        path: the video.
        plan: what the frames are wanted for.

    Raises:
        SourceError: as for `VideoReader`.
    """

    def __init__(self, path: Path, plan: SamplingPlan) -> None:
        super().__init__(path)
        self._plan = plan

    def frames(self) -> Iterator[TimedFrame]:
        """Frames in presentation order, from where the reader stands to the end.

        After an oddity they come again from the first one on.
        """
        if self._can_be_divided:
            begin = self.next_seconds
            with closing(self._divide()) as relay:
                self.close()  # what a container knows of a long video takes room
                yield from relay.frames()
            try:
                self._reopen()
            except SourceError:  # the file is gone; what was given is not lost
                self.read_failed = True
                return
            resume = relay.end_seconds if relay.is_sound else begin
            if resume > 0:
                self.seek(resume)
        yield from super().frames()

    @property
    def _can_be_divided(self) -> bool:
        plan, info = self._plan, self.info
        return (
            plan.by == "time"
            and plan.resize == "fast"
            and not (plan.sparse or plan.every_frame)
            and self._is_wanted is not None
            and plan.decoders > 1
            and info.seekable
            and not (info.cut_off or self.bad_packets)
            and info.codec in _CODECS
            and container_name(self._container) in _CONTAINERS
            and self._last_seconds - self.next_seconds >= _WORTHWHILE_SECONDS
        )

    @property
    def next_seconds(self) -> float:
        """Time of the frame that `frames` begins with."""
        frame = self._next()
        return self._last_seconds if frame is None else self._stamp(frame) or 0.0

    @property
    def _last_seconds(self) -> float:
        """Where the wanted part of the video ends, as far as the container knows."""
        declared = self.info.declared_duration_seconds or 0.0
        return min(declared, self._plan.end_seconds or declared)

    def _divide(self) -> Relay:
        assert self._is_wanted is not None
        return Relay(
            self._path,
            self._is_wanted,
            self._plan.short_side,
            decoders=self._plan.decoders,
            begin_seconds=self.next_seconds,
            until_seconds=self._last_seconds,
        )

"""Decide when seeking in a video is cheaper than decoding on.

Pure arithmetic on seconds; knows neither containers nor decoders.
"""

from __future__ import annotations

from collections.abc import Iterator

from vswin_cli.video.info import VideoInfo

__all__ = ["SeekPlanner"]

_INDEXED = ("mov", "matroska", "avi")  # others keep no index and may be joined recordings
_SHORTEST_SEEK_SECONDS = 2.0
_BLIND_SEEK_SECONDS = 10.0  # without an index, shorter distances are decoded ...
_BLIND_SEEK_PENALTY = 4.0  # ... and this much longer ones after a seek that went backwards
_SEEK_MARGINS_SECONDS = (0.0, 1.0, 3.0, 10.0, 60.0)  # further back each time a seek lands too late


class SeekPlanner:
    """Weigh seeking in one video against decoding on.

    Attributes:
        has_one_clock: whether the file's clock runs through; `None` while unknown. Where it starts
            anew a time occurs twice, and a seek may land at the wrong one.

    Args:
        info: of the video.
        container: FFmpeg's name of its format.
    """

    def __init__(self, info: VideoInfo, container: str) -> None:
        self._info = info
        self._is_indexed = container in _INDEXED
        self.has_one_clock = True if self._is_indexed else None
        self._blind_seek_seconds = _BLIND_SEEK_SECONDS

    def worth_seeking(
        self, here_seconds: float, target_seconds: float, *, keyframe_between: bool | None
    ) -> bool:
        """Return whether seeking is likely to be cheaper than decoding on.

        Args:
            here_seconds: time of the newest decoded frame.
            target_seconds: time of the frame that is wanted.
            keyframe_between: whether the index lists a key frame between the two; `None` without
                an index that reaches so far.
        """
        distance = target_seconds - here_seconds
        # Behind the declared end a container would land anywhere, most often at its last key frame.
        near_end = target_seconds >= (self._info.declared_duration_seconds or 0.0)
        is_possible = self._info.seekable and self.has_one_clock is not False
        if not is_possible or distance < _SHORTEST_SEEK_SECONDS or near_end:
            return False
        if self._is_indexed and keyframe_between is not None:
            return keyframe_between  # else the seek would go back to before `here_seconds`
        # A blind seek costs a search through the file and may land at a key frame that was
        # decoded already. Key frames lie rarely more than 10 s apart.
        return distance > self._blind_seek_seconds

    def landings(self, target_seconds: float) -> Iterator[float]:
        """Yield times to seek to, one after the other until one lands at or before the target.

        MPEG streams are sought by bytes and decode times, so that a seek may land late; AVI and
        damaged indexes err by more. None where the clock does not run through.
        """
        if self.has_one_clock:
            for margin in _SEEK_MARGINS_SECONDS:
                if margin < target_seconds:
                    yield target_seconds - margin

    def note_landing(self, here_seconds: float, landed_seconds: float) -> None:
        """Learn from a seek: one that went backwards tells that key frames are far apart."""
        if landed_seconds < here_seconds:
            self._blind_seek_seconds *= _BLIND_SEEK_PENALTY

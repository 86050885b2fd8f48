"""Decide when seeking in a video is cheaper than decoding on.

Pure arithmetic on seconds, without containers or decoders.
"""

from __future__ import annotations

from collections.abc import Iterator

from vswin_cli.video.info import VideoInfo

__all__ = ["SeekPlanner"]

_INDEXED = ("mov", "matroska", "avi")  # others keep no index and may be joined recordings
# A seek drops what the decoder holds and starts at a key frame before the target, so that over a
# short distance it decodes more than going on would.
_SHORTEST_SEEK_SECONDS = 2.0
_BLIND_SEEK_SECONDS = 10.0  # without an index, shorter distances are decoded ...
_BLIND_SEEK_PENALTY = 4.0  # ... and this much longer ones after a seek that went backwards
_SEEK_MARGINS_SECONDS = (0.0, 1.0, 3.0, 10.0, 60.0)  # further back each time a seek lands too late


class SeekPlanner:
    """Compare the costs of seeking in one video and of decoding on.

    Attributes:
        has_continuous_timestamps: `None` while unknown. Where timestamps restart, a time occurs
            twice in the file, and a seek may land at the wrong one.

    Args:
        info: of the video.
        container: FFmpeg's name of its format.
    """

    def __init__(self, info: VideoInfo, container: str) -> None:
        self._info = info
        self._is_indexed = container in _INDEXED
        self.has_continuous_timestamps = True if self._is_indexed else None
        self._blind_seek_seconds = _BLIND_SEEK_SECONDS

    def worth_seeking(
        self, here_seconds: float, target_seconds: float, *, keyframe_between: bool | None
    ) -> bool:
        """Return whether seeking is likely to be cheaper than decoding on.

        Args:
            here_seconds: time of the newest decoded frame.
            target_seconds: time of the frame that is wanted.
            keyframe_between: whether the index lists a key frame between the two; `None` if there
                is no index that reaches so far.
        """
        distance = target_seconds - here_seconds
        # Beyond the declared end a seek lands anywhere, most often at the last key frame.
        near_end = target_seconds >= (self._info.declared_duration_seconds or 0.0)
        is_possible = self._info.seekable and self.has_continuous_timestamps is not False
        if not is_possible or distance < _SHORTEST_SEEK_SECONDS or near_end:
            return False
        if self._is_indexed and keyframe_between is not None:
            return keyframe_between  # else the seek would go back to before `here_seconds`
        # A blind seek costs a search through the file and may land at a key frame that was
        # decoded already. Key frames lie rarely more than 10 s apart.
        return distance > self._blind_seek_seconds

    def landings(self, target_seconds: float) -> Iterator[float]:
        """Yield times to try, one after the other until a seek lands at or before the target.

        Seeks in MPEG streams go by bytes and decode times and may land late; AVI and damaged
        indexes are off by more. Yields nothing if timestamps are not continuous.
        """
        # Margins grow, because each seek that lands late costs the decoding of a key frame.
        if self.has_continuous_timestamps:
            for margin in _SEEK_MARGINS_SECONDS:
                if margin < target_seconds:
                    yield target_seconds - margin

    def record_landing(self, here_seconds: float, landed_seconds: float) -> None:
        """Require longer distances after a seek that went backwards: key frames are far apart."""
        if landed_seconds < here_seconds:
            self._blind_seek_seconds *= _BLIND_SEEK_PENALTY

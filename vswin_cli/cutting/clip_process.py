"""The child of `vswin_cli.cutting.clip_cutter`: reads requests from stdin, writes clips to files.

Requests and answers are lines of JSON. The first request names the video; each other one is a clip
to write. Answers hold the result or the error; a line with `alive` says that work goes on.
"""

from __future__ import annotations

import errno
import json
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

from vswin_cli.cutting.clip_tag import ClipTag
from vswin_cli.cutting.copied_clip import (
    copy_clip,
    find_key_frame,
    is_playable,
    reason_not_to_copy,
)
from vswin_cli.cutting.exact_clip import encode_clip
from vswin_cli.cutting.frame_spans import FrameSpans
from vswin_cli.cutting.sound import SoundReader
from vswin_cli.errors import DecodeError, SourceError, VswinError
from vswin_cli.video.memory_limit import limit_memory
from vswin_cli.video.reader import VideoReader

__all__ = ["main"]

_ALIVE_EVERY_SECONDS = 1.0
_MOST_EARLY_SECONDS = 10.0  # usual encoders set a key frame at least this often
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO)
_CLOCK_WARNINGS = {"TIMESTAMP_RESET", "STRETCHED_CLOCK", "DAMAGED_TIMESTAMPS"}


def main() -> None:
    """Serve the requests for one video."""
    limit_memory()
    try:
        opening = json.loads(sys.stdin.readline())
        with _Video(opening) as video:
            _say({"origin": video.origin_seconds, "reason": video.reason})
            for line in sys.stdin:
                _say(_answer(video, json.loads(line)))
    except VswinError as problem:
        _say(_error(problem))
    except BrokenPipeError:
        return  # the parent has stopped reading


def _answer(video: _Video, request: dict[str, Any]) -> dict[str, Any]:
    import av

    try:
        return video.cut(request)
    except VswinError as problem:
        return _error(problem)
    except (av.error.FFmpegError, OSError, ValueError, MemoryError) as problem:
        number = getattr(problem, "errno", None)
        if isinstance(problem, OSError) and number and number > 0:
            return {"errno": number, "text": problem.strerror or str(problem)}
        text = f"FFmpeg could not write it: {problem}"
        return _error(DecodeError(text, hint="try --exact, or `vswin probe` on the video"))


def _error(problem: VswinError) -> dict[str, Any]:
    return {"error": type(problem).__name__, "text": problem.message, "hint": problem.hint}


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


class _Video:
    """An open video.

    Attributes:
        origin_seconds: timestamp of its first frame in the file.
        reason: why it must not be copied; `None` if it may be.
    """

    def __init__(self, opening: dict[str, Any]) -> None:
        self._path = Path(opening["path"])
        self._alive_at = time.monotonic()
        self._reader = VideoReader(self._path, input_frame_rate=opening["input_frame_rate"])
        self._spans = FrameSpans(self._reader)
        self.origin_seconds = self._reader.info.start_seconds
        self._is_plain_clock = not opening["has_irregular_clock"] and self._has_plain_clock()
        self.reason = (
            reason_not_to_copy(self._path)
            if self._is_plain_clock
            else "its timestamps restart or jump, which loses the sound, too"
        )
        self._sound = SoundReader(self._path, self.origin_seconds) if self._is_plain_clock else None

    def __enter__(self) -> _Video:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()
        if self._sound is not None:
            self._sound.close()

    def _has_plain_clock(self) -> bool:
        """Return whether times in the file are those of the timeline, but for the origin."""
        for _ in self._reader.scan_timestamps():
            self._beat()
        codes = {warning.code for warning in (*self._reader.info.warnings, *self._reader.warnings)}
        return self._reader.has_continuous_timestamps is True and not codes & _CLOCK_WARNINGS

    def cut(self, request: dict[str, Any]) -> dict[str, Any]:
        """Write one clip; `mode`, `early` and `length` of it.

        Raises:
            SourceError: nothing is there, or it cannot be copied.
        """
        reason: str | None = self.reason
        if request["mode"] != "exact" and reason is None:
            answer = self._copy(request, is_only_way=request["mode"] == "copy")
            if answer is not None:
                return answer
            reason = "no key frame is found before it, or its packets do not fit into MP4"
        if request["mode"] == "copy":
            raise SourceError(
                f"it cannot be copied: {reason}",
                hint="leave out --copy, so that clips are encoded again where needed",
            )
        asked = request["mode"] == "exact"
        return {**self._encode(request), "reason": None if asked else reason}

    def _copy(self, request: dict[str, Any], *, is_only_way: bool) -> dict[str, Any] | None:
        import av

        start, end = request["start"], request["end"]
        found = find_key_frame(self._path, self.origin_seconds, start)
        if found is None:
            return None
        early = max(0.0, start - found.seconds)
        if early > _MOST_EARLY_SECONDS and not is_only_way:
            return None
        self._check_not_past(start, end)
        comment = ClipTag(request["key"], "copy", early).text()
        try:
            length = copy_clip(
                *(self._path, Path(request["target"]), found, self.origin_seconds, end),
                comment=comment,
                on_packet=self._beat,
            )
        except (av.error.FFmpegError, ValueError) as problem:
            if getattr(problem, "errno", None) in _OF_THE_DISK:
                raise
            return None  # what FFmpeg cannot put into MP4 can still be encoded
        if not length or not is_playable(Path(request["target"])):
            return None
        return {"mode": "copy", "early": early, "length": length}

    def _check_not_past(self, start: float, end: float) -> None:
        """Refuse what begins after the video; packets before it would be found all the same."""
        if next(self._spans.between(start, end), None) is None:
            raise self._past(start)

    def _encode(self, request: dict[str, Any]) -> dict[str, Any]:
        shape = self._reader.info.sample_aspect_ratio.replace(":", "/")
        length = encode_clip(
            self._spans,
            self._sound,
            Path(request["target"]),
            request["start"],
            request["end"],
            comment=ClipTag(request["key"], "exact", 0.0).text(),
            pixel_shape=Fraction(shape) or Fraction(1),
            on_frame=self._beat,
        )
        if length is None:
            raise self._past(request["start"])
        return {"mode": "exact", "early": 0.0, "length": length}

    def _past(self, start: float) -> SourceError:
        return SourceError(
            f"no frame is shown from {start:.3f} s on",
            hint="the segments may be those of another video of this name",
        )

    def _beat(self) -> None:
        """Say that work goes on, once a second."""
        now = time.monotonic()
        if now - self._alive_at > _ALIVE_EVERY_SECONDS:
            self._alive_at = now
            _say({"alive": True})

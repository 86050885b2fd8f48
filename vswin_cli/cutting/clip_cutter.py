"""Cut the clips of one video in a child process, so that a crash or a hang costs one video."""

from __future__ import annotations

import json
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vswin_cli import errors
from vswin_cli.cutting.plan import ClipPlan
from vswin_cli.cutting.records import VideoSegments
from vswin_cli.errors import DecodeError
from vswin_cli.storage.child_python import python_command

__all__ = ["ClipCutter", "CutSpan"]

SILENCE_SECONDS = 120.0
_MAIN = "from vswin_cli.cutting.clip_process import main; main()"


@dataclass(frozen=True, slots=True)
class CutSpan:
    """What was written for one clip."""

    mode: str
    """`copy` or `exact`."""
    early_seconds: float
    """By how much it begins before the requested start."""
    length_seconds: float
    reason: str | None = None
    """Why it was not copied, if known."""


class ClipCutter:
    """A child process with one video open.

    Attributes:
        origin_seconds: timestamp of the video's first frame in the file.

    Args:
        video: with a path.

    Raises:
        SourceError: it cannot be opened, or no frame of it can be decoded.
    """

    def __init__(self, video: VideoSegments) -> None:
        assert video.path is not None
        self._name = video.uri
        self._child = subprocess.Popen(
            python_command(_MAIN),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            opened = self._ask(
                {
                    "path": str(video.path.absolute()),
                    "input_frame_rate": video.input_frame_rate,
                    "has_irregular_clock": video.has_irregular_clock,
                }
            )
        except BaseException:
            self.close()
            raise
        self.origin_seconds: float = opened["origin"]

    def close(self) -> None:
        """End the child."""
        self._child.kill()
        with suppress(OSError):
            self._child.communicate()

    def cut(self, clip: ClipPlan, target: Path, mode: str, key: str) -> CutSpan:
        """Write one clip.

        Args:
            clip: its times.
            target: file to write, which is replaced.
            mode: `auto`, `copy` or `exact`.
            key: for the mark in the file.

        Raises:
            SourceError: the part is not in the video, cannot be decoded or must not be copied.
            OSError: the file cannot be written.
        """
        answer = self._ask(
            {
                "target": str(target.absolute()),
                "start": clip.start_seconds,
                "end": clip.end_seconds,
                "mode": mode,
                "key": key,
            }
        )
        return CutSpan(answer["mode"], answer["early"], answer["length"], answer.get("reason"))

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps(request).encode() + b"\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            pass  # it has crashed, which reading its answer reports
        answer = self._read()
        while "alive" in answer:
            answer = self._read()
        if "errno" in answer:
            raise OSError(answer["errno"], answer["text"])
        if "error" in answer:
            kind = getattr(errors, answer["error"])
            raise kind(answer["text"], hint=answer["hint"])
        return answer

    def _read(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        alarm = threading.Timer(SILENCE_SECONDS, self._child.kill)
        alarm.daemon = True
        alarm.start()
        try:
            line = self._child.stdout.readline()
        finally:
            alarm.cancel()
        if not line.endswith(b"\n"):
            raise DecodeError(
                f"the process that reads {self._name} crashed or hung",
                hint="the file may be damaged: `vswin probe` shows how",
            )
        answer: dict[str, Any] = json.loads(line)
        return answer

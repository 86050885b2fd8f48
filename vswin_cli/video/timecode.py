"""Parse SMPTE 12M timecode, such as the start timecode in the files of cameras."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

__all__ = ["Timecode", "parse_timecode", "start_timecode"]

_TIMECODE = re.compile(r"(\d\d):([0-5]\d):([0-5]\d)([:;.,])(\d{2,3})")
_HOURS = 24  # a timecode is a time of day
_TAGS = ("timecode", "TIMECODE", "time_code")  # MOV, MP4, MXF, DV, AVI; Matroska in capitals


@dataclass(frozen=True, slots=True)
class Timecode:
    """A timecode `HH:MM:SS:FF`, or `HH:MM:SS;FF` if drop-frame."""

    hours: int
    minutes: int
    seconds: int
    frames: int
    is_drop_frame: bool = False

    def __str__(self) -> str:
        mark = ";" if self.is_drop_frame else ":"
        return f"{self.hours:02d}:{self.minutes:02d}:{self.seconds:02d}{mark}{self.frames:02d}"

    def frame_number(self, timebase: int) -> int:
        """Count the frames since `00:00:00:00`.

        Args:
            timebase: nominal frames per second, 30 for 29.97.
        """
        minutes = 60 * self.hours + self.minutes
        number = (60 * minutes + self.seconds) * timebase + self.frames
        if self.is_drop_frame:
            # Two numbers (four at 59.94) do not exist in each minute but every tenth.
            number -= timebase // 15 * (minutes - minutes // 10)
        return number


def parse_timecode(text: str) -> Timecode | None:
    """Parse a timecode; `;`, `.` or `,` before the frames mark drop-frame. `None` if invalid."""
    found = _TIMECODE.fullmatch(text.strip())
    if found is None or int(found[1]) >= _HOURS:
        return None
    hours, minutes, seconds, frames = (int(found[i]) for i in (1, 2, 3, 5))
    return Timecode(hours, minutes, seconds, frames, is_drop_frame=found[4] != ":")


def start_timecode(tags: Iterable[Mapping[str, str]]) -> Timecode | None:
    """Return the first timecode in the metadata of streams and container, in their order."""
    texts = (metadata[tag] for metadata in tags for tag in _TAGS if tag in metadata)
    return next(filter(None, map(parse_timecode, texts)), None)

"""Records of cutting: what to cut, how, and what came of it. Independent of PyAV."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from vswin_cli.errors import OptionError, VswinError
from vswin_cli.evaluation.intervals import Interval
from vswin_cli.storage.humanize import counted
from vswin_cli.timeline.record import Timeline

__all__ = ["Clip", "CutFailure", "CutMode", "CutOptions", "CutResult", "VideoSegments"]

CutMode = Literal["auto", "copy", "exact"]

# Where they occur, times in the timeline are not those in the file, so that no packet can be found
# by its timestamp.
_IRREGULAR_CLOCKS = {"TIMESTAMP_RESET", "STRETCHED_CLOCK", "DAMAGED_TIMESTAMPS"}


@dataclass(frozen=True, slots=True)
class CutOptions:
    """Which segments become clips, and how."""

    labels: tuple[str, ...] = ()
    """Names or patterns (`playing *`); all labels if empty."""
    min_score: float = 0.0
    """Segments with a lower mean score are left out; those without a score are not."""
    pad_seconds: float = 0.0
    """Added before and after each segment, within the video."""
    mode: CutMode = "auto"
    """`copy` packets from the key frame before the start; `exact`: encode again, exact to the
    frame; `auto`: copy where that is safe."""
    exclude: tuple[str, ...] = ()
    """Names or patterns of labels that are left out."""

    def __post_init__(self) -> None:
        if self.mode not in get_args(CutMode):
            raise OptionError(
                f"mode must be auto, copy or exact, got {self.mode!r}",
                hint="`auto` copies where that is safe",
            )
        if not (math.isfinite(self.pad_seconds) and self.pad_seconds >= 0):
            raise OptionError(
                f"pad must be 0 seconds or more, got {self.pad_seconds}",
                hint="give seconds, such as 0.5",
            )
        if not 0 <= self.min_score <= 1:
            raise OptionError(
                f"the minimum score must be from 0 to 1, got {self.min_score}",
                hint="give a share, such as 0.8 for 80 %",
            )


@dataclass(frozen=True, slots=True)
class VideoSegments:
    """A video and the segments to cut out of it."""

    uri: str
    """Path or address as in the timeline or table."""
    path: Path | None
    """The file on this machine; `None` if it was not found."""
    intervals: tuple[Interval, ...]
    """Half-open, in seconds from the first frame."""
    has_irregular_clock: bool = False
    """Whether times in the file are known to restart or jump, which copying cannot follow."""
    input_frame_rate: float | None = None
    """Frames per second of a stream without timestamps."""

    @classmethod
    def of(cls, timeline: Timeline, path: Path | None) -> VideoSegments:
        """Make the record of a timeline whose video is at `path`, with segments of all models."""
        video = timeline.video
        return cls(
            uri=video.uri,
            path=path,
            intervals=tuple(
                Interval(one.start_seconds, one.end_seconds, one.label, one.score)
                for model in timeline.each_model()
                for one in model.segments
            ),
            has_irregular_clock=any(one.code in _IRREGULAR_CLOCKS for one in timeline.warnings),
            input_frame_rate=video.counted_frame_rate,
        )


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip on the disk; one row of `clips.csv`."""

    path: Path
    label: str
    start_seconds: float
    """Where the segment itself begins in the clip: after padding and what was copied before it."""
    end_seconds: float
    """Where it ends in the clip."""
    score: float | None
    video: str
    """Path or address of the source."""
    source_start_seconds: float
    """The segment's start in the source."""
    source_end_seconds: float
    mode: Literal["copy", "exact"]
    early_seconds: float
    """By how much the clip begins before the requested start, at a key frame; 0 if exact."""
    is_new: bool = True
    """Whether it was written by this run, not by an earlier one."""
    reason: str | None = None
    """Why a new clip was not copied, such as a codec that does not fit into MP4; else `None`."""


@dataclass(frozen=True, slots=True)
class CutFailure:
    """A clip, or all clips of a video, that could not be made."""

    video: str
    path: Path | None
    """The clip; `None` for the whole video."""
    error: VswinError


@dataclass(frozen=True, slots=True)
class CutResult:
    """What one run of cutting made."""

    clips: tuple[Clip, ...]
    """In the order of videos, then by start."""
    failures: tuple[CutFailure, ...] = ()
    num_instants: int = 0
    """Segments without length, which only padding turns into clips; they are left out."""
    table: Path | None = None
    """`clips.csv` in the folder; `None` if there was nothing to cut."""

    def __repr__(self) -> str:
        clips, failures = (counted(len(self.clips), "clip"), counted(len(self.failures), "failure"))
        return f"CutResult({clips}, {failures})"

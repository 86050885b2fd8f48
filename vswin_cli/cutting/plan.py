"""Choose the segments to cut, their times with padding, and names for their clips."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vswin_cli.cutting.records import CutOptions, VideoSegments
from vswin_cli.errors import SelectionError
from vswin_cli.evaluation.intervals import Interval
from vswin_cli.export.naming import one_line
from vswin_cli.storage.files import fitting
from vswin_cli.storage.result_names import unique_names
from vswin_cli.timeline.selection import match_labels

__all__ = ["ClipPlan", "VideoPlan", "plan_clips"]

# Slashes, what Windows and shells take for something else, and all blanks
_UNSAFE = re.compile(r"""[\\/:*?"<>|'`$!&;#%{}()\[\]\s~^,]+""")
_STARTS = "=+-@.\uff1d\uff0b\uff0d\uff20_"  # formulas in spreadsheets, options, hidden files
_LABEL_BYTES = 80
_SHOWN = 8  # labels in a hint
_ENDING = ".mp4"


@dataclass(frozen=True, slots=True)
class ClipPlan:
    """One clip to be cut."""

    interval: Interval
    """The segment."""
    start_seconds: float
    """The segment's start less padding, at least 0."""
    end_seconds: float
    """The segment's end and padding; may lie after the end of the video."""
    path: Path


@dataclass(frozen=True, slots=True)
class VideoPlan:
    """The clips of one video, sorted by start."""

    video: VideoSegments
    clips: tuple[ClipPlan, ...]
    num_instants: int
    """Segments without length that were left out."""


def plan_clips(
    videos: Sequence[VideoSegments], folder: Path, options: CutOptions
) -> list[VideoPlan]:
    """Plan the clips of all videos; names are safe, and unique even where the disk ignores case.

    Raises:
        OptionError: a label that no segment has.
    """
    known = sorted({one.label for video in videos for one in video.intervals})
    labels = (_matching(options.labels, known) if options.labels else set(known)) - _matching(
        options.exclude, known
    )
    stems = [_safe(name) or "video" for name in unique_names([video.uri for video in videos])]
    taken: set[str] = set()
    plans = []
    for video, stem in zip(videos, stems, strict=True):
        chosen = [one for one in video.intervals if _is_chosen(one, labels, options)]
        spans = [(one, *_padded(one, options.pad_seconds)) for one in chosen]
        clips = tuple(
            ClipPlan(one, start, end, folder / _name(stem, start, end, one.label, taken))
            for one, start, end in sorted(spans, key=lambda span: (span[1], span[2]))
            if end > start
        )
        plans.append(VideoPlan(video, clips, len(spans) - len(clips)))
    return plans


def _matching(patterns: Sequence[str], known: Sequence[str]) -> set[str]:
    """Return the labels that the patterns match."""
    if not known:
        return set()
    try:
        return {known[i] for i in match_labels(patterns, known)}
    except SelectionError as problem:
        if problem.hint is not None and "did you mean" in problem.hint:
            raise
        names = ", ".join(f"`{one_line(name)}`" for name in known[:_SHOWN])
        more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
        raise SelectionError(problem.message, hint=f"the segments have {names}{more}") from problem


def _is_chosen(one: Interval, labels: set[str], options: CutOptions) -> bool:
    return one.label in labels and (one.score is None or one.score >= options.min_score)


def _padded(one: Interval, pad_seconds: float) -> tuple[float, float]:
    return max(0.0, one.start_seconds - pad_seconds), one.end_seconds + pad_seconds


def _name(stem: str, start: float, end: float, label: str, taken: set[str]) -> str:
    """Make `VIDEO_START-END_LABEL.mp4`, with a number if it is taken; adds it to `taken`."""
    short = fitting(_safe(label) or "label", "x" * (255 - _LABEL_BYTES))
    rest = f"_{start:09.3f}-{end:09.3f}_{short}"
    number, mark = 1, ""
    while True:
        name = f"{fitting(stem, f'{rest}{mark}{_ENDING}')}{rest}{mark}{_ENDING}"
        if name.casefold() not in taken:
            taken.add(name.casefold())
            return name
        number += 1
        mark = f"-{number}"


def _safe(text: str) -> str:
    """Replace what file systems, shells and spreadsheets would take for something else."""
    return _UNSAFE.sub("-", one_line(text)).lstrip(_STARTS).rstrip("-. ")

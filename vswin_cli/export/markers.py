"""Write markers for editing programs: DaVinci Resolve's EDL and Premiere's marker list."""

from __future__ import annotations

from collections.abc import Sequence

from vswin_cli.export.editorial import edl_rate
from vswin_cli.export.naming import (
    caption,
    colour_index,
    one_line,
    spreadsheet_text,
    video_name,
)
from vswin_cli.export.timecodes import (
    frame_range,
    start_frame,
    starts_in_drop_frame,
    timecode,
)
from vswin_cli.storage.csv_rows import csv_text
from vswin_cli.timeline.record import Timeline
from vswin_cli.timeline.segments import Segment

__all__ = ["PREMIERE_COLUMNS", "premiere", "resolve"]

PREMIERE_COLUMNS = ("Marker Name", "Description", "In", "Out", "Duration", "Marker Type")
_COLOURS = (
    "Blue", "Cyan", "Green", "Yellow", "Red", "Pink", "Purple", "Fuchsia", "Rose", "Lavender",
    "Sky", "Mint", "Lemon", "Sand", "Cocoa", "Cream",
)  # fmt: skip


def resolve(timelines: Sequence[Timeline]) -> str:
    """Write the EDL from which DaVinci Resolve imports timeline markers.

    Each marker is an event of one frame, with colour, name and duration in frames below it. Resolve
    places them by timecode, which is that of the video; it has one marker per frame, so a segment
    that starts in the same frame as another is moved to the next free one.

    Raises:
        OptionError: see `edl_rate`.
    """
    (timeline,) = timelines
    rate = edl_rate(timeline)
    drop, offset = starts_in_drop_frame(timeline, rate), start_frame(timeline, rate)
    mode = "DROP FRAME" if drop else "NON-DROP FRAME"
    lines = [f"TITLE: {video_name(timeline)[:70]}", f"FCM: {mode}", ""]
    free = 0
    for number, segment in enumerate(timeline.segments, 1):
        first, end = frame_range(segment, rate)
        start = max(first, free)
        free = start + 1
        at = [timecode(frame + offset, rate, drop=drop) for frame in (start, start + 1)] * 2
        colour = _COLOURS[colour_index(segment.label, len(_COLOURS))]
        lines += [
            f"{number:03d}  001      V     C        {' '.join(at)}",
            f" |C:ResolveColor{colour} |M:{_barless(caption(segment))} |D:{max(1, end - start)}",
            "",
        ]
    return "\n".join(lines) + "\n"


def premiere(timelines: Sequence[Timeline]) -> str:
    """Write markers as Premiere lists them: columns separated by tabs, times as timecode.

    Premiere exports such a list; it reads one through extensions only, other programs as it is.

    Raises:
        OptionError: see `edl_rate`.
    """
    (timeline,) = timelines
    rate = edl_rate(timeline)
    drop, offset = starts_in_drop_frame(timeline, rate), start_frame(timeline, rate)
    rows = [PREMIERE_COLUMNS]
    for segment in timeline.segments:
        start, end = frame_range(segment, rate)
        frames = (start + offset, end + offset, end - start)
        begin, stop, length = (timecode(frame, rate, drop=drop) for frame in frames)
        name = spreadsheet_text(caption(segment))
        rows.append((name, _description(timeline, segment), begin, stop, length, "Comment"))
    return csv_text(rows, "\t")


def _description(timeline: Timeline, segment: Segment) -> str:
    return f"vswin {one_line(timeline.model.id)}, score {segment.score:.4f}"


def _barless(text: str) -> str:
    """Replace the bar, at which Resolve divides colour, name and duration."""
    return text.replace("|", "/")

"""The option `--timecode-start`: the timecode of a video's first frame, for editing programs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from vswin_cli.cli import console
from vswin_cli.errors import OptionError

if TYPE_CHECKING:
    from vswin_cli.cli.output import Output
    from vswin_cli.timeline.record import Timeline

__all__ = ["TimecodeStartOption", "note_unused_start", "parse_start", "with_start"]

_COUNTING = ("edl", "edl-df", "resolve", "premiere", "fcpxml", "otio")
_KEEPING = ("json", "jsonl")  # for `vswin export`

TimecodeStartOption = Annotated[
    str | None,
    typer.Option(
        "--timecode-start",
        metavar="HH:MM:SS:FF",
        help="Timecode of the first frame, for edl, resolve, premiere, otio and fcpxml; ';' before "
        "FF: drop-frame.",
        show_default="as stored in the video",
        rich_help_panel="Output",
    ),
]


def parse_start(text: str | None) -> str | None:
    """Parse the option and return it in the usual notation.

    Raises:
        OptionError: not a timecode.
    """
    from vswin_cli.video.timecode import parse_timecode

    if text is None:
        return None
    found = parse_timecode(text)
    if found is None:
        raise OptionError(
            f"--timecode-start must be HH:MM:SS:FF, below 24 hours, got `{text}`",
            hint="such as 10:00:00:00, or 10:00:00;00 in drop-frame timecode",
        )
    return str(found)


def note_unused_start(start: str | None, output: Output, *, quiet: bool) -> None:
    """Print a note if no part of the output contains the start timecode."""
    if start is None or quiet:
        return
    if not {output.format, output.printed} & {*_COUNTING, *_KEEPING}:
        console.note("--timecode-start applies to edl, resolve, premiere, fcpxml and otio")


def with_start(timeline: Timeline, start: str | None) -> Timeline:
    """Replace the start timecode of a timeline, if one is given."""
    if start is None:
        return timeline
    return replace(timeline, video=replace(timeline.video, start_timecode=start))

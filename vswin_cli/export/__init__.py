"""Write timelines in other programs' formats.

The writers of formats return text, or bytes for binary formats; here it is written to a path,
atomically, or to an open file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

from vswin_cli.errors import OptionError
from vswin_cli.export.formats import (
    FORMATS,
    Format,
    caveats,
    check_distinct_ids,
    check_holds,
    did_you_mean,
    format_by_name,
    get_format,
)
from vswin_cli.export.timecodes import as_played
from vswin_cli.storage.files import as_path, replacing_binary
from vswin_cli.timeline.files import as_timelines
from vswin_cli.timeline.record import Timeline

__all__ = [
    "FORMATS",
    "Format",
    "caveats",
    "check_distinct_ids",
    "check_holds",
    "did_you_mean",
    "export_timelines",
    "format_by_name",
    "get_format",
    "render_timelines",
    "write_timeline",
    "write_timelines",
]


def write_timeline(timeline: Timeline, fmt: str, file: Path | TextIO) -> None:
    """Write one timeline.

    Args:
        timeline: the timeline.
        fmt: a name of `FORMATS`.
        file: a path, written completely or not at all, or an open text handle.

    Raises:
        OptionError: no such format.
        OutputError: the path cannot be written.
    """
    write_timelines([timeline], fmt, file)


def write_timelines(timelines: Sequence[Timeline], fmt: str, file: Path | TextIO) -> None:
    """Write several timelines into one file, where the format can hold them.

    Raises:
        OptionError: no such format, it holds one video per file, or it is binary and the handle is
            for text.
        OutputError: the path cannot be written.
    """
    if not isinstance(file, Path):
        file.write(_text(timelines, fmt))
        return
    content = render_timelines(timelines, fmt)
    with replacing_binary(file) as handle:
        handle.write(content)


def export_timelines(
    timelines: Timeline | Iterable[Timeline],
    path: str | os.PathLike[str],
    format: str | None = None,
) -> None:
    """Write timelines to a file, in the format that its ending names: `vswin export` in Python.

    Formats that hold one model get the first one's result: `timeline.of_model(NAME)` is another's.

    Args:
        timelines: one, or several where the format can hold them (`csv`, `jsonl`, `xlsx`, ...).
        path: the file, written completely or not at all; an existing one is replaced.
        format: a name that `vswin tag --help` lists; by default the ending of `path` decides.

    Raises:
        OptionError: no such format, an ending that belongs to none, or timelines that the format
            cannot hold.
        OutputError: the file cannot be written.
    """
    file = as_path(path)
    several = as_timelines(timelines)
    form = format_by_name(file.name) if format is None else get_format(format)
    if form is None:
        raise OptionError(
            f"the ending of {file} belongs to no format",
            hint=f"{did_you_mean(file.suffix)}name one of {', '.join(FORMATS)}",
        )
    write_timelines(several, form.name, file)


def render_timelines(timelines: Sequence[Timeline], fmt: str) -> bytes:
    """Return the content of a file with these timelines; text is encoded as UTF-8.

    Raises:
        OptionError: no such format, or it holds one video per file.
    """
    content = _render(timelines, get_format(fmt))
    return content if isinstance(content, bytes) else content.encode()


def _text(timelines: Sequence[Timeline], fmt: str) -> str:
    content = _render(timelines, get_format(fmt))
    if isinstance(content, bytes):
        raise OptionError(
            f"`{fmt}` is not text and cannot be printed",
            hint=f"give --out FILE{FORMATS[fmt].suffix}",
        )
    return content


def _render(timelines: Sequence[Timeline], form: Format) -> str | bytes:
    if len(timelines) != 1 and not form.holds_many:
        raise OptionError(
            f"`{form.name}` holds one video per file, got {len(timelines)}",
            hint="give a folder to write one file per video",
        )
    if form.models == "each":
        timelines = [model for timeline in timelines for model in timeline.each_model()]
    elif form.models == "first":
        timelines = [timeline.each_model()[0] for timeline in timelines]
    # Subtitles and label tracks run on the player's clock, which starts with the sound.
    return form.render(
        [as_played(timeline) for timeline in timelines] if form.is_played else timelines
    )

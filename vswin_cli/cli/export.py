"""`vswin export`: write saved timelines in other formats, without the model and the video."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vswin_cli.cli import console
from vswin_cli.cli.options import (
    ExcelOption,
    ExcludeOption,
    ForceOption,
    FormatOption,
    IncludeOption,
    OutOption,
    QuietOption,
    TimelineJsonOption,
)
from vswin_cli.cli.start_timecode import (
    TimecodeStartOption,
    note_unused_start,
    parse_start,
    with_start,
)
from vswin_cli.errors import SOME_FAILED
from vswin_cli.storage.files import is_folder

if TYPE_CHECKING:
    from vswin_cli.timeline.record import Timeline

__all__ = ["export"]


def export(
    timelines: Annotated[
        list[Path],
        typer.Argument(
            metavar="TIMELINE|TABLE|FOLDER",
            help="Files written by `vswin tag -f json` or `-f jsonl`; - for stdin; a table of "
            "`vswin batch`, the folder of its results, or its journal.",
            show_default=False,
        ),
    ],
    format: FormatOption = None,
    out: OutOption = None,
    json: TimelineJsonOption = False,
    excel: ExcelOption = False,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME",
            help="Of timelines with several models, write the result of this one.",
            show_default="all, or the first where a format holds one",
        ),
    ] = None,
    include: IncludeOption = None,
    exclude: ExcludeOption = None,
    timecode_start: TimecodeStartOption = None,
    force: ForceOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write saved timelines in another format.

    Examples:
        vswin export movie.json -f srt

        vswin export movie.json -o movie.otio

        vswin export movie.json -o movie.edl --timecode-start 10:00:00:00

        vswin export movie.json --exclude static -o movie.srt

        vswin export both.json --model swin-t-k400 -o actions.srt

        vswin export *.json -f csv -o all.csv

        vswin tag movie.mp4 --json | vswin export - -f vtt -o movie.vtt

        vswin export results.csv -f srt -o subtitles/
    """
    from vswin_cli.cli.find_video import with_found_video
    from vswin_cli.cli.output import choose_output

    output = choose_output(out, format, json=json, excel=excel, force=force)
    start = parse_start(timecode_start)
    note_unused_start(start, output, quiet=quiet)
    read = [
        (with_start(timeline, start), file)
        for path in timelines
        for timeline, file in _read(path, quiet=quiet)
    ]
    read = [(one if model is None else one.of_model(model), file) for one, file in read]
    found = _chosen([timeline for timeline, _ in read], include, exclude, quiet=quiet)
    inputs = [*timelines, *(file for _, file in read)]
    files = output.plan([timeline.video.uri for timeline in found], inputs)
    pairs = zip(found, (path for _, path in read), strict=True)
    linked = [with_found_video(timeline, path) for timeline, path in pairs]
    if output.write(found, files, linked=linked, quiet=quiet):
        raise typer.Exit(SOME_FAILED)


def _chosen(
    timelines: list[Timeline],
    include: list[str] | None,
    exclude: list[str] | None,
    *,
    quiet: bool,
) -> list[Timeline]:
    """Leave out segments by their labels; patterns that match none are named."""
    from vswin_cli.timeline.filtering import with_labels

    if not (include or exclude):
        return timelines
    chosen, unmatched = with_labels(timelines, include or (), exclude or ())
    for pattern in () if quiet else unmatched:
        console.warn(f"no segment has a label that matches `{pattern}`")
    return chosen


def _read(path: Path, *, quiet: bool) -> list[tuple[Timeline, Path]]:
    """Read timelines, each with the file it was read from."""
    from vswin_cli.cli.saved_results import batch_results, read_results
    from vswin_cli.timeline.files import decode_timelines, read_timelines

    if str(path) == "-":
        return [(one, path) for one in decode_timelines(console.read_stdin(), "stdin")]
    if is_folder(path):
        return [(one.timeline, one.path) for one in read_results(path, quiet=quiet)]
    kept = batch_results(path, quiet=quiet)
    if kept is not None:
        return [(one.timeline, one.path) for one in kept]
    return [(one, path) for one in read_timelines(path)]

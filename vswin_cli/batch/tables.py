"""Write the tables of a batch: segments, and a row per file.

All of it is made from the journal, in the order of the inputs, so that neither the order in which
videos were done nor interruptions change a byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from vswin_cli.batch.inputs import BatchInput
from vswin_cli.batch.journal import Journal
from vswin_cli.batch.outcome import Outcome
from vswin_cli.batch.target import PARQUET, Target
from vswin_cli.batch.video_files import VideoFiles
from vswin_cli.errors import OptionError, SourceError, VswinError
from vswin_cli.export import check_holds, render_timelines, write_timelines
from vswin_cli.export.naming import escaped, spreadsheet_text
from vswin_cli.storage.csv_rows import csv_text, decimal
from vswin_cli.storage.files import replacing_binary, replacing_text
from vswin_cli.timeline.record import Timeline

__all__ = ["FILES_COLUMNS", "write_files_table", "write_results"]

FILES_COLUMNS = (
    "video", "status", "duration", "coverage", "segments", "error_code", "error", "elapsed",
    "attempts", "device",
)  # fmt: skip
_PENDING = "pending"
# A header, then lines that concern one video each
_LINE_BY_LINE = ("csv", "csv-bom", "csv-semicolon", "tsv", "jsonl")


def write_results(
    target: Target,
    inputs: Sequence[BatchInput],
    outcomes: Mapping[str, Outcome],
    journal: Journal,
    video_files: VideoFiles | None,
) -> dict[str, VswinError]:
    """Write the table, or the files of videos that are missing or out of date.

    Args:
        target: where, and as what.
        inputs: all of them, in order.
        outcomes: of the inputs that are done, by entry.
        journal: has their timelines.
        video_files: writes one file per video; `None` to write a table.

    Returns:
        Why a video that is done is not in the results, by entry: the format cannot hold it, or its
        entry in the journal is damaged.

    Raises:
        OutputError: the results cannot be written; earlier ones are kept.
    """
    problems: dict[str, VswinError] = {}
    done = [
        item
        for item in inputs
        if item.entry in outcomes and outcomes[item.entry].status != "failed"
    ]
    if video_files is not None:
        for item in done:
            with _catching(problems, item):
                video_files.write(outcomes[item.entry])
        video_files.save_record()
        return problems
    timelines = _timelines(target, done, journal, problems)
    if target.format == PARQUET:
        from vswin_cli.batch.parquet import write_parquet

        write_parquet(target.table, timelines)
    elif target.format in _LINE_BY_LINE:
        _write_lines(target, timelines)
    else:
        write_timelines(list(timelines), target.format, target.table)
    return problems


def _timelines(
    target: Target, inputs: Iterable[BatchInput], journal: Journal, problems: dict[str, VswinError]
) -> Iterator[Timeline]:
    """Yield timelines one at a time; adds to `problems` those that cannot be written."""
    for item in inputs:
        timeline = None
        with _catching(problems, item):
            timeline = journal.timeline(item.entry)
            if timeline is not None and target.format != PARQUET:
                check_holds(target.format, timeline)
        if timeline is not None and item.entry not in problems:
            yield timeline


@contextmanager
def _catching(problems: dict[str, VswinError], item: BatchInput) -> Iterator[None]:
    """Catch the problem of one video, so that the others are written."""
    try:
        yield
    except (OptionError, SourceError) as problem:
        problems[item.entry] = problem


def _write_lines(target: Target, timelines: Iterable[Timeline]) -> None:
    """Write the table with one video in memory at a time."""
    header = render_timelines([], target.format)
    with replacing_binary(target.table) as file:
        file.write(header)
        for timeline in timelines:
            file.write(render_timelines([timeline], target.format).removeprefix(header))


def write_files_table(
    path: Path, inputs: Sequence[BatchInput], outcomes: Mapping[str, Outcome]
) -> None:
    """Write the table of files: one row per input, with its result or `pending`.

    Raises:
        OutputError: the table cannot be written.
    """
    with replacing_text(path) as file:
        rows = (_row(item, outcomes.get(item.entry)) for item in inputs)
        file.write(csv_text([FILES_COLUMNS, *rows]))


def _row(item: BatchInput, outcome: Outcome | None) -> list[object]:
    video = spreadsheet_text(escaped(item.source.uri))
    if outcome is None:
        return [video, _PENDING, *[""] * (len(FILES_COLUMNS) - 2)]
    return [
        video,
        outcome.status,
        decimal(outcome.duration_seconds),
        decimal(outcome.coverage),
        "" if outcome.num_segments is None else outcome.num_segments,
        outcome.error_code or "",
        spreadsheet_text(escaped(outcome.error or "")),
        f"{outcome.elapsed_seconds:.3f}",
        outcome.attempts,
        outcome.device,
    ]

"""Write and read `clips.csv`, the table of the clips in a folder.

`path` is relative to the table. `start` and `end` are the segment's place in the clip, so that
training takes the labelled part alone; `source_start` and `source_end` are its place in `video`.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from vswin_cli.cutting.records import Clip
from vswin_cli.errors import OutputError, SourceError
from vswin_cli.export.naming import escaped, one_line, spreadsheet_text
from vswin_cli.storage.csv_rows import decimal, read_rows
from vswin_cli.storage.files import is_file, is_there, replacing_text

__all__ = ["CLIPS_COLUMNS", "CLIPS_NAME", "ends_of", "read_rows_by_name", "write_table"]

CLIPS_NAME = "clips.csv"
CLIPS_COLUMNS = (
    "path", "label", "start", "end", "score", "video", "source_start", "source_end", "mode",
    "early_seconds",
)  # fmt: skip


def read_rows_by_name(table: Path, *, force: bool) -> dict[str, list[str]]:
    """Read the rows of earlier runs whose clips are still there, by the clips' names.

    Args:
        table: need not exist.
        force: take a table of somebody else as empty.

    Raises:
        OutputError: the file is not a table of clips written by vswin.
    """
    if not is_there(table):
        return {}
    try:
        rows = [cells for _, cells in read_rows(table.read_text("utf-8-sig"), str(table))]
    except (OSError, ValueError, SourceError):
        rows = [[]]
    if rows and tuple(rows[0]) != CLIPS_COLUMNS:
        if force:
            return {}
        raise OutputError(
            f"{table} exists and was not written by vswin",
            hint="choose another folder, or add --force to replace it",
        )
    whole = {row[0]: row for row in rows[1:] if len(row) == len(CLIPS_COLUMNS)}
    return {name: row for name, row in whole.items() if is_file(table.parent / name)}


def ends_of(rows: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Return where the segment ends in each clip, by the clip's name."""
    column = CLIPS_COLUMNS.index("end")
    found = {}
    for name, row in rows.items():
        with suppress(ValueError):
            found[name] = float(row[column])
    return found


def write_table(table: Path, clips: Sequence[Clip], others: Sequence[Sequence[str]]) -> None:
    """Write the table: rows of earlier runs, then those of this one.

    Raises:
        OutputError: it cannot be written.
    """
    with replacing_text(table) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(CLIPS_COLUMNS)
        writer.writerows(others)
        writer.writerows(_row(clip) for clip in clips)


def _row(clip: Clip) -> list[str]:
    return [
        clip.path.name,
        spreadsheet_text(one_line(clip.label)),
        decimal(clip.start_seconds),
        decimal(clip.end_seconds),
        "" if clip.score is None else f"{clip.score:.4f}",
        spreadsheet_text(escaped(clip.video)),
        decimal(clip.source_start_seconds),
        decimal(clip.source_end_seconds),
        clip.mode,
        decimal(clip.early_seconds),
    ]

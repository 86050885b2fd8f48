"""Merge the tables of shards, or of other batches, into one; nothing is tagged again.

Rows are copied as they are. The tables of one batch whose inputs were divided by `--shard` are
merged in the order of the inputs, so that the result is the table of a run on all of them.
"""

from __future__ import annotations

import csv
import heapq
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import Any

from vswin_cli.batch.tables import FILES_COLUMNS
from vswin_cli.batch.target import PARQUET, Target
from vswin_cli.errors import SourceError
from vswin_cli.export.naming import escaped, spreadsheet_text
from vswin_cli.storage.files import reading_hint, replacing_binary, replacing_text

__all__ = ["FILES_ENDING", "MERGED_FORMATS", "MergeReport", "ShardTable", "merge_tables"]

FILES_ENDING = ".files.csv"
_DELIMITERS = {"csv": ",", "csv-bom": ",", "csv-semicolon": ";", "tsv": "\t"}
MERGED_FORMATS = (*_DELIMITERS, "jsonl", PARQUET)
"""Formats of tables that can be merged."""
_SHARD = re.compile(r"\.(\d+)-of-(\d+)\.[^/]*$")
_RANKS = {"ok": 0, "partial": 1, "failed": 2, "pending": 3}
_SAME_HINT = "only whole tables of one format and version of vswin can be merged"


@dataclass(frozen=True, slots=True)
class ShardTable:
    """A table of segments, with the table of files beside it."""

    name: str
    """Path or address, for messages."""
    path: Path
    files: Path

    @property
    def shard(self) -> tuple[int, int] | None:
        """Number and count from a name such as `results.3-of-16.csv`."""
        found = _SHARD.search(self.name)
        return None if found is None else (int(found[1]), int(found[2]))


@dataclass(frozen=True, slots=True)
class MergeReport:
    """What was merged."""

    statuses: Counter[str]
    """How many videos have each status."""
    num_segments: int
    duplicates: list[tuple[str, list[str]]]
    """Videos that several tables have, with the names of these; one of them counts."""
    missing_shards: dict[int, list[int]]
    """Numbers of shards that are missing, by how many shards there are."""


@dataclass(frozen=True, slots=True)
class _Video:
    """Table, position and row of a video."""

    table: int
    position: tuple[int, int]
    """Sorts videos."""
    row: list[str]
    """Its row in the table of files."""


def merge_tables(tables: Sequence[ShardTable], target: Target) -> MergeReport:
    """Merge tables of segments and their tables of files.

    A video that several tables have is taken from the one where its status is best, and of equal
    ones from the first.

    Args:
        tables: in the order of the result, unless they are all shards of one batch.
        target: where to write, and the format of all tables.

    Raises:
        SourceError: a table cannot be read, or has other columns than the first.
        OutputError: the result cannot be written.
    """
    rows = [_files_rows(table) for table in tables]
    videos = _choose(tables, rows)
    merge = _merge_parquet if target.format == PARQUET else _merge_text
    num_segments = merge(tables, videos, target)
    ordered = sorted(videos.values(), key=lambda video: video.position)
    with replacing_text(target.files_table) as file:
        csv.writer(file, lineterminator="\n").writerows(
            [FILES_COLUMNS, *(video.row for video in ordered)]
        )
    return MergeReport(
        Counter(video.row[1] for video in ordered),
        num_segments,
        _duplicates(tables, rows),
        _missing(tables),
    )


def _files_rows(table: ShardTable) -> list[list[str]]:
    """Read the rows of a table of files.

    Raises:
        SourceError: it cannot be read, or is not a table of files.
    """
    with _reading(str(table.files)), table.files.open(newline="", encoding="utf-8") as file:
        header, *rows = list(csv.reader(file, strict=True)) or [[]]
    if tuple(header) != FILES_COLUMNS:
        raise SourceError(f"{table.files} is not a table of files", hint=_SAME_HINT)
    for number, row in enumerate(rows, 2):
        if len(row) != len(FILES_COLUMNS):
            raise SourceError(
                f"{table.files}, row {number}: {len(row)} columns, not {len(FILES_COLUMNS)}",
                hint=_SAME_HINT,
            )
    return rows


def _choose(tables: Sequence[ShardTable], rows: list[list[list[str]]]) -> dict[str, _Video]:
    """Choose the table of each video, by name."""
    found: dict[str, _Video] = {}
    shards = [table.shard for table in tables]
    is_divided = not _missing(tables) and None not in shards
    for index, table_rows in enumerate(rows):
        shard = shards[index]
        for number, row in enumerate(table_rows):
            # Shards take every n-th input, so rows of the same number were neighbours.
            position = (number, shard[0]) if is_divided and shard else (index, number)
            video = _Video(index, position, row)
            before = found.get(row[0])
            if before is None or _rank(row) < _rank(before.row):
                found[row[0]] = video
    return found


def _rank(row: list[str]) -> int:
    return _RANKS.get(row[1], len(_RANKS))


def _duplicates(
    tables: Sequence[ShardTable], rows: list[list[list[str]]]
) -> list[tuple[str, list[str]]]:
    places: dict[str, dict[str, None]] = {}
    for table, table_rows in zip(tables, rows, strict=True):
        for row in table_rows:
            places.setdefault(row[0], {})[table.name] = None
    return [(video, list(names)) for video, names in places.items() if len(names) > 1]


def _missing(tables: Sequence[ShardTable]) -> dict[int, list[int]]:
    shards = {table.shard for table in tables}
    counts = {shard[1] for shard in shards if shard is not None}
    absent = {
        count: [number for number in range(1, count + 1) if (number, count) not in shards]
        for count in sorted(counts)
    }
    return {count: numbers for count, numbers in absent.items() if numbers}


def _merge_text(tables: Sequence[ShardTable], videos: dict[str, _Video], target: Target) -> int:
    """Merge CSV, TSV or JSON Lines with one video in memory; returns the number of segments."""
    delimiter = _DELIMITERS.get(target.format)
    headers = ["" if delimiter is None else _header(table) for table in tables]
    for table, header in zip(tables, headers, strict=True):
        if header != headers[0]:
            raise SourceError(
                f"{table.name} has other columns than {tables[0].name}: "
                f"{header.strip() or 'none'}, not {headers[0].strip() or 'none'}",
                hint=_SAME_HINT,
            )
    num_segments = 0
    groups = [_groups(i, table, videos, delimiter) for i, table in enumerate(tables)]
    with replacing_text(target.table) as file:
        file.write(headers[0])
        writer = csv.writer(file, delimiter=delimiter or ",", lineterminator="\n")
        # Each table has its videos in rising position, so one video of each is held at a time.
        for _, rows in heapq.merge(*groups, key=lambda group: group[0]):
            for row in rows:
                if isinstance(row, str):
                    file.write(row)
                    num_segments += len(json.loads(row).get("segments", ()))
                else:
                    writer.writerow(row)
                    num_segments += 1
    return num_segments


def _header(table: ShardTable) -> str:
    with _reading(table.name), table.path.open(newline="", encoding="utf-8") as file:
        return file.readline()


def _groups(
    index: int, table: ShardTable, videos: dict[str, _Video], delimiter: str | None
) -> Iterator[tuple[tuple[int, int], list[list[str] | str]]]:
    """Yield position and rows of each video that is taken from this table."""
    with _reading(table.name), table.path.open(newline="", encoding="utf-8") as file:
        named: Iterator[tuple[str, list[str] | str]]
        if delimiter is None:
            named = ((_uri_of(line), line) for line in file)
        else:
            file.readline()
            named = ((row[0], row) for row in csv.reader(file, delimiter=delimiter, strict=True))
        for name, group in groupby(named, key=lambda item: item[0]):
            rows = [row for _, row in group]
            video = _known(videos, name, table)
            if video.table == index:
                yield video.position, rows


def _known(videos: dict[str, _Video], name: str, table: ShardTable) -> _Video:
    """Return a video by its name.

    Raises:
        SourceError: the table of files does not list it.
    """
    video = videos.get(name)
    if video is None:
        raise SourceError(
            f"{table.name} has segments of {name}, which {table.files.name} lacks",
            hint=_SAME_HINT,
        )
    return video


def _uri_of(line: str) -> str:
    """Return the name of a line's video as tables of files have it."""
    return _name_in_tables(json.loads(line)["video"]["uri"])


def _name_in_tables(uri: str) -> str:
    return spreadsheet_text(escaped(uri))


def _merge_parquet(tables: Sequence[ShardTable], videos: dict[str, _Video], target: Target) -> int:
    """Merge Parquet tables; returns the number of segments."""
    pa, pq = import_module("pyarrow"), import_module("pyarrow.parquet")
    parts: list[Any] = []
    positions: list[tuple[int, int]] = []
    for index, table in enumerate(tables):
        with _reading(table.name):
            part = pq.read_table(table.path)
            names = [_name_in_tables(name) for name in part.column("video").to_pylist()]
        if part.schema != (parts or [part])[0].schema:
            raise SourceError(
                f"{table.name} has other columns than {tables[0].name}", hint=_SAME_HINT
            )
        known = [_known(videos, name, table) for name in names]
        kept = [i for i, video in enumerate(known) if video.table == index]
        parts.append(part.take(kept))
        positions += [known[i].position for i in kept]
    order = sorted(range(len(positions)), key=positions.__getitem__)
    merged = pa.concat_tables(parts).take(order)
    with replacing_binary(target.table) as file:
        pq.write_table(merged, file)
    return len(order)


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Convert the errors of reading a table to one that names it."""
    try:
        yield
    except OSError as error:
        raise SourceError(
            f"cannot read {name}: {error.strerror or error}", hint=reading_hint(error)
        ) from error
    except (ValueError, LookupError, TypeError, csv.Error) as error:
        raise SourceError(f"{name} is damaged: {error}", hint=_SAME_HINT) from error

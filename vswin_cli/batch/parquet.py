"""Write the table of segments as Parquet: typed columns, for millions of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

from vswin_cli.storage.files import replacing_binary
from vswin_cli.storage.plain_text import encodable
from vswin_cli.timeline.record import Timeline
from vswin_cli.timeline.segments import Segment

__all__ = ["write_parquet"]

_VIDEOS_PER_GROUP = 1000


def write_parquet(path: Path, timelines: Iterable[Timeline]) -> None:
    """Write one row per segment, with the columns of CSV except for the timecodes.

    Raises:
        OutputError: the path cannot be written; an earlier file is kept.
    """
    pa, pq = import_module("pyarrow"), import_module("pyarrow.parquet")
    schema = pa.schema([(name, getattr(pa, kind)()) for name, kind, _ in _COLUMNS])
    remaining = iter(timelines)
    with replacing_binary(path) as file, pq.ParquetWriter(file, schema) as writer:
        while group := list(islice(remaining, _VIDEOS_PER_GROUP)):
            rows = [row for timeline in group for row in _rows(timeline)]
            writer.write_table(pa.Table.from_pylist(rows, schema))


def _rows(timeline: Timeline) -> list[dict[str, Any]]:
    return [
        {name: value(timeline, segment) for name, _, value in _COLUMNS}
        for segment in timeline.segments
    ]


_COLUMNS: tuple[tuple[str, str, Callable[[Timeline, Segment], Any]], ...] = (
    ("video", "string", lambda timeline, _: encodable(timeline.video.uri)),
    ("start", "float64", lambda _, segment: segment.start_seconds),
    ("end", "float64", lambda _, segment: segment.end_seconds),
    ("duration", "float64", lambda _, segment: segment.duration_seconds),
    ("label", "string", lambda _, segment: encodable(segment.label)),
    ("class_id", "int64", lambda _, segment: segment.class_id),
    ("score", "float64", lambda _, segment: segment.score),
    ("score_max", "float64", lambda _, segment: segment.score_max),
    ("peak", "float64", lambda _, segment: segment.peak_seconds),
    ("windows", "int64", lambda _, segment: segment.num_clips),
    ("model", "string", lambda timeline, _: encodable(timeline.model.id)),
)
"""Name, type in Arrow and value of each column."""

"""Write the table of segments as Parquet: typed columns, for millions of rows."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

from vswin_cli.errors import OptionError
from vswin_cli.storage.files import replacing_binary
from vswin_cli.timeline.record import Timeline

__all__ = ["check_parquet", "write_parquet"]

_VIDEOS_PER_GROUP = 1000


def check_parquet() -> None:
    """Check before the work that Parquet can be written.

    Raises:
        OptionError: pyarrow is not installed.
    """
    try:
        import_module("pyarrow")
    except ImportError as error:
        raise OptionError(
            "Parquet needs pyarrow, which is not installed",
            hint='pip install "vswin[parquet]", or write .csv or .jsonl',
        ) from error


def write_parquet(path: Path, timelines: Iterable[Timeline]) -> None:
    """Write one row per segment, with the columns of CSV except for the timecodes.

    Raises:
        OutputError: the path cannot be written; an earlier file is kept.
    """
    pa, pq = import_module("pyarrow"), import_module("pyarrow.parquet")
    text, real, whole = pa.string(), pa.float64(), pa.int64()
    schema = pa.schema(
        [
            ("video", text),
            ("start", real),
            ("end", real),
            ("duration", real),
            ("label", text),
            ("class_id", whole),
            ("score", real),
            ("score_max", real),
            ("peak", real),
            ("windows", whole),
            ("model", text),
        ]
    )
    remaining = iter(timelines)
    with replacing_binary(path) as file, pq.ParquetWriter(file, schema) as writer:
        while group := list(islice(remaining, _VIDEOS_PER_GROUP)):
            rows = [row for timeline in group for row in _rows(timeline)]
            writer.write_table(pa.Table.from_pylist(rows, schema))


def _rows(timeline: Timeline) -> list[dict[str, Any]]:
    return [
        {
            "video": _text(timeline.video.uri),
            "start": one.start_seconds,
            "end": one.end_seconds,
            "duration": one.duration_seconds,
            "label": _text(one.label),
            "class_id": one.class_id,
            "score": one.score,
            "score_max": one.score_max,
            "peak": one.peak_seconds,
            "windows": one.num_clips,
            "model": _text(timeline.model.id),
        }
        for one in timeline.segments
    ]


def _text(text: str) -> str:
    """Escape lone surrogates, from file names that are not UTF-8: Parquet takes only UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()

"""Write features as a Parquet table: a row per time step, then a row per clip.

    uri            string          path or address of the video
    start_seconds  double          time of the row, half-open
    end_seconds    double
    kind           string          `step` or `clip`
    feature        list<float32>   C values

The schema's metadata holds the same JSON text as a NumPy archive, under the key `vswin`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vswin_cli.errors import SourceError
from vswin_cli.storage.files import replacing_binary
from vswin_cli.storage.json_records import UNREADABLE, from_json
from vswin_cli.storage.plain_text import encodable
from vswin_cli.timeline.feature_files import SCHEMA, metadata_text
from vswin_cli.timeline.features import FeatureRecord, FeatureTrack

__all__ = ["read_table_record", "save_feature_table"]

_KEY = b"vswin"
_ROWS = 4096


def save_feature_table(track: FeatureTrack, path: Path) -> None:
    """Write features; memory does not grow with their number.

    Raises:
        OutputError: the path cannot be written; nothing is left there.
    """
    pa, pq = import_module("pyarrow"), import_module("pyarrow.parquet")
    schema = pa.schema(
        [
            ("uri", pa.string()),
            ("start_seconds", pa.float64()),
            ("end_seconds", pa.float64()),
            ("kind", pa.string()),
            ("feature", pa.list_(pa.float32())),
        ],
        metadata={_KEY: metadata_text(track.record)},
    )
    # Names that are not UTF-8 hold lone surrogates; Parquet takes only UTF-8.
    uri = encodable(track.record.video.uri)
    with replacing_binary(path) as file, pq.ParquetWriter(file, schema) as writer:
        for kind, starts, ends, rows in _row_groups(track):
            count = len(rows)
            lists = pa.ListArray.from_arrays(
                pa.array(np.arange(count + 1, dtype=np.int32) * track.width),
                pa.array(rows.astype(np.float32).ravel()),
            )
            columns = [pa.array([uri] * count), starts, ends, pa.array([kind] * count), lists]
            writer.write_table(pa.Table.from_arrays(list(map(pa.array, columns)), schema=schema))


def _row_groups(
    track: FeatureTrack,
) -> Iterator[tuple[str, NDArray[Any], NDArray[Any], NDArray[Any]]]:
    """Yield kind, starts, ends and features of rows that belong together."""
    starts, ends = track.edges_seconds
    done = 0
    for _, rows in track.chunks():
        span = slice(done, done + len(rows))
        yield "step", starts[span], ends[span], rows
        done += len(rows)
    starts, ends = track.clip_starts_seconds, track.clip_ends_seconds
    for first in range(0, len(starts), _ROWS):
        span = slice(first, min(first + _ROWS, len(starts)))
        yield "clip", starts[span], ends[span], track.clip_spool.read(span.start, span.stop)


def read_table_record(path: Path) -> FeatureRecord:
    """Read the provenance of the features in a table.

    Raises:
        SourceError: not a table of features, or a damaged one.
    """
    pq = import_module("pyarrow.parquet")
    try:
        document = json.loads(pq.read_schema(path).metadata[_KEY])
        if document["schema"] != SCHEMA:
            raise SourceError(f"its metadata is not of schema `{SCHEMA}`")
        return from_json(FeatureRecord, document)
    except (OSError, *UNREADABLE) as error:
        raise SourceError(f"{path} does not hold features: {str(error)[:200]}") from error

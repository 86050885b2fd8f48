"""Save features as a NumPy archive, and map them from it without loading all.

`numpy.load(path)` returns plain arrays, no pickles:

    features            (n, C) float16   one row per time step that a clip covers
    start_seconds       (n,)   float64   its time, half-open
    end_seconds         (n,)   float64
    clip_features       (M, C) float16   one row per clip, the mean of its steps
    clip_start_seconds  (M,)   float64
    clip_end_seconds    (M,)   float64
    metadata            ()     text      JSON: schema, video, model, sampling, coverage

The features are not compressed: they hardly shrink, and a reader maps them into memory.
"""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vswin_cli.errors import SourceError
from vswin_cli.storage.array_archive import (
    map_array,
    member,
    open_archive,
    read_array,
    read_header,
    write_array,
    write_header,
)
from vswin_cli.storage.files import as_path, replacing_binary
from vswin_cli.storage.json_records import from_json, json_text, to_json
from vswin_cli.timeline.features import FeatureRecord, FeatureTrack

__all__ = ["SCHEMA", "FeatureFile", "load_features", "metadata_text", "save_features"]

SCHEMA = "vswin.features/1"
_HINT = "feature files are written by `vswin features VIDEO -o FILE.npz`"
_LIMITS: dict[str, int | None] = {"features.npy": None, "clip_features.npy": None}


@dataclass(frozen=True, slots=True, eq=False)
class FeatureFile:
    """The features of one video, mapped from a file."""

    path: Path
    """The file."""
    features: NDArray[np.float16]
    """(n, C), one row per time step that a clip covers."""
    start_seconds: NDArray[np.float64]
    """(n,) rising."""
    end_seconds: NDArray[np.float64]
    """(n,) exclusive."""
    clip_features: NDArray[np.float16]
    """(M, C), one row per clip."""
    clip_start_seconds: NDArray[np.float64]
    """(M,) rising."""
    clip_end_seconds: NDArray[np.float64]
    """(M,) exclusive."""
    record: FeatureRecord
    """Where they come from: `video`, `model`, `sampling`, `coverage`."""

    def __repr__(self) -> str:
        return (
            f"FeatureFile({str(self.path)!r}, {len(self.features)} steps and "
            f"{len(self.clip_features)} clips x {self.features.shape[1]} features, "
            f"model={self.record.model.id!r})"
        )


def save_features(track: FeatureTrack, path: Path) -> None:
    """Write features; memory does not grow with their number.

    Raises:
        OutputError: the path cannot be written; nothing is left there.
    """
    starts, ends = track.edges_seconds
    with replacing_binary(path) as file, zipfile.ZipFile(file, "w", compresslevel=1) as archive:
        write_array(archive, "metadata", np.array(metadata_text(track.record)))
        with member(archive, "features.npy", compress=False) as out:
            write_header(out, np.dtype(np.float16), (len(starts), track.width))
            for _, rows in track.chunks():
                out.write(rows.tobytes())
        write_array(archive, "start_seconds", starts)
        write_array(archive, "end_seconds", ends)
        clips = track.clip_features.astype(np.float16)
        write_array(archive, "clip_features", clips, compress=False)
        write_array(archive, "clip_start_seconds", track.clip_starts_seconds)
        write_array(archive, "clip_end_seconds", track.clip_ends_seconds)


def metadata_text(record: FeatureRecord) -> str:
    """Write the provenance of features as JSON, with the schema of their files."""
    return json_text({"schema": SCHEMA, **to_json(record)})


def load_features(path: str | os.PathLike[str]) -> FeatureFile:
    """Open a file of features; rows are read when they are used.

    `features` is (n, C), with `start_seconds` and `end_seconds` (n,); `clip_features` is (M, C).

    Raises:
        SourceNotFoundError: no such file, or not readable.
        SourceError: not a file of features, or a damaged one.
    """
    path = as_path(path)
    with open_archive(path, _LIMITS, partial(_not_features, path)) as archive:
        return _read(archive, path)


def _not_features(path: Path, reason: str) -> SourceError:
    return SourceError(f"{path} does not hold features, or is damaged: {reason}", hint=_HINT)


def _read(archive: zipfile.ZipFile, path: Path) -> FeatureFile:
    document = json.loads(_read_text(archive))
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise SourceError(f"its metadata is not of schema `{SCHEMA}`")
    found = FeatureFile(
        path=path,
        features=map_array(archive, str(path), "features"),
        start_seconds=read_array(archive, "start_seconds", np.float64, 1),
        end_seconds=read_array(archive, "end_seconds", np.float64, 1),
        clip_features=map_array(archive, str(path), "clip_features"),
        clip_start_seconds=read_array(archive, "clip_start_seconds", np.float64, 1),
        clip_end_seconds=read_array(archive, "clip_end_seconds", np.float64, 1),
        record=from_json(FeatureRecord, document),
    )
    _check_rows(found.features, found.start_seconds, found.end_seconds)
    _check_rows(found.clip_features, found.clip_start_seconds, found.clip_end_seconds)
    return found


def _read_text(archive: zipfile.ZipFile) -> str:
    with archive.open("metadata.npy") as file:
        shape, dtype = read_header(file)
        if shape or dtype.kind != "U":
            raise SourceError("its metadata is not text")
        return str(np.frombuffer(file.read(), dtype, 1)[0])


def _check_rows(
    features: NDArray[Any], starts: NDArray[np.float64], ends: NDArray[np.float64]
) -> None:
    """Check the type of features, and that each has a time.

    Raises:
        SourceError: another type, or missing or wrong times.
    """
    if features.ndim != 2 or features.dtype != np.float16:
        raise SourceError("features must be float16 of 2 dimensions")
    if not len(features) == len(starts) == len(ends):
        raise SourceError(f"{len(features)} features, but {len(starts)} times")
    if not bool(np.all((starts >= 0) & (starts <= ends)) and np.all(np.diff(starts) >= 0)):
        raise SourceError("its times do not rise")  # also where a value is not a number

"""Save and load score tracks, so that a video can be segmented again without decoding it.

The file is a NumPy archive (`numpy.load` reads it): the scores in half precision, which cells are
valid, the clips, and `meta.json` with the rest, including the timeline made from the scores.
Written and read in chunks, so that neither needs memory for all scores.
"""

from __future__ import annotations

import json
import os
import zipfile
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from vswin_cli.config import SegmentOptions
from vswin_cli.errors import SourceError
from vswin_cli.models.architecture import Activation
from vswin_cli.quantities import wrong_type
from vswin_cli.storage.array_archive import (
    member,
    open_archive,
    read_array,
    read_header,
    write_array,
    write_header,
)
from vswin_cli.storage.files import as_path, replacing_binary
from vswin_cli.storage.json_records import from_json, json_text, named, to_json
from vswin_cli.timeline.record import GapRecord, Timeline, with_segments
from vswin_cli.timeline.scores import ScoreTrack
from vswin_cli.timeline.spool import ScoreSpool
from vswin_cli.video.info import Gap, GapReason

__all__ = ["load_scores", "load_track", "save_track", "segment_scores"]

SCHEMA = "vswin.scores/1"
_ROWS = 512
_HEAD_BYTES = 200  # hold the schema of a timeline
_LARGEST_META = 100 << 20  # bytes of JSON; a day of video with a segment a second has 20
_LIMITS = {"scores.npy": None, "meta.json": _LARGEST_META}


@dataclass(frozen=True, slots=True)
class _Meta:
    """The content of `meta.json` except the timeline."""

    activation: Activation
    start_seconds: float = field(metadata=named("start"))
    step_seconds: float = field(metadata=named("step"))
    end_seconds: float = field(metadata=named("end"))
    labels: tuple[str, ...]
    gaps: tuple[GapRecord, ...] = ()


def save_track(track: ScoreTrack, timeline: Timeline, path: Path) -> None:
    """Write a track and the timeline made from it.

    Raises:
        OutputError: the path cannot be written; nothing is left there.
    """
    with replacing_binary(path) as file, zipfile.ZipFile(file, "w", compresslevel=1) as archive:
        with member(archive, "scores.npy") as out:
            write_header(out, np.dtype(np.float16), (track.num_cells, len(track.labels)))
            for _, rows in track.chunks():
                out.write(rows.tobytes())
        write_array(archive, "valid", track.valid)
        write_array(archive, "spans", np.array(track.spans, np.float64).reshape(-1, 2))
        write_array(archive, "clip_starts", track.clip_starts_seconds)
        write_array(archive, "clip_ends", track.clip_ends_seconds)
        meta = _Meta(
            activation=track.activation,
            start_seconds=track.start_seconds,
            step_seconds=track.step_seconds,
            end_seconds=track.end_seconds,
            labels=track.labels,
            gaps=tuple(GapRecord.of(gap) for gap in track.gaps),
        )
        document = {"schema": SCHEMA, **to_json(meta), "timeline": timeline.to_json()}
        with member(archive, "meta.json") as out:
            out.write(json_text(document).encode())


def load_track(path: Path) -> tuple[ScoreTrack, Timeline]:
    """Read a track and its timeline; the caller closes the track.

    Raises:
        SourceNotFoundError: no such file, or not readable.
        SourceError: not a file of scores, or a damaged one.
    """
    with open_archive(path, _LIMITS, partial(_not_scores, path)) as archive:
        return _read(archive)


def load_scores(path: str | os.PathLike[str]) -> ScoreTrack:
    """Load the scores that `vswin tag --save-scores` or `analyze_video(save_scores=...)` saved.

    `track.scores` is (N, K), `track.labels` names the K columns, `track.edges_seconds` gives start
    and end of the N rows, `track.to_pandas()` has all three. Close the track, or use `with`.

    Args:
        path: the `.npz` file.

    Raises:
        SourceNotFoundError: no such file, or not readable.
        SourceError: not a file of scores, or a damaged one.
    """
    return load_track(as_path(path))[0]


def segment_scores(
    path: str | os.PathLike[str],
    segments: SegmentOptions = SegmentOptions(),
    *,
    top_classes: int = 0,
) -> Timeline:
    """Find segments in saved scores, without the model and the video: `vswin segment` in Python.

    Args:
        path: the `.npz` file.
        segments: how scores become segments; values that are not given are those of the run that
            saved the scores.
        top_classes: fill `windows` with this many classes of each clip.

    Raises:
        SourceNotFoundError: no such file, or not readable.
        SourceError: not a file of scores, or a damaged one.
        OptionError: the options do not fit the labels.
    """
    if not isinstance(segments, SegmentOptions):
        hint = "write SegmentOptions(onset=0.3)"
        raise wrong_type("segments", "SegmentOptions", segments, hint)
    track, timeline = load_track(as_path(path))
    with track:
        options = segments.over(timeline.postprocess.options())
        return with_segments(timeline, track, options, top_classes=top_classes)


def _not_scores(path: Path, reason: str) -> SourceError:
    message = f"{path} does not hold scores, or is damaged: {reason}"
    with suppress(OSError), path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        if b'"vswin.timeline/' in head.partition(b"PK")[0]:
            message = f"{path} is a timeline, not a score file"
        elif head.startswith(b"PK") and b"metadata.npy" in head:
            message = f"{path} holds features, not scores"
        elif head.startswith(b"PK") and path.suffix.lower() == ".xlsx":
            return SourceError(
                f"{path} is a workbook for Excel, which vswin writes but does not read",
                hint="give the table of the batch, such as results.csv, or timelines in JSON",
            )
    return SourceError(
        message, hint="score files are written by `vswin tag VIDEO --save-scores FILE`"
    )


def _read(archive: zipfile.ZipFile) -> tuple[ScoreTrack, Timeline]:
    document = json.loads(archive.read("meta.json"))
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise SourceError(f"meta.json is not of schema `{SCHEMA}`")
    meta = from_json(_Meta, document)
    timeline = Timeline.from_json(document.get("timeline"))
    valid = read_array(archive, "valid", np.bool_, 1)
    _check_axis(meta, len(valid))
    spans = read_array(archive, "spans", np.float64, 2)
    clip_starts = read_array(archive, "clip_starts", np.float64, 1)
    clip_ends = read_array(archive, "clip_ends", np.float64, 1)
    _check_intervals(meta, "spans", spans.reshape(-1, 2)[:, 0], spans.reshape(-1, 2)[:, 1])
    _check_intervals(meta, "clips", clip_starts, clip_ends)
    spool = _read_scores(archive, (len(valid), len(meta.labels)))
    track = ScoreTrack(
        labels=meta.labels,
        activation=meta.activation,
        start_seconds=meta.start_seconds,
        step_seconds=meta.step_seconds,
        end_seconds=meta.end_seconds,
        valid=valid,
        spans=tuple((float(a), float(b)) for a, b in spans),
        gaps=tuple(_gap(gap) for gap in meta.gaps),
        clip_starts_seconds=clip_starts,
        clip_ends_seconds=clip_ends,
        spool=spool,
    )
    return track, timeline


def _check_axis(meta: _Meta, num_cells: int) -> None:
    """Check that the cells of a time axis fill the analysed part.

    Raises:
        SourceError: they do not.
    """
    length = meta.end_seconds - meta.start_seconds
    if not (meta.step_seconds > 0 and meta.start_seconds >= 0 and length >= 0):
        raise SourceError("the time axis is not valid")
    # The last cell may reach past the end.
    if not abs(length / meta.step_seconds - num_cells) <= 1:
        raise SourceError(f"{num_cells} cells of {meta.step_seconds:g} s do not last {length:g} s")


def _check_intervals(
    meta: _Meta, name: str, starts: NDArray[np.float64], ends: NDArray[np.float64]
) -> None:
    """Check that intervals are inside the time axis and in the order of their starts.

    Raises:
        SourceError: there is one.
    """
    latest = meta.end_seconds + meta.step_seconds
    is_valid = len(starts) == len(ends) and bool(
        np.all((starts <= ends) & (starts >= 0) & (ends <= latest)) and np.all(np.diff(starts) >= 0)
    )
    if not is_valid:  # also where a value is not a number
        raise SourceError(f"`{name}` do not lie on the time axis")


def _read_scores(archive: zipfile.ZipFile, shape: tuple[int, int]) -> ScoreSpool:
    spool = ScoreSpool(shape[1])
    with archive.open("scores.npy") as file:
        found = read_header(file)
        if found != (shape, np.dtype(np.float16)):
            raise SourceError(f"scores must be float16 of shape {shape}, got {found}")
        for first in range(0, shape[0], _ROWS):
            count = min(_ROWS, shape[0] - first)
            data = file.read(count * shape[1] * 2)
            rows = np.frombuffer(data, np.float16).reshape(count, shape[1])
            if not ((rows >= 0) & (rows <= 1)).all():
                raise SourceError("scores must lie in 0..1")
            spool.append(rows)
    return spool


def _gap(record: GapRecord) -> Gap:
    """Convert a record to a gap; an unknown reason, of a later version, is kept."""
    return Gap(record.start_seconds, record.end_seconds, cast(GapReason, record.reason))

"""Read labelled intervals of several videos, predicted or true, from any known format.

Formats are recognised by content: ActivityNet's ground truth (`database`) and results (`results`),
our timelines as JSON or JSON Lines, and tables with commas or tabs that hold `video`, `start`,
`end`, `label` and maybe `score`. Videos are matched by file name: folders, a known ending and
ActivityNet's `v_` do not count.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vswin_cli.errors import OptionError, SourceError
from vswin_cli.evaluation.intervals import (
    AnnotatedVideo,
    Annotations,
    Interval,
    sorted_intervals,
    video_id,
)
from vswin_cli.evaluation.reading import guarded, read_text
from vswin_cli.export.naming import from_spreadsheet
from vswin_cli.storage.csv_rows import named_columns, read_seconds, read_table_rows
from vswin_cli.storage.files import is_folder
from vswin_cli.storage.humanize import counted
from vswin_cli.storage.json_records import JsonValue
from vswin_cli.timeline.files import check_one_model, load_timelines, parse_timelines
from vswin_cli.timeline.record import Timeline

__all__ = [
    "annotations_of",
    "joined_annotations",
    "read_annotations",
    "table_intervals",
]

_COLUMNS = {
    "video": ("video", "video_id", "video-id", "filename", "file", "path", "uri", "clip"),
    # In tables of `vswin cut`, `start` and `end` are times in the clip, not in the video.
    "start": (
        *("source_start", "start", "start_seconds", "start_s", "t_start", "t-start"),
        *("onset", "begin", "start_ms"),
    ),
    "end": ("source_end", "end", "end_seconds", "end_s", "t_end", "t-end", "offset", "end_ms"),
    "label": ("label", "event_label", "class", "activity", "name"),
    "score": ("score", "confidence", "score_permille"),
}
# Of our own TSV, which has milliseconds and per mille.
_IN_THOUSANDTHS = ("start_ms", "end_ms", "score_permille")
_REQUIRED = ("video", "start", "end", "label")
_HINT = (
    "give ActivityNet JSON, a timeline of `vswin tag -f json`, or CSV or TSV with the columns "
    "video,start,end,label"
)


@dataclass(frozen=True, slots=True)
class _Column:
    """Position and unit of a column in a table."""

    index: int
    per_unit: float = 1.0
    """1000 for milliseconds and per mille."""


@guarded
def read_annotations(path: Path, *, subset: str | None = None) -> Annotations:
    """Read intervals from a file of any of the known kinds, or from a folder of timelines.

    Args:
        path: the file or folder.
        subset: take only these videos of an ActivityNet ground truth.

    Raises:
        SourceNotFoundError: no such file, or not readable.
        SourceError: another kind of file, a bad line or entry (it is named), or two videos of
            one name.
        OptionError: a subset is needed, unknown, or the file has none.
    """
    name = str(path)
    if is_folder(path) and any(path.glob("*.json*")):
        return _without_subset(annotations_of(load_timelines(path), name), subset)
    text = read_text(path)
    if not text.lstrip().startswith(("{", "[")):
        return _without_subset(_from_table(text, name), subset)
    try:
        document: JsonValue = json.loads(text)
    except json.JSONDecodeError:
        document = None  # JSON Lines, or damaged: `parse_timelines` reports where
    if isinstance(document, dict) and isinstance(document.get("database"), dict):
        return _from_database(document["database"], name, subset)
    if isinstance(document, dict) and isinstance(document.get("results"), dict):
        return _without_subset(_from_results(document["results"], name), subset)
    if document is None or (isinstance(document, dict) and "schema" in document):
        return _without_subset(annotations_of(parse_timelines(text, name), name), subset)
    raise SourceError(f"{name} holds no labelled intervals", hint=_HINT)


def joined_annotations(several: Sequence[Annotations]) -> Annotations:
    """Join the annotations of several files, such as a corrected timeline of each video.

    Raises:
        SourceError: two of them have a video of one name.
    """
    if len(several) == 1:
        return several[0]
    videos = [(f"{one.source}: {id}", video) for one in several for id, video in one.videos.items()]
    return _gather(videos, f"{several[0].source} and {len(several) - 1} more")


def _without_subset(annotations: Annotations, subset: str | None) -> Annotations:
    if subset is not None:
        raise OptionError(
            f"--subset {subset}: {annotations.source} has no subsets",
            hint="leave it out; only ActivityNet's ground truth has them",
        )
    return annotations


def _gather(videos: Iterable[tuple[str, AnnotatedVideo]], source: str) -> Annotations:
    """Collect videos by id; refuse two names with the same id."""
    names: dict[str, str] = {}
    found: dict[str, AnnotatedVideo] = {}
    for name, video in videos:
        if video.id in found:
            raise SourceError(
                f"{source}: {names[video.id]!r} and {name!r} would both be the video {video.id!r}",
                hint="videos are identified by file name; rename one of them",
            )
        names[video.id], found[video.id] = name, video
    return Annotations(source, found)


def annotations_of(timelines: Sequence[Timeline], source: str) -> Annotations:
    """Convert timelines to annotations.

    Raises:
        SourceError: two videos of one name, or results of several models.
    """
    check_one_model(timelines, source)
    return _gather(((timeline.video.uri, _of_timeline(timeline)) for timeline in timelines), source)


def _of_timeline(timeline: Timeline) -> AnnotatedVideo:
    return AnnotatedVideo(
        id=video_id(timeline.video.uri),
        intervals=sorted_intervals(
            Interval(segment.start_seconds, segment.end_seconds, segment.label, segment.score)
            for segment in timeline.segments
        ),
        duration_seconds=timeline.video.duration_seconds,
        gaps=tuple((gap.start_seconds, gap.end_seconds) for gap in timeline.coverage.gaps),
        size_bytes=timeline.video.size_bytes,
    )


def _from_database(
    database: Mapping[str, JsonValue], source: str, subset: str | None
) -> Annotations:
    """Read ActivityNet's ground truth: durations and annotations by video."""
    subsets = {str(entry["subset"]) for entry in database.values() if _has(entry, "subset")}
    if subset is None and len(subsets) > 1:
        raise OptionError(
            f"{source} has the subsets {', '.join(sorted(subsets))}",
            hint="choose one by --subset, usually validation",
        )
    if subset is not None and subset not in subsets:
        known = ", ".join(sorted(subsets)) or "none"
        raise OptionError(f"{source} has no subset {subset!r}", hint=f"it has: {known}")
    videos = []
    for name, entry in database.items():
        if subset is None or (_has(entry, "subset") and entry["subset"] == subset):
            notes = entry.get("annotations", []) if isinstance(entry, dict) else entry
            duration = _optional_number(entry, "duration", f"{source}: `{name}`")
            intervals = _entries(notes, f"{source}: `{name}`")
            videos.append((name, AnnotatedVideo(video_id(name), intervals, duration)))
    return _gather(videos, source)


def _from_results(results: Mapping[str, JsonValue], source: str) -> Annotations:
    """Read ActivityNet's results: scored intervals by video."""
    videos = (
        (name, AnnotatedVideo(video_id(name), _entries(entries, f"{source}: `{name}`")))
        for name, entries in results.items()
    )
    return _gather(videos, source)


def _has(entry: JsonValue, key: str) -> bool:
    return isinstance(entry, dict) and key in entry


def _optional_number(entry: JsonValue, key: str, where: str) -> float | None:
    if not _has(entry, key) or entry[key] is None:
        return None
    value = entry[key]
    if type(value) not in (int, float) or not math.isfinite(value):
        raise SourceError(f"{where}: `{key}` must be a number, got {value!r}", hint=_HINT)
    return float(value)


def _entries(entries: JsonValue, where: str) -> tuple[Interval, ...]:
    if not isinstance(entries, list):
        raise SourceError(f"{where} must hold a list of intervals", hint=_HINT)
    return sorted_intervals(_entry(entry, f"{where}, entry {i}") for i, entry in enumerate(entries))


def _entry(entry: JsonValue, where: str) -> Interval:
    span = entry.get("segment") if isinstance(entry, dict) else None
    label = entry.get("label") if isinstance(entry, dict) else None
    if not isinstance(span, list) or len(span) != 2 or not isinstance(label, str):
        raise SourceError(f"{where}: expected `label` and `segment: [start, end]`", hint=_HINT)
    times = dict(zip(("start", "end"), span, strict=True))
    start, end = (_optional_number(times, key, where) for key in times)
    return _interval(start, end, label, _optional_number(entry, "score", where), where)


def _interval(
    start: float | None, end: float | None, label: str, score: float | None, where: str
) -> Interval:
    if start is None or end is None or end < start:
        raise SourceError(
            f"{where}: the interval from {start} to {end} s ends before it starts",
            hint="both are seconds from the start of the video; the end is not a duration",
        )
    if not label:
        raise SourceError(f"{where}: the label is empty", hint="leave out time without a label")
    return Interval(start, end, label, score)


def table_intervals(text: str, source: str) -> dict[str, list[Interval]]:
    """Read the intervals of a table (see `read_table_rows`), by video as the table names it.

    Raises:
        SourceError: not such a table; the line is named.
    """
    by_name: dict[str, list[Interval]] = {}
    for name, interval in _row_intervals(read_table_rows(text, source), source):
        by_name.setdefault(name, []).append(interval)
    return by_name


def _from_table(text: str, source: str) -> Annotations:
    _check_models(text, source)
    by_name = table_intervals(text, source)
    videos = (
        (name, AnnotatedVideo(video_id(name), sorted_intervals(group)))
        for name, group in by_name.items()
    )
    return _gather(videos, source)


def _check_models(text: str, source: str) -> None:
    """Check that a table of ours has no video with results of several models.

    Raises:
        SourceError: it has one.
    """
    (_, header), *rows = [*read_table_rows(text, source)] or [(0, [])]
    if "video" not in header or "model" not in header:
        return
    video, model = header.index("video"), header.index("model")
    models: dict[str, str] = {}
    for number, cells in rows:
        if len(cells) > max(video, model):
            other = models.setdefault(cells[video], cells[model])
            if other != cells[model]:
                raise SourceError(
                    f"{source}, line {number}: results of several models: {other}, {cells[model]}",
                    hint=f"`vswin export TIMELINES --model {other} -o one.csv` writes those of one",
                )


def _row_intervals(
    rows: Iterable[tuple[int, list[str]]], source: str
) -> Iterator[tuple[str, Interval]]:
    columns: dict[str, _Column] | None = None
    for number, cells in rows:
        where = f"{source}, line {number}"
        if columns is None:
            columns = _header(cells)
            if columns is not None:
                continue
            columns = {name: _Column(i) for i, name in enumerate(_COLUMNS)}
        last = max(columns[name].index for name in _REQUIRED)
        if len(cells) <= last:
            raise SourceError(
                f"{where}: got {counted(len(cells), 'column')}, expected {last + 1} or more",
                hint=_HINT,
            )
        video = from_spreadsheet(cells[columns["video"].index])
        yield video, _row_interval(cells, columns, where)


def _header(cells: Sequence[str]) -> dict[str, _Column] | None:
    """Return the columns if the row names them."""
    found = {
        column: _Column(index, 1000.0 if name in _IN_THOUSANDTHS else 1.0)
        for column, (index, name) in named_columns(cells, _COLUMNS).items()
    }
    return found if all(column in found for column in _REQUIRED) else None


def _row_interval(cells: Sequence[str], columns: Mapping[str, _Column], where: str) -> Interval:
    start, end = (
        _seconds(cells[columns[name].index], where) / columns[name].per_unit
        for name in ("start", "end")
    )
    column = columns.get("score")
    text = "" if column is None or column.index >= len(cells) else cells[column.index]
    score = _number(text)
    if column is not None and score is not None:
        score /= column.per_unit
    if text and score is None:
        raise SourceError(
            f"{where}: the score {text!r} is no number",
            hint="leave the column empty where there is no score",
        )
    label = from_spreadsheet(cells[columns["label"].index])
    return _interval(start, end, label, score, where)


def _number(text: str) -> float | None:
    """Parse a finite number; `None` if the text is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _seconds(text: str, where: str) -> float:
    """Parse seconds, or a time as on a clock (`1:02:03.5`)."""
    value = _number(text)
    return read_seconds(text, where) if value is None else value

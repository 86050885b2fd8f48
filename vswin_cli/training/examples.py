"""Read training examples from files and folders of any known kind, recognised by content.

Kinds: a table (see `vswin_cli.training.tables`), a folder with one folder per class, ActivityNet's
ground truth, and our own timelines, as corrected by the user, also a folder of them. Files that are
missing are named and left out; whether a video can be decoded is found out when it is used.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from vswin_cli.errors import SourceError, SourceNotFoundError
from vswin_cli.evaluation.annotations import read_annotations
from vswin_cli.evaluation.intervals import Annotations, video_id
from vswin_cli.evaluation.reading import guarded, read_text
from vswin_cli.quantities import as_several
from vswin_cli.storage.files import as_path, is_file, is_folder, reading_hint
from vswin_cli.storage.humanize import counted
from vswin_cli.storage.remote import as_local_path, is_remote
from vswin_cli.storage.sources import VideoSource, find_sources
from vswin_cli.timeline.files import check_one_model, parse_timelines
from vswin_cli.timeline.record import Timeline
from vswin_cli.training.records import Example, ExampleSet, LabelledVideo, Part, merge_sets
from vswin_cli.training.spans import cut_spans
from vswin_cli.training.tables import Row, part_of, read_table

__all__ = ["background_examples", "read_examples"]

_CLIPS = "clips.csv"  # of `vswin cut`
_HINT = (
    "give a CSV with the columns path,label or path,start,end,label, a folder with one folder per "
    "class, ActivityNet JSON, or timelines of `vswin tag -f json`"
)


def read_examples(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    root: str | os.PathLike[str] | None = None,
) -> ExampleSet:
    """Read the examples of files and folders.

    Args:
        paths: tables, ActivityNet JSON, timelines, or folders with one folder per class; one or
            several.
        root: folder that all videos are in, to which paths are relative; by default the folder of
            each file.

    Raises:
        SourceNotFoundError: a path is not there, or not one video of it is.
        SourceError: another kind of file, or a bad entry (it is named).
    """
    given = [paths] if isinstance(paths, (str, os.PathLike)) else as_several("paths", paths)
    files = [as_path(path, "paths") for path in given]
    folder = None if root is None else as_path(root, "root")
    found = merge_sets([_read_one(path, folder) for path in files])
    if not found.examples:
        if found.problems:
            name, problem = found.problems[0]
            raise SourceNotFoundError(
                f"not one of {counted(len(found.problems), 'video')} can be used; {name}: "
                f"{problem}",
                hint="`--root FOLDER` says where the videos are",
            )
        raise SourceError(f"{', '.join(map(str, files))}: no examples", hint=_HINT)
    return found


def background_examples(path: Path) -> ExampleSet:
    """Return the videos below a folder, or one video, as examples of none of the labels.

    Raises:
        SourceError: there is no video.
    """
    sources, problems = find_sources([path], recursive=True)
    if not sources:
        raise next(iter(problems.values()))
    return ExampleSet(
        tuple(Example(source) for source in sources),
        tuple((name, problem.message) for name, problem in problems.items()),
    )


def _read_one(path: Path, root: Path | None) -> ExampleSet:
    if is_folder(path):
        clips, timelines = path / _CLIPS, sorted(path.glob("*.json*"))
        if is_file(clips):
            return _read_file(clips, root)
        if timelines and not _folders_in(path):
            return merge_sets([_read_file(file, root) for file in timelines])
        return _read_folder(path)
    return _read_file(path, root)


@guarded
def _read_file(path: Path, root: Path | None) -> ExampleSet:
    text = read_text(path)
    if not text.lstrip().startswith(("{", "[")):
        return _from_rows(read_table(text, str(path)), path.parent if root is None else root)
    try:
        document = json.loads(text)
    except json.JSONDecodeError:
        document = None  # JSON Lines, or damaged: `parse_timelines` reports where
    if isinstance(document, dict) and isinstance(document.get("database"), dict):
        return _from_activitynet(path, document["database"], path.parent if root is None else root)
    if document is None or (isinstance(document, dict) and "schema" in document):
        timelines = parse_timelines(text, str(path))
        check_one_model(timelines, str(path))
        return _from_timelines(timelines, path.parent, root)
    raise SourceError(f"{path} holds no examples", hint=_HINT)


def _read_folder(folder: Path) -> ExampleSet:
    """Read one folder per class, or folders such as `train` and `val` with one per class each."""
    names = _folders_in(folder)
    parts = {name: _part_or_none(name) for name in names}
    if names and all(parts.values()):
        classes = [(folder / name / label, parts[name]) for name in names
                   for label in _folders_in(folder / name)]  # fmt: skip
    else:
        classes = [(folder / name, None) for name in names]
    examples: list[Example] = []
    problems: dict[str, str] = {}
    for place, part in classes:
        sources, unread = find_sources([place], recursive=True)
        problems |= {name: error.message for name, error in unread.items()}
        examples += [Example(source, (place.name,), part=part) for source in sources]
    if not examples and not problems:
        table = min(folder.glob("*.[ct]sv"), default=None)
        hint = _HINT if table is None else f"give the table {table}, if it lists the videos"
        raise SourceError(f"{folder}: no folder with videos is in it", hint=hint)
    return ExampleSet(tuple(examples), tuple(problems.items()))


def _folders_in(folder: Path) -> list[str]:
    try:
        return sorted(p.name for p in folder.iterdir() if is_folder(p) and p.name[0] != ".")
    except OSError as error:
        raise SourceNotFoundError(
            f"cannot read {folder}: {error.strerror}", hint=reading_hint(error)
        ) from error


def _part_or_none(name: str) -> Part | None:
    try:
        return part_of(name, name)
    except SourceError:
        return None


def _from_rows(rows: Sequence[Row], root: Path) -> ExampleSet:
    """Make examples of a table's rows; rows of the same part of a video are one with all labels."""
    groups: dict[tuple[str, str, Part | None], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.path, row.video, row.part), []).append(row)
    examples, problems, videos = [], {}, []
    for (name, video, part), group in groups.items():
        source = _source_in(root, name, group[0].where)
        if source.path is not None and not is_file(source.path):
            problems[name] = f"no such file ({group[0].where})"
            continue
        identity = _identity(video, root)
        examples += [
            Example(source, labels, start, end, identity, part)
            for start, end, labels in _parts_of(group)
        ]
        if all(row.end_seconds is not None for row in group):
            spans = tuple((row.start_seconds or 0.0, row.end_seconds or 0.0) for row in group)
            videos.append(LabelledVideo(source, spans, part=part))
    return ExampleSet(tuple(examples), tuple(problems.items()), videos=tuple(videos))


def _parts_of(rows: Sequence[Row]) -> Iterator[tuple[float | None, float | None, tuple[str, ...]]]:
    """Yield (start, end, labels) of one video's rows; those without an end reach its end."""
    open_ended: dict[float | None, set[str]] = {}
    for row in rows:
        if row.end_seconds is None:
            open_ended.setdefault(row.start_seconds, set()).add(row.label)
    for start, labels in open_ended.items():
        yield start, None, tuple(sorted(labels))
    intervals = [
        (row.start_seconds or 0.0, row.end_seconds, row.label)
        for row in rows
        if row.end_seconds is not None
    ]
    for span in cut_spans(intervals):
        yield span.start_seconds, span.end_seconds, span.labels


def _source_in(root: Path, name: str, where: str) -> VideoSource:
    """Return the source of a path, which must be below the root unless it is an address.

    Raises:
        SourceError: it is outside.
    """
    if is_remote(name):
        return VideoSource.of(name)
    place = as_local_path(name)
    # Not resolved: a symbolic link below the root may refer to another disk.
    full, base = (os.path.abspath(path) for path in (root / place, root))  # noqa: PTH100
    if not Path(full).is_relative_to(base):
        raise SourceError(
            f"{where}: {name} is outside of the folder {root}",
            hint="`--root FOLDER` names the folder that all videos are in",
        )
    return VideoSource(str(root / place), root / place)


def _identity(video: str, root: Path) -> str:
    """Return the identity of the recording that a clip is from; empty if it is not stated."""
    if not video or is_remote(video):
        return video
    return os.path.abspath(root / as_local_path(video))  # noqa: PTH100


def _from_activitynet(path: Path, database: dict[str, object], root: Path) -> ExampleSet:
    """Read ActivityNet's ground truth; its subsets other than training are held out."""
    subsets: set[str | None] = {
        str(entry["subset"])
        for entry in database.values()
        if isinstance(entry, dict) and entry.get("annotations") and "subset" in entry
    }
    files = {video_id(source.uri): source for source in find_sources([root], recursive=True)[0]}
    sets = [
        _of_annotations(
            read_annotations(path, subset=subset),
            files,
            None if subset is None else part_of(subset, f"{path}"),
        )
        for subset in sorted(subsets, key=str) or [None]
    ]
    return merge_sets(sets)


def _of_annotations(
    annotations: Annotations, files: dict[str, VideoSource], part: Part | None
) -> ExampleSet:
    sets = []
    for video in annotations.videos.values():
        source = files.get(video.id)
        if source is None:
            problem = f"no video of this name is there ({annotations.source})"
            sets.append(ExampleSet((), ((video.id, problem),)))
            continue
        intervals = [(one.start_seconds, one.end_seconds, one.label) for one in video.intervals]
        sets.append(_of_complete(source, intervals, video.gaps, video.duration_seconds, part))
    return merge_sets(sets)


def _from_timelines(timelines: Sequence[Timeline], folder: Path, root: Path | None) -> ExampleSet:
    sets = []
    for timeline in timelines:
        source = _video_of(timeline.video.uri, folder, root)
        if source is None:
            problem = "the video of the timeline is not there"
            sets.append(ExampleSet((), ((timeline.video.uri, problem),)))
            continue
        intervals = [
            (segment.start_seconds, segment.end_seconds, segment.label)
            for segment in timeline.segments
        ]
        gaps = [(gap.start_seconds, gap.end_seconds) for gap in timeline.coverage.gaps]
        sets.append(_of_complete(source, intervals, gaps, timeline.video.duration_seconds, None))
    return merge_sets(sets)


def _of_complete(
    source: VideoSource,
    intervals: Sequence[tuple[float, float, str]],
    gaps: Sequence[tuple[float, float]],
    duration_seconds: float | None,
    part: Part | None,
) -> ExampleSet:
    """Make the examples of a video of which every labelled part is given."""
    examples = tuple(
        Example(source, span.labels, span.start_seconds, span.end_seconds, part=part)
        for span in cut_spans(intervals)
    )
    taken = (*((start, end) for start, end, _ in intervals), *gaps)
    video = LabelledVideo(source, taken, duration_seconds or None, part, is_complete=True)
    return ExampleSet(examples, videos=(video,))


def _video_of(uri: str, folder: Path, root: Path | None) -> VideoSource | None:
    """Find a timeline's video: at its path, in the folder of the timeline, or in the root."""
    if is_remote(uri):
        return VideoSource.of(uri)
    place = as_local_path(uri)
    folders = [Path(), folder] if root is None else [root]
    candidates = [each / name for each in folders for name in (place, place.name)]
    found = next((path for path in candidates if is_file(path)), None)
    return None if found is None else VideoSource(str(found), found)

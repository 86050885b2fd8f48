"""Find saved results: of files, of folders, and of batches by their table, folder or journal."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Literal

from vswin_cli.cli import console
from vswin_cli.errors import SourceError
from vswin_cli.storage.files import is_file, is_folder, is_zip
from vswin_cli.storage.humanize import counted

if TYPE_CHECKING:
    from vswin_cli.batch.journal import Journal
    from vswin_cli.batch.outcome import Outcome
    from vswin_cli.timeline.record import Timeline

__all__ = [
    "MissingResult",
    "SavedResult",
    "batch_results",
    "batch_videos",
    "read_results",
    "read_scores",
    "timeline_files",
    "with_further_scores",
]

_TABLES = (".csv", ".tsv", ".parquet")
_TIMELINES = (".json", ".jsonl", ".npz")
_SHARD = re.compile(r"\.\d+-of-\d+$")
_NO_ENTRY = "its entry in the journal is missing or damaged"


@dataclass(frozen=True, slots=True)
class SavedResult:
    """The result of one video."""

    timeline: Timeline
    scores: Path | None
    """Its score file; `None` if there is none, or none any more."""
    path: Path
    """The file it was read from, or the journal's folder; the paths of videos may be relative to
    the folder that contains it."""
    further_scores: tuple[Path, ...] = ()
    """Score files of further models, see `with_further_scores`."""


@dataclass(frozen=True, slots=True)
class MissingResult:
    """A video of a batch that has no result."""

    uri: str
    status: Literal["failed", "damaged", "waiting"]
    """`damaged` if its entry in the journal is, `waiting` if the batch ended before it."""
    reason: str | None = None


def read_results(path: Path, *, quiet: bool = False) -> list[SavedResult]:
    """Read the results in a file, a folder or a batch, each with its scores if there are any.

    Args:
        path: timelines, scores, a folder of both, or what `batch_results` reads.
        quiet: whether to say nothing of videos that are left out.

    Raises:
        SourceError: nothing is there, or it cannot be read.
    """
    from vswin_cli.timeline.files import read_timelines
    from vswin_cli.timeline.score_files import load_track

    kept = batch_results(path, quiet=quiet)
    if kept is not None:
        return kept
    if is_folder(path):
        found = [one for file in timeline_files(path) for one in read_results(file, quiet=quiet)]
        return _joined(found)
    if is_zip(path):
        track, timeline = load_track(path)
        track.close()
        return [SavedResult(timeline, path, path)]
    return [SavedResult(timeline, None, path) for timeline in read_timelines(path)]


def read_scores(path: Path, *, quiet: bool = False) -> list[SavedResult]:
    """Same as `read_results`, only results with scores; a file must hold scores.

    Raises:
        SourceError: nothing has scores, or it cannot be read.
    """
    from vswin_cli.timeline.score_files import load_track

    if not is_folder(path) and path.suffix.lower() not in _TABLES:
        track, timeline = load_track(path)
        track.close()
        return [SavedResult(timeline, path, path)]
    results = read_results(path, quiet=quiet)
    found = [one for one in results if one.scores is not None]
    if not found:
        raise SourceError(
            f"{path} has no scores",
            hint="they are kept by `vswin batch` without --no-scores, and by --save-scores",
        )
    if len(found) < len(results) and not quiet:
        without = counted(len(results) - len(found), "video")
        console.warn(f"{path}: {without} without scores left out")
    return found


def batch_results(path: Path, *, quiet: bool = False) -> list[SavedResult] | None:
    """Read what a batch kept of its videos, in the order of its table of files.

    Args:
        path: a table of the batch, the folder of its results, or its journal.
        quiet: whether to say nothing of videos that are left out.

    Returns:
        The results; `None` if the path belongs to no batch.

    Raises:
        SourceError: a table without a journal, or a journal without a result.
    """
    videos = batch_videos(path)
    if videos is None:
        return None
    if not quiet:
        _name_missing([one for one in videos if isinstance(one, MissingResult)])
    return [one for one in videos if isinstance(one, SavedResult)]


def batch_videos(path: Path) -> list[SavedResult | MissingResult] | None:
    """Same as `batch_results`, with the videos that have no result.

    Raises:
        SourceError: a table without a journal, or a journal without a result.
    """
    from vswin_cli.batch.journal import Journal

    folders = _journals(path)
    if not folders:
        if path.suffix.lower() in _TABLES and is_file(path):
            raise SourceError(
                f"the journal of {path} is not beside it",
                hint="give the table where `vswin batch` wrote it, of a merged one the table of a "
                "shard, or timelines in JSON",
            )
        return None
    videos = [one for folder in folders for one in _read(Journal(folder))]
    if not any(isinstance(one, SavedResult) for one in videos):
        raise SourceError(
            f"no video in {path} has a result", hint="`vswin batch` makes them; see its files table"
        )
    return videos


def _name_missing(videos: list[MissingResult]) -> None:
    for one in videos:
        if one.status == "damaged":
            console.warn(f"left out: {one.reason}")
    for status, what, why in (
        ("failed", "failed video", "; the table of files says why"),
        ("waiting", "video", ", which the batch has not reached"),
    ):
        if number := sum(one.status == status for one in videos):
            console.note(f"{counted(number, what)} left out{why}")


def timeline_files(folder: Path) -> list[Path]:
    """List the timelines and score files in a folder and its subfolders, by name.

    Raises:
        SourceError: there is none.
    """
    found = sorted(
        file
        for file in folder.rglob("*")
        if file.suffix.lower() in _TIMELINES
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )
    if not found:
        raise SourceError(
            f"no timelines in {folder}",
            hint="give a folder that `vswin batch` or `vswin tag -o FOLDER/` wrote",
        )
    return found


def _joined(found: list[SavedResult]) -> list[SavedResult]:
    """Join a timeline with the scores of the same video, and leave out copies of a result."""
    by_result: dict[tuple[object, ...], SavedResult] = {}
    for one in sorted(found, key=lambda one: one.scores is not None):  # timelines first
        key = _key(one.timeline)
        other = by_result.get(key)
        if other is None:
            by_result[key] = one
        elif other.scores is None and one.scores is not None:
            by_result[key] = replace(other, scores=one.scores)
        elif one.scores is None and _rank(one) > _rank(other):
            by_result[key] = one
    order = {id(one.timeline): i for i, one in enumerate(found)}
    return sorted(by_result.values(), key=lambda one: order[id(one.timeline)])


def _rank(result: SavedResult) -> tuple[int, str]:
    """Return which copy of a result is kept: that with the most models, of these the newest."""
    return len(result.timeline.tracks), result.timeline.created


def with_further_scores(found: Sequence[SavedResult]) -> list[SavedResult]:
    """Join timelines of several models with the scores of each, which are no results of their own.

    Args:
        found: with the scores of the first model, if there are any.
    """
    if not any(one.timeline.tracks for one in found):
        return list(found)
    by_result = {_key(one.timeline): one for one in found}
    for key, one in list(by_result.items()):
        keys = [_key(model) for model in one.timeline.each_model()[1:]]
        own = [by_result.pop(other) for other in keys if other in by_result]
        scores = tuple(other.scores for other in own if other.scores is not None)
        if keys and len(scores) == len(keys):
            by_result[key] = replace(one, further_scores=scores)
    return list(by_result.values())


def _key(timeline: Timeline) -> tuple[object, ...]:
    """Return what the same result of a video has in common, wherever it was read."""
    video, model = timeline.video, timeline.model
    length = round(video.duration_seconds, 3)
    return PurePath(video.uri).name, video.size_bytes, length, model.id, model.weights_sha256


def _journals(path: Path) -> list[Path]:
    if is_folder(path):
        if is_folder(path / "entries"):
            return [path]
        return sorted(one.parent for one in path.glob(".*.vswin/entries"))
    stem = _SHARD.sub("", path.name.removesuffix(path.suffix).removesuffix(".files"))
    folder = path.with_name(f".{stem}.vswin")
    return [folder] if path.suffix and is_file(path) and is_folder(folder / "entries") else []


def _read(journal: Journal) -> Iterator[SavedResult | MissingResult]:
    """Yield the videos of a batch, in the order of its table of files."""
    for one in _current(journal):
        if isinstance(one, MissingResult):
            yield one
        elif one.status == "failed":
            yield MissingResult(one.uri, "failed", one.reason)
        else:
            yield _result(journal, one)


def _result(journal: Journal, outcome: Outcome) -> SavedResult | MissingResult:
    try:
        timeline = journal.timeline(outcome.entry)
    except SourceError as problem:
        return MissingResult(outcome.uri, "damaged", problem.message)
    if timeline is None:
        return MissingResult(outcome.uri, "damaged", f"{outcome.uri}: {_NO_ENTRY}")
    return SavedResult(timeline, journal.scores_of(outcome), journal.folder)


def _current(journal: Journal) -> list[Outcome | MissingResult]:
    """Return the outcomes of the videos in the table of files; of all if there is no table.

    The journal also keeps videos that were moved or are no longer among the inputs.
    """
    from vswin_cli.export.naming import escaped, from_spreadsheet, spreadsheet_text

    dated = [
        (journal.entry_path(entry).stat().st_mtime_ns, outcome)
        for entry in journal.entries()
        if (outcome := journal.outcome(entry)) is not None
    ]
    by_name: dict[str, deque[Outcome]] = {}
    for _, outcome in sorted(dated, key=lambda pair: (-pair[0], pair[1].entry)):
        name = from_spreadsheet(spreadsheet_text(escaped(outcome.uri)))  # as it is read from a row
        by_name.setdefault(name, deque()).append(outcome)
    rows = list(_rows(journal.folder))
    if not rows:
        return [*_without_moved([by_name[name][0] for name in sorted(by_name)])]
    return [by_name[row.uri].popleft() if by_name.get(row.uri) else row for row in rows]


def _without_moved(outcomes: list[Outcome]) -> list[Outcome]:
    """Leave out former places of a video that was moved: its size, time and name are the same."""
    from vswin_cli.storage.files import is_there

    kept: dict[tuple[object, ...], Outcome] = {}
    for one in outcomes:
        key = (one.identity, PurePath(one.uri).name) if one.identity else (one.entry,)
        if key not in kept or is_there(Path(one.uri)):
            kept[key] = one
    return list(kept.values())


def _rows(folder: Path) -> Iterator[MissingResult]:
    """Yield the rows of the tables of files beside a journal, of all its shards.

    They say of a video why the journal has nothing of it, such as of an input that is missing.
    """
    from vswin_cli.batch.outcome import without_name
    from vswin_cli.evaluation.reading import read_text
    from vswin_cli.export.naming import from_spreadsheet
    from vswin_cli.storage.csv_rows import read_rows

    stem = folder.name.removeprefix(".").removesuffix(".vswin")
    whole = folder.with_name(f"{stem}.files.csv")
    others = sorted(folder.parent.glob("*-of-*.files.csv"))
    shards = [one for one in others if _SHARD.sub("", one.name[: -len(".files.csv")]) == stem]
    for table in [whole] if is_file(whole) else shards:
        lines = [cells for _, cells in read_rows(read_text(table), str(table))]
        header, *rows = lines or [[]]
        for cells in rows:
            values = dict(zip(header, cells, strict=False))
            uri, status = from_spreadsheet(cells[0]), values.get("status")
            if status == "pending":
                yield MissingResult(uri, "waiting")
            elif status == "failed":
                yield MissingResult(uri, "failed", without_name(values.get("error", ""), uri))
            else:
                yield MissingResult(uri, "damaged", f"{uri}: {_NO_ENTRY}")

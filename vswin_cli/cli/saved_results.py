"""Find the results that a batch kept: from its table, its folder, or its journal."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vswin_cli.cli import console
from vswin_cli.errors import SourceError
from vswin_cli.storage.files import is_file, is_folder
from vswin_cli.storage.humanize import counted

if TYPE_CHECKING:
    from vswin_cli.batch.journal import Journal
    from vswin_cli.batch.outcome import Outcome
    from vswin_cli.timeline.record import Timeline

__all__ = ["SavedResult", "batch_results", "timeline_files"]

_TABLES = (".csv", ".tsv", ".parquet")
_TIMELINES = (".json", ".jsonl", ".npz")
_SHARD = re.compile(r"\.\d+-of-\d+$")


@dataclass(frozen=True, slots=True)
class SavedResult:
    """A video of a batch, as its journal has it."""

    timeline: Timeline
    scores: Path | None
    """Its score file; `None` if there is none any more."""
    path: Path
    """The journal's folder; the paths of videos may be relative to the one that contains it."""


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
    from vswin_cli.batch.journal import Journal

    folders = _journals(path)
    if not folders:
        if path.suffix.lower() in _TABLES and is_file(path):
            raise SourceError(
                f"the journal of {path} is not beside it",
                hint="give the table where `vswin batch` wrote it, or timelines in JSON",
            )
        return None
    results = [one for folder in folders for one in _read(Journal(folder), quiet=quiet)]
    if not results:
        raise SourceError(
            f"no video in {path} has a result", hint="`vswin batch` makes them; see its files table"
        )
    return results


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


def _journals(path: Path) -> list[Path]:
    if is_folder(path):
        if is_folder(path / "entries"):
            return [path]
        return sorted(one.parent for one in path.glob(".*.vswin/entries"))
    stem = _SHARD.sub("", path.name.removesuffix(path.suffix).removesuffix(".files"))
    folder = path.with_name(f".{stem}.vswin")
    return [folder] if path.suffix and is_file(path) and is_folder(folder / "entries") else []


def _read(journal: Journal, *, quiet: bool) -> Iterator[SavedResult]:
    failed = 0
    for outcome in _current(journal):
        if outcome.status == "failed":
            failed += 1
            continue
        try:
            timeline = journal.timeline(outcome.entry)
        except SourceError as problem:
            console.warn(f"left out: {problem.message}")
            continue
        if timeline is not None:
            yield SavedResult(timeline, _scores(journal, outcome), journal.folder)
    if failed and not quiet:
        console.note(f"{counted(failed, 'failed video')} left out; the table of files says why")


def _current(journal: Journal) -> list[Outcome]:
    """Return the outcomes of the videos in the table of files; of all if there is no table.

    The journal also keeps videos that were moved or are no longer among the inputs.
    """
    from vswin_cli.export.naming import escaped, spreadsheet_text

    dated = [
        (journal.entry_path(entry).stat().st_mtime_ns, outcome)
        for entry in journal.entries()
        if (outcome := journal.outcome(entry)) is not None
    ]
    by_name: dict[str, list[Outcome]] = {}
    for _, outcome in sorted(dated, key=lambda pair: (-pair[0], pair[1].entry)):
        by_name.setdefault(spreadsheet_text(escaped(outcome.uri)), []).append(outcome)
    rows = Counter(_rows(journal.folder))
    if not rows:
        return [by_name[name][0] for name in sorted(by_name)]
    return [one for name, count in rows.items() for one in by_name.get(name, [])[:count]]


def _rows(folder: Path) -> Iterator[str]:
    """Yield the videos of the tables of files beside a journal, of all its shards."""
    from vswin_cli.evaluation.reading import read_text
    from vswin_cli.storage.csv_rows import read_rows

    stem = folder.name.removeprefix(".").removesuffix(".vswin")
    whole = folder.with_name(f"{stem}.files.csv")
    others = sorted(folder.parent.glob("*-of-*.files.csv"))
    shards = [one for one in others if _SHARD.sub("", one.name[: -len(".files.csv")]) == stem]
    for table in [whole] if is_file(whole) else shards:
        for _, cells in list(read_rows(read_text(table), str(table)))[1:]:
            yield cells[0]


def _scores(journal: Journal, outcome: Outcome) -> Path | None:
    """Find the scores in the journal, or where `--save-scores` put them."""
    places = [journal.folder / "scores" / f"{outcome.entry}.npz"]
    if outcome.scores is not None:
        places.insert(0, Path(outcome.scores))
    return next((place for place in places if is_file(place)), None)

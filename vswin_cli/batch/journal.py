"""Keep the results of a batch on disk: one small file per input, each written atomically.

All tables are made from the journal. A run may be killed at any moment; the next one reads the
journal and continues. Its folder, beside the output, holds

    entries/NAME.json   an `Outcome` and, unless it failed, the timeline
    scores/NAME.npz     score tracks, so that new thresholds need no decoding
    parts/              scores of parts of long videos, until all parts are done
    locations.json      folders in which this folder has been, see `resume`
    written.json        which files per video are up to date, see `video_files`
    published.json      which results were uploaded, see `upload`
    *.lock              held by the run that writes here; released when its process ends
"""

from __future__ import annotations

import json
import os
import socket
import stat
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from vswin_cli.batch.inputs import Shard
from vswin_cli.batch.outcome import Outcome
from vswin_cli.errors import OutputError, SourceError
from vswin_cli.storage.files import is_file, replacing_text, writing
from vswin_cli.storage.json_records import JsonValue, fingerprint, from_json, json_text, to_json
from vswin_cli.timeline.record import Timeline

__all__ = ["Journal", "fingerprint", "lock_journal", "unlink_link"]

_SCHEMA = "vswin.batch-entry/1"
_ALL_INPUTS = "run"


@dataclass(frozen=True, slots=True)
class Journal:
    """Entries in a folder. Reading or writing one needs no lock; a run locks the folder."""

    folder: Path

    def create(self) -> None:
        """Create the folders.

        Raises:
            OutputError: they cannot be created.
        """
        with writing(f"{self.folder}"):
            for name in ("entries", "scores", "parts"):
                (self.folder / name).mkdir(parents=True, exist_ok=True)

    def entries(self) -> Iterator[str]:
        """Iterate over the names of all entries, in no order."""
        with suppress(OSError):
            for path in (self.folder / "entries").iterdir():
                # A name with a dot in front is a file that is being written.
                if path.suffix == ".json" and not path.name.startswith("."):
                    yield path.stem

    def entry_path(self, entry: str) -> Path:
        """Return the path of an entry."""
        return self.folder / "entries" / f"{entry}.json"

    def part_path(
        self, entry: str, identity: str | None, scoring: str, start_seconds: float, count: int
    ) -> Path:
        """Return the path of the scores of a part of a video.

        The name holds the state of the file and the options, so that parts of an earlier run
        are used only if both are unchanged.
        """
        origin = fingerprint(scoring, identity)
        return self.folder / "parts" / f"{entry}-{origin}-{count}-{start_seconds:.6f}.npz"

    def scores_of(self, outcome: Outcome) -> Path | None:
        """Find the scores of an outcome: where it names them, or in this folder.

        Returns:
            The file; `None` if there is none, such as after `--no-scores`.
        """
        kept = self.folder / "scores" / f"{outcome.entry}.npz"
        places = [*([Path(outcome.scores)] if outcome.scores else []), kept]
        return next((place for place in places if is_file(place)), None)

    def record(self, outcome: Outcome, timeline: Timeline | None = None) -> None:
        """Write an entry, replacing an earlier one.

        Raises:
            OutputError: the disk is full or read-only; the earlier entry is kept.
        """
        # In one file: a run that is killed leaves both of them or none.
        document = {"schema": _SCHEMA, **to_json(outcome), "timeline": None}
        if timeline is not None:
            document["timeline"] = timeline.to_json()
        path = self.entry_path(outcome.entry)
        _clear_way(path)
        with replacing_text(path) as file:
            file.write(json_text(document) + "\n")

    def outcome(self, entry: str) -> Outcome | None:
        """Return the outcome of an entry; `None` if there is none that can be read."""
        return self._outcome(entry, self._read(entry))

    def result(self, entry: str) -> Outcome | None:
        """Same as `outcome`, but `None` if it lacks the timeline that tables are made from."""
        document = self._read(entry)
        outcome = self._outcome(entry, document)
        if outcome is None or document is None or outcome.status == "failed":
            return outcome
        return outcome if isinstance(document.get("timeline"), dict) else None

    def timeline(self, entry: str) -> Timeline | None:
        """Return the timeline of an entry; `None` if it has none.

        Raises:
            SourceError: it is damaged, or of another version of vswin.
        """
        document = self._read(entry)
        if document is None or document.get("timeline") is None:
            return None
        try:
            return Timeline.from_json(document["timeline"])
        except SourceError as error:
            raise SourceError(
                f"{self.entry_path(entry)}: {error.message}",
                hint="delete that file, and the video will be done again by the same command",
            ) from error

    def remove(self, entry: str) -> None:
        """Remove an entry."""
        with writing(f"{self.folder}"):
            self.entry_path(entry).unlink(missing_ok=True)

    def clear_parts(self, entries: Collection[str] | None = None) -> None:
        """Delete scores of parts, of these entries or of all."""
        for path in (self.folder / "parts").glob("*.npz"):
            if entries is None or path.name.partition("-")[0] in entries:
                with suppress(OSError):
                    path.unlink()

    @staticmethod
    def _outcome(entry: str, document: dict[str, JsonValue] | None) -> Outcome | None:
        if document is None or document.get("schema") != _SCHEMA:
            return None
        try:
            outcome = from_json(Outcome, document)
        except SourceError:
            return None  # damaged or written by another version: the video is done again
        # A renamed entry must not be taken for the result of another input.
        return outcome if outcome.entry == entry else None

    def _read(self, entry: str) -> dict[str, JsonValue] | None:
        path = self.entry_path(entry)
        try:
            if not stat.S_ISREG(path.lstat().st_mode):
                return None  # reading a pipe could take for ever
            document = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return None
        return document if isinstance(document, dict) else None


def unlink_link(path: Path) -> str | None:
    """Remove a symbolic link where a result is to be written; returns what it led to.

    Results are never written through a link, which may lead to a file outside the results.

    Raises:
        OutputError: it cannot be removed.
    """
    if not path.is_symlink():
        return None
    with writing(f"{path}"):
        target = str(path.readlink())
        path.unlink()
    return target


def _clear_way(path: Path) -> None:
    """Rename a link, a pipe or a folder that is at the path of an entry."""
    with writing(f"{path}"), suppress(FileNotFoundError):
        if not stat.S_ISREG(path.lstat().st_mode):
            path.replace(path.with_suffix(".damaged"))


@contextmanager
def lock_journal(journal: Journal, shard: Shard | None = None) -> Iterator[None]:
    """Lock the journal inside the block, and delete temporary files of a killed run.

    A run on all inputs excludes all others; runs on different shards may overlap.

    Raises:
        OutputError: another run holds the lock, or the folder cannot be written.
    """
    journal.create()
    with ExitStack() as stack:
        with writing(f"{journal.folder}"):
            if shard is None:
                # The locks of the shards, too: their runs write entries of the same inputs.
                _acquire(stack, journal, _ALL_INPUTS)
                for other in sorted(journal.folder.glob("shard-*.lock")):
                    _acquire(stack, journal, other.stem)
                _sweep(journal.folder)
            else:
                with ExitStack() as brief:
                    # Only fails while a run on all inputs is active, and keeps it from beginning
                    # until the lock of the shard is visible.
                    _acquire(brief, journal, _ALL_INPUTS)
                    _acquire(stack, journal, f"shard-{shard}")
        yield


def _acquire(stack: ExitStack, journal: Journal, name: str) -> None:
    from filelock import FileLock, Timeout

    # The system holds the lock and frees it when the process ends, however it ends. The owner file
    # is only for the message and may be out of date.
    lock = FileLock(journal.folder / f"{name}.lock")
    owner = journal.folder / f"{name}.owner"
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        with suppress(OSError):
            who = owner.read_text(encoding="utf-8").strip()
            raise _busy(journal, who) from error
        raise _busy(journal, "another process") from error
    stack.callback(lock.release)
    owner.write_text(f"process {os.getpid()} on {socket.gethostname()}\n", encoding="utf-8")


def _busy(journal: Journal, who: str) -> OutputError:
    return OutputError(
        f"another vswin batch ({who}) is writing the same results (see {journal.folder})",
        hint="wait for it to end, choose another --out, or split the work with --shard",
    )


def _sweep(folder: Path) -> None:
    """Delete half-written files of a killed run; call only while no other run can write here."""
    for left in folder.glob("*/.*.tmp"):
        with suppress(OSError):
            left.unlink()

"""What has been done, on disk: one small file per input, each written completely or not at all.

The journal is the truth of a batch; tables are made from it. It can be cut off at any moment and
read by the next run. Its folder, beside the output, holds

    entries/NAME.json   an `Outcome` and, unless it failed, the timeline
    scores/NAME.npz     score tracks, so that other thresholds need no video
    parts/              scores of parts of long videos until all parts are there
    *.lock              held by the run that writes here; locks die with their process
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from vswin_cli.batch.inputs import Shard
from vswin_cli.batch.outcome import Outcome
from vswin_cli.errors import OutputError, SourceError
from vswin_cli.storage.files import replacing_text, writing
from vswin_cli.storage.json_records import JsonValue, from_json, json_text, to_json
from vswin_cli.timeline.record import Timeline

__all__ = ["Journal", "fingerprint", "hold"]

_SCHEMA = "vswin.batch-entry/1"
_FINGERPRINT_DIGITS = 16
_WHOLE = "run"


def fingerprint(*values: JsonValue) -> str:
    """A short name for a combination of settings, the same in every run."""
    text = json_text(values)
    return hashlib.sha256(text.encode()).hexdigest()[:_FINGERPRINT_DIGITS]


@dataclass(frozen=True, slots=True)
class Journal:
    """Entries in a folder. Reading and writing one needs no lock; see `hold` for a run's."""

    folder: Path

    def create(self) -> None:
        """Make the folders.

        Raises:
            OutputError: they cannot be made.
        """
        with writing(f"{self.folder}"):
            for name in ("entries", "scores", "parts"):
                (self.folder / name).mkdir(parents=True, exist_ok=True)

    def entry_path(self, entry: str) -> Path:
        """Where an entry is or will be."""
        return self.folder / "entries" / f"{entry}.json"

    def part_path(
        self, entry: str, identity: str | None, scoring: str, start_seconds: float, count: int
    ) -> Path:
        """Where the scores of a part of a video, as it is now, are or will be."""
        origin = fingerprint(scoring, identity)
        return self.folder / "parts" / f"{entry}-{origin}-{count}-{start_seconds:.6f}.npz"

    def record(self, outcome: Outcome, timeline: Timeline | None = None) -> None:
        """Write an entry, replacing the one before.

        Raises:
            OutputError: the disk is full or read-only; the entry before is still there.
        """
        document = {"schema": _SCHEMA, **to_json(outcome), "timeline": None}
        if timeline is not None:
            document["timeline"] = timeline.to_json()
        with replacing_text(self.entry_path(outcome.entry)) as file:
            file.write(json_text(document) + "\n")

    def recall(self, entry: str) -> Outcome | None:
        """The outcome of an entry, if there is one that can be read."""
        document = self._read(entry)
        return None if document is None else _outcome(document)

    def timeline(self, entry: str) -> Timeline | None:
        """The timeline of an entry, if it has one.

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
                hint="remove that file, and the video will be done again",
            ) from error

    def forget(self, entry: str) -> None:
        """Remove an entry."""
        with writing(f"{self.folder}"):
            self.entry_path(entry).unlink(missing_ok=True)

    def clear_parts(self, entries: Collection[str] | None = None) -> None:
        """Drop scores of parts, of these entries or of all."""
        for path in (self.folder / "parts").glob("*.npz"):
            if entries is None or path.name.partition("-")[0] in entries:
                with suppress(OSError):
                    path.unlink()

    def _read(self, entry: str) -> dict[str, JsonValue] | None:
        try:
            document = json.loads(self.entry_path(entry).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return document if isinstance(document, dict) else None


def _outcome(document: dict[str, JsonValue]) -> Outcome | None:
    if document.get("schema") != _SCHEMA:
        return None
    try:
        return from_json(Outcome, document)
    except SourceError:
        return None  # damaged or of another version: as if it were not there


@contextmanager
def hold(journal: Journal, shard: Shard | None = None) -> Iterator[None]:
    """Keep other runs off for as long as the block lasts, and clear what a killed run left.

    A run on everything excludes all others; runs on different shards go together.

    Raises:
        OutputError: another run is at work, or the folder cannot be written.
    """
    journal.create()
    with ExitStack() as stack:
        with writing(f"{journal.folder}"):
            if shard is None:
                _take(stack, journal, _WHOLE)
                for other in sorted(journal.folder.glob("shard-*.lock")):
                    _take(stack, journal, other.stem)
                _sweep(journal.folder)
            else:
                with ExitStack() as brief:
                    _take(brief, journal, _WHOLE)
                    _take(stack, journal, f"shard-{shard}")
        yield


def _take(stack: ExitStack, journal: Journal, name: str) -> None:
    from filelock import FileLock, Timeout

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
        hint="wait for it to end, choose another --out, or divide the work with --shard",
    )


def _sweep(folder: Path) -> None:
    """Remove half-written files of a run that was killed; nobody else is writing here now."""
    for left in folder.glob("*/.*.tmp"):
        with suppress(OSError):
            left.unlink()

"""Outcomes of a test on disk, so that a run that was killed goes on where it was.

One file per test, that is per weights, protocol, precision and version of vswin: a head that says
which, then a line per video, written when the video is done. A video is known by its place, its
size and date, and its right class, so a changed list costs only what is new in it. A video that
failed has no line: the network may have been down, so the next run tries it again. A line that a
killed run left unfinished is dropped.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from vswin_cli._version import __version__
from vswin_cli.errors import OutputError, SourceError
from vswin_cli.evaluation.protocols import Protocol
from vswin_cli.evaluation.topk import Outcome
from vswin_cli.evaluation.video_list import LabelledVideo
from vswin_cli.models.architecture import Activation, InputSpec
from vswin_cli.storage.files import writing
from vswin_cli.storage.json_records import JsonValue, from_json, json_text, to_json
from vswin_cli.storage.user_config import cache_folder

__all__ = ["Ledger", "TopkTest", "open_ledger", "resumed"]

_SCHEMA = "vswin.topk-ledger/1"
_DIGEST_DIGITS = 16
_ELSEWHERE = "VSWIN_CACHE names another folder for what is kept between runs"


@dataclass(frozen=True, slots=True)
class TopkTest:
    """All that decides a video's outcome, apart from the video."""

    weights_sha256: str
    protocol: Protocol
    input: InputSpec
    activation: Activation
    precision: str
    """Arithmetic of the network."""
    version: str = __version__

    @property
    def path(self) -> Path:
        """Where its outcomes are kept."""
        digest = hashlib.sha256(json_text(to_json(self)).encode()).hexdigest()
        name = f"{self.protocol.name}-{digest[:_DIGEST_DIGITS]}.jsonl"
        return cache_folder() / "evaluations" / name


@dataclass(slots=True, eq=False)
class Ledger:
    """What is known so far; see `open_ledger`."""

    path: Path
    file: IO[bytes]
    """Open for writing at its end."""
    known: dict[str, Outcome] = field(default_factory=dict)
    """By `_key` of the video."""

    def recall(self, video: LabelledVideo) -> Outcome | None:
        """The outcome of a video that is done and has not changed since."""
        found = self.known.get(_key(video))
        return None if found is None else replace(found, uri=video.source.uri)

    def record(self, video: LabelledVideo, outcome: Outcome) -> None:
        """Keep an outcome, but no failure; when this returns, a killed process cannot lose it.

        Raises:
            OutputError: the disk is full.
        """
        if outcome.rank is None:
            return
        key = _key(video)
        line = json_text({"key": key, "outcome": to_json(outcome)})
        with writing(f"{self.path}"):
            self.file.write(line.encode() + b"\n")
            self.file.flush()
        self.known[key] = outcome


@contextmanager
def open_ledger(test: TopkTest, *, fresh: bool = False) -> Iterator[Ledger]:
    """The outcomes of a test; nobody else writes them while the block lasts.

    Args:
        test: which.
        fresh: forget what earlier runs did.

    Raises:
        OutputError: another process runs the same test, or the file cannot be written.
    """
    path = test.path
    with _held(path):
        known, whole = ({}, 0) if fresh else _read(path)
        with _opened(path, test, whole) as file:
            yield Ledger(path, file, known)


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Keep other processes off; the lock dies with this one."""
    from filelock import FileLock, Timeout

    lock = FileLock(path.with_suffix(".lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:  # an OSError, too
        raise OutputError(
            f"another process is running the same test (see {path})",
            hint=f"wait for it to end; {_ELSEWHERE}",
        ) from error
    except OSError as error:
        raise OutputError(
            f"cannot keep what is done in {path.parent}: {error.strerror or error}",
            hint=_ELSEWHERE,
        ) from error
    try:
        yield
    finally:
        lock.release()


def _opened(path: Path, test: TopkTest, whole: int) -> IO[bytes]:
    """The file behind its first `whole` bytes, with a head."""
    with writing(f"{path}"):
        file = path.open("ab")
        file.truncate(whole)
        if not whole:
            head = {"schema": _SCHEMA, "test": to_json(test)}
            file.write(json_text(head).encode() + b"\n")
            file.flush()
        return file


def resumed(
    videos: Sequence[LabelledVideo],
    ledger: Ledger,
    evaluate: Callable[[Sequence[LabelledVideo]], Iterator[Outcome]],
) -> Iterator[Outcome]:
    """Outcomes of all videos in order: those that are known, and the rest as they are found.

    Args:
        videos: the list.
        ledger: where outcomes come from and go to.
        evaluate: gives the outcomes of videos, in order.
    """
    recalled = [ledger.recall(video) for video in videos]
    missing = [video for video, old in zip(videos, recalled, strict=True) if old is None]
    found = evaluate(missing)
    for video, old in zip(videos, recalled, strict=True):
        if old is not None:
            yield old
            continue
        outcome = next(found)
        ledger.record(video, outcome)
        yield outcome


def _key(video: LabelledVideo) -> str:
    """Place, size, date and class of a video; another file in its place is another video."""
    path = video.source.path
    place, size, date = video.source.uri, -1, -1
    if path is not None:
        place = os.fsdecode(path.absolute())
        with suppress(OSError):
            status = path.stat()
            size, date = status.st_size, status.st_mtime_ns
    parts = json.dumps([place, size, date, video.class_id])
    return hashlib.sha256(parts.encode()).hexdigest()[: 2 * _DIGEST_DIGITS]


def _read(path: Path) -> tuple[dict[str, Outcome], int]:
    """Outcomes by key, and the length of the file up to the end of its last whole line."""
    try:
        data = path.read_bytes()
    except OSError:
        return {}, 0
    whole = data.rfind(b"\n") + 1
    head, *lines = data[:whole].split(b"\n")
    if _document(head).get("schema") != _SCHEMA:
        return {}, 0
    known = {}
    for line in lines:
        document = _document(line)
        with suppress(SourceError):
            outcome = from_json(Outcome, document.get("outcome"))
            if outcome.rank is not None:
                known[str(document.get("key"))] = outcome
    return known, whole


def _document(line: bytes) -> dict[str, JsonValue]:
    try:
        document = json.loads(line)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}

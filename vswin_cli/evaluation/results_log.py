"""Keep the outcomes of an evaluation on disk, so that an interrupted run resumes.

One file per test, that is per weights, protocol, precision and version of vswin: a header that says
which, then a line per video, written when the video is done. A video is identified by its path, its
size and date, and its true class, so a changed list costs only what is new in it. A video that
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

__all__ = ["ResultsLog", "TopkTest", "open_results_log", "resume"]

_SCHEMA = "vswin.topk-ledger/1"
_DIGEST_DIGITS = 16
_ELSEWHERE = "VSWIN_CACHE names another folder for what is kept between runs"


@dataclass(frozen=True, slots=True)
class TopkTest:
    """Everything but the video that decides its outcome; the log's file is named by its digest."""

    weights_sha256: str
    protocol: Protocol
    input: InputSpec
    activation: Activation
    precision: str
    """Arithmetic of the network."""
    version: str = __version__

    @property
    def path(self) -> Path:
        """Path of its results log."""
        digest = hashlib.sha256(json_text(to_json(self)).encode()).hexdigest()
        name = f"{self.protocol.name}-{digest[:_DIGEST_DIGITS]}.jsonl"
        return cache_folder() / "evaluations" / name


@dataclass(slots=True, eq=False)
class ResultsLog:
    """Outcomes known so far, and the file that new ones go to; see `open_results_log`."""

    path: Path
    file: IO[bytes]
    """Open for writing at its end."""
    known: dict[str, Outcome] = field(default_factory=dict)
    """By `_key` of the video."""

    def find(self, video: LabelledVideo) -> Outcome | None:
        """Return the outcome of a video that is done and has not changed since."""
        found = self.known.get(_key(video))
        return None if found is None else replace(found, uri=video.source.uri)

    def record(self, video: LabelledVideo, outcome: Outcome) -> None:
        """Append an outcome unless it is a failure.

        When this returns, the line is with the system: a killed process cannot lose it.

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
def open_results_log(test: TopkTest, *, fresh: bool = False) -> Iterator[ResultsLog]:
    """Open the results log of a test and lock it while the block lasts.

    Args:
        test: which.
        fresh: discard the outcomes of earlier runs.

    Raises:
        OutputError: another process runs the same test, or the file cannot be written.
    """
    path = test.path
    with _locked(path):
        known, num_whole_bytes = ({}, 0) if fresh else _read(path)
        with _opened(path, test, num_whole_bytes) as file:
            yield ResultsLog(path, file, known)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Lock a log against other processes; the system releases the lock of a killed one."""
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


def _opened(path: Path, test: TopkTest, num_whole_bytes: int) -> IO[bytes]:
    """Open the file for appending after its first `num_whole_bytes` bytes, with a header."""
    with writing(f"{path}"):
        file = path.open("ab")
        file.truncate(num_whole_bytes)
        if not num_whole_bytes:
            head = {"schema": _SCHEMA, "test": to_json(test)}
            file.write(json_text(head).encode() + b"\n")
            file.flush()
        return file


def resume(
    videos: Sequence[LabelledVideo],
    log: ResultsLog,
    evaluate: Callable[[Sequence[LabelledVideo]], Iterator[Outcome]],
) -> Iterator[Outcome]:
    """Yield the outcomes of all videos in order, evaluating only those that are not in the log.

    Args:
        videos: the list.
        log: known outcomes; new ones are appended.
        evaluate: yields the outcomes of the given videos, in order.
    """
    known = [log.find(video) for video in videos]
    missing = [video for video, old in zip(videos, known, strict=True) if old is None]
    found = evaluate(missing)
    for video, old in zip(videos, known, strict=True):
        if old is not None:
            yield old
            continue
        outcome = next(found)
        log.record(video, outcome)
        yield outcome


def _key(video: LabelledVideo) -> str:
    """Digest of a video's path, size, date and class; a replaced file is another video."""
    path = video.source.path
    location, size, date = video.source.place, -1, -1
    if path is not None:
        location = os.fsdecode(path.absolute())
        with suppress(OSError):
            status = path.stat()
            size, date = status.st_size, status.st_mtime_ns
    parts = json.dumps([location, size, date, video.class_id])
    return hashlib.sha256(parts.encode()).hexdigest()[: 2 * _DIGEST_DIGITS]


def _read(path: Path) -> tuple[dict[str, Outcome], int]:
    """Read outcomes by key, and the length of the file up to its last complete line."""
    try:
        data = path.read_bytes()
    except OSError:
        return {}, 0
    num_whole_bytes = data.rfind(b"\n") + 1
    head, *lines = data[:num_whole_bytes].split(b"\n")
    if _document(head).get("schema") != _SCHEMA:
        return {}, 0
    known = {}
    for line in lines:
        document = _document(line)
        with suppress(SourceError):
            outcome = from_json(Outcome, document.get("outcome"))
            if outcome.rank is not None:
                known[str(document.get("key"))] = outcome
    return known, num_whole_bytes


def _document(line: bytes) -> dict[str, JsonValue]:
    try:
        document = json.loads(line)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}

"""Keep the outcomes of an evaluation on disk, so that an interrupted run resumes.

One file per test, that is per weights, protocol, input, activation and precision: a header with
these, then a line per video, written when the video is done. A video is identified by its
path, its size and date, and its true class, so a changed list costs only what is new in it. A video
that failed has no line: the network may have been down, so the next run tries it again. A line that
a killed run left unfinished is dropped.

The version of vswin does not matter: a day of computing is not repeated because of a new help text.
Each line names the version that wrote it, so that a command can report outcomes of others.
Version 0.1.0 made a file for each version; the first run that finds no file of its own takes over
the outcomes of such a file for the same test.
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
from vswin_cli.storage.files import is_file, replacing_binary, writing
from vswin_cli.storage.json_records import JsonValue, from_json, json_text, to_json
from vswin_cli.storage.user_config import cache_folder

__all__ = ["ResultsLog", "TopkTest", "open_results_log", "resume"]

_SCHEMA = "vswin.topk-ledger/1"
_DIGEST_DIGITS = 16
_MOST_HEAD_BYTES = 1 << 20
_ELSEWHERE = "VSWIN_CACHE names another folder for what is kept between runs"


@dataclass(frozen=True, slots=True)
class TopkTest:
    """Settings that the outcome of a video depends on; their digest names the file of the log.

    The version is in the header only.
    """

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
        fields = {name: value for name, value in to_json(self).items() if name != "version"}
        digest = hashlib.sha256(json_text(fields).encode()).hexdigest()
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
    versions: dict[str, str] = field(default_factory=dict)
    """Version of vswin that evaluated each, by the same key."""

    def version_of(self, video: LabelledVideo) -> str | None:
        """Return the version of vswin that evaluated a video; `None` if none has."""
        return self.versions.get(_key(video))

    def find(self, video: LabelledVideo) -> Outcome | None:
        """Return the outcome of a video that is done and has not changed since."""
        found = self.known.get(_key(video))
        return None if found is None else replace(found, uri=video.source.uri)

    def record(self, video: LabelledVideo, outcome: Outcome) -> None:
        """Append an outcome unless it is a failure.

        When this returns, the line is in a file of the system: a killed process does not lose it.

        Raises:
            OutputError: the disk is full.
        """
        if outcome.rank is None:
            return
        key = _key(video)
        with writing(f"{self.path}"):
            self.file.write(_line(key, outcome, __version__))
            self.file.flush()
        self.known[key], self.versions[key] = outcome, __version__


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
        if not (fresh or is_file(path)):
            _take_over(path, test)
        content = _Content() if fresh else _read(path)
        with _opened(path, test, content.num_whole_bytes) as file:
            yield ResultsLog(path, file, content.known, content.versions)


def _take_over(path: Path, test: TopkTest) -> None:
    """Write the log of a test with the outcomes that logs of each version have of it, if any.

    The file appears complete or not at all; those logs stay as they are.
    """
    found = path.parent.glob(f"{test.protocol.name}-*.jsonl")
    old = [
        log
        for log in found
        if (its := _test_of(log)) is not None and replace(its, version=test.version) == test
    ]
    if not old:
        return
    with replacing_binary(path) as file:
        file.write(_head(test))
        for log in sorted(old, key=lambda log: log.stat().st_mtime):  # the latest overrides
            content = _read(log)
            for key, outcome in content.known.items():
                file.write(_line(key, outcome, content.versions[key]))


def _test_of(path: Path) -> TopkTest | None:
    """Read the test in a log's header; what a later version added to it has its default."""
    with suppress(OSError, SourceError), path.open("rb") as file:
        header = _document(file.readline(_MOST_HEAD_BYTES))
        return from_json(TopkTest, header.get("test"))
    return None


def _head(test: TopkTest) -> bytes:
    return json_text({"schema": _SCHEMA, "test": to_json(test)}).encode() + b"\n"


def _line(key: str, outcome: Outcome, version: str) -> bytes:
    document = {"key": key, "outcome": to_json(outcome), "version": version}
    return json_text(document).encode() + b"\n"


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
            f"cannot keep what is done in {path.parent}: {error.strerror or error}", hint=_ELSEWHERE
        ) from error
    try:
        yield
    finally:
        lock.release()


def _opened(path: Path, test: TopkTest, num_whole_bytes: int) -> IO[bytes]:
    """Open the file for appending after its first `num_whole_bytes` bytes, with a header."""
    with writing(f"{path}"):
        # Cuts an unfinished last line of a killed run, or everything after --fresh.
        file = path.open("ab")
        file.truncate(num_whole_bytes)
        if not num_whole_bytes:
            file.write(_head(test))
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
    """Return a digest of path, size, date and class of a video; a replaced file has another one."""
    path = video.source.path
    location, size, date = video.source.place, -1, -1
    if path is not None:
        location = os.fsdecode(path.absolute())
        with suppress(OSError, ValueError):  # a null byte in the list
            status = path.stat()
            size, date = status.st_size, status.st_mtime_ns
    # The class, too: an outcome holds its rank.
    parts = json.dumps([location, size, date, video.class_id])
    return hashlib.sha256(parts.encode()).hexdigest()[: 2 * _DIGEST_DIGITS]


@dataclass(slots=True)
class _Content:
    """What a log holds."""

    known: dict[str, Outcome] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    num_whole_bytes: int = 0
    """Length of the file up to its last complete line; 0 if it is not a log."""


def _read(path: Path) -> _Content:
    """Read a log; what is not in it counts as not done."""
    try:
        data = path.read_bytes()
    except OSError:
        return _Content()
    num_whole_bytes = data.rfind(b"\n") + 1
    head, *lines = data[:num_whole_bytes].split(b"\n")
    header = _document(head)
    if header.get("schema") != _SCHEMA:
        return _Content()
    content = _Content(num_whole_bytes=num_whole_bytes)
    test = header.get("test")
    version = test.get("version") if isinstance(test, dict) else None
    for line in lines:
        document = _document(line)
        with suppress(SourceError):
            outcome = from_json(Outcome, document.get("outcome"))
            if outcome.rank is not None:
                key = str(document.get("key"))
                content.known[key] = outcome
                # Lines of 0.1.0 have no version of their own.
                content.versions[key] = str(document.get("version", version))
    return content


def _document(line: bytes) -> dict[str, JsonValue]:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}

"""Turn the arguments of `vswin batch` into a list of inputs, one per row of the results.

No argument is dropped silently: one that matches nothing becomes a failed input.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from vswin_cli.errors import OptionError, SourceError, SourceNotFoundError
from vswin_cli.storage.files import reading_hint
from vswin_cli.storage.plain_text import text_sha256
from vswin_cli.storage.remote import look_at, without_query
from vswin_cli.storage.sources import VideoSource, find_sources

__all__ = ["BatchInput", "Shard", "collect_inputs", "entry_name", "query_addresses"]

_ENTRY_DIGITS = 24
_UNKNOWN = "address"  # identity of a remote file whose server states neither size nor time
_REQUESTS_AT_A_TIME = 16


def entry_name(place: str) -> str:
    """Return the name in the journal for the file at a full path, or at an address."""
    return text_sha256(place)[:_ENTRY_DIGITS]


@dataclass(frozen=True, slots=True)
class BatchInput:
    """One video to be tagged, or an argument that names none."""

    source: VideoSource
    identity: str | None
    """Changes when the file does; `None` if there is no such file."""
    size_bytes: int = 0
    """0 if it is not known."""
    problem: OptionError | SourceError | None = None
    """Why it cannot be tagged."""

    @property
    def entry(self) -> str:
        """Name of this input in the journal: a hash of its path or address."""
        return entry_name(self.place)

    def is_as_before(self, identity: str | None) -> bool:
        """Return whether a result for this identity is still valid, as far as can be known."""
        return self.identity in (identity, _UNKNOWN)

    @property
    def place(self) -> str:
        """Full path or address."""
        return self.source.place


@dataclass(frozen=True, slots=True)
class Shard:
    """The `number`-th of `count` parts of equal size of the inputs, counted from 1."""

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise OptionError(
                f"there is no shard {self.number} of {self.count}",
                hint="shards are numbered from 1: --shard 1/16 to --shard 16/16",
            )

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read `3/16`.

        Raises:
            OptionError: the text is not of this form.
        """
        number, _, count = text.partition("/")
        if not (number.isdecimal() and count.isdecimal()):
            raise OptionError(f"cannot read the shard {text!r}", hint="write it as 3/16")
        return cls(int(number), int(count))

    def of(self, inputs: Sequence[BatchInput]) -> list[BatchInput]:
        """Select every `count`-th input: neighbours are often alike in length."""
        return list(inputs[self.number - 1 :: self.count])

    def __str__(self) -> str:
        return f"{self.number}-of-{self.count}"


def collect_inputs(
    arguments: Iterable[str],
    *,
    files: Sequence[str] = (),
    skip_files: Sequence[str] = (),
    standard_input: Iterable[str] = (),
) -> list[BatchInput]:
    """Find all videos that the arguments name.

    Args:
        arguments: paths, folders (searched recursively), patterns, addresses, `@FILE` for a
            list with one argument per line, `-` for the same from stdin.
        files: keep only what matches one of these patterns; those without a slash match names.
        skip_files: drop what matches one of these.
        standard_input: the lines for `-`.

    Returns:
        Inputs in the order of the arguments, folders sorted by name; the same path only once.

    Raises:
        SourceNotFoundError: a list cannot be read.
        OptionError, SourceError: no argument names anything; the problem of the first one.
    """
    found: dict[str, BatchInput] = {}
    for argument in _arguments(arguments, standard_input):
        for item in _expand(argument):
            if _matches(item, files, skip_files):
                found.setdefault(item.place, item)
    return _raise_if_all_failed(list(found.values()))


def _raise_if_all_failed(inputs: list[BatchInput]) -> list[BatchInput]:
    problems = [item.problem for item in inputs if item.problem is not None]
    # Probably a misspelt command: it must not replace the results of an earlier one.
    if problems and len(problems) == len(inputs):
        raise problems[0]
    return inputs


def query_addresses(inputs: Sequence[BatchInput]) -> list[BatchInput]:
    """Query the servers for size and time of remote inputs, several at a time.

    If a server states neither, any earlier result for its file counts.

    Raises:
        OptionError: there are only addresses, none with a protocol that is supported.
    """
    with ThreadPoolExecutor(_REQUESTS_AT_A_TIME) as pool:
        return _raise_if_all_failed(list(pool.map(_query_address, inputs)))


def _query_address(item: BatchInput) -> BatchInput:
    if item.source.path is not None or item.problem is not None:
        return item
    try:
        state = look_at(item.place)
    except OptionError as problem:
        return replace(item, identity=None, problem=problem)
    return replace(item, identity=state.version or _UNKNOWN, size_bytes=state.size_bytes or 0)


def _arguments(arguments: Iterable[str], standard_input: Iterable[str]) -> Iterator[str]:
    for argument in arguments:
        if argument == "-":
            yield from _lines(standard_input)
        elif argument.startswith("@"):
            yield from _lines(_read_list(Path(argument[1:])))
        else:
            yield argument


def _lines(lines: Iterable[str]) -> Iterator[str]:
    """Split lines into arguments; empty lines and comments are skipped."""
    for line in lines:
        for part in line.rstrip("\r\n").split("\0"):  # `find -print0` writes no line ends
            if part.strip() and not part.startswith("#"):
                yield part


def _read_list(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig", errors="surrogateescape")
    except OSError as error:
        raise SourceNotFoundError(
            f"cannot read the list {path}: {error.strerror}",
            hint="@FILE reads a text file with one video per line",
        ) from error
    return text.split("\n")


def _expand(argument: str) -> list[BatchInput]:
    problems: dict[str, OptionError | SourceError] = {}
    found: list[VideoSource] = []
    try:
        found, missing = find_sources([argument], recursive=True)
        problems |= missing
    except OptionError as problem:
        problems[argument] = problem
    wrong = [
        BatchInput(VideoSource.of(name), None, problem=problem)
        for name, problem in problems.items()
    ]
    return [*(_read_status(source) for source in found), *wrong]


def _read_status(source: VideoSource) -> BatchInput:
    if source.path is None:
        return BatchInput(source, _UNKNOWN)
    try:
        status = source.path.stat()
    except OSError as error:
        problem = SourceNotFoundError(
            f"cannot read {source.uri}: {error.strerror}", hint=reading_hint(error)
        )
        return BatchInput(source, None, problem=problem)
    return BatchInput(source, f"{status.st_size}:{status.st_mtime_ns}", status.st_size)


def _matches(item: BatchInput, files: Sequence[str], skip_files: Sequence[str]) -> bool:
    # --files keeps failed arguments: their errors must be shown.
    path = PurePosixPath(without_query(item.source.uri).replace("\\", "/"))
    if files and item.problem is None and not any(path.match(pattern) for pattern in files):
        return False
    return not any(path.match(pattern) for pattern in skip_files)

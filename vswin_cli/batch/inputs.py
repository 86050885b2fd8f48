"""What the user named, as a list of inputs that each become one row.

Nothing named is dropped without a word: an argument that leads nowhere becomes an input that has
failed already.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from vswin_cli.errors import OptionError, SourceError, SourceNotFoundError
from vswin_cli.storage.files import reading_hint
from vswin_cli.storage.remote import look_at, without_query
from vswin_cli.storage.sources import VideoSource, find_sources

__all__ = ["BatchInput", "Shard", "collect_inputs", "look_at_addresses"]

_ENTRY_DIGITS = 24
_UNKNOWN = "address"  # the identity of what cannot be looked at before it is fetched
_REQUESTS_AT_A_TIME = 16


@dataclass(frozen=True, slots=True)
class BatchInput:
    """One video to be tagged, or an argument that names none."""

    source: VideoSource
    identity: str | None
    """Changes when the file does; `None` if there is no such file."""
    size_bytes: int = 0
    """0 if it is not known."""
    problem: OptionError | SourceError | None = None
    """Why nothing can be done."""

    @property
    def entry(self) -> str:
        """Name of this input in the journal: the same whenever it is the same place."""
        return hashlib.sha256(self.place.encode("utf-8", "surrogateescape")).hexdigest()[
            :_ENTRY_DIGITS
        ]

    def is_as_before(self, identity: str | None) -> bool:
        """Whether a result for this identity still holds, as far as can be seen from here."""
        return self.identity in (identity, _UNKNOWN)

    @property
    def place(self) -> str:
        """Full path or address."""
        return self.source.place


@dataclass(frozen=True, slots=True)
class Shard:
    """The `number`-th of `count` equal parts of a list, counted from 1."""

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise OptionError(
                f"no part {self.number} of {self.count}",
                hint="parts count from 1: --shard 1/16 to --shard 16/16",
            )

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read `3/16`.

        Raises:
            OptionError: the text is not a part of a whole.
        """
        number, _, count = text.partition("/")
        if not (number.isdecimal() and count.isdecimal()):
            raise OptionError(f"cannot read the shard {text!r}", hint="write it as 3/16")
        return cls(int(number), int(count))

    def of(self, inputs: Sequence[BatchInput]) -> list[BatchInput]:
        """Every `count`-th input, so that neighbours, often alike in length, part ways."""
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
    """Find all videos that arguments name.

    Args:
        arguments: paths, folders (with all folders in them), patterns, addresses, `@FILE` for a
            list with one argument per line, `-` for the same from standard input.
        files: keep only what fits one of these patterns; without a slash they are about names.
        skip_files: drop what fits one of these.
        standard_input: the lines for `-`.

    Returns:
        Each input once, in the order of the arguments, folders sorted by name.

    Raises:
        SourceNotFoundError: a list cannot be read.
        OptionError, SourceError: not one argument leads anywhere; what is wrong with the first.
    """
    found: dict[str, BatchInput] = {}
    for argument in _arguments(arguments, standard_input):
        for one in _expand(argument):
            if _is_wanted(one, files, skip_files):
                found.setdefault(one.place, one)
    return _some_without_problem(list(found.values()))


def _some_without_problem(inputs: list[BatchInput]) -> list[BatchInput]:
    problems = [one.problem for one in inputs if one.problem is not None]
    if problems and len(problems) == len(inputs):  # misspelt: an earlier table must not pay for it
        raise problems[0]
    return inputs


def look_at_addresses(inputs: Sequence[BatchInput]) -> list[BatchInput]:
    """Learn from their servers what remote inputs are now, many at a time.

    An input whose server does not tell keeps an identity that every earlier result fits.

    Raises:
        OptionError: the protocol of not one address is supported, and there is nothing else.
    """
    with ThreadPoolExecutor(_REQUESTS_AT_A_TIME) as pool:
        return _some_without_problem(list(pool.map(_look_at_address, inputs)))


def _look_at_address(one: BatchInput) -> BatchInput:
    if one.source.path is not None or one.problem is not None:
        return one
    try:
        state = look_at(one.source.uri)
    except OptionError as problem:
        return replace(one, identity=None, problem=problem)
    return replace(one, identity=state.version or _UNKNOWN, size_bytes=state.size_bytes or 0)


def _arguments(arguments: Iterable[str], standard_input: Iterable[str]) -> Iterator[str]:
    for argument in arguments:
        if argument == "-":
            yield from _lines(standard_input)
        elif argument.startswith("@"):
            yield from _lines(_read_list(Path(argument[1:])))
        else:
            yield argument


def _lines(lines: Iterable[str]) -> Iterator[str]:
    """Arguments one per line; empty lines and comments are passed over."""
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
            hint="@FILE names a text file with one video per line",
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
    wrong = [BatchInput(VideoSource.of(name), None, problem=one) for name, one in problems.items()]
    return [*(_look_at(source) for source in found), *wrong]


def _look_at(source: VideoSource) -> BatchInput:
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


def _is_wanted(one: BatchInput, files: Sequence[str], skip_files: Sequence[str]) -> bool:
    path = PurePosixPath(without_query(one.source.uri).replace("\\", "/"))
    if files and one.problem is None and not any(path.match(pattern) for pattern in files):
        return False
    return not any(path.match(pattern) for pattern in skip_files)

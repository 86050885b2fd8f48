"""Read timelines from JSON and JSON Lines files, and the published schema."""

from __future__ import annotations

import json
import os
import reprlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from vswin_cli.errors import OptionError, SourceError, SourceNotFoundError
from vswin_cli.quantities import as_several, wrong_type
from vswin_cli.storage.files import as_path, is_folder, reading_hint
from vswin_cli.storage.json_records import UNREADABLE, JsonValue
from vswin_cli.timeline.record import Timeline

__all__ = [
    "as_timelines",
    "check_one_model",
    "decode_timelines",
    "load_timelines",
    "parse_timelines",
    "read_timelines",
    "schema_text",
]

_SCHEMAS = ("timeline", "live-segment")
_HINT = (
    "give a file written by `vswin tag VIDEO -f json -o FILE`; "
    "`vswin export results.csv -o all.jsonl` makes one of a finished batch"
)


def load_timelines(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
) -> list[Timeline]:
    """Load the timelines of JSON and JSON Lines files, such as `vswin tag -o FILE.json` writes.

    Args:
        paths: one file or several, or a folder of `.json` files.

    Raises:
        SourceNotFoundError: no such file, or not readable.
        SourceError: not JSON, or not a timeline; the line and field are named.
    """
    given = [paths] if isinstance(paths, (str, os.PathLike)) else as_several("paths", paths)
    files = [file for path in given for file in _files_of(as_path(path, "paths"))]
    return [timeline for file in files for timeline in read_timelines(file)]


def check_one_model(timelines: Iterable[Timeline], place: str) -> None:
    """Check that timelines are of one model each, where the labels of several would be mixed.

    Args:
        timelines: to be used.
        place: where they come from, for the message.

    Raises:
        SourceError: one has results of several models.
    """
    for one in timelines:
        if one.tracks:
            names = [model.model.id for model in one.each_model()]
            raise SourceError(
                f"{place} has results of {len(names)} models: {', '.join(names)}",
                hint=f"`vswin export FILE --model {names[0]} -o one.json` writes those of one; "
                "in Python, `timeline.of_model(NAME)`",
            )


def as_timelines(values: object, name: str = "timelines") -> tuple[Timeline, ...]:
    """Return the timelines that a caller gave: one or several.

    Args:
        values: of the argument.
        name: of the argument, for the message.

    Raises:
        OptionError: something else is among them.
    """
    several = (values,) if isinstance(values, Timeline) else as_several(name, values)
    for one in several:
        if not isinstance(one, Timeline):
            raise wrong_type(name, "Timelines", one)
    return several


def _files_of(path: Path) -> list[Path]:
    """Return the path, or the JSON files in a folder, sorted."""
    if not is_folder(path):
        return [path]
    found = sorted(file for file in path.iterdir() if file.suffix in (".json", ".jsonl"))
    if not found:
        raise SourceError(f"no .json or .jsonl file in {path}", hint=_HINT)
    return found


def read_timelines(path: Path) -> list[Timeline]:
    """Read all timelines of a JSON or JSON Lines file.

    Raises:
        SourceNotFoundError: no such file, or not readable.
        SourceError: not JSON, or not a timeline; the line and field are named.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceNotFoundError(
            f"cannot read {path}: {error.strerror}", hint=reading_hint(error)
        ) from error
    return decode_timelines(data, str(path))


def decode_timelines(data: bytes, name: str) -> list[Timeline]:
    """Parse timelines from bytes; `name` is used in errors.

    Raises:
        SourceError: not JSON in UTF-8, or not a timeline; the line and field are named.
    """
    if data.startswith(b"PK") and b"meta.json" in data:
        raise SourceError(
            f"{name} holds scores, not a timeline",
            hint=f"`vswin segment {name}` makes a timeline of it",
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{name} is not a timeline: not UTF-8 text",
            hint=f"{_HINT}; `vswin segment` and `vswin report` read what --save-scores keeps",
        ) from error
    return parse_timelines(text, name)


def parse_timelines(text: str, name: str) -> list[Timeline]:
    """Parse timelines from text; `name` is used in errors.

    Raises:
        SourceError: not JSON, or not a timeline; the line and field are named.
    """
    try:
        with _refusing(name):
            documents: Sequence[tuple[str, JsonValue]] = [(name, json.loads(text))]
    except json.JSONDecodeError as whole:
        with _refusing(name):
            documents = _by_line(text, name, whole.lineno)
    timelines = []
    for place, document in documents:
        with _refusing(place):
            try:
                timelines.append(Timeline.from_json(document))
            except SourceError as error:
                raise SourceError(f"{place}: {error.message}", hint=error.hint or _HINT) from error
    return timelines


@contextmanager
def _refusing(place: str) -> Iterator[None]:
    """Convert any exception of a parser on hostile data to the documented error."""
    try:
        yield
    except json.JSONDecodeError:
        raise  # the text may still be JSON Lines
    except UNREADABLE as error:
        reason = f"{type(error).__name__}: {reprlib.repr(str(error))}"
        raise SourceError(f"{place} is not a timeline: {reason}", hint=_HINT) from error


def _by_line(text: str, name: str, broken: int) -> list[tuple[str, JsonValue]]:
    """Parse each line as a document; return (place, content) pairs.

    Args:
        text: JSON Lines; empty lines are ignored.
        name: for errors.
        broken: line at which the text fails to parse as a single document.

    Raises:
        SourceError: a line is not JSON.
    """
    documents: list[tuple[str, JsonValue]] = []
    wrong: list[int] = []
    for number, line in enumerate(text.split("\n"), 1):  # splitlines() also ends at U+2028
        if line.strip():
            try:
                documents.append((f"{name}, line {number}", json.loads(line)))
            except json.JSONDecodeError:
                wrong.append(number)
    if wrong or not documents:
        # Some line is an object: the file is JSON Lines and the line itself is wrong. Otherwise it
        # is one indented document, whose error lies where the parser of the whole text stopped.
        are_lines = any(isinstance(document, dict) for _, document in documents)
        line_number = wrong[0] if are_lines else broken
        raise SourceError(f"{name} is not a timeline: not JSON at line {line_number}", hint=_HINT)
    return documents


def schema_text(name: str = "timeline") -> str:
    """Return a published JSON Schema: `timeline` or `live-segment`.

    Raises:
        OptionError: there is none of this name.
    """
    if name not in _SCHEMAS:
        raise OptionError(f"no schema `{name}`", hint=f"there are {' and '.join(_SCHEMAS)}")
    return files("vswin_cli").joinpath(f"data/{name}.schema.json").read_text(encoding="utf-8")

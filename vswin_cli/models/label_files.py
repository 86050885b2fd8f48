"""Parse label files: names in index order from text, CSV and JSON in their common forms.

Where lines have an index, names are sorted by it. A list with indices in only some of its lines is
rejected, naming the first line without one: indices taken for part of the names would give wrong
labels with high scores.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vswin_cli.errors import LabelsError
from vswin_cli.storage.csv_rows import read_rows
from vswin_cli.storage.humanize import counted

__all__ = ["FORMATS_HINT", "names_in_json", "parse_csv", "parse_json", "parse_text"]

FORMATS_HINT = (
    "give one label per line (.txt), columns `id,name` (.csv), or a list or an id-to-name "
    "object (.json)"
)
_INDEX_COLUMNS = ("id", "index", "class_id", "class_index", "class_idx", "label_id", "idx")
_NAME_COLUMNS = (
    "name", "text", "label_name", "class_name", "display_name", "label", "class", "category",
    "action", "description",
)  # fmt: skip
_BEFORE = re.compile(r"""["']?(\d+)["']?\s*(?:[\t,;:=|]|[.)]\s|\s-\s|\s)\s*(\S.*)""")
# A blank does not separate an index after the name: "camera 1", "camera 2" are names.
_BEHIND = re.compile(r"""(.*\S)\s*[\t,;:=|]\s*["']?(\d+)["']?""")
_NO_INDEX = r"""["']?([+-]\d+(?:\.\d*)?|[+-]?\d*\.\d+)["']?"""  # negative, or a fraction
_NO_INDEX_BEFORE = re.compile(rf"{_NO_INDEX}(?:\s*[\t,;:=|]|\s)\s*\S.*")
_NO_INDEX_BEHIND = re.compile(rf".*\S\s*[\t,;:=|]\s*{_NO_INDEX}")
_ONLY_INDEX = re.compile(r"""["']?\d+["']?\s*[\t,;:=|]?""")
_DELIMITERS = (";", "\t", "|")
_ENDS = (",", ";")  # of a line of text whose last column is empty


@dataclass(frozen=True, slots=True)
class _Entry:
    """An index and a name, and their line in the file."""

    index: int
    name: str
    line: int | None = None


def parse_text(text: str, source: str) -> tuple[str, ...]:
    """Read one label per line, with or without its index.

    Raises:
        LabelsError: some lines have an index and some have none, indices have gaps, are negative or
            fractions, or a line ends with a comma.
    """
    lines = [line.strip() for line in text.split("\n")]  # splitlines() has eight more line ends
    while lines and not lines[-1]:
        lines.pop()
    _check_ends(lines, source)
    for pattern, index_group, no_index in (
        (_BEFORE, 1, _NO_INDEX_BEFORE),
        (_BEHIND, 2, _NO_INDEX_BEHIND),
    ):
        entries = [
            _Entry(int(match[index_group]), _unquoted(match[3 - index_group]), number)
            for number, match in _numbered(pattern, lines)
        ]
        wrong = {number: match[1] for number, match in _numbered(no_index, lines)}
        if _are_indexed(lines, len(entries) + len(wrong)):
            for number, index in wrong.items():
                raise LabelsError(
                    f"{source}, line {number}: {index} is not a class index",
                    hint="indices are whole numbers from 0 or from 1",
                )
            _check_all_indexed(lines, entries, source)
            return _in_order(entries, source)
    return tuple(map(_unquoted, lines))


def _numbered(
    pattern: re.Pattern[str], lines: Sequence[str]
) -> Iterator[tuple[int, re.Match[str]]]:
    """Yield the matching lines with their numbers, counted from 1."""
    for number, line in enumerate(lines, 1):
        if match := pattern.fullmatch(line):
            yield number, match


def _check_ends(lines: Sequence[str], source: str) -> None:
    for number, line in enumerate(lines, 1):
        if line.endswith(_ENDS):
            raise LabelsError(
                f"{source}, line {number}: ends with {line[-1]!r}",
                hint="remove it; a table with several columns needs the ending .csv",
            )


def _are_indexed(lines: Sequence[str], num_numbers: int) -> bool:
    """Return whether the numbers in lines are indices, as in at least two thirds of the lines.

    A header and faulty lines have none. A few names may begin with a number ("2 step dance").
    """
    others = sum(1 for line in lines if line) - num_numbers
    return num_numbers > 0 and num_numbers >= 2 * others


def _check_all_indexed(lines: Sequence[str], entries: Sequence[_Entry], source: str) -> None:
    """Reject lines without an index among those with one; the first line may be a header."""
    indexed = {entry.line for entry in entries}
    for number, line in enumerate(lines, 1):
        is_header = number == 1 and not _ONLY_INDEX.fullmatch(line) and len(entries) > 1
        if line and number not in indexed and not is_header:
            problem = "no label" if _ONLY_INDEX.fullmatch(line) else "no index, unlike other lines"
            raise LabelsError(f"{source}, line {number}: {problem}", hint=FORMATS_HINT)


def parse_csv(text: str, source: str) -> tuple[str, ...]:
    """Read rows with an index and a name, or names alone, with or without a header.

    Raises:
        LabelsError: ambiguous columns, a row is too short, or indices have gaps.
    """
    delimiter = _delimiter(text)
    rows = list(read_rows(text, source, delimiter=delimiter, error=LabelsError))
    header = [cell.casefold() for cell in rows[0][1]] if rows else []
    names = [header.index(name) for name in _NAME_COLUMNS if name in header]
    indices = [header.index(name) for name in _INDEX_COLUMNS if name in header]
    if names or indices:
        rows = rows[1:]
        index_column = indices[0] if indices else _numbered_column(rows, len(header))
        names = [column for column in names if column != index_column]
        rest = [column for column in range(len(header)) if column != index_column]
        if not names and len(rest) != 1:
            raise _which_column(source)
        name_column = names[0] if names else rest[0]
    else:
        index_column, name_column = _columns_without_header(rows, source)
    wanted = max(name_column, index_column or 0) + 1
    for number, row in rows:
        if len(row) < wanted:
            raise LabelsError(
                f"{source}, line {number}: got {counted(len(row), 'column')}, expected {wanted}",
                hint=FORMATS_HINT,
            )
    if index_column is None:
        return tuple(row[name_column] for _, row in rows)
    entries = [
        _Entry(_as_index(row[index_column], source, number), row[name_column], number)
        for number, row in rows
    ]
    return _in_order(entries, source)


def _delimiter(text: str) -> str:
    """Detect the delimiter: a comma, unless the first line has none but another one."""
    first = next((line for line in text.split("\n") if line.strip()), "")
    found = [delimiter for delimiter in _DELIMITERS if delimiter in first]
    return "," if "," in first or not found else found[0]


def _columns_without_header(
    rows: Sequence[tuple[int, list[str]]], source: str
) -> tuple[int | None, int]:
    """Find the column of indices, if there is one, and that of names."""
    if all(len(row) == 1 for _, row in rows):
        return None, 0
    if all(len(row) == 2 for _, row in rows):
        index_column = _numbered_column(rows, 2)
        if index_column is not None:
            return index_column, 1 - index_column
    raise _which_column(source)


def _numbered_column(rows: Sequence[tuple[int, list[str]]], width: int) -> int | None:
    """Find the first column in which all cells are whole numbers."""
    for column in range(width):
        if rows and all(len(row) > column and row[column].isdecimal() for _, row in rows):
            return column
    return None


def _which_column(source: str) -> LabelsError:
    return LabelsError(
        f"{source}: it is unclear which column holds the labels",
        hint="name the columns `id,name` in the first line",
    )


def parse_json(text: str, source: str) -> tuple[str, ...]:
    """Read a list of names, an object, or either under `labels` or `id2label`.

    Raises:
        LabelsError: not JSON, not one of these forms, or indices have gaps.
    """
    try:
        content: object = json.loads(text)
    except json.JSONDecodeError as error:
        raise LabelsError(
            f"{source}: not JSON (line {error.lineno}: {error.msg})", hint=FORMATS_HINT
        ) from error
    if isinstance(content, dict):
        nested = (content.get("labels"), content.get("id2label"))
        content = next((value for value in nested if isinstance(value, (list, dict))), content)
    return names_in_json(content, source)


def names_in_json(content: object, source: str) -> tuple[str, ...]:
    """Read names from parsed JSON: a list, or an id-to-name or name-to-id object.

    Raises:
        LabelsError: neither a list nor an object, or indices have gaps.
    """
    if isinstance(content, list) and all(isinstance(name, str) for name in content):
        return tuple(name.strip() for name in content)
    if isinstance(content, dict):
        return _in_order(_json_entries(content, source), source)
    raise LabelsError(f"{source}: neither a list of labels nor an object", hint=FORMATS_HINT)


def _json_entries(content: dict[str, object], source: str) -> list[_Entry]:
    """Read id-to-name or name-to-id; both exist with numbers as text."""
    if all(key.isdecimal() for key in content):
        if not all(isinstance(value, (str, int, float)) for value in content.values()):
            raise LabelsError(f"{source}: a label is not text", hint=FORMATS_HINT)
        return [_Entry(int(key), str(value).strip()) for key, value in content.items()]
    return [_Entry(_as_index(value, source), key.strip()) for key, value in content.items()]


def _as_index(value: object, source: str, line: int | None = None) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    where = source if line is None else f"{source}, line {line}"
    shown = value if isinstance(value, str) else type(value).__name__
    raise LabelsError(f"{where}: {shown!r} is not a class index", hint=FORMATS_HINT)


def _in_order(entries: Sequence[_Entry], source: str) -> tuple[str, ...]:
    """Sort names by index; every index from 0, or every one from 1, must occur once."""
    ordered = sorted(entries, key=lambda entry: entry.index)
    first = 1 if ordered and ordered[0].index == 1 else 0
    for expected, entry in enumerate(ordered, first):
        if entry.index != expected:
            is_twice = entry.index < expected
            where = source if not is_twice or entry.line is None else f"{source}, line {entry.line}"
            problem = "occurs twice" if is_twice else "is missing"
            raise LabelsError(
                f"{where}: class index {min(entry.index, expected)} {problem}",
                hint="indices must run from 0 or from 1 without gaps",
            )
    return tuple(entry.name for entry in ordered)


def _unquoted(name: str) -> str:
    """Remove quotes that enclose the whole name."""
    name = name.strip()
    is_quoted = len(name) > 1 and name[0] == name[-1] and name[0] in "\"'"
    return name[1:-1].strip() if is_quoted and name[0] not in name[1:-1] else name

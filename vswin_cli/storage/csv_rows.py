"""Split delimited text into rows with line numbers, and read and write single cells."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from vswin_cli.errors import LabelsError, OptionError, SourceError
from vswin_cli.quantities import parse_seconds

__all__ = [
    "csv_text",
    "decimal",
    "named_columns",
    "read_rows",
    "read_seconds",
    "read_span",
    "read_table_rows",
]

_DELIMITERS = (",", "\t", ";")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")
_HINT = (
    'quotes go around a whole field and come in pairs: close it, or write "" for a quote within '
    "a quoted field"
)


def decimal(value: float | None, digits: int = 6) -> str:
    """Write a number for a table: no zeros at its end, no minus before zero, no exponent.

    `None` is an empty cell.
    """
    if value is None:
        return ""
    # Rounded first: -0.0 + 0.0 is 0.0, so that no table shows a minus before zero.
    return f"{round(value, digits) + 0.0:.{digits}f}".rstrip("0").rstrip(".")


def csv_text(rows: Iterable[Sequence[object]], delimiter: str = ",") -> str:
    """Write rows as delimited text (RFC 4180 with line feeds)."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return text.getvalue()


def named_columns(
    cells: Sequence[str], aliases: Mapping[str, Sequence[str]]
) -> dict[str, tuple[int, str]]:
    """Find the columns that a header names; case does not matter.

    Args:
        cells: of the header.
        aliases: the names that each column may have, in the order of preference.

    Returns:
        Position and name of each column that is there.
    """
    names = [cell.casefold() for cell in cells]
    found = {
        column: next((alias for alias in known if alias in names), None)
        for column, known in aliases.items()
    }
    return {column: (names.index(alias), alias) for column, alias in found.items() if alias}


def read_seconds(text: str, where: str) -> float:
    """Read a time in a cell, see `parse_seconds`.

    Raises:
        SourceError: it is none; the place is named.
    """
    try:
        return parse_seconds(text)
    except OptionError as error:
        raise SourceError(f"{where}: {error.message}", hint=error.hint) from error


def read_span(cells: Mapping[str, str], what: str, where: str) -> tuple[float | None, float | None]:
    """Read the times in `start` and `end`; `None` for a cell that is empty or missing.

    Args:
        cells: of a row, by column.
        what: has these times, for the message.
        where: place of the row, for the message.

    Raises:
        SourceError: a cell holds no time, or the end is not after the start.
    """
    start, end = (
        read_seconds(cells[key], where) if cells.get(key) else None for key in ("start", "end")
    )
    if end is not None and end <= (start or 0.0):
        raise SourceError(
            f"{where}: the {what} ends at {end:g} s, before it starts at {start or 0:g} s",
            hint="both are seconds from the start of the video; the end is not a duration",
        )
    return start, end


def read_rows(
    text: str,
    source: str,
    *,
    delimiter: str = ",",
    error: type[SourceError] | type[LabelsError] = SourceError,
) -> Iterator[tuple[int, list[str]]]:
    """Iterate over rows: the line in which each begins, and its fields without outer blanks.

    Empty rows are skipped. An unclosed quote is an error: it would turn all that follows into one
    field.

    Args:
        text: of the file.
        source: the file, for messages.
        delimiter: between fields.
        error: class of the error to raise.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    first = 1
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield first, cells
            first = reader.line_num + 1
    except csv.Error as problem:
        raise error(f"{source}, line {first}: {problem}", hint=_HINT) from problem


def read_table_rows(text: str, source: str) -> Iterator[tuple[int, list[str]]]:
    """Iterate over the rows of a table with commas, tabs or semicolons, see `read_rows`.

    Spreadsheets write semicolons where numbers have a decimal comma; those get a point.

    Args:
        text: of the file.
        source: the file, for messages.
    """
    first = text.lstrip().partition("\n")[0]
    # Labels may contain commas, so the most frequent character of the first line decides.
    delimiter = max(_DELIMITERS, key=first.count)
    for number, cells in read_rows(text, source, delimiter=delimiter):
        if delimiter == ";":
            cells = [
                cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell for cell in cells
            ]
        yield number, cells

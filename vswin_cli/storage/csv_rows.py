"""Split delimited text into rows with line numbers."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

from vswin_cli.errors import LabelsError, SourceError

__all__ = ["read_rows", "read_table_rows"]

_DELIMITERS = (",", "\t", ";")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")
_HINT = (
    'quotes go around a whole field and come in pairs: close it, or write "" for a quote within '
    "a quoted field"
)


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

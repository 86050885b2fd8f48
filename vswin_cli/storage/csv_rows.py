"""Text with commas or tabs in, rows with the lines that they begin in out; it knows no columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from vswin_cli.errors import LabelsError, SourceError

__all__ = ["read_rows"]

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
    """Number of the line in which each row begins, and its fields without blanks around them.

    Rows that hold nothing are passed over. A quote that is not closed would make one field of all
    that follows, so it is refused.

    Args:
        text: of the file.
        source: the file, for messages.
        delimiter: what separates fields.
        error: what to raise.
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

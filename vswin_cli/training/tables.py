"""Read examples from tables: CSV or TSV with a header in any order of columns.

`path,label` labels whole videos, `path,start,end,label` parts of them. Optional columns: `split`
(train or test) and `video`, which names the recording that a clip was cut from, as in the
`clips.csv` of `vswin cut`. Without a header, the columns are those above, in that order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vswin_cli.errors import SourceError
from vswin_cli.export.naming import from_spreadsheet
from vswin_cli.storage.csv_rows import named_columns, read_span, read_table_rows
from vswin_cli.training.records import Part

__all__ = ["Row", "part_of", "read_table"]

_COLUMNS = {
    "path": ("path", "file", "filename", "file_name", "video_path", "uri", "video", "video_id"),
    "label": ("label", "class", "activity", "event_label", "name"),
    "start": ("start", "start_seconds", "t_start", "begin"),
    "end": ("end", "end_seconds", "t_end"),
    "split": ("split", "subset", "part", "fold"),
    "video": ("video", "source", "group"),
}
_ORDERS = {2: ("path", "label"), 4: ("path", "start", "end", "label")}
_PARTS: Mapping[str, Part] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(
        ("val", "valid", "validation", "test", "testing", "dev", "eval", "held-out", "held_out"),
        "held-out",
    ),
}
_HINT = "the first line names the columns: path,label or path,start,end,label"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table of examples."""

    where: str
    """File and line, for messages."""
    path: str
    label: str
    start_seconds: float | None = None
    end_seconds: float | None = None
    part: Part | None = None
    video: str = ""
    """Recording that the clip is from; empty if the table does not say."""


def part_of(text: str, where: str) -> Part | None:
    """Return the side of a split by its name; `None` for an empty one.

    Raises:
        SourceError: the name is unknown.
    """
    if not text:
        return None
    part = _PARTS.get(text.casefold())
    if part is None:
        raise SourceError(
            f"{where}: the split {text!r} is unknown", hint="write train, or val or test"
        )
    return part


def read_table(text: str, source: str) -> list[Row]:
    """Read the rows of a table.

    Args:
        text: of the file.
        source: the file, for messages.

    Raises:
        SourceError: no column for the path or the label, or a bad row; it is named.
    """
    rows = list(read_table_rows(text, source))
    if not rows:
        raise SourceError(f"{source} lists no examples", hint=_HINT)
    columns = _header(rows[0][1])
    if columns is not None:
        del rows[0]
    else:
        columns = _without_header(rows[0][1], source)
    return [_row(cells, columns, f"{source}, line {number}") for number, cells in rows]


def _header(cells: Sequence[str]) -> dict[str, int] | None:
    """Return the position of each column if the row names them."""
    found = {column: index for column, (index, _) in named_columns(cells, _COLUMNS).items()}
    if found.get("video") == found.get("path"):
        found.pop("video", None)
    return found if "path" in found and "label" in found else None


def _without_header(cells: Sequence[str], source: str) -> dict[str, int]:
    order = _ORDERS.get(len(cells))
    if order is None:
        raise SourceError(f"{source}: it is unclear which column is which", hint=_HINT)
    return {name: i for i, name in enumerate(order)}


def _row(cells: Sequence[str], columns: Mapping[str, int], where: str) -> Row:
    texts = {
        name: from_spreadsheet(cells[i]) if i < len(cells) else "" for name, i in columns.items()
    }
    if not texts["path"] or not texts["label"]:
        missing = "path" if not texts["path"] else "label"
        raise SourceError(f"{where}: the {missing} is missing", hint=_HINT)
    start, end = read_span(texts, "example", where)
    return Row(
        where,
        texts["path"],
        " ".join(texts["label"].split()),
        start,
        end,
        part_of(texts.get("split", ""), where),
        texts.get("video", ""),
    )

"""Read a list of videos with their true labels: CSV, tabs or spaces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vswin_cli.errors import SourceError
from vswin_cli.evaluation.reading import guarded, read_text
from vswin_cli.storage.csv_rows import read_rows
from vswin_cli.storage.plain_text import loose_spelling
from vswin_cli.storage.sources import VideoSource

__all__ = ["LabelledVideo", "lists_parts", "read_video_list"]

_PATH_HEADERS = {"path", "video", "file", "filename", "file_name", "uri", "video_path"}
_LABEL_HEADERS = {"label", "class"}
_HINT = "one video per line: `path,label`, the label by name or by index"


@dataclass(frozen=True, slots=True)
class LabelledVideo:
    """A video and its true class."""

    source: VideoSource
    class_id: int
    """Row of the head."""


@guarded
def read_video_list(
    path: Path, labels: Sequence[str], *, root: Path | None = None
) -> list[LabelledVideo]:
    """Read a list of `path,label`; a header is optional, and may have further columns.

    A label is a name of the model, else an index from 0. Where a name is not found as it is
    written, upper case and underscores for spaces do not matter.

    Args:
        path: the list; fields are separated by commas, tabs, or by the last space in the line,
            as in the lists of MMAction.
        labels: names of the model's classes, in order.
        root: what relative paths are relative to; by default the list's own folder.

    Raises:
        SourceNotFoundError: the list is not there.
        SourceError: a line cannot be read or names an unknown label, or there is none.
    """
    rows = list(_rows(read_text(path), str(path)))
    where = _columns(rows[0][1]) if rows else None
    rows = rows if where is None else rows[1:]
    if not rows:
        raise SourceError(f"{path} lists no video", hint=_HINT)
    known = _LabelIndex(labels)
    folder = path.parent if root is None else root
    return [
        LabelledVideo(
            VideoSource.in_folder(name, folder), known.find(label, f"{path}, line {number}")
        )
        for number, (name, label) in ((n, _pair(cells, where, path, n)) for n, cells in rows)
    ]


@guarded
def lists_parts(path: Path) -> bool:
    """Return whether a list has the columns `start` and `end`, and so lists parts of videos.

    Raises:
        SourceNotFoundError: the list is not there.
        SourceError: it cannot be read.
    """
    _, head = next(_rows(read_text(path), str(path)), (1, []))
    return {"start", "end"} <= {name.casefold() for name in head}


def _columns(head: Sequence[str]) -> tuple[int, int] | None:
    """Return the columns of path and label; `None` if the first line is not a header."""
    names = [name.casefold() for name in head]
    if names[0] not in _PATH_HEADERS:
        return None
    return 0, next((i for i, name in enumerate(names) if name in _LABEL_HEADERS), 1)


def _rows(text: str, source: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line numbers and fields, without empty lines."""
    head = text.split("\n", 1)[0]
    separator = "," if "," in head else "\t" if "\t" in head else None
    if separator is not None:
        yield from read_rows(text, source, delimiter=separator)
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, [cell.strip() for cell in line.rsplit(None, 1)]


def _pair(
    cells: list[str], columns: tuple[int, int] | None, path: Path, number: int
) -> tuple[str, str]:
    name, label = (cells[i] if i < len(cells) else "" for i in columns or (0, 1))
    if not name or not label:
        raise SourceError(f"{path}, line {number}: a path and a label are needed", hint=_HINT)
    return name, label


class _LabelIndex:
    """Index from the labels of a list to rows of the head."""

    def __init__(self, labels: Sequence[str]) -> None:
        self._count = len(labels)
        self._exact = {name: i for i, name in enumerate(labels)}
        loose: dict[str, list[int]] = {}
        for i, name in enumerate(labels):
            loose.setdefault(loose_spelling(name), []).append(i)
        self._loose = loose

    def find(self, label: str, where: str) -> int:
        """Find the class of a label by name, index, or name in another spelling.

        Raises:
            SourceError: none, or several.
        """
        if label in self._exact:  # first, as a class may be named like a number
            return self._exact[label]
        if label.isdecimal() and int(label) < self._count:
            return int(label)
        matches = self._loose.get(loose_spelling(label), [])
        if len(matches) != 1:
            problem = "is not a label of the model" if not matches else "fits several labels"
            raise SourceError(
                f"{where}: {label!r} {problem}, nor an index below {self._count}",
                hint="`vswin labels MODEL` lists them; are list and model of the same data set?",
            )
        return matches[0]

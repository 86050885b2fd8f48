"""Read labelled windows of videos from CSV or tab-separated text.

The first line names the columns: a video, start and end of the window, its dominant label, and
optionally other true labels and whether the viewer was sure.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vswin_cli.errors import SourceError
from vswin_cli.evaluation.reading import guarded, read_text
from vswin_cli.storage.csv_rows import named_columns, read_rows, read_span
from vswin_cli.storage.sources import VideoSource

__all__ = ["LabelledWindow", "WindowList", "read_window_list"]

_COLUMNS = {
    "video": ("video", "path", "file", "filename", "clip", "uri"),
    "start": ("start", "start_seconds", "start_s"),
    "end": ("end", "end_seconds", "end_s"),
    "label": ("label", "class"),
    "others": ("others", "other_labels", "extra_labels"),
    "sure": ("sure", "verified"),
}
_REQUIRED = ("video", "label")
_OF_CLIPS = "source_start"  # in tables of `vswin cut`: `video` is what `path` was cut from
_YES = {"yes", "true", "1", "y", "sure"}
_NAMES = {column: f"{names[0]} (or {', '.join(names[1:])})" for column, names in _COLUMNS.items()}
_HINT = (
    f"the first line names the columns: {' and '.join(_NAMES[column] for column in _REQUIRED)}, "
    f"perhaps also {', '.join(text for column, text in _NAMES.items() if column not in _REQUIRED)}"
)


@dataclass(frozen=True, slots=True)
class LabelledWindow:
    """A part `[start_seconds, end_seconds)` of a video and its labels."""

    source: VideoSource
    start_seconds: float
    end_seconds: float | None
    """`None` for all of the rest, in pieces of equal length."""
    label: str
    """The dominant label."""
    others: tuple[str, ...] = ()
    """Other true labels."""

    @property
    def true_labels(self) -> tuple[str, ...]:
        """All true labels."""
        return (self.label, *self.others)


@dataclass(frozen=True, slots=True)
class WindowList:
    """Labelled windows of a file, and how many rows were left out."""

    windows: tuple[LabelledWindow, ...]
    num_unsure: int = 0
    """Left out because the viewer was not sure."""
    num_excluded: int = 0
    """Left out because of their label."""


@guarded
def read_window_list(
    path: Path, labels: Sequence[str], *, exclude: Collection[str] = (), root: Path | None = None
) -> WindowList:
    """Read a list of labelled windows.

    A row without start and end is about the whole video. Other labels of a row are separated by
    semicolons. Rows whose column `sure` says anything but yes are left out.

    Args:
        path: the list; fields are separated by tabs if the first line has one, else by commas.
        labels: names of the model's classes.
        exclude: rows with these labels are left out.
        root: what relative paths are relative to; by default the list's own folder.

    Raises:
        SourceNotFoundError: the list is not there.
        SourceError: a line cannot be read or names an unknown label, or nothing is left.
    """
    text = read_text(path)
    delimiter = "\t" if "\t" in text.partition("\n")[0] else ","
    rows = read_rows(text, str(path), delimiter=delimiter)
    _, names = next(rows, (1, []))
    columns = _columns(names, path)
    folder = path.parent if root is None else root
    windows: list[LabelledWindow] = []
    num_unsure = num_excluded = 0
    for number, row in rows:
        cells = {name: row[i] for name, i in columns.items() if i < len(row)}
        if "sure" in columns and cells.get("sure", "").casefold() not in _YES:
            num_unsure += 1
        elif cells.get("label") in exclude:
            num_excluded += 1
        else:
            windows.append(_window(cells, labels, folder, f"{path}, line {number}"))
    if not windows and num_unsure:
        raise SourceError(
            f"{path} lists no window that is marked as sure",
            hint="put yes, true or 1 in the column `sure`, or leave the column out",
        )
    if not windows:
        raise SourceError(f"{path} lists no window", hint=_HINT)
    return WindowList(tuple(windows), num_unsure, num_excluded)


def _columns(names: Sequence[str], path: Path) -> dict[str, int]:
    """Return the index of each known column."""
    folded = [name.casefold() for name in names]
    if _OF_CLIPS in folded:
        folded = ["" if name == "video" else name for name in folded]
    found = {column: index for column, (index, _) in named_columns(folded, _COLUMNS).items()}
    missing = [column for column in _REQUIRED if column not in found]
    if missing:
        raise SourceError(f"{path} has no column `{missing[0]}`", hint=_HINT)
    return found


def _window(
    cells: Mapping[str, str], labels: Collection[str], folder: Path, where: str
) -> LabelledWindow:
    name, label = cells.get("video", ""), cells.get("label", "")
    if not name or not label:
        raise SourceError(f"{where}: a video and a label are needed", hint=_HINT)
    others = tuple(other.strip() for other in cells.get("others", "").split(";") if other.strip())
    for true_label in (label, *others):
        if true_label not in labels:
            raise SourceError(
                f"{where}: {true_label!r} is not a label of the model",
                hint="`vswin labels MODEL` lists them; --exclude leaves rows of other labels out",
            )
    source = VideoSource.in_folder(name, folder)
    start, end = read_span(cells, "window", where)
    return LabelledWindow(source, start or 0.0, end, label, others)

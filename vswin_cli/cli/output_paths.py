"""Places on this machine that the user names for results: told apart and checked before any work.

A name that ends with a slash, or that a folder has already, means a folder; it is made when the
first result is ready, but never the folders that it lies in: a disk that is not mounted must not
be mistaken for an empty one.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vswin_cli.errors import OptionError
from vswin_cli.storage.files import (
    check_destination,
    check_named,
    ends_as_folder,
    is_folder,
    is_there,
    writing,
)
from vswin_cli.storage.remote import as_local_path, is_remote
from vswin_cli.storage.result_names import unique_names

__all__ = ["Place", "check_distinct", "page_path"]


@dataclass(frozen=True, slots=True)
class Place:
    """A file, or a folder for files whose names follow from the videos'."""

    path: Path
    is_folder: bool

    @classmethod
    def parse(cls, text: str) -> Place:
        """The place that an option names; nothing is made.

        Raises:
            OptionError: it is an address, or no name at all.
            OutputError: nothing can be written there.
        """
        check_named(text)
        if is_remote(text):
            raise OptionError(
                f"{text} is an address, and this result stays on this machine",
                hint="give a path; `vswin batch --out` writes to addresses",
            )
        path = as_local_path(text)
        place = cls(path, ends_as_folder(text) or is_folder(path))
        if place.is_folder and is_there(path) and not is_folder(path):
            with writing(text):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), text)
        check_destination(path)
        return place

    def make(self) -> None:
        """Make the folder, if it is one that is missing.

        Raises:
            OutputError: it cannot be made.
        """
        if self.is_folder:
            with writing(f"{self.path}"):
                self.path.mkdir(exist_ok=True)


def page_path(place: Place, uris: Sequence[str]) -> Path:
    """The page of a report: in a folder it is named after its video, or `index.html`."""
    if not place.is_folder:
        return place.path
    name = unique_names(uris, ".html")[0] if len(uris) == 1 else "index"
    return place.path / f"{name}.html"


def check_distinct(named: Iterable[tuple[str, Path]]) -> None:
    """Refuse before the work results of which one would overwrite another.

    Args:
        named: options and the files that will be written because of them.

    Raises:
        OptionError: two of them are one file.
    """
    taken: dict[str, str] = {}
    for option, path in named:
        other = taken.setdefault(os.path.realpath(path), option)
        if other != option:
            raise OptionError(
                f"{other} and {option} would both write {path}",
                hint="give each result a place of its own",
            )

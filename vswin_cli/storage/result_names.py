"""Choose unique file names for the results of many videos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from vswin_cli.storage.files import fitting
from vswin_cli.storage.remote import without_query

__all__ = ["unique_names"]


def unique_names(uris: Sequence[str], ending: str = "") -> list[str]:
    """Choose a file name without ending per video, unique even where the disk ignores case.

    Args:
        uris: of the videos.
        ending: to be appended; the names are short enough for it.
    """
    paths = [PurePosixPath(without_query(uri).replace("\\", "/")) for uri in uris]
    stems = [path.stem or "video" for path in paths]
    names: list[str] = []
    taken: set[str] = set()
    for stem in stems:
        name, number = fitting(stem, ending), 2
        while name.casefold() in taken:
            mark = f"-{number}"
            name, number = fitting(stem, mark + ending) + mark, number + 1
        taken.add(name.casefold())
        names.append(name)
    return names

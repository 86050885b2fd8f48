"""Expand arguments (files, folders, patterns, addresses) into an ordered list of videos."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from vswin_cli.errors import OptionError, SourceError, SourceNotFoundError, redacted
from vswin_cli.quantities import as_several
from vswin_cli.storage.files import absence, file_state, fitting, is_file, is_folder, reading_hint
from vswin_cli.storage.plain_text import text_sha256
from vswin_cli.storage.remote import (
    as_local_path,
    has_wildcard,
    is_remote,
    list_remote,
    list_remote_folder,
    local_copy,
    without_query,
)

if TYPE_CHECKING:
    from vswin_cli.storage.download import OnBytes

__all__ = [
    "VIDEO_SUFFIXES",
    "Inputs",
    "VideoSource",
    "expand_sources",
    "find_sources",
    "naming_source",
]

_SUFFIXES = """
    264 265 3g2 3gp amv asf avi av1 divx dv f4v flv gif h264 h265 hevc ivf m1v m2t m2ts m2v m4v
    mjpeg mjpg mk3d mkv mod mov mp4 mpe mpeg mpg mpv mts mxf nut obu ogm ogv qt rm rmvb swf tod ts
    vob webm wmv y4m
"""
VIDEO_SUFFIXES = frozenset(f".{suffix}" for suffix in _SUFFIXES.split())
"""File name endings by which the videos of a folder are recognised."""

Inputs: TypeAlias = "str | os.PathLike[str] | Iterable[str | os.PathLike[str]]"
"""One path, folder, pattern or address, or several of them."""

_T = TypeVar("_T")
_NUMBER = re.compile(r"(\d+)")
_ID_DIGITS = 10
_LONGEST_ENDING = ".labelstudio.json"


@dataclass(frozen=True, slots=True)
class VideoSource:
    """One video: a file or an address."""

    uri: str
    """The argument as given, or the path found in a folder, as shown in results. Credentials and
    tokens in an address are hidden."""
    path: Path | None = None
    """The file on this machine; `None` for an address, filled in for anything else."""
    address: str | None = field(default=None, repr=False)
    """Address to download, with the credentials and tokens that `uri` hides; filled in."""

    def __post_init__(self) -> None:
        if not isinstance(self.uri, str):
            raise OptionError(
                f"a source is a path or an address, got {self.uri!r}",
                hint="VideoSource.of takes a Path, too",
            )
        # Without a path the text would be treated as an address with an unknown protocol.
        if self.path is None and not is_remote(self.uri):
            object.__setattr__(self, "path", as_local_path(self.uri))
        elif self.path is None and self.address is None:
            object.__setattr__(self, "address", self.uri)
            object.__setattr__(self, "uri", redacted(self.uri))

    @classmethod
    def of(cls, uri: str | os.PathLike[str]) -> VideoSource:
        """Make the source for a path or an address, without checking that it exists.

        Raises:
            OptionError: it is neither.
        """
        if not isinstance(uri, (str, os.PathLike)):
            raise _no_source(uri)
        return cls(os.fspath(uri))

    @classmethod
    def in_folder(cls, name: str, folder: Path) -> VideoSource:
        """Make the source for an address, or for a path that is relative to a folder."""
        return cls(name if is_remote(name) else str(folder / name))

    @property
    def place(self) -> str:
        """Full path, or the address.

        Two names of one file, such as a symbolic link beside it, are two places: every argument
        must appear in the results. An address has its credentials: store no more than a hash.
        """
        return self.address or self.uri if self.path is None else _full_path(self.path)

    @property
    def id(self) -> str:
        """File name's stem and a digest of the full place: unique, the same on every run.

        It leaves room for an ending.
        """
        name = PurePosixPath(self.path or without_query(self.uri))
        mark = f"-{text_sha256(self.place)[:_ID_DIGITS]}"
        return fitting(name.stem, mark + _LONGEST_ENDING) + mark

    @property
    def identity(self) -> str | None:
        """Size and time of the file, which change when it does; `None` for an address.

        `None` also where the file cannot be read.
        """
        return None if self.path is None else file_state(self.path)

    @contextmanager
    def local(self, *, on_bytes: OnBytes | None = None) -> Iterator[Path]:
        """Provide the video as a local file: itself, or a copy that lasts as long as the block.

        Args:
            on_bytes: called as the bytes of a copy arrive.

        Raises:
            SourceError: an address cannot be fetched.
        """
        if self.path is not None:
            yield self.path
        else:
            with local_copy(self.address or self.uri, on_bytes=on_bytes) as path:
                yield path


def _full_path(path: Path) -> str:
    """Make a path absolute, without `..` and with its symbolic links as they are named."""
    full = os.path.abspath(path)  # noqa: PTH100  # `resolve` follows links
    # After a linked folder `..` is not the folder that the text suggests: then it is kept. A null
    # byte makes `realpath` fail; such a path leads nowhere, and opening it fails.
    with suppress(ValueError):
        if os.path.realpath(full) == os.path.realpath(path):
            return full
    return str(path.absolute())


@contextmanager
def naming_source(source: VideoSource, path: Path) -> Iterator[None]:
    """Replace the path of a temporary copy in errors by the source's address."""
    try:
        yield
    except SourceError as error:
        if source.path is not None:
            raise
        message = error.message.replace(str(path), source.uri)
        raise type(error)(message, hint=error.hint) from error


def expand_sources(
    inputs: Inputs, *, recursive: bool = False, folders: bool = True
) -> list[VideoSource]:
    """Expand arguments into videos.

    Args:
        inputs: paths, folders, patterns (`day*/*.mp4`, `**` for any depth) and addresses; or
            one of them.
        recursive: include the subfolders of a folder.
        folders: whether a folder means the videos in it; otherwise it is an error.

    Returns:
        Videos in the order of the arguments, those of one argument sorted by name with numbers
        by value, without duplicates. A file given as an argument may have any ending.

    Raises:
        SourceNotFoundError: no such file, or no match of a pattern.
        SourceError: a folder where none is allowed, or one without videos.
        OptionError: an address whose protocol is not supported.
    """
    found, problems = find_sources(inputs, recursive=recursive, folders=folders)
    for problem in problems.values():
        raise problem
    return found


def find_sources(
    inputs: Inputs, *, recursive: bool = False, folders: bool = True
) -> tuple[list[VideoSource], dict[str, SourceError]]:
    """Same as `expand_sources`, but collects errors instead of raising the first one.

    Returns:
        The videos, and the errors by argument, or by folder in a folder.

    Raises:
        OptionError: an address whose protocol is not supported.
    """
    found: dict[str, VideoSource] = {}
    problems: dict[str, SourceError] = {}
    # A string is iterable, too, but its characters are not names of files.
    several = [inputs] if isinstance(inputs, (str, os.PathLike)) else as_several("inputs", inputs)
    for path in several:
        if not isinstance(path, (str, os.PathLike)):
            raise _no_source(path)
        argument = os.fspath(path)
        try:
            for source in _expand(argument, problems, recursive=recursive, folders=folders):
                found.setdefault(source.place, source)
        except SourceError as problem:
            problems[argument] = problem
    return list(found.values()), problems


def _expand(
    argument: str, problems: dict[str, SourceError], *, recursive: bool, folders: bool
) -> list[VideoSource]:
    if not argument:  # it would mean the current folder
        raise SourceNotFoundError(
            "the name of an input is empty", hint="check that the shell variable in it is set"
        )
    if is_remote(argument):
        listed = list_remote_folder(argument, recursive=recursive)
        if listed is not None:
            return _in_remote_folder(argument, listed, folders=folders)
        return [VideoSource(uri) for uri in _some(list_remote(argument), argument)]
    path = as_local_path(argument)
    if is_folder(path):
        _check_folders(argument, folders=folders)
        return _in_folder(path, problems, recursive=recursive)
    absent = absence(path)
    if absent is not None and has_wildcard(argument):
        matches = glob.glob(str(path), recursive=True)  # noqa: PTH207  # Path.glob: no absolutes
        files = [Path(match) for match in matches if is_file(Path(match))]
        return [_local(file) for file in sorted(_some(files, argument), key=_by_name)]
    if isinstance(absent, FileNotFoundError):
        if not path.is_symlink():
            raise SourceNotFoundError(
                f"no such file: {argument}",
                hint="check the spelling, and put names with spaces in quotes",
            )
    elif absent is not None:
        raise _unreadable(argument, absent)
    return [VideoSource(argument, path)]


def _check_folders(argument: str, *, folders: bool) -> None:
    if not folders:
        raise SourceError(
            f"{argument} is a folder",
            hint="name a file in it, or use `vswin batch` for all of them",
        )


def _in_remote_folder(address: str, listed: list[str], *, folders: bool) -> list[VideoSource]:
    """Choose the videos among the files at an address, by their names."""
    _check_folders(address, folders=folders)
    inside = ((uri, PurePosixPath(uri[len(address) :])) for uri in listed)
    videos = [
        uri
        for uri, path in inside
        if path.suffix.lower() in VIDEO_SUFFIXES
        and not any(part.startswith(".") for part in path.parts)
    ]
    if not videos:
        raise SourceError(f"no videos in {address}", hint="check the address, or name the files")
    return [VideoSource(uri) for uri in sorted(videos, key=_by_name)]


def _in_folder(
    folder: Path, problems: dict[str, SourceError], *, recursive: bool
) -> list[VideoSource]:
    try:
        found = list(folder.iterdir())
    except OSError as error:
        raise _unreadable(str(folder), error) from error
    unread: dict[str, SourceError] = {}
    if recursive:
        found = _below(folder, unread)
        problems |= unread
    videos = [path for path in found if _looks_like_video(path, folder)]
    if not videos and not unread:
        raise SourceError(
            f"no videos in {folder}",
            hint="name the files"
            if recursive
            else f"name the files, or give '{folder}/**/*.mp4' to include its subfolders",
        )
    return [_local(path) for path in sorted(videos, key=_by_name)]


def _below(folder: Path, problems: dict[str, SourceError]) -> list[Path]:
    """List all files below a folder; folders that cannot be read are added to the problems."""

    def note(error: OSError) -> None:
        name = str(Path(error.filename))
        problems[name] = _unreadable(name, error)

    return [
        Path(place) / name for place, _, names in os.walk(folder, onerror=note) for name in names
    ]


def _no_source(value: object) -> OptionError:
    return OptionError(
        f"a source is a path or an address, got {value!r}", hint='such as "movie.mp4"'
    )


def _unreadable(name: str, error: OSError) -> SourceNotFoundError:
    return SourceNotFoundError(f"cannot read {name}: {error.strerror}", hint=reading_hint(error))


def _looks_like_video(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return path.suffix.lower() in VIDEO_SUFFIXES and not hidden and is_file(path)


def _local(path: Path) -> VideoSource:
    return VideoSource(str(path), path)


def _some(found: list[_T], pattern: str) -> list[_T]:
    if not found:
        raise SourceNotFoundError(f"nothing matches {pattern}", hint="check the pattern")
    return found


def _by_name(path: Path | str) -> list[tuple[int, int, str]]:
    """Compute a sort key under which `clip 2` comes before `clip 10`."""
    parts = _NUMBER.split(str(path).casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]

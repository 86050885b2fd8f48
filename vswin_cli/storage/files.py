"""Local files: checks before reading and writing, and atomic writes.

A result appears under its name only when every byte of it is on the disk. A failure leaves the old
file, or none, and becomes an `OutputError` with a hint.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TextIO, cast

from vswin_cli.errors import OptionError, OutputError
from vswin_cli.quantities import wrong_type

__all__ = [
    "absence",
    "as_path",
    "check_destination",
    "check_named",
    "check_spares",
    "ends_as_folder",
    "file_sha256",
    "file_state",
    "fitting",
    "holds_for_all",
    "is_file",
    "is_folder",
    "is_private",
    "is_symlink",
    "is_there",
    "is_zip",
    "reading_hint",
    "replacing_binary",
    "replacing_text",
    "writing",
]

_HINTS = {
    errno.ENOSPC: "free some space or write to another disk",
    errno.EDQUOT: "your quota is used up: free some space or write to another disk",
    errno.EACCES: "choose a folder that you may write to",
    errno.EPERM: "choose a folder that you may write to",
    errno.EROFS: "that disk is read-only: write to another one",
    errno.EISDIR: "give a file name, not a folder",
    errno.ENOENT: "create the folder first",
    errno.ENOTDIR: "a part of that path is a file, not a folder",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EEXIST: "a file has that name already: choose another",
    errno.EOPNOTSUPP: "write to a folder that accepts new files",
}
_ZIP = b"PK\x03\x04"
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
_NAME_BYTES = 255  # limit of file systems; an undecodable byte counts as one
_RANDOM = ".8_random.tmp"  # as long as the ending of a temporary file's name
_READING_HINTS = {
    errno.ENOENT: "check the spelling",
    errno.EISDIR: "give a file, not a folder",
    errno.EACCES: "you may not read it: change its mode, or copy it",
    errno.ENAMETOOLONG: "the name is too long for a file: check the spelling",
    errno.ELOOP: "a symbolic link there points to itself: give the file that is meant",
    errno.ENOTDIR: _HINTS[errno.ENOTDIR],
}


@contextmanager
def writing(what: str) -> Iterator[None]:
    """Convert an `OSError` inside the block to an `OutputError`.

    A `BrokenPipeError` is passed on: the reader has stopped, which is not an error of the output.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        hint = _HINTS.get(error.errno or 0)
        raise OutputError(f"cannot write {what}: {reason}", hint=hint) from error


def as_path(value: object, name: str = "path") -> Path:
    """Return the path that a caller gave as text or as a path.

    Args:
        value: of the argument.
        name: of the argument, for the message.

    Raises:
        OptionError: it is neither.
    """
    if isinstance(value, (str, os.PathLike)):
        path = os.fspath(value)
        if isinstance(path, str):
            return Path(path)
    raise wrong_type(name, "a path", value)


def ends_as_folder(text: str) -> bool:
    """Return whether a path argument ends with a slash, which means a folder."""
    return text.endswith(("/", "\\"))


def file_sha256(path: Path) -> str:
    """Compute the sha256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def fitting(name: str, ending: str = "") -> str:
    """Shorten a name so that, with its ending, it is not too long for file systems."""
    while len(f"{name}{ending}".encode("utf-8", "replace")) > _NAME_BYTES:
        name = name[:-1]
    return name


def holds_for_all(error: OutputError) -> bool:
    """Return whether other files would fail in the same way, as on a full disk."""
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in _OF_THE_DISK


def check_named(text: str) -> None:
    """Reject an empty name for a result, which would mean the current folder.

    Raises:
        OptionError: it is empty.
    """
    if not text:
        raise OptionError("the name of the output is empty", hint="give a file or a folder")


def check_destination(path: Path) -> None:
    """Check in advance that a file can be written here, or into this folder.

    Raises:
        OutputError: the folder is missing or read-only.
    """
    with writing(f"{path}"):
        if _is_special(path):
            return
        folder = path if path.is_dir() else _followed(path).parent
        if not folder.is_dir():
            raise FileNotFoundError(errno.ENOENT, f"no folder {folder}", str(folder))
        try:
            with tempfile.TemporaryFile(dir=folder):
                pass
        except FileNotFoundError as error:  # raised in /proc, although the folder exists
            reason = f"{folder} takes no new files"
            raise OSError(errno.EOPNOTSUPP, reason, str(folder)) from error


def check_spares(
    places: Iterable[Path], inputs: Iterable[Path | None], what: str = "an input"
) -> None:
    """Check in advance that no result overwrites an input.

    Args:
        places: paths of results.
        inputs: files that are read, by any path; `None` where there is none.
        what: description of the inputs, for the message.

    Raises:
        OptionError: one of the results is one of the inputs.
    """
    spared = {_identity(path) for path in inputs if path is not None} - {None}
    for place in places:
        if _identity(place) in spared:
            raise OptionError(
                f"{place} is {what}; writing there would destroy it",
                hint="choose another path for the result",
            )


def _identity(path: Path) -> tuple[int, int] | None:
    """Return the device and inode of a file, the same for all its paths; `None` without one."""
    with suppress(OSError):
        status = path.stat()
        return status.st_dev, status.st_ino
    return None


def absence(path: Path) -> OSError | None:
    """Return the error why a path is not accessible; `None` if something is there."""
    try:
        path.stat()
    except OSError as error:
        return error
    except ValueError as error:  # a null byte, from a list or a timeline
        return OSError(errno.EINVAL, f"no file can have this name ({error})", str(path))
    return None


def is_there(path: Path) -> bool:
    """Return whether something accessible is at a path; never raises."""
    return absence(path) is None


def is_file(path: Path) -> bool:
    """Same as `Path.is_file`, but false instead of an error without permission."""
    return is_there(path) and path.is_file()


def is_folder(path: Path) -> bool:
    """Same as `Path.is_dir`, but false instead of an error without permission."""
    return is_there(path) and path.is_dir()


def is_private(path: Path) -> bool:
    """Return whether only this user and the administrator can change what is at a path.

    Every parent folder is checked, too: with write access to one, the next one could be replaced.
    A folder with the sticky bit, such as `/tmp`, in which only owners may rename, is safe.
    """
    if not hasattr(os, "geteuid"):
        return True  # no owners and modes of this kind on this system
    try:
        path = path.resolve(strict=True)
        own, *folders = [part.stat() for part in (path, *path.parents)]
    except OSError:
        return False
    return (
        own.st_uid == os.geteuid()
        and not _is_open(own)
        and all(
            up.st_uid in (0, os.geteuid()) and (up.st_mode & stat.S_ISVTX or not _is_open(up))
            for up in folders
        )
    )


def _is_open(status: os.stat_result) -> bool:
    """Return whether others may write, not counting a group with this user as its only member."""
    if status.st_mode & stat.S_IWOTH:
        return True
    return bool(status.st_mode & stat.S_IWGRP) and not _is_own_group(status.st_gid)


def _is_own_group(number: int) -> bool:
    import grp
    import pwd

    try:
        group, user = grp.getgrgid(number), pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    return group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}


def file_state(path: Path) -> str | None:
    """Return size and time of a file, which change when it is written; `None` if unreadable."""
    try:
        status = path.stat()
    except OSError:
        return None
    return f"{status.st_size}:{status.st_mtime_ns}"


def is_zip(path: Path) -> bool:
    """Return whether a file begins as ZIP archives do, whole or cut; false if unreadable."""
    try:
        with path.open("rb") as file:
            return file.read(len(_ZIP)) == _ZIP
    except OSError:
        return False


def reading_hint(error: OSError) -> str | None:
    """Return the hint for an error in reading a file."""
    return _READING_HINTS.get(error.errno or 0)


@contextmanager
def replacing_binary(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path`; rename it to `path` when the block succeeds.

    A pipe or a device, such as `/dev/null`, is written to and never replaced. Of a symbolic link,
    the target is replaced. The `name` of the yielded file is the temporary file's path.

    Raises:
        OutputError: the folder is missing or read-only, the path is a folder, the disk is full.
    """
    with writing(f"{path}"):
        if _is_special(path):
            with path.open("wb") as file:
                yield file
            return
        path = _followed(path)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not path.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, f"no folder {path.parent}", str(path.parent))
        prefix = fitting(f".{path.name[:64]}", _RANDOM)
        # In the same folder: only within one file system a rename replaces a file in one step.
        handle, name = tempfile.mkstemp(prefix=f"{prefix}.", suffix=".tmp", dir=path.parent)
        temporary = Path(name)
        try:
            # With an opener the file has a name, by which another process can write it.
            with open(name, "wb", opener=lambda *_: handle) as file:
                yield file
                file.flush()
                # Before the rename: a name may reach the disk before its content does, and after a
                # power cut an empty file would stand for a result.
                os.fsync(file.fileno())
            # `mkstemp` makes files that only their owner can read.
            temporary.chmod(_mode_for(path))
            temporary.replace(path)
        except BaseException:  # also an interrupt, after which the file would stay for ever
            with suppress(OSError):
                temporary.unlink()
            raise


@contextmanager
def replacing_text(path: Path) -> Iterator[TextIO]:
    """Same as `replacing_binary`, for UTF-8 text with line ends as written."""
    with replacing_binary(path) as file:
        text = cast(TextIO, _Text(file))
        yield text
        text.flush()


class _Text:
    """Encode text; unlike `io.TextIOWrapper`, never closes the binary file."""

    encoding = "utf-8"

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        self._file.write(text.encode("utf-8"))
        return len(text)

    def flush(self) -> None:
        self._file.flush()


def _is_special(path: Path) -> bool:
    """Return whether something other than a file or a folder is at a path.

    Raises:
        OSError: an impossible name, or no permission.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def is_symlink(path: Path) -> bool:
    """Same as `Path.is_symlink`, but false instead of an error for a name that is too long."""
    try:
        return path.is_symlink()
    except OSError:
        return False


def _followed(path: Path) -> Path:
    """Resolve a symbolic link, even if its target does not exist; return other paths unchanged."""
    return path.resolve() if is_symlink(path) else path


def _mode_for(path: Path) -> int:
    """Return the mode of the replaced file, or that of a new file under this umask."""
    with suppress(OSError):
        return path.stat().st_mode & 0o777
    mask = os.umask(0)  # can only be read by setting it
    os.umask(mask)
    return 0o666 & ~mask

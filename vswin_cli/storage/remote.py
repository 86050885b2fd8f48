"""Remote files: list, download and upload them.

`http` and `https` are fetched directly, everything else (`s3`, `gs`, `hf`, ...) through fsspec.
A video is copied before it is decoded: decoders seek, and each seek on a remote file is a
request. The copy's length is checked, because a cut download looks like a damaged video.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import unquote
from urllib.request import url2pathname

from vswin_cli.errors import (
    DownloadError,
    OptionError,
    OutputError,
    SourceError,
    SourceNotFoundError,
    redacted,
)
from vswin_cli.storage.file_systems import (
    CHECK_ADDRESS,
    as_source_errors,
    file_system,
    scheme_of,
)

if TYPE_CHECKING:
    from vswin_cli.storage.download import OnBytes

__all__ = [
    "RemoteState",
    "as_local_path",
    "check_can_upload",
    "find_present",
    "has_wildcard",
    "is_remote",
    "list_remote",
    "list_remote_folder",
    "local_copy",
    "look_at",
    "upload",
    "without_query",
]

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")  # two letters at least: C:// is a disk
_WILDCARD = re.compile(r"[*?\[]")
_QUERY = re.compile(r"[?#]")
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")
_NO_ROOM_HINT = "free some space, or set TMPDIR to a folder on another disk"
_DIRECT = ("http", "https")
_CHUNK_BYTES = 1 << 20
_HEADERS = ("ETag", "Last-Modified", "Content-Length")
# Names of a content's hash, version and time in fsspec file systems, `s3`, `gs` and `hf` first.
_FIELDS = (
    "ETag", "etag", "md5Hash", "generation", "blob_id", "LastModified", "updated",
    "last_modified", "mtime", "created",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RemoteState:
    """Properties of a remote file before its download."""

    version: str | None
    """Differs between versions of the file; `None` if the server does not provide it."""
    size_bytes: int | None


_UNKNOWN = RemoteState(None, None)


def is_remote(uri: str) -> bool:
    """Return whether a source is an address and not a path on this machine."""
    return _ADDRESS.match(uri) is not None and scheme_of(uri) != "file"


def as_local_path(uri: str) -> Path:
    """Convert a path or a `file://` address to a path."""
    if _ADDRESS.match(uri):
        _, _, path = uri.partition("://")[2].partition("/")
        return Path(url2pathname("/" + _QUERY.split(path)[0]))
    return Path(uri)


def has_wildcard(text: str) -> bool:
    """Return whether a path is a pattern."""
    return _WILDCARD.search(text) is not None


def without_query(uri: str) -> str:
    """Remove the query, such as `?token=x`, from a web address; return others unchanged."""
    return _QUERY.split(uri)[0] if scheme_of(uri) in _DIRECT and is_remote(uri) else uri


def list_remote(address: str) -> list[str]:
    """Expand an address: itself, or all matches of `s3://bucket/day1/*.mp4`, sorted.

    What is there under a name that looks like a pattern is not a pattern. Without a pattern no
    connection is made.

    Raises:
        OptionError: the protocol cannot be listed, is unknown, or its package is missing.
        SourceError: the place cannot be reached.
    """
    scheme = scheme_of(address)
    if scheme in _DIRECT:
        _, _, path = without_query(address).partition("://")[2].partition("/")
        if has_wildcard(path):
            raise OptionError(
                f"cannot list {address}: {scheme} addresses have no wildcards",
                hint="name each file; in a name, * is written %2A and [ is %5B",
            )
        return [address]
    system = file_system(address)  # raises at once if there is none
    if not has_wildcard(address):
        return [address]
    with as_source_errors(address):
        if system.exists(address):
            return [address]
        return sorted(system.unstrip_protocol(path) for path in system.glob(address))


def list_remote_folder(address: str, *, recursive: bool) -> list[str] | None:
    """List the files below an address that is a folder: it ends with a slash, or has no suffix.

    Args:
        address: such as `s3://bucket/prefix/`.
        recursive: include folders in it.

    Returns:
        Addresses, sorted; `None` if it is not a folder. HTTP has no folders.

    Raises:
        OptionError: the protocol is unknown, or its package is missing.
        SourceError: the place cannot be reached.
    """
    has_slash = address.endswith("/")
    if scheme_of(address) in _DIRECT or has_wildcard(address):
        return None
    if _suffix(address) and not has_slash:
        return None  # a file, without a connection
    system = file_system(address)
    with as_source_errors(address):
        system.invalidate_cache()
        if not has_slash and not system.isdir(address):
            return None
        found = system.find(address, maxdepth=None if recursive else 1)
        return sorted(system.unstrip_protocol(path) for path in found)


def look_at(uri: str) -> RemoteState:
    """Query the state of a remote file; unknown if that fails.

    The reason is not reported here: a download of the file raises it.

    Raises:
        OptionError: the protocol is unknown or its package is missing.
    """
    if scheme_of(uri) not in _DIRECT:
        return _ask_file_system(uri)
    try:
        return _ask_server(uri)
    except Exception:  # HTTP clients do not document their errors for malformed addresses
        return _UNKNOWN


@contextmanager
def local_copy(uri: str, *, on_bytes: OnBytes | None = None) -> Iterator[Path]:
    """Copy a remote file to a temporary one, removed at the end of the block.

    Args:
        uri: address.
        on_bytes: called as bytes arrive.

    Raises:
        SourceNotFoundError: nothing there, or no permission.
        SourceError: unreachable, cut short, or the disk is full.
        OptionError: the protocol is unknown or its package is missing.
    """
    try:
        temporary = tempfile.TemporaryDirectory(prefix="vswin-")
    except OSError as error:
        raise _no_room(uri, error) from error
    with temporary as folder:
        target = Path(folder) / f"video{_suffix(uri)}"
        if scheme_of(uri) in _DIRECT:
            _fetch_directly(uri, target, on_bytes)
        else:
            _fetch_by_fsspec(uri, target, on_bytes)
        yield target


def check_can_upload(address: str) -> None:
    """Check in advance that files can be written to an address.

    Raises:
        OptionError: the protocol only reads, is unknown, or its package is missing.
    """
    if scheme_of(address) in _DIRECT:
        raise OptionError(
            f"cannot write to {address}: HTTP addresses are read-only",
            hint="give a path, or an s3, gs or other address that fsspec can write to",
        )
    file_system(address)


def find_present(folder: str, addresses: Sequence[str]) -> list[str]:
    """Return those of the addresses in a folder where a file is; none where the folder is unknown.

    A folder that cannot be listed counts as empty: uploading into it reports what is wrong.
    """
    try:
        system = file_system(folder)
        system.invalidate_cache()  # listings are kept, and another run may have written since
        names = [system._strip_protocol(address) for address in addresses]
        there = set(system.find(folder)) if len(names) > 1 else {*filter(system.isfile, names)}
    except Exception:  # the back ends have no common base for their errors
        return []
    return [address for address, name in zip(addresses, names, strict=True) if name in there]


def upload(files: Sequence[tuple[Path, str]]) -> None:
    """Write local files to addresses of one protocol, several at a time.

    An object store shows a file completely or not at all; other places do what they can.

    Args:
        files: local path and address of each.

    Raises:
        OutputError: the place cannot be reached or does not take a file.
        OptionError: the protocol is unknown or its package is missing.
    """
    if not files:
        return
    system = file_system(files[0][1])
    system.invalidate_cache()
    try:
        system.put([str(path) for path, _ in files], [address for _, address in files])
    except Exception as error:  # the back ends have no common base for their errors
        raise OutputError(
            f"cannot write {files[0][1]}: {type(error).__name__}: {error}",
            hint="check the address, the connection and your credentials",
        ) from error


def _suffix(uri: str) -> str:
    """Return the suffix of the file's name, if it has a plausible one."""
    suffix = PurePosixPath(unquote(without_query(uri))).suffix
    return suffix if _SUFFIX.fullmatch(suffix) else ""


def _fetch_directly(uri: str, target: Path, on_bytes: OnBytes | None) -> None:
    from vswin_cli.storage.download import transfer

    with as_source_errors(uri):  # clients do not document their errors for malformed addresses
        try:
            transfer(uri, target, on_bytes=on_bytes)
        except DownloadError as error:
            raise _of_a_video(uri, error) from error


def _of_a_video(uri: str, error: DownloadError) -> SourceError:
    """Convert the error of a download, with hints for a temporary copy."""
    from vswin_cli.storage.download import AnswerError, BrokenOffError, UnwritableError

    uri, hint = redacted(uri), error.hint
    if isinstance(error, AnswerError):
        if error.status in (404, 410):
            return SourceNotFoundError(f"nothing at {uri} ({error.status})", hint=CHECK_ADDRESS)
        if error.status in (401, 403):
            return SourceNotFoundError(
                f"no permission to read {uri} ({error.status})",
                hint="check the address, a signed one expires; or fetch the file by other means",
            )
        hint = CHECK_ADDRESS
    elif isinstance(error, BrokenOffError):
        hint = "run the same command again; it fetches the whole file anew"
    elif isinstance(error, UnwritableError):
        hint = _NO_ROOM_HINT
    return SourceError(f"cannot fetch {uri}: {error.message.removeprefix(f'{uri}: ')}", hint=hint)


def _no_room(uri: str, error: OSError) -> SourceError:
    return SourceError(
        f"cannot copy {uri} to this machine: {error.strerror or error}", hint=_NO_ROOM_HINT
    )


def _fetch_by_fsspec(uri: str, target: Path, on_bytes: OnBytes | None) -> None:
    system = file_system(uri)
    with as_source_errors(uri):
        expected = system.info(uri).get("size")
        with system.open(uri, "rb") as remote:
            received = _save(uri, _chunks(uri, remote), target, on_bytes, expected)
        if expected is not None and received != expected:
            raise SourceError(
                f"{uri} arrived incomplete: {received} of {expected} bytes",
                hint="run the same command again",
            )


def _ask_server(uri: str) -> RemoteState:
    from huggingface_hub import constants, get_session

    response = get_session().head(
        uri,
        headers={"Accept-Encoding": "identity"},  # the length is then that of the file
        follow_redirects=True,
        timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT,
    )
    if response.status_code != 200:
        return _UNKNOWN  # some servers answer GET only
    return _state({name: response.headers.get(name) for name in _HEADERS}, "Content-Length")


def _ask_file_system(uri: str) -> RemoteState:
    system = file_system(uri)
    try:
        with as_source_errors(uri):
            info = system.info(uri)
    except SourceError:
        return _UNKNOWN
    return _state({name: info.get(name) for name in (*_FIELDS, "size")}, "size")


def _state(properties: dict[str, Any], size_name: str) -> RemoteState:
    found = {name: str(value) for name, value in properties.items() if value is not None}
    size = found.get(size_name, "")
    version = " ".join(f"{name}={value}" for name, value in found.items())
    return RemoteState(version or None, int(size) if size.isdecimal() else None)


def _chunks(uri: str, remote: IO[bytes]) -> Iterator[bytes]:
    with as_source_errors(uri):
        while chunk := remote.read(_CHUNK_BYTES):
            yield chunk


def _save(
    uri: str,
    chunks: Iterator[bytes],
    target: Path,
    on_bytes: OnBytes | None,
    expected: int | None,
) -> int:
    """Write the chunks to a file and count the bytes."""
    done = 0
    try:
        with target.open("wb") as local:
            for chunk in chunks:
                local.write(chunk)
                done += len(chunk)
                if on_bytes:
                    on_bytes(done, expected)
    except OSError as error:  # of this machine: those of the other are `SourceError` already
        raise _no_room(uri, error) from error
    return done

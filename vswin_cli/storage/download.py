"""Download one address into one partial file, resuming after broken connections.

Handles HTTP ranges and full disks; independent of weights, hashes and the Hub. The received part
stays in the unfinished file, so that the next call, or the next run, requests only the rest.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit

from vswin_cli.errors import DownloadError, IntegrityError, OfflineError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import httpx2

__all__ = [
    "AnswerError",
    "BrokenOffError",
    "DiskFullError",
    "OnBytes",
    "SizeCheck",
    "UnwritableError",
    "check_free_space",
    "network_errors",
    "network_failure",
    "transfer",
]

OnBytes = Callable[[int, "int | None"], None]
"""Called with the bytes received so far and the total, or None while it is unknown."""
SizeCheck = Callable[[int], "str | None"]
"""Called with the total that a server announces; returns why it is wrong, or None."""

# Waits between attempts without progress; any byte received starts the list again.
_RETRY_WAITS_SECONDS = (0.5, 1.0, 2.0, 4.0)
_TRANSIENT_STATUS = (408, 429, 500, 502, 503, 504)
_DISK_FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your quota on this disk is used up",
    errno.EFBIG: "a file may not grow that large here",
}
_SPARE_BYTES = 1_000_000  # for the small records beside a large file


class AnswerError(DownloadError):
    """The server answered without the file."""

    def __init__(self, message: str, *, status: int = 0, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class BrokenOffError(DownloadError):
    """The connection broke too often; the received part is in the unfinished file."""


class UnwritableError(DownloadError):
    """The unfinished file cannot be written."""


class DiskFullError(UnwritableError):
    """The disk is too full for the file, from whatever source."""


class _InterruptedError(Exception):
    """The connection broke, or the server is busy, so that another attempt may succeed."""


def transfer(
    url: str,
    unfinished: Path,
    *,
    headers: Mapping[str, str] | None = None,
    check_size: SizeCheck | None = None,
    on_bytes: OnBytes | None = None,
) -> None:
    """Download `url` into `unfinished`, continuing what is there.

    Args:
        url: address; redirects are followed, without sending credentials to other hosts.
        unfinished: file for the bytes; those that it already has are not requested again.
        headers: of the request, such as an authorization.
        check_size: called before the body is read.
        on_bytes: progress.

    Raises:
        OfflineError: the Hub client's offline mode is on.
        IntegrityError: the server announces a length that `check_size` refuses.
        DownloadError: unreachable, refused, not there, cut too often, or the disk is full.
    """
    try:
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        unfinished.open("ab").close()
    except OSError as error:
        raise _write_failed(unfinished, 0, error) from error
    waits = iter(_RETRY_WAITS_SECONDS)
    while True:
        before = _length(unfinished)
        try:
            _attempt(url, unfinished, dict(headers or {}), check_size, on_bytes)
        except _InterruptedError as interruption:
            here = _length(unfinished)
            if here > before:
                waits = iter(_RETRY_WAITS_SECONDS)
            wait_seconds = next(waits, None)
            if wait_seconds is None:
                raise _gave_up(url, here, interruption) from interruption
            time.sleep(wait_seconds)
        else:
            _validator_path(unfinished).unlink(missing_ok=True)
            return


def check_free_space(folder: Path, needed_bytes: int, purpose: str) -> None:
    """Check that there is enough space on the disk.

    Args:
        folder: of the file; it need not exist.
        needed_bytes: size of the file.
        purpose: of the file, for the message.

    Raises:
        DiskFullError: less is free.
    """
    if needed_bytes + _SPARE_BYTES > _free_bytes(folder):
        raise _no_room(folder, needed_bytes, purpose, errno.ENOSPC)


def network_errors() -> tuple[type[Exception], ...]:
    """Return the exception classes of the HTTP client that the installed Hub client uses."""
    from huggingface_hub.errors import HfHubHTTPError

    http_errors = (
        base
        for base in HfHubHTTPError.__mro__
        if base.__name__ == "HTTPError" and issubclass(base, Exception)
    )
    # With a SOCKS proxy in the environment both clients need a package; one raises ImportError.
    return (OSError, ImportError, *http_errors)


def network_failure(url: str, error: Exception) -> DownloadError:
    """Convert the HTTP client's error for an unreachable address."""
    from huggingface_hub.errors import OfflineModeIsEnabled

    host = urlsplit(url).netloc
    if "socks" in str(error).lower() and _socks_variables():
        return DownloadError(
            f"cannot reach {host}: {' and '.join(_socks_variables())} names a SOCKS proxy, which "
            "needs a package that is not installed",
            hint="`pip install socksio` in vswin's environment, or name an HTTP proxy",
        )
    if isinstance(error, OfflineModeIsEnabled):
        return OfflineError(
            f"{url}: not fetched, because HF_HUB_OFFLINE is set",
            hint="unset HF_HUB_OFFLINE, or download on a machine with network access",
        )
    return DownloadError(
        f"cannot reach {host}: {error or type(error).__name__}",
        hint="check the connection and the proxy settings, then run the same command again",
    )


def _socks_variables() -> list[str]:
    """List the environment variables that contain a SOCKS proxy."""
    return [
        name
        for name, value in sorted(os.environ.items())
        if name.lower().endswith("_proxy") and value.lower().startswith("socks")
    ]


def _attempt(
    url: str,
    unfinished: Path,
    headers: dict[str, str],
    check_size: SizeCheck | None,
    on_bytes: OnBytes | None,
) -> None:
    """Request the missing part over one connection, and append it."""
    here = _length(unfinished)
    headers["Accept-Encoding"] = "identity"  # or the range would refer to compressed bytes
    validator = _read_validator(unfinished)
    if here and validator:
        headers |= {"Range": f"bytes={here}-", "If-Range": validator}
    with _open(url, headers, resuming=here > 0) as response:
        if response.status_code == 416 and here:
            _settle_unsatisfiable(response, unfinished)
            return
        _check_status(url, response)
        start = here if response.status_code == 206 else 0
        total = _total_bytes(response, start)
        if total is not None:
            if check_size and (problem := check_size(total)):
                raise _wrong_size(url, problem)
            check_free_space(unfinished, total - start, f"the download of {_file_name(url)}")
        try:
            _write_validator(unfinished, response.headers)
            with unfinished.open("ab" if start else "wb") as file:
                done = _append(_body(url, response), file, start, total, on_bytes)
        except OSError as error:
            missing_bytes = max(0, (total or 0) - _length(unfinished))
            raise _write_failed(unfinished, missing_bytes, error) from error
        if total is not None and done != total:
            raise _InterruptedError(f"the connection ended after {done} of {total} bytes")


def _append(
    chunks: Iterable[bytes], file: BinaryIO, done: int, total: int | None, on_bytes: OnBytes | None
) -> int:
    """Write the chunks; return the new length."""
    if on_bytes:
        on_bytes(done, total)
    for chunk in chunks:
        file.write(chunk)
        done += len(chunk)
        if on_bytes:
            on_bytes(done, total)
    file.flush()
    os.fsync(file.fileno())
    return done


@contextmanager
def _open(url: str, headers: Mapping[str, str], *, resuming: bool) -> Iterator[httpx2.Response]:
    """Send the request through the Hub client's session, with its proxies and offline mode."""
    from huggingface_hub import constants, get_session

    try:
        request = get_session().stream(
            "GET",
            url,
            headers=dict(headers),
            follow_redirects=True,
            timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT,
        )
        response = request.__enter__()
    except network_errors() as error:
        failure = network_failure(url, error)
        if resuming and not isinstance(failure, OfflineError):
            raise _InterruptedError(failure.message) from error
        raise failure from error
    try:
        yield response
    finally:
        request.__exit__(None, None, None)


def _body(url: str, response: httpx2.Response) -> Iterator[bytes]:
    """Iterate over the response's bytes; a broken connection is an `_InterruptedError`."""
    try:
        yield from response.iter_bytes()
    except network_errors() as error:
        raise _InterruptedError(f"{urlsplit(url).netloc}: {error or type(error).__name__}") from (
            error
        )


def _check_status(url: str, response: httpx2.Response) -> None:
    status = response.status_code
    if status in (200, 206):
        return
    if status in _TRANSIENT_STATUS:
        raise _InterruptedError(f"{urlsplit(url).netloc} answered {status}")
    if status in (404, 410):
        raise AnswerError(
            f"{url}: not found ({status})",
            status=status,
            hint="the file has moved or the address is wrong; try another `--source`",
        )
    if status in (401, 403):
        raise AnswerError(
            f"{url}: access was refused ({status})",
            status=status,
            hint="set HF_TOKEN to a token that may read it, or try another `--source`",
        )
    raise AnswerError(
        f"{url}: unexpected answer {status}", status=status, hint="try another `--source`"
    )


def _settle_unsatisfiable(response: httpx2.Response, unfinished: Path) -> None:
    """Handle status 416: the file is complete, or the received part belongs to an older one."""
    total = response.headers.get("Content-Range", "").rpartition("/")[2]
    if total != str(_length(unfinished)):
        unfinished.unlink()
        raise _InterruptedError("the file at the server has become shorter")


def _total_bytes(response: httpx2.Response, start: int) -> int | None:
    """Read the length of the whole file from a partial or a complete answer."""
    if response.headers.get("Content-Encoding", "identity") != "identity":
        return None
    if response.status_code == 206:
        first, _, total = response.headers.get("Content-Range", "").partition("/")
        if not first.startswith(f"bytes {start}-"):
            raise DownloadError(f"the server sent a different range than requested: {first!r}")
        return int(total) if total.isdecimal() else None
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _validator_path(unfinished: Path) -> Path:
    return unfinished.with_name(unfinished.name + ".version")


def _read_validator(unfinished: Path) -> str | None:
    """Read the identifier of the file's version from the first part of the download."""
    path = _validator_path(unfinished)
    return path.read_text(encoding="ascii", errors="replace") if path.exists() else None


def _write_validator(unfinished: Path, headers: Mapping[str, str]) -> None:
    """Keep a validator for range requests: a strong tag or a date (RFC 9110, 13.1.5).

    Without either, what has arrived is not continued: it could become half of two versions.
    """
    tag = headers.get("ETag", "")
    validator = headers.get("Last-Modified", "") if not tag or tag.startswith("W/") else tag
    _validator_path(unfinished).write_text(validator, encoding="ascii", errors="replace")


def _file_name(url: str) -> str:
    return urlsplit(url).path.rpartition("/")[2] or url


def _wrong_size(url: str, problem: str) -> IntegrityError:
    return IntegrityError(
        f"{url}: {problem}",
        hint="this is not the published file, or not all of it; try another `--source`",
    )


def _write_failed(path: Path, missing_bytes: int, error: OSError) -> DownloadError:
    if error.errno in _DISK_FULL:
        return _no_room(path, missing_bytes, "the rest of the download", error.errno)
    return UnwritableError(
        f"{path}: cannot be written ({error.strerror})",
        hint="set HF_HOME and VSWIN_CACHE to folders that you may write to",
    )


def _free_bytes(path: Path) -> int:
    there = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
    return shutil.disk_usage(there).free


def _no_room(path: Path, needed_bytes: int, purpose: str, code: int) -> DiskFullError:
    return DiskFullError(
        f"{path}: {_DISK_FULL[code]}: {purpose} needs {needed_bytes / 1e6:.1f} MB, "
        f"{_free_bytes(path) / 1e6:.1f} MB are free",
        hint="free some space, or set HF_HOME and VSWIN_CACHE to folders on another disk; "
        "what has arrived is kept and the rest is fetched next time",
    )


def _gave_up(url: str, here: int, reason: Exception) -> BrokenOffError:
    return BrokenOffError(
        f"{url}: the download was interrupted too often ({reason})",
        hint=f"run the same command again: {here / 1e6:.1f} MB have arrived and are kept",
    )

"""Open the file systems of addresses through fsspec, and convert their errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from vswin_cli.errors import OptionError, SourceError, SourceNotFoundError, VswinError

__all__ = ["CHECK_ADDRESS", "as_source_errors", "file_system", "is_stream", "scheme_of"]

CHECK_ADDRESS = "check the address"
_PROTOCOLS = "use a path, or an http, https, s3, gs or hf address"
_STREAMS = frozenset(
    {"gopher", "mms", "mmsh", "mmst", "rist", "rtmp", "rtmpe", "rtmps", "rtmpt", "rtp", "rtsp"}
    | {"rtsps", "sctp", "srt", "srtp", "tcp", "tls", "udp", "udplite", "webrtc", "whip", "zmq"}
)
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}


def scheme_of(uri: str) -> str:
    """Return the protocol of an address in small letters, such as `s3`."""
    return uri.partition("://")[0].lower()


def is_stream(uri: str) -> bool:
    """Return whether an address has a protocol of live streams, such as `rtsp`."""
    return "://" in uri and scheme_of(uri) in _STREAMS


def file_system(uri: str) -> Any:  # noqa: ANN401  # fsspec is untyped
    """Return the file system of an address.

    Raises:
        OptionError: the protocol is unknown, one of live streams, or its package is missing.
    """
    scheme = scheme_of(uri)
    if is_stream(uri):
        raise OptionError(
            f"{uri} is a live stream, not a file",
            hint=f"`vswin tag` tags it as it arrives, with --live; or record it, such as "
            f"`ffmpeg -i {uri} -c copy recording.mkv`",
        )
    import fsspec  # type: ignore[import-untyped]

    try:
        return fsspec.filesystem(scheme)
    except ImportError as error:
        extra = _EXTRAS.get(scheme)
        raise OptionError(
            f"{scheme}:// addresses need a package that is not installed ({error.name or error})",
            hint=f'pip install "vswin[{extra}]"' if extra else "install it in vswin's environment",
        ) from error
    except ValueError as error:
        raise OptionError(f"unknown protocol {scheme}:// in {uri}", hint=_PROTOCOLS) from error
    except TypeError as error:  # a file system that requires a host or other arguments
        raise OptionError(f"{scheme}:// addresses are not supported", hint=_PROTOCOLS) from error


@contextmanager
def as_source_errors(uri: str) -> Iterator[None]:
    """Convert any exception of a remote file system to an error with the address.

    The back ends have no common base for their errors, so everything is caught.
    """
    try:
        yield
    except VswinError:
        raise
    except FileNotFoundError as error:
        raise SourceNotFoundError(f"nothing at {uri}", hint=CHECK_ADDRESS) from error
    except PermissionError as error:
        raise SourceNotFoundError(
            f"no permission to read {uri}", hint="log in, or check your credentials"
        ) from error
    except Exception as error:
        raise SourceError(
            f"cannot fetch {uri}: {type(error).__name__}: {error}",
            hint="check the address, the connection and your credentials",
        ) from error

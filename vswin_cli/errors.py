"""Exceptions of the package, and the exit code of each kind.

    VswinError                    1  unexpected; anything more specific is below
    ├── OptionError               2  an option or an argument makes no sense
    │   └── SelectionError           options for segments that do not fit the model
    ├── SourceError               4  an input cannot be processed
    │   ├── SourceNotFoundError      nothing there, or not readable
    │   ├── NotAVideoError           no container that the decoder supports
    │   ├── NoVideoStreamError       audio only, cover art only, no frames
    │   └── DecodeError              the decoder failed, crashed or hung
    ├── ModelError                5  weights are missing or unusable
    │   ├── UnknownModelError        a name that is not in the registry
    │   ├── CheckpointError          a file that cannot become the network
    │   │   └── UnsafeCheckpointError   the file would run code
    │   ├── LabelsError              a label list that does not fit the head
    │   └── DownloadError            no source delivered a verified file
    │       ├── OfflineError            no network, and not in the cache
    │       └── IntegrityError          size or hash differ from what is known
    ├── DeviceError               6  no such device, or out of memory after back-off
    ├── InstallationError         1  a package that vswin needs is broken here
    ├── CoverageError             7  finished, but too little could be analysed (--strict)
    └── OutputError               8  a result cannot be written

Only `vswin_cli.cli.app` turns these into text and exit codes. A run of which some inputs failed
exits with 3, an interrupted one with 130.
"""

from __future__ import annotations

import re
from typing import ClassVar

__all__ = [
    "SOME_FAILED",
    "CheckpointError",
    "CoverageError",
    "DecodeError",
    "DeviceError",
    "DownloadError",
    "InstallationError",
    "IntegrityError",
    "LabelsError",
    "ModelError",
    "NoVideoStreamError",
    "NotAVideoError",
    "OfflineError",
    "OptionError",
    "OutputError",
    "SelectionError",
    "SourceError",
    "SourceNotFoundError",
    "UnknownModelError",
    "UnsafeCheckpointError",
    "VswinError",
    "redacted",
]


SOME_FAILED = 3
"""Exit code where some inputs have a result and others an error."""

_HIDDEN = "***"
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://[^\s\"'<>`]*[^\s\"'<>`:,.;!?)]")
# Not that of `udp://@239.0.0.1`, which is empty.
_USER = re.compile(r"(?<=://)(?!@[^@/?#\s]*(?:[/?#]|$))[^/?#\s]*@")
_SECRET_NAME = (
    r"(?:access.?(?:id|key)|api.?key|auth(?!ors?=)|cred|hdne|hmac|jwt|passw|policy|secret|session"
    r"|signature|ticket|token|(?<![a-z])(?:key|md5|pass|pwd|sig)(?![a-z]))"
)
_SECRET = re.compile(
    rf"(?P<query>[?&#][^?&;#=]*{_SECRET_NAME}[^?&;#=]*=)[^&;#]+"
    rf"|(?P<path>[/;][^/?&;#=]*{_SECRET_NAME}[^/?&;#=]*=)[^/?&;#]+"
    r"|(?P<mark>\?)[A-Za-z0-9_.~%+-]{16,}={0,2}(?=$|[&#,)])",
    re.IGNORECASE,
)


def redacted(text: str) -> str:
    """Replace what gives access in the addresses of a text by `***`.

    That is a user name with its password, the values of parameters whose names speak of tokens,
    keys, signatures and the like, and a long query without a name.
    """
    return _ADDRESS.sub(_redacted_address, text) if "://" in text else text


def _redacted_address(found: re.Match[str]) -> str:
    address = _USER.sub(f"{_HIDDEN}@", found[0], count=1)
    return _SECRET.sub(
        lambda one: f"{one['query'] or one['path'] or one['mark']}{_HIDDEN}", address
    )


class VswinError(Exception):
    """Base of every error that a user may see.

    Args:
        message: what was wrong, with which file or option; secrets in addresses are hidden.
        hint: what to do next, as a sentence without a full stop.
    """

    code: ClassVar[str] = "INTERNAL"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        self.message = redacted(message)
        self.hint = None if hint is None else redacted(hint)
        super().__init__(self.message)
        if self.hint is not None:
            self.__notes__ = [f"hint: {self.hint}"]  # shown below a traceback from Python 3.11 on


class OptionError(VswinError):
    """An option or an argument makes no sense, alone or beside another."""

    code = "USAGE"
    exit_code = 2


class SelectionError(OptionError):
    """The options for segments do not fit the labels or the activation of a model."""


class SourceError(VswinError):
    """An input cannot be processed."""

    code = "SOURCE"
    exit_code = 4


class SourceNotFoundError(SourceError):
    """Nothing is at the given path or address, or it may not be read."""

    code = "SOURCE_NOT_FOUND"


class NotAVideoError(SourceError):
    """The file is in no container format that the decoder supports."""

    code = "NOT_A_VIDEO"


class NoVideoStreamError(SourceError):
    """The container opens but has no video stream: audio, cover art or no frame at all."""

    code = "NO_VIDEO_STREAM"


class DecodeError(SourceError):
    """The decoder failed, crashed or hung before any result was possible."""

    code = "DECODE_FAILED"


class ModelError(VswinError):
    """Weights are missing or unusable."""

    code = "MODEL"
    exit_code = 5


class UnknownModelError(ModelError):
    """There are no weights of this name in the registry."""

    code = "UNKNOWN_MODEL"


class CheckpointError(ModelError):
    """A file cannot become the network: wrong content, wrong shapes, damaged."""

    code = "BAD_CHECKPOINT"


class UnsafeCheckpointError(CheckpointError):
    """A pickle that holds more than tensors; it was refused before anything ran."""

    code = "UNSAFE_CHECKPOINT"


class LabelsError(ModelError):
    """A label list cannot be read or does not fit the network's head."""

    code = "BAD_LABELS"


class DownloadError(ModelError):
    """No source delivered a verified file."""

    code = "DOWNLOAD_FAILED"


class OfflineError(DownloadError):
    """The network may not or cannot be used, and the file is not in the cache."""

    code = "OFFLINE"


class IntegrityError(DownloadError):
    """A downloaded file's size or hash differs from the known one."""

    code = "INTEGRITY"


class DeviceError(VswinError):
    """The device does not exist here, or stays out of memory at batch size one."""

    code = "DEVICE"
    exit_code = 6


class InstallationError(VswinError):
    """A package that vswin needs cannot be loaded here; it is not an error of an input."""

    code = "INSTALLATION"


class CoverageError(VswinError):
    """The run finished, but less was analysed than `--strict` requires."""

    code = "LOW_COVERAGE"
    exit_code = 7


class OutputError(VswinError):
    """A result cannot be written where the user asked for it."""

    code = "OUTPUT"
    exit_code = 8

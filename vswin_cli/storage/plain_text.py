"""Write names of files and labels, which may hold any character, on one line."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from vswin_cli.storage.remote import is_remote

__all__ = ["UNSAFE", "file_name", "one_line", "path_of"]

# Controls (C0, C1), line ends, marks of the reading direction, which make a terminal show another
# text than the file holds, surrogates and noncharacters
UNSAFE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_CONTROL = re.compile(f"{UNSAFE.pattern}+")


def one_line(text: str) -> str:
    """Replace line ends and control characters, which line-based and XML formats cannot contain.

    Terminals interpret some of them: escape sequences and bidirectional overrides.
    """
    return _CONTROL.sub(" ", text).strip()


def file_name(uri: str) -> str:
    """Return the file name in a path or an address, without folders."""
    return one_line(PurePosixPath(path_of(uri)).name) or "video"


def path_of(uri: str) -> str:
    """Return a path with forward slashes, or an address without its query.

    Only addresses have a query: `what?.mp4` is a legal file name.
    """
    return (uri.split("?")[0] if is_remote(uri) else uri).replace("\\", "/")

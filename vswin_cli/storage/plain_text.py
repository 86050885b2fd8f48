"""Write names of files and labels, which may hold any character, on one line, and compare them."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePosixPath

from vswin_cli.storage.remote import is_remote

__all__ = [
    "UNSAFE",
    "encodable",
    "file_name",
    "loose_spelling",
    "one_line",
    "path_of",
    "shortened",
    "text_sha256",
]

# Controls (C0, C1), line ends, marks of the reading direction, which make a terminal show another
# text than the file holds, surrogates and noncharacters
UNSAFE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_MOST_LETTERS = 40  # of a label beside an axis
_CONTROL = re.compile(f"{UNSAFE.pattern}+")


def one_line(text: str) -> str:
    """Replace line ends and control characters, which line-based and XML formats cannot contain.

    Terminals interpret some of them: escape sequences and bidirectional overrides.
    """
    return _CONTROL.sub(" ", text).strip()


def encodable(text: str) -> str:
    """Escape lone surrogates, of file names that are not UTF-8, which UTF-8 cannot encode."""
    return text.encode("utf-8", "backslashreplace").decode()


def shortened(text: str, most_letters: int = _MOST_LETTERS) -> str:
    """Shorten a text to so many letters, by default what fits beside the axis of a figure."""
    return text if len(text) <= most_letters else f"{text[: most_letters - 1].rstrip()}…"


def loose_spelling(label: str) -> str:
    """Return a label without upper case, underscores and needless blanks, to compare it."""
    return " ".join(label.replace("_", " ").casefold().split())


def text_sha256(text: str) -> str:
    """Compute the sha256 of a text in hexadecimal digits; it may be a name that is not UTF-8."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def file_name(uri: str) -> str:
    """Return the file name in a path or an address, without folders."""
    return one_line(PurePosixPath(path_of(uri)).name) or "video"


def path_of(uri: str) -> str:
    """Return a path with forward slashes, or an address without its query.

    Only addresses have a query: `what?.mp4` is a legal file name.
    """
    return (uri.split("?")[0] if is_remote(uri) else uri).replace("\\", "/")

"""Make names for other programs' formats: captions, clean text, ids and URLs of videos."""

from __future__ import annotations

import os
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from vswin_cli.errors import OptionError
from vswin_cli.storage.plain_text import UNSAFE, file_name, one_line, path_of
from vswin_cli.timeline.record import Timeline
from vswin_cli.timeline.segments import Segment

__all__ = [
    "caption",
    "colour_index",
    "escaped",
    "file_name",
    "from_spreadsheet",
    "media_url",
    "one_line",
    "spreadsheet_text",
    "video_ids",
    "video_name",
]

_FORMULA_STARTS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # and full-width
_ESCAPE = re.compile(r"\\(?:[nrt\\]|x[0-9a-f]{2}|u[0-9a-f]{4})")
_SHORT_ESCAPES = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def escaped(name: str) -> str:
    r"""Write a name on one line, so that different names stay different.

    Control characters, bytes that are not UTF-8 and marks of the reading direction become escapes
    as in Python: a line break `\n`, the byte 0xE9 `\xe9`. Other names stay as they are, but if they
    contain what looks like an escape, their backslashes are doubled.
    """
    looks_escaped = os.sep == "/" and _ESCAPE.search(name)  # elsewhere it separates folders
    if not (looks_escaped or UNSAFE.search(name)):
        return name
    if os.sep == "/":
        name = name.replace("\\", "\\\\")
    return UNSAFE.sub(_escape, name)


def _escape(found: re.Match[str]) -> str:
    letter = found[0]
    if letter in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[letter]
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:  # how Python holds a byte that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}"


def spreadsheet_text(text: str) -> str:
    """Mark a text for a cell of CSV or TSV that a spreadsheet would run as a formula.

    Those begin with `=`, `+`, `-` or `@`, and get an apostrophe ahead, as spreadsheets themselves
    mark text. Tabs and line ends must be gone, see `one_line` and `escaped`.
    """
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def from_spreadsheet(text: str) -> str:
    """Remove the mark of `spreadsheet_text` from a cell; other texts are unchanged."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA_STARTS) else text


def caption(segment: Segment) -> str:
    """Return label and score, such as `archery 0.83`."""
    return f"{one_line(segment.label)} {segment.score:.2f}"


def colour_index(label: str, count: int) -> int:
    """Choose one of `count` colours, the same for a label in every file."""
    return zlib.crc32(label.encode("utf-8", "replace")) % count


def video_name(timeline: Timeline) -> str:
    """Return the file name of the video, without folders."""
    return file_name(timeline.video.uri)


def video_ids(uris: Sequence[str], *, prefix: str = "") -> list[str]:
    """Make ids from file names without suffix, with as many folders as needed to be unique.

    Args:
        uris: paths or addresses of the videos.
        prefix: beginning of file names that is not part of the id.

    Raises:
        OptionError: the same video is given twice.
    """
    paths = [_without_suffix(uri, prefix) for uri in uris]
    double, times = Counter(paths).most_common(1)[0] if paths else ("", 0)
    if times > 1:
        ends = f"ending and `{prefix}`" if prefix else "ending"
        raise OptionError(
            f"this format names videos by their path without {ends}, and `{double}` comes twice",
            hint="leave one of them out, or choose jsonl or csv",
        )
    # The shortest name that no other video shares, so that ids stay readable.
    owners = Counter(name for path in paths for name in _names_of(path))
    return [next((n for n in _names_of(path) if n and owners[n] == 1), path) for path in paths]


def media_url(uri: str) -> str:
    """Return a URL of the video: as given if it is one, else `file:` and the absolute path."""
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+://", uri):
        return one_line(uri)
    return "file://" + quote(os.fsencode(Path(uri).absolute().as_posix()))


def _without_suffix(uri: str, prefix: str) -> str:
    path = PurePosixPath(one_line(path_of(uri)))
    name = path.stem.removeprefix(prefix)
    return str(path.parent / name) if name else str(path)


def _names_of(path: str) -> list[str]:
    """List the last part of a path, the last two parts, and so on up to all of it."""
    parts = path.split("/")
    return ["/".join(parts[-depth:]) for depth in range(1, len(parts) + 1)]

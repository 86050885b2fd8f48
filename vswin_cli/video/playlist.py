"""Check the files that an HLS playlist refers to before FFmpeg opens it.

A hostile playlist could refer to private files, network addresses, or itself without end. Only
files in the playlist's own folder, or below it, are allowed.
"""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path

from vswin_cli.errors import NotAVideoError

__all__ = ["is_playlist", "lacks_segments", "open_ended", "verify_playlist"]

_MARK = b"#EXTM3U"
_LONGEST_BYTES = 1 << 24
_URI = re.compile(r'URI="([^"]*)"')
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def is_playlist(path: Path) -> bool:
    """Return whether a file is an HLS playlist, judged by its first line."""
    with path.open("rb") as file:
        return file.read(16).lstrip(b"\xef\xbb\xbf").startswith(_MARK)


def verify_playlist(path: Path) -> None:
    """Check a playlist and those that it refers to.

    Raises:
        NotAVideoError: it refers to something outside of its folder, or to itself.
    """
    _verify(path, path.resolve().parent, ())


def lacks_segments(path: Path) -> bool:
    """Return whether files of a verified playlist are missing or empty."""
    for name in _names(path):
        part = path.parent / name
        if not part.is_file() or part.stat().st_size == 0:
            return True
        if is_playlist(part) and lacks_segments(part):
            return True
    return False


def open_ended(path: Path) -> BytesIO | None:
    """Return a copy, with an end mark, of a media playlist that has none; `None` for others.

    Such a playlist is an interrupted recording. FFmpeg would take it for a live stream, begin near
    its end and wait for more. Paths are made absolute, because the copy is in no folder.
    """
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    has_segments = any(line.startswith("#EXTINF") for line in lines)
    if not has_segments or any(line.startswith("#EXT-X-ENDLIST") for line in lines):
        return None
    folder = path.absolute().parent
    whole = [
        _URI.sub(lambda match: f'URI="{folder / match[1]}"', line)
        if line.startswith("#")
        else str(folder / line.strip())
        for line in lines
        if line.strip()
    ]
    return BytesIO("\n".join([*whole, "#EXT-X-ENDLIST", ""]).encode())


def _verify(path: Path, folder: Path, parents: tuple[Path, ...]) -> None:
    """Check one playlist inside `folder`; `parents` are the playlists on the way to it."""
    here = path.resolve()
    if here in parents:
        raise NotAVideoError(
            f"the playlist {path} names itself", hint="name one of its segments, or mend the list"
        )
    for name in _names(path):
        part = path.parent / name
        if _SCHEME.match(name) or not part.resolve().is_relative_to(folder):
            raise NotAVideoError(
                f"the playlist {path} names {name!r}, which is not a file in its folder",
                hint="download the playlist's segments beside it",
            )
        if part.is_file() and is_playlist(part):
            _verify(part, folder, (*parents, here))


def _names(path: Path) -> list[str]:
    """List the files that a playlist refers to: segments, other playlists, keys and the like."""
    if path.stat().st_size > _LONGEST_BYTES:
        raise NotAVideoError(f"the playlist {path} is too long", hint="name its segments instead")
    names = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        text = line.strip()
        if text.startswith("#"):
            names += _URI.findall(text)
        elif text:
            names.append(text)
    return names

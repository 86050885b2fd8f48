"""Check the structure of a container: whether its end is missing, whether a second movie follows.

A declared duration that was not reached has two causes: bytes are missing, or the declaration
is wrong. Containers that store the length of their parts distinguish the two. Reads the few bytes
of each part's header with plain file access; nothing is decoded.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

__all__ = ["SecondMovie", "is_animated_webp", "is_cut_off", "second_movie"]

_MAX_PARTS = 200_000  # limit for damaged files
_WEBP_ANIMATION = 0x02
_EBML_HEADER = 0x1A45DFA3
_MATROSKA_SEGMENT = 0x18538067
_MATROSKA_PARTS = (_EBML_HEADER, _MATROSKA_SEGMENT)
_FIRST_BOXES = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"styp", b"pnot"}
_BOXES = _FIRST_BOXES | {
    *(b"moof", b"mfra", b"sidx", b"ssix", b"emsg", b"prft", b"pdin"),
    *(b"meta", b"udta", b"uuid", b"imda", b"junk", b"PICT", b"pict"),
}
"""Top-level boxes (ISO 14496-12, table 1; QuickTime); anything else ends the sequence."""


def is_cut_off(path: Path) -> bool | None:
    """Return whether the end of a file is missing.

    Returns:
        `True` if a part reaches beyond the end of the file, `False` if all parts fit, `None`
        if the format (MPEG streams, raw streams, live recordings) stores no lengths.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        file.seek(0)
        if head[4:8] in _FIRST_BOXES:
            return _boxes_cut_off(file, size)
        if head[:4] == _EBML_HEADER.to_bytes(4, "big"):
            return _matroska_cut_off(file, size)
        if head[:4] == b"RIFF":
            return _riff_cut_off(file, size)
    return None


def _boxes_cut_off(file: BinaryIO, size: int) -> bool | None:
    """Check MP4 and QuickTime: a sequence of boxes, each with its length."""
    end = 0
    for _, _, end in _boxes(file):
        if end > size:
            return True
    return False if end == size else None


def _boxes(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Yield type, begin and declared end of each top-level box.

    Stops at anything else: damage, a tag or a line end appended by some program, or a box without
    a length, which by definition extends to the end of the file.
    """
    offset = 0
    for _ in range(_MAX_PARTS):
        file.seek(offset)
        header = file.read(16)
        length, kind = int.from_bytes(header[:4], "big"), header[4:8]
        if length == 1 and len(header) == 16:
            length = int.from_bytes(header[8:], "big")
        if kind not in _BOXES or length < 8:
            return
        yield kind, offset, offset + length
        offset += length


def _matroska_cut_off(file: BinaryIO, size: int) -> bool | None:
    """Check Matroska and WebM: a header, then a segment of known or unknown length.

    The same may follow again, as in files joined by `cat`.
    """
    found = None
    for _ in range(_MAX_PARTS):
        identifier = _read_vint(file, keep_marker=True)
        length = _read_vint(file, keep_marker=False)
        is_segment = identifier == _MATROSKA_SEGMENT
        if identifier is None or (found is False and identifier not in _MATROSKA_PARTS):
            return found
        if length is None or file.tell() + length > size:
            # A header that does not fit is damaged, which the decoder reports.
            return True if is_segment and length is not None else None
        found = False if is_segment else found
        file.seek(length, 1)
    return found


def _read_vint(file: BinaryIO, *, keep_marker: bool) -> int | None:
    """Read a variable-length integer of EBML; `None` at the end of the file or for 'unknown'."""
    first = file.read(1)
    if not first or first == b"\0":
        return None
    extra = 8 - first[0].bit_length()
    rest = file.read(extra)
    if len(rest) < extra:
        return None
    value = int.from_bytes(first + rest, "big")
    if keep_marker:
        return value
    value_bits = 7 * (extra + 1)
    value &= (1 << value_bits) - 1
    return None if value == (1 << value_bits) - 1 else value


def _riff_cut_off(file: BinaryIO, size: int) -> bool | None:
    """Check AVI: one RIFF chunk, followed by more of them beyond 1 GiB."""
    offset = 0
    for _ in range(_MAX_PARTS):
        file.seek(offset)
        header = file.read(8)
        if len(header) < 8 or header[:4] != b"RIFF":
            return False if offset else None
        (length,) = struct.unpack("<I", header[4:])
        if length in (0, 0xFFFFFFFF):  # never filled in: an interrupted or live recording
            return None
        offset += 8 + length + length % 2
        if offset > size + 1:
            return True
    return None


@dataclass(frozen=True, slots=True)
class SecondMovie:
    """Another movie after the first in one file."""

    offset: int
    """Offset in the file at which it begins."""
    seconds: float | None = None
    """Its declared duration, if its header has one."""
    can_be_read: bool = False
    """Whether FFmpeg goes on with it after the first, as in Matroska and AVI."""


def second_movie(path: Path) -> SecondMovie | None:
    """Find a second movie in a file, as made by `cat`; `None` if there is none.

    Players stop at the end of the first, and FFmpeg does in MP4 and QuickTime.
    """
    with path.open("rb") as file:
        head = file.read(12)
        if head[4:8] in _FIRST_BOXES:
            return _second_movie_box(file)
        if head[:4] == _EBML_HEADER.to_bytes(4, "big"):
            offset = _second_matroska(file)
            return None if offset is None else SecondMovie(offset, can_be_read=True)
        if head[:4] == b"RIFF":
            offset = _second_riff(file)
            return None if offset is None else SecondMovie(offset, can_be_read=True)
    return None


def _second_movie_box(file: BinaryIO) -> SecondMovie | None:
    """Look for a second `moov`, except in fragmented files, which may repeat theirs."""
    last_type_offset, num_movies, found = 0, 0, None
    for kind, offset, _ in _boxes(file):
        if kind == b"moof":
            return None
        if kind == b"ftyp":
            last_type_offset = offset
        elif kind == b"moov":
            num_movies += 1
            if num_movies == 2:
                found = SecondMovie(last_type_offset or offset, _movie_seconds(file, offset))
    return found


def _movie_seconds(file: BinaryIO, offset: int) -> float | None:
    """Read the duration in the movie header that a `moov` begins with (ISO 14496-12, 8.2.2)."""
    file.seek(offset + 8)
    box = file.read(40)
    if box[4:8] != b"mvhd" or len(box) < 40:
        return None
    ticks, duration = struct.unpack(
        ">IQ" if box[8] else ">II", box[28:40] if box[8] else box[20:28]
    )
    return duration / ticks if ticks else None


def _second_matroska(file: BinaryIO) -> int | None:
    """Look for another header after the first segment."""
    file.seek(0)
    for _ in range(8):
        identifier = _read_vint(file, keep_marker=True)
        length = _read_vint(file, keep_marker=False)
        if identifier is None or length is None:
            return None
        file.seek(length, 1)
        if identifier == _MATROSKA_SEGMENT:
            offset = file.tell()
            return offset if _read_vint(file, keep_marker=True) == _EBML_HEADER else None
    return None


def _second_riff(file: BinaryIO) -> int | None:
    """Look for another `AVI `; chunks named `AVIX` continue the first."""
    offset = 0
    for _ in range(_MAX_PARTS):
        file.seek(offset)
        header = file.read(12)
        if len(header) < 12 or header[:4] != b"RIFF":
            return None
        if offset and header[8:] == b"AVI ":
            return offset
        (length,) = struct.unpack("<I", header[4:8])
        offset += 8 + length + length % 2
    return None


def is_animated_webp(path: Path) -> bool:
    """Return whether a file is a WebP with the animation flag (WebP container, section VP8X)."""
    with path.open("rb") as file:
        head = file.read(21)
    is_extended = head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X"
    return is_extended and len(head) == 21 and bool(head[20] & _WEBP_ANIMATION)

"""Refuse to replace files that vswin did not write.

Its own results are recognised by their content, so that the same command can be run again; any
other existing file is replaced only with `--force`. A result may not be named like a video, an
image or sound, whether the file exists or not; figures have names of their own.
"""

from __future__ import annotations

import codecs
import errno
import os
import re
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

from vswin_cli.errors import OptionError, OutputError
from vswin_cli.storage.files import is_file
from vswin_cli.storage.sources import VIDEO_SUFFIXES

__all__ = [
    "MEDIA_SUFFIXES",
    "check_media_names",
    "check_overwrites",
    "check_page_name",
    "is_own_file",
    "is_page_name",
]

_IMAGES = "apng avif bmp cr2 dng exr heic heif ico jpe jpeg jpg jxl nef png psd svg tif tiff webp"
_SOUNDS = "aac ac3 aif aiff eac3 flac m4a m4b mka mp2 mp3 oga ogg opus wav wma"
MEDIA_SUFFIXES = VIDEO_SUFFIXES | {f".{name}" for name in f"{_IMAGES} {_SOUNDS}".split()}
"""Endings of videos, images and sound; no result of vswin has one, except images of timelines."""

_HEAD_BYTES = 1 << 20
_WORKBOOK = "docProps/core.xml"
_METADATA = "metadata.npy"  # NumPy keeps text as UTF-32
_SCHEMAS = [f'"vswin.{name}/'.encode("utf-32-le") for name in ("features", "topk-scores")]
_PNG, _PNG_AUTHOR = b"\x89PNG\r\n\x1a\n", b"tEXtSoftware\0vswin"
_METADATA_BYTES = 1000
_FOOTER_BYTES = 1 << 16
_UNREADABLE = (  # what reading a damaged file raises; foreign archives may be anything
    OSError,
    ValueError,
    KeyError,
    EOFError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)
_MARKS = (  # at the beginning of formats that name their author, and headers of our tables
    re.compile(r'\{\s*"schema":\s*"vswin\.timeline/\d+"'),
    re.compile(r"video([,;])start\1end\1duration\1start_tc\1end_tc\1label\1class_id\1score\b"),
    re.compile(r"video\tstart_ms\tend_ms\tlabel\tclass_id\tscore_permille\b"),
    re.compile(r"path,label,start,end,score,video,source_start,source_end,mode,early_seconds\n"),
    re.compile(r"ffconcat version 1\.0\n# made by vswin\n"),
    re.compile(r"<svg [^>]*>\n<!-- written by vswin -->\n"),
    re.compile(r"path,label,rank,predicted,score,problem\n"),
    re.compile(r'path,label,rank,"?score of '),
    re.compile(r"true \\ predicted,"),
    re.compile(r"<\?xml(?s:.){,2000}?<dc:creator>\s*<cc:Agent>\s*<dc:title>vswin</dc:title>"),
    re.compile(r";FFMETADATA1\n; written by vswin\n|<\?xml[^>]*>\s*<!-- written by vswin -->"),
    re.compile(r"(?:\d[\d:]*:\d\d [^\n]*\n)*\nChapters by vswin, "),
    re.compile(r"Marker Name\tDescription\tIn\tOut\t[^\n]*\n(?:$|[^\n\t]*\tvswin )"),
    re.compile(r'<\?xml[^>]*>\s*<ANNOTATION_DOCUMENT AUTHOR="vswin"'),
    re.compile(r'<\?xml(?s:.){,4000}?<event name="vswin"'),
    re.compile(r'\{\s*"OTIO_SCHEMA"(?s:.)*?"vswin": \{'),
    re.compile(r'\[\s*\{\s*"data":(?s:.){,8000}?"model_version": "vswin '),
    re.compile(
        r'<!doctype html>(?s:.){,4000}?(<meta name="generator" content="vswin |– vswin</title>)'
    ),
    re.compile(r'\{\n "version": "VERSION 1\.3",\n "results": \{'),
    re.compile(r'\{\n "classes": null,\n "labels": \{'),
    re.compile(r"(?:[^\n]*\n)?start +end +label +score *\n"),
)
_CAPTION = r".* [01]\.\d\d"
_CUE = r"\d+\n[\d:]+[.,]\d{3} --> [\d:]+[.,]\d{3}\n"
_EVENT = r"\d{3,}  AX  .*\n(?:\* FROM CLIP NAME: .*\n|\* LOC: .* [01]\.\d\d\n)*"
_MARKER = r"\d{3,}  001  .*\n \|C:ResolveColor\w+ \|M:.* [01]\.\d\d \|D:\d+\n\n"
_SHAPES = (  # of formats that cannot name their author: every entry ends with its score
    re.compile(rf"(?:{_CUE}(?:{_CAPTION}\n)+\n?)+"),
    re.compile(rf"WEBVTT\n(?:\n{_CUE}(?:(?:{_CAPTION}\n)+|\{{\"start\": .*\n))*"),
    re.compile(rf"TITLE: .*\nFCM: .*\n(?:\n?{_EVENT})*\n?"),
    re.compile(rf"TITLE: .*\nFCM: .*\n\n(?:{_MARKER})+"),
    re.compile(rf"(?:\d+\.\d{{6}}\t\d+\.\d{{6}}\t{_CAPTION}\n)+"),
)


_USUAL_ENDINGS = {
    "--report": ".html",
    "--save-scores": ".npz",
    "--list": ".ffconcat",
    "--predictions": ".csv",
    "--confusion": ".csv",
}
"""Endings of the files of options that are no format of their own choice."""


def check_media_names(named: Iterable[tuple[str, Path]], *, own_suffix: str = "") -> None:
    """Refuse results that are named like a video, an image or sound.

    Args:
        named: options and the files that will be written because of them.
        own_suffix: ending of the format of the file of `--out`, which may be that of an image.

    Raises:
        OptionError: a name ends like one of media.
    """
    for option, path in named:
        suffix = path.suffix.lower()
        if suffix in MEDIA_SUFFIXES and not (option == "--out" and suffix == own_suffix):
            usual = _USUAL_ENDINGS.get(option) or own_suffix or ".json"
            raise OptionError(
                f"{option} {path} is named like a media file ({suffix}), but the result is not one",
                hint=f"use another ending, such as {path.stem}{usual}",
            )


def is_page_name(path: Path) -> bool:
    """Return whether a file name ends like that of an HTML page."""
    return path.suffix.lower() in (".html", ".htm")


def check_page_name(option: str, path: Path) -> None:
    """Refuse a report whose ending is not that of a page: a browser would not show it.

    Raises:
        OptionError: its ending is neither .html nor .htm.
    """
    if not is_page_name(path):
        raise OptionError(
            f"{option} {path} must end with .html, as the report is an HTML page",
            hint=f"use {path.with_suffix('.html').name}, or end the name with a / for a folder",
        )


def check_overwrites(paths: Iterable[Path], *, force: bool) -> None:
    """Refuse to replace files that vswin did not write.

    Args:
        paths: files that will be written.
        force: allow it.

    Raises:
        OutputError: a file is there already and is not one of ours.
    """
    for path in () if force else dict.fromkeys(paths):
        if is_file(path) and not is_own_file(path):
            raise OutputError(
                f"{path} exists and was not written by vswin",
                hint="choose another name, or add --force to replace it",
            ) from FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def is_own_file(path: Path) -> bool:
    """Recognise a file written by vswin; an empty one counts, as nothing would be lost.

    Subtitles, edit lists and label tracks cannot name their author. They count if every entry has
    the form in which vswin writes it, with a score at its end.
    """
    try:
        if path.stat().st_size == 0:
            return True
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return _is_own_archive(archive)
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
            is_all = not file.read(1)
            if head[:4] == b"PAR1":  # Parquet keeps its metadata at the end
                file.seek(max(0, path.stat().st_size - _FOOTER_BYTES))
                return b'"vswin.features/' in file.read()
            if head.startswith(_PNG):
                return _PNG_AUTHOR in head[:_METADATA_BYTES]
        # The last character of the head may be cut.
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head, final=is_all)
    except _UNREADABLE:
        return False
    if any(mark.match(text) for mark in _MARKS):
        return True
    # Of a file of more than a megabyte the last entry may be cut; the one before it ends whole.
    text = text if is_all else text[: text.rfind("\n\n") + 1] or text[: text.rfind("\n") + 1]
    return any(shape.fullmatch(text) for shape in _SHAPES)


def _is_own_archive(archive: zipfile.ZipFile) -> bool:
    """Recognise a workbook by its author, scores by `meta.json`, others by `metadata`."""
    if _WORKBOOK in archive.namelist():
        with archive.open(_WORKBOOK) as text:
            return b"<dc:creator>vswin<" in text.read(_METADATA_BYTES)
    if _METADATA in archive.namelist():
        with archive.open(_METADATA) as text:
            head = text.read(_METADATA_BYTES)
            return any(schema in head for schema in _SCHEMAS)
    with archive.open("meta.json") as meta:
        return b'"vswin.scores/' in meta.read(200)

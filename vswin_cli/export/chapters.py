"""Write chapters: FFmpeg metadata and Matroska XML.

Chapters follow each other and do not overlap: where several labels hold, the title has all of
them. Titles have no scores, as they are for people who watch the video.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence

from vswin_cli.export.disjoint import disjoint_parts
from vswin_cli.export.naming import one_line, video_name
from vswin_cli.export.timecodes import clock
from vswin_cli.timeline.record import Timeline

__all__ = ["ffmetadata", "matroska_chapters"]

Chapter = tuple[int, int, str]
"""Start and end in milliseconds, title."""


def ffmetadata(timelines: Sequence[Timeline]) -> str:
    """Write chapters as FFmpeg reads them: `ffmpeg -i movie.mp4 -i chapters.ffmeta ...`."""
    (timeline,) = timelines
    lines = [";FFMETADATA1", "; written by vswin", f"title={_escaped(video_name(timeline))}"]
    for start, end, title in _chapters(timeline):
        lines += ["[CHAPTER]", "TIMEBASE=1/1000", f"START={start}", f"END={end}"]
        lines.append(f"title={_escaped(title)}")
    return "\n".join(lines) + "\n"


def matroska_chapters(timelines: Sequence[Timeline]) -> str:
    """Write chapters as mkvmerge reads them: `mkvmerge --chapters FILE -o out.mkv movie.mp4`."""
    (timeline,) = timelines
    root = ET.Element("Chapters")
    chapters = _chapters(timeline)
    # mkvmerge refuses an edition without chapters.
    edition = ET.SubElement(root, "EditionEntry") if chapters else root
    for start, end, title in chapters:
        atom = ET.SubElement(edition, "ChapterAtom")
        ET.SubElement(atom, "ChapterTimeStart").text = clock(start / 1000)
        ET.SubElement(atom, "ChapterTimeEnd").text = clock(end / 1000)
        display = ET.SubElement(atom, "ChapterDisplay")
        ET.SubElement(display, "ChapterString").text = title
        ET.SubElement(display, "ChapterLanguage").text = "und"
    ET.indent(root, " ")
    body = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<!-- written by vswin -->\n{body}\n'


def _chapters(timeline: Timeline) -> list[Chapter]:
    return disjoint_parts(timeline.segments, lambda one: one_line(one.label) or "?", ", ")


def _escaped(text: str) -> str:
    return re.sub(r"([=;#\\])", r"\\\1", text)

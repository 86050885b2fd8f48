"""Write chapters: FFmpeg metadata, Matroska XML and the list that YouTube reads.

Chapters follow each other and do not overlap: where several labels hold, the title has all of
them. Titles have no scores, as they are for people who watch the video.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence

from vswin_cli.export.disjoint import disjoint_parts
from vswin_cli.export.naming import one_line, video_name
from vswin_cli.export.timecodes import clock, milliseconds
from vswin_cli.storage.humanize import clock_text
from vswin_cli.timeline.record import Notice, Timeline

__all__ = ["ffmetadata", "matroska_chapters", "youtube_chapters", "youtube_notices"]

_MIN_YOUTUBE_MS = 10_000
_MIN_YOUTUBE_CHAPTERS = 3
_UNLABELLED = "(no label)"
_WITHOUT_TAGS = str.maketrans("<>", "()")

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


def youtube_chapters(timelines: Sequence[Timeline]) -> str:
    """Write chapters for the description of a video on YouTube: a time and a title per line.

    By YouTube's rules the first begins at 0:00 and none is shorter than 10 seconds: shorter parts
    are joined with the next, under the title that holds longest. Time without a segment is a
    chapter, too.
    """
    (timeline,) = timelines
    lines = [
        # YouTube rejects descriptions with angle brackets.
        f"{clock_text(start // 1000)} {title.translate(_WITHOUT_TAGS)}"
        for start, _, title in _youtube_chapters(timeline)
    ]
    model = one_line(timeline.model.id).translate(_WITHOUT_TAGS)
    return "\n".join([*lines, "", f"Chapters by vswin, {model}"]) + "\n"


def youtube_notices(timeline: Timeline) -> tuple[Notice, ...]:
    """Return a warning if there are fewer chapters than YouTube requires."""
    count = len(_youtube_chapters(timeline))
    if count >= _MIN_YOUTUBE_CHAPTERS:
        return ()
    return (
        Notice(
            "FEW_CHAPTERS",
            f"YouTube shows chapters only where there are {_MIN_YOUTUBE_CHAPTERS} or more; "
            f"{timeline.video.uri} has {count}",
        ),
    )


def _chapters(timeline: Timeline) -> list[Chapter]:
    return disjoint_parts(timeline.segments, lambda one: one_line(one.label) or "?", ", ")


def _youtube_chapters(timeline: Timeline) -> list[Chapter]:
    """Divide the whole video into chapters of at least 10 seconds, the first from 0."""
    groups: list[list[Chapter]] = []
    for part in _filled(timeline):
        if groups and (_length(groups[-1]) < _MIN_YOUTUBE_MS or part[2] == _longest(groups[-1])):
            groups[-1].append(part)
        else:
            groups.append([part])
    # No chapter follows the last one, with which it could be joined.
    if len(groups) > 1 and _length(groups[-1]) < _MIN_YOUTUBE_MS:
        last = groups.pop()
        groups[-1] += last
    joined: list[Chapter] = []
    for group in groups:
        start, end, title = group[0][0], group[-1][1], _longest(group)
        if joined and joined[-1][2] == title:
            joined[-1] = (joined[-1][0], end, title)
        else:
            joined.append((start, end, title))
    return joined


def _filled(timeline: Timeline) -> list[Chapter]:
    """Return the chapters, with the time between them as chapters, too."""
    filled: list[Chapter] = []
    until = 0
    last = milliseconds(timeline.video.duration_seconds)
    for start, end, title in [*_chapters(timeline), (last, last, "")]:
        if start > until:
            filled.append((until, start, _UNLABELLED))
        if title:
            filled.append((start, end, title))
        until = max(until, end)
    return filled


def _length(group: Sequence[Chapter]) -> int:
    return group[-1][1] - group[0][0]


def _longest(group: Sequence[Chapter]) -> str:
    """Return the title that holds longest in a group, the first of equal ones."""
    times: Counter[str] = Counter()
    for start, end, title in group:
        times[title] += end - start
    return times.most_common(1)[0][0]


def _escaped(text: str) -> str:
    return re.sub(r"([=;#\\])", r"\\\1", text)

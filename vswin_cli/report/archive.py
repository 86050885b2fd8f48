"""The data of the page about several videos, for its script: a row per video, and how far it is.

Rows are small, so that thousands fit into one page: what a row shows of a video is its image,
its totals per label, and a strip of its longest segments in thousandths of its length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from vswin_cli.errors import redacted
from vswin_cli.export.naming import file_name, one_line
from vswin_cli.storage.json_records import JsonValue, named, to_json
from vswin_cli.timeline.record import Timeline, summarise

__all__ = ["ArchiveProgress", "ArchiveRow", "RowStatus", "Work", "archive_content"]

_STRIP_UNITS = 1000
_MOST_MARKS = 400  # segments in a strip
_LEAST_MARKS = 40
_MARKS_IN_ALL = 200_000  # keeps the page of an archive within some megabytes

Work = Literal["videos", "pages", "arrivals"]
RowStatus = Literal["ok", "partial", "failed", "waiting", "running"]


@dataclass(frozen=True, slots=True)
class LabelTotal:
    """What a video has of a label."""

    label: str
    seconds: float
    num_segments: int
    max_score: float


@dataclass(frozen=True, slots=True)
class RowFigures:
    """What the table says of an analysed video."""

    seconds: float
    coverage: float
    num_segments: int
    totals: tuple[LabelTotal, ...]
    """Longest first."""
    marks: tuple[tuple[int, int, int], ...]
    """Start and width of segments in thousandths of the video, and index of the label among the
    totals; the longest first."""
    gaps: tuple[tuple[int, int], ...]
    """The same of what could not be decoded."""

    @classmethod
    def of(cls, timeline: Timeline) -> RowFigures:
        """Make the figures of a timeline."""
        total = max(timeline.video.duration_seconds, 0.001)
        segments = [one for model in timeline.each_model() for one in model.segments]
        summary = summarise(segments)  # of all models
        index = {one.label: i for i, one in enumerate(summary)}
        longest = sorted(segments, key=lambda segment: -segment.duration_seconds)
        marks = (
            (*_part(one.start_seconds, one.end_seconds, total), index[one.label])
            for one in longest[:_MOST_MARKS]
        )
        gaps = (_part(one.start_seconds, one.end_seconds, total) for one in timeline.coverage.gaps)
        return cls(
            seconds=round(timeline.video.duration_seconds, 2),
            coverage=round(timeline.coverage.fraction, 6),
            num_segments=len(segments),
            totals=tuple(
                LabelTotal(
                    one_line(one.label),
                    round(one.seconds, 2),
                    one.num_segments,
                    round(one.max_score, 2),
                )
                for one in summary
            ),
            marks=tuple(dict.fromkeys(marks)),
            gaps=tuple(dict.fromkeys(gaps))[:_MOST_MARKS],
        )


@dataclass(frozen=True, slots=True)
class ArchiveRow:
    """A row of the table of videos."""

    uri: str
    """Path or address of the video as the user gave it."""
    status: RowStatus = "ok"
    url: str | None = None
    """URL of the video's own page; `None` if it has none, or none yet."""
    figures: RowFigures | None = None
    cover: str | None = None
    """A `data:` URL with a small image of the video."""
    reason: str | None = None
    """Why it is partial or failed."""

    @classmethod
    def of(cls, timeline: Timeline, url: str | None = None, cover: str | None = None) -> ArchiveRow:
        """Make the row of a video with a result."""
        is_partial = timeline.status != "ok"
        reasons = [notice.message for notice in timeline.warnings if notice.code == "PARTIAL"]
        return cls(
            uri=redacted(timeline.video.uri),
            status="partial" if is_partial else "ok",
            url=url,
            figures=RowFigures.of(timeline),
            cover=cover,
            reason=one_line(reasons[0]) if is_partial and reasons else None,
        )

    @classmethod
    def without_result(cls, uri: str, status: RowStatus, reason: str | None = None) -> ArchiveRow:
        """Make the row of a video that has none, or none yet."""
        return cls(redacted(uri), status, reason=reason and one_line(reason))

    @property
    def name(self) -> str:
        """File name of the video, without folders."""
        return file_name(self.uri)


@dataclass(frozen=True, slots=True)
class ArchiveProgress:
    """How far the work is, for a page that is kept current."""

    what: Work
    """What is done: videos are analysed, pages are made of results, or more videos are awaited."""
    num_inputs: int = field(metadata=named("inputs"))
    num_done: int = field(metadata=named("done"))
    num_failed: int = field(metadata=named("failed"))
    written: str
    """Date and time in UTC."""
    refresh_seconds: float = field(metadata=named("refresh"))
    """After how many seconds a new state may be there."""
    running: tuple[tuple[str, float], ...] = ()
    """Names of videos that are analysed now, each with the time that is reached."""
    rate: float | None = None
    """Seconds of video per second."""
    left_seconds: float | None = field(default=None, metadata=named("left"))
    """Estimated time until the end; `None` if it is not known."""


def archive_content(
    rows: Sequence[ArchiveRow], progress: ArchiveProgress | None = None
) -> dict[str, JsonValue]:
    """Make the data of the page; what is empty is left out of a row."""
    figures = [row.figures for row in rows if row.figures is not None]
    labels = dict.fromkeys(total.label for one in figures for total in one.totals)
    index = {label: i for i, label in enumerate(labels)}
    limit = max(_LEAST_MARKS, _MARKS_IN_ALL // max(1, len(figures)))
    return {
        "labels": list(labels),
        "rows": [_row(row, index, limit) for row in rows],
        "progress": None if progress is None else to_json(progress),
    }


def _row(row: ArchiveRow, index: dict[str, int], limit: int) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {
        "name": row.name,
        "folder": one_line(row.uri.replace("\\", "/")).rpartition("/")[0],
        "url": row.url,
        "status": row.status,
        "reason": row.reason,
        "cover": row.cover,
    }
    if (figures := row.figures) is not None:
        found |= {
            "seconds": figures.seconds,
            "coverage": figures.coverage,
            "segments": figures.num_segments,
            "labels": [
                [index[one.label], one.seconds, one.num_segments, one.max_score]
                for one in figures.totals
            ],
            "marks": [list(mark) for mark in figures.marks[:limit]],
            "gaps": [list(gap) for gap in figures.gaps],
        }
    return {key: value for key, value in found.items() if value not in (None, "", [])}


def _part(start: float, end: float, total: float) -> tuple[int, int]:
    """Return start and width in thousandths of the video, at least 2 to stay visible."""
    first = min(round(_STRIP_UNITS * start / total), _STRIP_UNITS - 2)
    stop = min(round(_STRIP_UNITS * end / total), _STRIP_UNITS)
    return first, max(2, stop - first)

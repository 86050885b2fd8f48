"""Write timelines as an Excel workbook: the sheets segments, files and summary.

Times are durations of Excel, which count days, so that they can be summed and sorted. Text is
always text: no cell is a formula, whatever a label or a file is called.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from datetime import datetime
from importlib import import_module
from typing import Any

from vswin_cli.export.naming import escaped, one_line
from vswin_cli.storage.plain_text import encodable
from vswin_cli.timeline.record import LabelSummary, Timeline
from vswin_cli.timeline.segments import Segment

__all__ = ["xlsx"]

_TIME, _SCORE, _SHARE = "[h]:mm:ss.000", "0.0000", "0.0%"
_SECONDS_PER_DAY = 86_400
_MAX_ROWS = 1_048_575  # of a sheet, after its header
_MAX_CHARACTERS = 32_767  # of a cell

Column = tuple[str, int, str, Callable[..., Any]]
"""Header, width in characters, number format (empty for text and counts) and value of a row."""

_SEGMENTS: tuple[Column, ...] = (
    ("video", 40, "", lambda timeline, _: escaped(timeline.video.uri)),
    ("start", 14, _TIME, lambda _, segment: segment.start_seconds),
    ("end", 14, _TIME, lambda _, segment: segment.end_seconds),
    ("duration", 14, _TIME, lambda _, segment: segment.duration_seconds),
    ("label", 32, "", lambda _, segment: one_line(segment.label)),
    ("class_id", 9, "", lambda _, segment: segment.class_id),
    ("score", 9, _SCORE, lambda _, segment: segment.score),
    ("score_max", 10, _SCORE, lambda _, segment: segment.score_max),
    ("peak", 14, _TIME, lambda _, segment: segment.peak_seconds),
    ("windows", 9, "", lambda _, segment: segment.num_clips),
    ("model", 20, "", lambda timeline, _: one_line(timeline.model.id)),
)
_FILES: tuple[Column, ...] = (
    ("video", 40, "", lambda timeline: escaped(timeline.video.uri)),
    ("status", 9, "", lambda timeline: timeline.status),
    ("duration", 14, _TIME, lambda timeline: timeline.video.duration_seconds),
    ("coverage", 10, _SHARE, lambda timeline: timeline.coverage.fraction),
    ("segments", 10, "", lambda timeline: len(timeline.segments)),
    ("model", 20, "", lambda timeline: one_line(timeline.model.id)),
    ("warnings", 60, "", lambda timeline: _warnings(timeline)),
)
_SUMMARY: tuple[Column, ...] = (
    ("video", 40, "", lambda timeline, _: escaped(timeline.video.uri)),
    ("label", 32, "", lambda _, row: one_line(row.label)),
    ("time", 14, _TIME, lambda _, row: row.seconds),
    ("segments", 10, "", lambda _, row: row.num_segments),
    ("score_max", 10, _SCORE, lambda _, row: row.max_score),
    ("model", 20, "", lambda timeline, _: one_line(timeline.model.id)),
)


def xlsx(timelines: Sequence[Timeline]) -> bytes:
    """Write a workbook: a row per segment, per video, and per video and label.

    A sheet holds 1,048,575 rows; more segments go on in `segments 2`. The same timelines give the
    same bytes.
    """
    file = io.BytesIO()
    book = import_module("xlsxwriter").Workbook(file)
    # The date of creation would make each file differ.
    book.set_properties({"author": "vswin", "created": datetime(2000, 1, 1)})
    segments = [(one, segment) for one in timelines for segment in one.segments]
    for first in range(0, max(1, len(segments)), _MAX_ROWS):
        number = first // _MAX_ROWS + 1
        name = "segments" if number == 1 else f"segments {number}"
        _sheet(book, name, _SEGMENTS, segments[first : first + _MAX_ROWS])
    _sheet(book, "files", _FILES, [(one,) for one in timelines])
    _sheet(book, "summary", _SUMMARY, _summaries(timelines))
    book.close()
    return file.getvalue()


def _summaries(timelines: Sequence[Timeline]) -> list[tuple[Timeline, LabelSummary]]:
    return [(one, row) for one in timelines for row in one.summary]


def _warnings(timeline: Timeline) -> str:
    return one_line("; ".join(notice.message for notice in timeline.warnings))


def _sheet(
    book: Any,  # noqa: ANN401
    name: str,
    columns: Sequence[Column],
    rows: Sequence[tuple[Timeline] | tuple[Timeline, Segment] | tuple[Timeline, LabelSummary]],
) -> None:
    """Write a header, which stays in view and filters, and a row for each tuple of records."""
    sheet = book.add_worksheet(name)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, len(rows), len(columns) - 1)
    bold = book.add_format({"bold": True})
    for x, (header, width, number_format, value) in enumerate(columns):
        shown = book.add_format({"num_format": number_format} if number_format else {})
        sheet.set_column(x, x, width)
        sheet.write_string(0, x, header, bold)
        for y, records in enumerate(rows, 1):
            _write_cell(sheet, y, x, value(*records), number_format, shown)


def _write_cell(
    sheet: Any,  # noqa: ANN401
    y: int,
    x: int,
    value: str | float | None,
    number_format: str,
    shown: Any,  # noqa: ANN401
) -> None:
    if isinstance(value, str):
        sheet.write_string(y, x, encodable(value)[:_MAX_CHARACTERS])
    elif value is not None:
        sheet.write_number(
            y, x, value / _SECONDS_PER_DAY if number_format == _TIME else value, shown
        )

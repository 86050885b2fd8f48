"""Write vswin's own JSON, and tables: CSV, TSV and plain text."""

from __future__ import annotations

from collections.abc import Sequence

from vswin_cli.export.naming import escaped, one_line, spreadsheet_text
from vswin_cli.export.timecodes import clock, milliseconds
from vswin_cli.storage.csv_rows import csv_text, decimal
from vswin_cli.storage.json_records import clean_json
from vswin_cli.timeline.record import Timeline
from vswin_cli.timeline.segments import Segment

__all__ = [
    "CSV_COLUMNS",
    "TABLE_COLUMNS",
    "TSV_COLUMNS",
    "csv_bom",
    "csv_rows",
    "csv_semicolon",
    "json_document",
    "json_lines",
    "table",
    "table_rows",
    "tsv_rows",
]

CSV_COLUMNS = (
    "video", "start", "end", "duration", "start_tc", "end_tc", "label", "class_id", "score",
    "score_max", "peak", "windows", "model",
)  # fmt: skip
_NUMBERS = {
    column
    for column, name in enumerate(CSV_COLUMNS)
    if name not in ("video", "label", "class_id", "windows", "model")
}
TSV_COLUMNS = ("video", "start_ms", "end_ms", "label", "class_id", "score_permille")
TABLE_COLUMNS = ("start", "end", "label", "score")


def json_document(timelines: Sequence[Timeline]) -> str:
    """Write one timeline as indented JSON."""
    (timeline,) = timelines
    return clean_json(timeline.to_json(), indent=1) + "\n"


def json_lines(timelines: Sequence[Timeline]) -> str:
    """Write JSON Lines, one line per timeline."""
    return "".join(clean_json(timeline.to_json()) + "\n" for timeline in timelines)


def csv_rows(timelines: Sequence[Timeline]) -> str:
    """Write CSV (RFC 4180 with line feeds): always a header, a row per segment, seconds.

    Names and labels that a spreadsheet would run as a formula get an apostrophe ahead, see
    `spreadsheet_text`.
    """
    rows = [_csv_row(timeline, segment) for timeline in timelines for segment in timeline.segments]
    return csv_text([CSV_COLUMNS, *rows], ",")


def csv_bom(timelines: Sequence[Timeline]) -> str:
    """Write CSV after a byte order mark, without which Excel reads UTF-8 as another encoding."""
    return "\ufeff" + csv_rows(timelines)


def csv_semicolon(timelines: Sequence[Timeline]) -> str:
    """Write `csv_bom` for Excel where numbers have a decimal comma, and semicolons divide cells."""
    rows = [
        [_comma(cell) if column in _NUMBERS else cell for column, cell in enumerate(row)]
        for timeline in timelines
        for row in (_csv_row(timeline, segment) for segment in timeline.segments)
    ]
    return "\ufeff" + csv_text([CSV_COLUMNS, *rows], ";")


def _comma(cell: object) -> str:
    return str(cell).replace(".", ",")


def tsv_rows(timelines: Sequence[Timeline]) -> str:
    """Write TSV in whole milliseconds and per mille, as the header says.

    Whole numbers have no decimal point, which programs read by the user's locale.
    """
    rows = [
        (
            spreadsheet_text(escaped(timeline.video.uri)),
            milliseconds(segment.start_seconds),
            milliseconds(segment.end_seconds),
            spreadsheet_text(one_line(segment.label)),
            "" if segment.class_id is None else segment.class_id,
            round(segment.score * 1000),
        )
        for timeline in timelines
        for segment in timeline.segments
    ]
    return csv_text([TSV_COLUMNS, *rows], "\t")


def table_rows(timeline: Timeline) -> list[tuple[str, str, str, str]]:
    """Return the cells of `TABLE_COLUMNS` for each segment."""
    return [
        (
            clock(segment.start_seconds),
            clock(segment.end_seconds),
            one_line(segment.label),
            f"{segment.score:.2f}",
        )
        for segment in timeline.segments
    ]


def table(timelines: Sequence[Timeline]) -> str:
    """Write aligned columns; with several videos or models, their names ahead of their rows."""
    parts = []
    for video, timeline in ((one, model) for one in timelines for model in one.each_model()):
        rows = [TABLE_COLUMNS, *table_rows(timeline)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(TABLE_COLUMNS))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        if video.tracks:
            lines.insert(0, one_line(timeline.model.id))
        if len(timelines) > 1 and timeline.model == video.model:
            lines.insert(0, escaped(timeline.video.uri))
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _csv_row(timeline: Timeline, segment: Segment) -> tuple[object, ...]:
    return (
        spreadsheet_text(escaped(timeline.video.uri)),
        decimal(segment.start_seconds),
        decimal(segment.end_seconds),
        decimal(segment.duration_seconds),
        clock(segment.start_seconds),
        clock(segment.end_seconds),
        spreadsheet_text(one_line(segment.label)),
        "" if segment.class_id is None else segment.class_id,
        f"{segment.score:.4f}",
        f"{segment.score_max:.4f}",
        decimal(segment.peak_seconds),
        segment.num_clips,
        spreadsheet_text(one_line(timeline.model.id)),
    )

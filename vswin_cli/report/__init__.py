"""Write an HTML page that shows the segments of a video and lets its reader move thresholds."""

from vswin_cli.report.archive import ArchiveRow
from vswin_cli.report.writing import (
    ArchiveWriter,
    ReportSource,
    archive_files,
    report_files,
    write_report,
)

__all__ = [
    "ArchiveRow",
    "ArchiveWriter",
    "ReportSource",
    "archive_files",
    "report_files",
    "write_report",
]

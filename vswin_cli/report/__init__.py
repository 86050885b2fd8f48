"""Write an HTML page that shows the segments of a video and lets its reader move thresholds."""

from vswin_cli.report.writing import ReportSource, report_files, write_report

__all__ = ["ReportSource", "report_files", "write_report"]

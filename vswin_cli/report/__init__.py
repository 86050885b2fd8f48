"""A page that shows what happens when in a video, and lets its reader move the thresholds."""

from vswin_cli.report.writing import ReportSource, write_report

__all__ = ["ReportSource", "write_report"]

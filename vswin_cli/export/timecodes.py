"""Seconds as other formats write them. All integer arithmetic after one rounding."""

from __future__ import annotations

__all__ = ["clock", "milliseconds"]


def milliseconds(seconds: float) -> int:
    """Whole milliseconds, nearest."""
    return round(seconds * 1000)


def clock(seconds: float, point: str = ".") -> str:
    """`HH:MM:SS.mmm`, hours always and as many digits as they need."""
    rest, ms = divmod(milliseconds(seconds), 1000)
    minutes, secs = divmod(rest, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{secs:02d}{point}{ms:03d}"

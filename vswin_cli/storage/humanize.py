"""Format numbers and times for people: `1,204 damaged packets`, `1:02:03`.

Times in files are formatted by `export.timecodes`.
"""

from __future__ import annotations

__all__ = ["clock_text", "counted"]

_IRREGULAR = {"class": "classes", "entry": "entries", "pass": "passes"}


def counted(number: int, thing: str) -> str:
    """Format a number and what it counts, in the singular or plural."""
    if number != 1:
        *before, last = thing.split(" ")
        thing = " ".join([*before, _IRREGULAR.get(last, f"{last}s")])
    return f"{number:,} {thing}"


def clock_text(seconds: float, digits: int = 0) -> str:
    """Format a time as `2:03`, from an hour on `1:02:03`, with decimals `1:02:03.4`."""
    whole, part = divmod(round(seconds * 10**digits), 10**digits)
    minutes, secs = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}:{minutes:02d}:{secs:02d}" if hours else f"{minutes}:{secs:02d}"
    return f"{text}.{part:0{digits}d}" if digits else text

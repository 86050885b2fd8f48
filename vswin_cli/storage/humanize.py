"""Numbers and times as people read them: `1,204 damaged packets`, `1:02:03`.

How files write times is the matter of `export.timecodes`.
"""

from __future__ import annotations

__all__ = ["clock_text", "counted"]

_IRREGULAR = {"class": "classes", "entry": "entries", "pass": "passes"}


def counted(number: int, thing: str) -> str:
    """A number and what is counted, in the singular or plural as the number wants."""
    if number != 1:
        *before, last = thing.split(" ")
        thing = " ".join([*before, _IRREGULAR.get(last, f"{last}s")])
    return f"{number:,} {thing}"


def clock_text(seconds: float, digits: int = 0) -> str:
    """`2:03`, from an hour on `1:02:03`; with digits behind the point `1:02:03.4`."""
    whole, part = divmod(round(seconds * 10**digits), 10**digits)
    minutes, secs = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}:{minutes:02d}:{secs:02d}" if hours else f"{minutes}:{secs:02d}"
    return f"{text}.{part:0{digits}d}" if digits else text

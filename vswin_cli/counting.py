"""Numbers of things in words: `1 file`, `2 files`, `1,204 damaged packets`."""

from __future__ import annotations

__all__ = ["counted"]

_IRREGULAR = {"class": "classes", "entry": "entries", "pass": "passes"}


def counted(number: int, thing: str) -> str:
    """A number and what is counted, in the singular or plural as the number wants."""
    if number != 1:
        *before, last = thing.split(" ")
        thing = " ".join([*before, _IRREGULAR.get(last, f"{last}s")])
    return f"{number:,} {thing}"

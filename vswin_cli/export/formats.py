"""The table of formats."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from vswin_cli.errors import OptionError
from vswin_cli.export import tabular
from vswin_cli.timeline import Timeline

__all__ = ["FORMATS", "Format", "get_format"]


@dataclass(frozen=True, slots=True)
class Format:
    """A way to write timelines down."""

    name: str
    """What the user types."""
    suffix: str
    """Of its files, with the dot."""
    summary: str
    """One line for help."""
    render: Callable[[Sequence[Timeline]], str]
    """Timelines to text."""
    holds_many: bool = False
    """Whether one file can hold several videos."""


FORMATS: Mapping[str, Format] = {
    form.name: form
    for form in (
        Format("table", ".txt", "for reading", tabular.table, holds_many=True),
        Format("json", ".json", "everything, schema vswin.timeline/1", tabular.json_document),
        Format("jsonl", ".jsonl", "the same, one line per video", tabular.json_lines, True),
        Format("csv", ".csv", "one row per segment, seconds", tabular.csv_rows, True),
        Format("tsv", ".tsv", "one row per segment, whole milliseconds", tabular.tsv_rows, True),
    )
}


def get_format(name: str) -> Format:
    """The format of this name.

    Raises:
        OptionError: there is none.
    """
    if name in FORMATS:
        return FORMATS[name]
    near = difflib.get_close_matches(name.lower(), FORMATS, n=1, cutoff=0.5)
    hint = f"did you mean `{near[0]}`? " if near else ""
    raise OptionError(f"no format `{name}`", hint=f"{hint}there are {', '.join(FORMATS)}")

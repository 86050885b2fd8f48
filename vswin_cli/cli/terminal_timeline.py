"""Draw a timeline in the terminal: a row per label, time from left to right.

Rows of several models are grouped, with the model's name above them.

It is readable without colour. Where the terminal's encoding has no block characters, ASCII ones are
used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment as Piece
from rich.style import Style

from vswin_cli.export.naming import one_line, video_name
from vswin_cli.storage.humanize import clock_text
from vswin_cli.timeline.palette import label_colour
from vswin_cli.timeline.record import LabelSummary, Timeline
from vswin_cli.timeline.segments import Segment
from vswin_cli.timeline.svg import whole_seconds

__all__ = ["TerminalTimeline"]

_MAX_ROWS = 24
_MIN_WIDTH = 20
_NAME_SHARE = 0.3
_TICK_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 36000)
_GAP = Style(color="red")
_QUIET = Style(dim=True)
_HEADING = Style(underline=True)

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Marks:
    """The characters of a kind of terminal."""

    full: str
    left: str
    """The left half of a column."""
    right: str
    gap: str
    empty: str
    more: str


_UNICODE = _Marks("█", "▌", "▐", "░", "·", "…")
_ASCII = _Marks("#", "+", "+", "/", ".", "...")


@dataclass(frozen=True, slots=True)
class TerminalTimeline:
    """A rich renderable; as wide as the terminal, longest labels first.

    There are at most `max_rows` rows of labels; several models share them evenly.
    """

    timeline: Timeline
    max_rows: int = _MAX_ROWS

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the title, the rows, the time axis and the legend."""
        marks = _ASCII if options.ascii_only else _UNICODE
        width = max(_MIN_WIDTH, options.max_width)
        models = self.timeline.each_model()
        most = max(1, self.max_rows // len(models))
        kept = [row for one in models for row in one.summary[:most]]
        names = [_writable(row.label, options) for row in kept]
        name_width = min(int(width * _NAME_SHARE), max(map(cell_len, names), default=0))
        sum_width = max((len(_total(row)) for row in kept), default=0)
        room = max(8, width - name_width - sum_width - 4)
        yield from _line((_writable(_title(self.timeline), options), Style(bold=True)))
        for one in models:
            axis = _Axis(self.timeline, one.segments, room, marks)
            if self.timeline.tracks:
                name = _fitted(_writable(one.model.id, options), width, marks.more).rstrip()
                yield from _line((name, _HEADING))
            for row in one.summary[:most]:
                yield from _line(
                    (
                        _fitted(_writable(row.label, options), name_width, marks.more),
                        Style.null(),
                    ),
                    ("  ", Style.null()),
                    *axis.row(row),
                    (f"  {_total(row):>{sum_width}}", _QUIET),
                )
        yield from _line((" " * (name_width + 2) + axis.ticks(), _QUIET))
        for text in _remarks(self.timeline, most, marks, has_gap=axis.has_gap):
            yield from _line((_writable(text, options), _QUIET))


class _Axis:
    """Columns of characters that share the video's time."""

    def __init__(
        self, timeline: Timeline, segments: Sequence[Segment], width: int, marks: _Marks
    ) -> None:
        self._seconds = whole_seconds(timeline)
        self._width = width
        self._marks = marks
        self._segments = segments
        gaps = [(gap.start_seconds, gap.end_seconds) for gap in timeline.coverage.gaps]
        self._gaps = self._shares(gaps)
        self.has_gap = bool(gaps)

    def row(self, row: LabelSummary) -> list[tuple[str, Style]]:
        """Return a character per column: covered, covered in part, lost, empty."""
        spans = [
            (segment.start_seconds, segment.end_seconds)
            for segment in self._segments
            if (segment.label, segment.class_id) == (row.label, row.class_id)
        ]
        bar = Style(color=label_colour(one_line(row.label)))
        pieces = []
        shares = self._shares(spans)
        goes_on = [*(share > 0 for share in shares[1:]), False]
        for share, next_too, lost in zip(shares, goes_on, self._gaps, strict=True):
            if share >= 0.5:
                pieces.append((self._marks.full, bar))
            elif share > 0:
                # Half a block on the side where the segment is, so that it has no hole.
                pieces.append((self._marks.right if next_too else self._marks.left, bar))
            elif lost > 0:
                pieces.append((self._marks.gap, _GAP))
            else:
                pieces.append((self._marks.empty, _QUIET))
        return pieces

    def ticks(self) -> str:
        """Return times below their columns, where there is room for them."""
        room = 10 * self._seconds / self._width
        step = next((seconds for seconds in _TICK_STEPS if seconds >= room), 36000)
        text = ""
        for number in range(int(self._seconds / step) + 1):
            column = int(number * step / self._seconds * self._width)
            label = clock_text(number * step)
            if column + len(label) <= self._width:
                text = f"{text:<{column}}{label}"
        return text

    def _shares(self, spans: Sequence[Span]) -> list[float]:
        """Return the share of each column that the spans cover, 0 to 1."""
        shares = [0.0] * self._width
        for start, end in spans:
            left = max(0.0, start / self._seconds * self._width)
            right = min(float(self._width), end / self._seconds * self._width)
            for column in range(int(left), min(self._width, int(right) + 1)):
                shares[column] += max(0.0, min(right, column + 1) - max(left, column))
        return shares


def _title(timeline: Timeline) -> str:
    seconds = timeline.video.duration_seconds
    count = sum(len(one.segments) for one in timeline.each_model())
    segments = f"{count} segment{'' if count == 1 else 's'}" if count else "no segments"
    return f"{video_name(timeline)}  {clock_text(seconds)}  {segments}"


def _total(row: LabelSummary) -> str:
    return f"{row.seconds:.1f} s"


def _remarks(timeline: Timeline, most: int, marks: _Marks, *, has_gap: bool) -> list[str]:
    """Return notes on what the rows, at most so many of each model, do not show."""
    texts = []
    for one in timeline.each_model():
        hidden = len(one.summary) - most
        of_model = f" of {one.model.id}" if timeline.tracks else ""
        if hidden > 0:
            texts.append(f"{marks.more} {hidden} more label{'' if hidden == 1 else 's'}{of_model}")
    if has_gap:
        fraction = timeline.coverage.fraction
        texts.append(f"{marks.gap} could not be decoded ({fraction:.1%} of the video was)")
    return texts


def _writable(text: str, options: ConsoleOptions) -> str:
    """Make it one line, with question marks for what the terminal's encoding does not have."""
    return one_line(text).encode(options.encoding, "replace").decode(options.encoding)


def _fitted(text: str, width: int, more: str) -> str:
    if cell_len(text) > width:
        text = set_cell_size(text, max(0, width - len(more))) + more
    return set_cell_size(text, width)


def _line(*pieces: tuple[str, Style]) -> RenderResult:
    for text, style in pieces:
        yield Piece(text, style)
    yield Piece.line()

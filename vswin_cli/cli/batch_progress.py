"""Show the progress of a batch: a live table on a terminal, a line now and then in logs."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from vswin_cli.cli import console
from vswin_cli.storage.humanize import clock_text, counted

if TYPE_CHECKING:
    from rich.console import Group
    from rich.live import Live

    from vswin_cli.batch.run import Progress

__all__ = ["ProgressDisplay", "describe"]

_LINE_EVERY_SECONDS = 30.0
_DRAW_EVERY_SECONDS = 0.25
_MAX_SHOWN_WORKERS = 16
_OTHER_COLUMNS = 20  # device, position and what is between them
_MIN_NAME_COLUMNS = 16


class ProgressDisplay:
    """Shows progress on stderr inside a `with` block; called with each new state."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._live: Live | None = None
        self._stack = ExitStack()
        self._last = time.monotonic()

    def __enter__(self) -> ProgressDisplay:
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = self._stack.enter_context(
                Live(console=Console(stderr=True), transient=True, refresh_per_second=4)
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __call__(self, progress: Progress) -> None:
        """Show the progress, at most once per interval."""
        every = _LINE_EVERY_SECONDS if self._live is None else _DRAW_EVERY_SECONDS
        if self._quiet or time.monotonic() - self._last < every:
            return
        self._last = time.monotonic()
        if self._live is None:
            console.note(describe(progress))
        else:
            self._live.update(_render(progress, self._live.console.width))


def describe(progress: Progress) -> str:
    """Describe progress in a line: files, failures, hours of video, speed, time left."""
    speed = progress.video_seconds / max(progress.elapsed_seconds, 1e-9)
    parts = [f"{progress.num_done} of {counted(progress.num_inputs, 'file')} done"]
    if progress.num_failed:
        parts.append(f"{progress.num_failed} failed")
    parts.append(f"{progress.video_seconds / 3600:.2f} h of video, {speed:.1f}x real time")
    if progress.left_seconds is not None:
        parts.append(f"about {clock_text(progress.left_seconds)} left")
    return ", ".join(parts)


def _render(progress: Progress, columns: int) -> Group:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None)
    table.add_column("worker")
    table.add_column("at", justify="right")
    table.add_column("video", no_wrap=True, overflow="ellipsis")
    for activity in progress.activities[:_MAX_SHOWN_WORKERS]:
        doing = (
            activity.uri
            if activity.uri is not None
            else "waiting"
            if activity.device
            else "starting"
        )
        device = Text(activity.device or "-")
        table.add_row(
            device, clock_text(activity.position_seconds), Text(_last_part(doing, columns))
        )
    hidden = len(progress.activities) - _MAX_SHOWN_WORKERS
    if hidden > 0:
        table.add_row("", "", f"and {hidden} more workers")
    return Group(Text(describe(progress)), table)


def _last_part(text: str, columns: int) -> str:
    """Cut a path at its beginning so that the file name is seen beside the other columns."""
    from vswin_cli.export.naming import escaped

    text = escaped(text)
    room = max(_MIN_NAME_COLUMNS, columns - _OTHER_COLUMNS)
    return text if len(text) <= room else f"...{text[3 - room :]}"

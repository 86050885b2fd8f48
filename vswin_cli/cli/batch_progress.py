"""Show the progress of a batch: a live table on a terminal, a line now and then in logs."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from dataclasses import asdict
from datetime import datetime
from pathlib import PurePath
from typing import TYPE_CHECKING

from vswin_cli.cli import console
from vswin_cli.storage.humanize import clock_text, counted

if TYPE_CHECKING:
    from rich.console import Group
    from rich.live import Live

    from vswin_cli.batch.events import BatchEvent
    from vswin_cli.batch.run import Progress

__all__ = ["ProgressDisplay", "describe", "log_event"]

_LINE_EVERY_SECONDS = 30.0
_DRAW_EVERY_SECONDS = 0.25
_MAX_SHOWN_WORKERS = 16
_OTHER_COLUMNS = 20  # device, position and what is between them
_MIN_NAME_COLUMNS = 16
_MAX_NAMES = 4  # in a line of a log


class ProgressDisplay:
    """Shows progress on stderr inside a `with` block; called with each new state."""

    def __init__(self, *, quiet: bool, log_json: bool = False) -> None:
        self._quiet = quiet
        self._log_json = log_json
        self._live: Live | None = None
        self._stack = ExitStack()
        self._last = time.monotonic()

    def __enter__(self) -> ProgressDisplay:
        if not (self._quiet or self._log_json) and sys.stderr.isatty():
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
        if self._log_json:
            console.log("progress", **_fields(progress))
        elif self._live is None:
            console.note(f"{datetime.now():%Y-%m-%d %H:%M:%S} {describe(progress)}{_at(progress)}")
        else:
            self._live.update(_render(progress, self._live.console.width))


def describe(progress: Progress) -> str:
    """Describe progress in a line: files, failures, hours of video, speed, time left."""
    speed = progress.video_seconds / max(progress.elapsed_seconds, 1e-9)
    parts = [f"{progress.num_done} of {counted(progress.num_inputs, 'file')} done"]
    if progress.num_partial:
        parts.append(f"{progress.num_partial} partial")
    if progress.num_failed:
        parts.append(f"{progress.num_failed} failed")
    parts.append(f"{progress.video_seconds / 3600:.2f} h of video, {speed:.1f}x real time")
    if progress.left_seconds is not None:
        parts.append(f"about {clock_text(progress.left_seconds)} left")
    return ", ".join(parts)


def log_event(event: BatchEvent) -> None:
    """Print an event of a batch as a line of JSON."""
    console.log(**asdict(event))


def _fields(progress: Progress) -> dict[str, object]:
    left = progress.left_seconds
    return {
        "inputs": progress.num_inputs,
        "done": progress.num_done,
        "partial": progress.num_partial,
        "failed": progress.num_failed,
        "resumed": progress.num_resumed,
        "video_seconds": round(progress.video_seconds, 3),
        "elapsed_seconds": round(progress.elapsed_seconds, 3),
        "left_seconds": None if left is None else round(left, 3),
        "running": [
            {"video": a.uri, "at_seconds": round(a.position_seconds, 3), "device": a.device}
            for a in progress.activities
            if a.uri is not None
        ],
    }


def _at(progress: Progress) -> str:
    """Say which videos are being analysed, for a line of a log; empty if none is."""
    running = [activity for activity in progress.activities if activity.uri is not None]
    names = [
        f"{PurePath(str(activity.uri)).name} {clock_text(activity.position_seconds)}"
        for activity in running[:_MAX_NAMES]
    ]
    more = len(running) - len(names)
    return f"; at {', '.join(names)}{f' and {more} more' if more else ''}" if names else ""


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

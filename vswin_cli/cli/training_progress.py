"""Draw the progress of training: units, loss, rate, time left and held-out accuracy."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vswin_cli.cli.console import printable

if TYPE_CHECKING:
    from vswin_cli.training.progress import OnTraining, TrainingProgress

__all__ = ["training_progress"]


@contextmanager
def training_progress(*, quiet: bool) -> Iterator[OnTraining]:
    """Show a line per stage of training; calling the yielded function updates it.

    Args:
        quiet: draw nothing.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda progress: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[state]}", markup=False),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    tasks: dict[str, TaskID] = {}

    def update(progress: TrainingProgress) -> None:
        stage = progress.stage
        if stage not in tasks:
            tasks[stage] = bar.add_task(printable(stage), total=progress.total, state="")
        task = bar.tasks[bar.task_ids.index(tasks[stage])]
        state = describe(progress, task.speed)
        bar.update(tasks[stage], completed=progress.done, total=progress.total, state=state)

    with bar:
        yield update


def describe(progress: TrainingProgress, per_second: float | None) -> str:
    """Write rate, loss and accuracy, as far as they are known."""
    parts = []
    if per_second:
        parts.append(f"{per_second:.3g} {progress.unit}/s")
    if progress.loss is not None:
        parts.append(f"loss {progress.loss:.3f}")
    if progress.accuracy is not None:
        parts.append(f"held-out accuracy {progress.accuracy:.1%}")
    return ", ".join(parts)

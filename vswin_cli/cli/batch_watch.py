"""Run a batch again and again as videos arrive, for `vswin batch --watch`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from vswin_cli.cli import console
from vswin_cli.cli.batch_summary import totals
from vswin_cli.storage.humanize import counted

if TYPE_CHECKING:
    from vswin_cli.batch.inputs import BatchInput
    from vswin_cli.batch.run import BatchReport
    from vswin_cli.batch.scheduler import StopRequest
    from vswin_cli.batch.watch import FolderWatch

__all__ = ["run_as_they_arrive"]

_POLL_SECONDS = 1.0


def run_as_they_arrive(
    watch: FolderWatch,
    run: Callable[[Sequence[BatchInput]], BatchReport],
    stop: StopRequest,
    *,
    quiet: bool,
) -> BatchReport | None:
    """Tag the videos that are complete, whenever there are new ones, until a stop request.

    Args:
        watch: finds the videos.
        run: tags those of a list that no earlier run has tagged, and writes the tables.
        stop: ends the loop, and the work of `run`.
        quiet: print no notes.

    Returns:
        The report of the last run; `None` if nothing arrived.
    """
    note = console.note_unless(quiet)
    report = None
    note("watching for videos; press Ctrl-C to end")
    while not stop.is_set:
        found = watch.look()
        if found is None:
            time.sleep(_POLL_SECONDS)
            continue
        report = run(found)
        if not stop.is_set:
            note(totals(report))
    if watch.num_incomplete:
        note(f"{counted(watch.num_incomplete, 'file')} still being written, and not tagged")
    return report

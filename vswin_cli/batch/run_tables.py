"""The tables and files of a batch while it runs: written again and again, and at the end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress

from vswin_cli.batch.inputs import BatchInput
from vswin_cli.batch.journal import Journal
from vswin_cli.batch.outcome import Outcome
from vswin_cli.batch.tables import write_files_table, write_results
from vswin_cli.batch.target import Target
from vswin_cli.batch.upload import Uploads
from vswin_cli.batch.video_files import VideoFiles
from vswin_cli.errors import OptionError, OutputError, SourceError
from vswin_cli.storage.remote import upload

__all__ = ["RunTables"]

_TABLES_INTERVAL_SECONDS = 10.0
_TABLES_SHARE = 20  # at most this part of the time is spent on tables during a run


class RunTables:
    """Writes the results of one run.

    Args:
        target: where they go.
        inputs: all of them, in order.
        outcomes: of the inputs that are done, by entry; results that cannot be written become
            failures in it.
        journal: has the timelines.
        uploads: of the results, if they go to an address.
    """

    def __init__(
        self,
        target: Target,
        inputs: Sequence[BatchInput],
        outcomes: dict[str, Outcome],
        journal: Journal,
        uploads: Uploads,
    ) -> None:
        self._target = target
        self._inputs = inputs
        self._outcomes = outcomes
        self._journal = journal
        self._uploads = uploads
        self._video_files = VideoFiles(target, journal, inputs) if target.is_folder else None
        self._next_seconds = time.monotonic()
        self._is_changed = False

    def announce(self) -> None:
        """Write the table of files before the work, and upload it if results go to an address.

        Whether an address takes files cannot be known without writing there, and a bucket that
        does not exist must not be found out after hours of work.
        """
        table = self._target.files_table
        write_files_table(table, self._inputs, self._outcomes)
        if self._target.address is not None:
            upload([(table, self._target.destination_of(table))])

    def add(self, outcome: Outcome) -> Outcome:
        """Take a video that is done; its own file is written at once.

        Returns:
            The outcome, as a failure if the format cannot hold it.
        """
        self._is_changed = True
        if self._video_files is not None and outcome.status != "failed":
            try:
                self._video_files.write(outcome)
            except (OptionError, SourceError) as problem:  # the journal keeps the result
                return outcome.of_problem(problem)
        return outcome

    def refresh(self) -> None:
        """Write the tables during the run, if they are due, and begin an upload if one is."""
        began = time.monotonic()
        if self._is_changed and began >= self._next_seconds:
            with suppress(OutputError):  # such as a disk that is full for now: written at the end
                self._write()
            self._is_changed = False
            now = time.monotonic()
            pause = max(_TABLES_INTERVAL_SECONDS, _TABLES_SHARE * (now - began))
            self._next_seconds = now + pause
        self._uploads.start_if_due()

    def finish(self) -> None:
        """Write the tables from the journal, and upload them."""
        self._write()
        self._uploads.finish()

    def _write(self) -> None:
        problems = write_results(
            self._target, self._inputs, self._outcomes, self._journal, self._video_files
        )
        for entry, problem in problems.items():
            self._outcomes[entry] = self._outcomes[entry].of_problem(problem)
        write_files_table(self._target.files_table, self._inputs, self._outcomes)

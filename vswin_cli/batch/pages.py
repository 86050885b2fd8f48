"""Make the pages of a batch while it runs: a table that is kept current, and a page per video.

Two threads make them, so that neither the work is held up by pages, nor the table by a long page;
the decoder of thumbnails is a process of its own. What is not made when a batch is interrupted is
made by its next run.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vswin_cli.batch.inputs import BatchInput
from vswin_cli.batch.journal import Journal
from vswin_cli.batch.outcome import Outcome
from vswin_cli.errors import OptionError, OutputError, SourceError, redacted
from vswin_cli.export.naming import file_name
from vswin_cli.report import ArchiveRow, ArchiveWriter, ReportSource
from vswin_cli.report.archive import ArchiveProgress, RowStatus

if TYPE_CHECKING:
    from vswin_cli.batch.run import Progress

__all__ = ["BatchPages"]

_WAIT_SECONDS = 1.0  # between two looks at whether the table is due
_END = None


class BatchPages:
    """Makes pages in threads of their own, inside a `with` block.

    Args:
        inputs: all inputs of the batch, in the order of the table.
        journal: has the timelines.
        path: of the table of videos.
        leaves_out_rest: called at the end; whether pages that are not made yet are left out.
        goes_on: whether more videos are awaited after this batch.
        on_note: called with notes for the user.

    Raises:
        OutputError: at the end of the block, the pages could not be written.
    """

    def __init__(
        self,
        inputs: Sequence[BatchInput],
        journal: Journal,
        path: Path,
        *,
        leaves_out_rest: Callable[[], bool] = lambda: False,
        goes_on: bool = False,
        on_note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._path = path
        self._archive = ArchiveWriter([item.source.uri for item in inputs], path)
        self._rows = _Rows(inputs, journal, self._archive)
        self._state = _State()
        self._maker = _PageMaker(self._rows, self._state, on_note)
        self._thread = threading.Thread(target=self._keep_table, name="table", daemon=True)
        self._outcomes: queue.Queue[Outcome | None] = queue.Queue()
        self._progress: Progress | None = None
        self._leaves_out_rest = leaves_out_rest
        self._goes_on = goes_on
        self._on_note = on_note

    def __enter__(self) -> BatchPages:
        self._thread.start()
        self._maker.start()
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._state.is_cut_short = error is not None or self._leaves_out_rest()
        self._state.has_begun |= error is None
        self._outcomes.put(_END)
        self._thread.join()
        self._maker.join()
        if self._state.problem is not None and error is None:
            raise self._state.problem

    def add(self, outcome: Outcome) -> None:
        """Take a video that is done, by this run or an earlier one."""
        self._state.has_begun = True
        self._outcomes.put(outcome)

    def show(self, progress: Progress) -> None:
        """Show how far the batch is, when the table is written next."""
        self._state.has_begun = True
        self._progress = progress

    def _keep_table(self) -> None:
        """Write the table again and again until all pages are made."""
        try:
            while self._take_outcomes():
                self._write_table_if_due(self._work_progress)
            self._maker.finish()
            if self._maker.num_waiting and not self._state.is_cut_short:
                self._on_note(f"making the last pages: {self._maker.num_waiting}")
            while self._maker.is_alive():
                self._maker.join(_WAIT_SECONDS)
                self._write_table_if_due(
                    lambda: self._archive.progress("pages", self._maker.num_made)
                )
            if self._state.has_begun:
                self._rows.show_running(frozenset())
                awaits_more = self._goes_on and not self._state.is_cut_short
                num_done = len(self._rows.done)
                state = self._archive.progress("arrivals", num_done) if awaits_more else None
                self._archive.write_table(state)
        except OutputError as problem:
            self._state.end_early(problem)
            self._maker.finish()

    def _take_outcomes(self) -> bool:
        """Show all videos that are done; waits a moment for the first.

        Returns:
            Whether there may be more.
        """
        wait = True
        while True:
            try:
                outcome = self._outcomes.get(block=wait, timeout=_WAIT_SECONDS)
            except queue.Empty:
                return True
            if outcome is _END:
                return False
            if self._rows.show(outcome):
                self._maker.add(outcome)
            wait = False

    def _write_table_if_due(self, progress: Callable[[], ArchiveProgress]) -> None:
        if not self._state.has_begun:
            return
        self._archive.write_table_if_due(progress())
        if not self._state.is_announced:
            self._state.is_announced = True
            self._on_note(f"open {self._path} to follow the batch")

    def _work_progress(self) -> ArchiveProgress:
        """Describe how far the batch is, and mark the rows of videos that are analysed now."""
        progress = self._progress
        if progress is None:
            return self._archive.progress("videos", len(self._rows.done))
        running = [one for one in progress.activities if one.uri is not None]
        self._rows.show_running(frozenset(one.entry for one in running if one.entry))
        return self._archive.progress(
            "videos",
            progress.num_done,
            num_failed=progress.num_failed,
            running=[(file_name(redacted(one.uri or "")), one.position_seconds) for one in running],
            rate=progress.video_seconds / max(progress.elapsed_seconds, 1e-9),
            left_seconds=progress.left_seconds,
        )


@dataclass(slots=True)
class _State:
    """State that the threads share."""

    has_begun: bool = False
    """Whether the batch works; until then another run may hold the journal and write the pages."""
    is_announced: bool = False
    is_cut_short: bool = False
    """Whether pages that are not made yet are left out."""
    problem: OutputError | None = None

    def end_early(self, problem: OutputError) -> None:
        """Note why nothing more can be written."""
        self.problem = problem
        self.is_cut_short = True


class _Rows:
    """The rows of the table, by entry; a video that is an input twice has two."""

    def __init__(
        self, inputs: Sequence[BatchInput], journal: Journal, archive: ArchiveWriter
    ) -> None:
        self._journal = journal
        self._archive = archive
        self._inputs: dict[str, list[tuple[int, BatchInput]]] = {}
        for index, item in enumerate(inputs):
            self._inputs.setdefault(item.entry, []).append((index, item))
        self._running: frozenset[str] = frozenset()
        self.done: set[str] = set()
        """Entries with a result, or with the reason why there is none."""

    def show(self, outcome: Outcome) -> bool:
        """Show the result of a video, still without a page; returns whether it can have one."""
        self.done.add(outcome.entry)
        row = ArchiveRow.without_result(outcome.uri, "failed", outcome.reason)
        timeline = None
        if outcome.status != "failed":
            try:
                timeline = self._journal.timeline(outcome.entry)
            except SourceError as problem:
                row = ArchiveRow.without_result(outcome.uri, "failed", problem.message)
        if timeline is not None:
            row = ArchiveRow.of(timeline)
        for index, _ in self._inputs[outcome.entry]:
            self._archive.show(index, row)
        return timeline is not None

    def show_running(self, entries: frozenset[str]) -> None:
        """Mark the rows of videos that are analysed now, and of those that no longer are."""
        for entry in (entries ^ self._running) - self.done:
            status: RowStatus = "running" if entry in entries else "waiting"
            for index, item in self._inputs.get(entry, []):
                self._archive.show(index, ArchiveRow.without_result(item.source.uri, status))
        self._running = entries

    def write_pages(self, outcome: Outcome) -> Iterator[OptionError | SourceError]:
        """Write the page of each row of a video; yields why one cannot be made.

        Raises:
            OutputError: a page cannot be written.
        """
        for index, item in self._inputs[outcome.entry]:
            try:
                timeline = self._journal.timeline(outcome.entry)
                if timeline is not None:
                    scores = self._journal.scores_of(outcome)
                    self._archive.add(index, ReportSource(timeline, scores, item.source.path))
            except (OptionError, SourceError) as problem:  # the row stays, without a page
                yield problem


class _PageMaker(threading.Thread):
    """Makes a page of each video that is done, one after the other."""

    def __init__(self, rows: _Rows, state: _State, on_note: Callable[[str], None]) -> None:
        super().__init__(name="pages", daemon=True)
        self._rows = rows
        self._state = state
        self._on_note = on_note
        self._to_make: queue.Queue[Outcome | None] = queue.Queue()
        self.num_made = 0

    def add(self, outcome: Outcome) -> None:
        """Queue the page of a video."""
        self._to_make.put(outcome)

    def finish(self) -> None:
        """End the thread after the pages that are queued."""
        self._to_make.put(_END)

    @property
    def num_waiting(self) -> int:
        """How many pages are queued, once `finish` was called."""
        return max(0, self._to_make.qsize() - 1)

    def run(self) -> None:
        """Make pages until `finish`, or until the rest is left out."""
        try:
            while (outcome := self._to_make.get()) is not _END and not self._state.is_cut_short:
                for problem in self._rows.write_pages(outcome):
                    self._on_note(f"no page of {outcome.uri}: {problem.message}")
                self.num_made += 1
        except OutputError as problem:
            self._state.end_early(problem)

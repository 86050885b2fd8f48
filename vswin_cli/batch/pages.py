"""Make the pages of a batch while it runs: a table that is kept current, and a page per video.

Two threads make them, so that neither the work is held up by pages, nor the table by a long page;
the decoder of thumbnails is a process of its own. What is not made when a batch is interrupted is
made by its next run.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from vswin_cli.batch.inputs import BatchInput
from vswin_cli.batch.journal import Journal
from vswin_cli.batch.outcome import Outcome
from vswin_cli.errors import OptionError, OutputError, SourceError, redacted
from vswin_cli.export.naming import file_name
from vswin_cli.report import ArchiveRow, ArchiveWriter, ReportSource
from vswin_cli.report.archive import RowStatus

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
        self._inputs = tuple(inputs)
        self._journal = journal
        self._path = path
        self._archive = ArchiveWriter([item.source.uri for item in inputs], path)
        self._leaves_out_rest = leaves_out_rest
        self._goes_on = goes_on
        self._on_note = on_note
        self._indices: dict[str, list[int]] = {}
        for index, item in enumerate(self._inputs):
            self._indices.setdefault(item.entry, []).append(index)
        self._outcomes: queue.Queue[Outcome | None] = queue.Queue()
        self._to_make: queue.Queue[Outcome | None] = queue.Queue()
        self._done: set[str] = set()
        self._running: set[str] = set()
        self._progress: Progress | None = None
        self._has_begun = False  # until then another run may hold the journal and write the pages
        self._is_announced = False
        self._num_made = 0
        self._is_ending = False
        self._is_cut_short = False
        self._problem: OutputError | None = None
        self._thread = threading.Thread(target=self._keep_table, name="table", daemon=True)
        self._maker = threading.Thread(target=self._make_pages, name="pages", daemon=True)

    def __enter__(self) -> BatchPages:
        self._thread.start()
        self._maker.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_cut_short = error is not None or self._leaves_out_rest()
        self._has_begun = self._has_begun or error is None
        self._outcomes.put(_END)
        self._thread.join()
        self._maker.join()
        if self._problem is not None and error is None:
            raise self._problem

    def add(self, outcome: Outcome) -> None:
        """Take a video that is done, by this run or an earlier one."""
        self._has_begun = True
        self._outcomes.put(outcome)

    def show(self, progress: Progress) -> None:
        """Show how far the batch is, when the table is written next."""
        self._has_begun = True
        self._progress = progress

    def _keep_table(self) -> None:
        """Write the table again and again until all pages are made."""
        try:
            while self._take_outcomes():
                self._write_table_if_due()
            self._is_ending = True
            self._to_make.put(_END)
            if self._to_make.qsize() > 1 and not self._is_cut_short:
                self._on_note(f"making the last pages: {self._to_make.qsize() - 1}")
            while self._maker.is_alive():
                self._maker.join(_WAIT_SECONDS)
                self._write_table_if_due()
            if self._has_begun:
                self._show_running(frozenset())
                awaits_more = self._goes_on and not self._is_cut_short
                state = self._archive.progress("arrivals", len(self._done)) if awaits_more else None
                self._archive.write_table(state)
        except OutputError as problem:
            self._end_early(problem)

    def _make_pages(self) -> None:
        """Make a page of each video that is done."""
        try:
            while (outcome := self._to_make.get()) is not _END and not self._is_cut_short:
                self._make_page(outcome)
        except OutputError as problem:
            self._end_early(problem)

    def _end_early(self, problem: OutputError) -> None:
        self._problem = problem
        self._is_cut_short = True
        self._to_make.put(_END)

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
            self._show(outcome)
            wait = False

    def _show(self, outcome: Outcome) -> None:
        """Show the result of a video, still without a page."""
        self._done.add(outcome.entry)
        self._running.discard(outcome.entry)
        row = ArchiveRow.without_result(outcome.uri, "failed", outcome.error)
        if outcome.status != "failed":
            try:
                timeline = self._journal.timeline(outcome.entry)
            except SourceError as problem:
                row = ArchiveRow.without_result(outcome.uri, "failed", problem.message)
            else:
                if timeline is not None:
                    row = ArchiveRow.of(timeline)
                    self._to_make.put(outcome)
        for index in self._indices[outcome.entry]:
            self._archive.show(index, row)

    def _make_page(self, outcome: Outcome) -> None:
        for index in self._indices[outcome.entry]:
            try:
                timeline = self._journal.timeline(outcome.entry)
                if timeline is None:
                    continue
                video = self._inputs[index].source.path
                scores = self._journal.scores_of(outcome)
                self._archive.add(index, ReportSource(timeline, scores, video))
            except (OptionError, SourceError) as problem:  # the row stays, without a page
                self._on_note(f"no page of {outcome.uri}: {problem.message}")
        self._num_made += 1

    def _write_table_if_due(self) -> None:
        progress = self._progress
        if not self._has_begun:
            return
        if self._is_ending:
            self._archive.write_table_if_due(self._archive.progress("pages", self._num_made))
        elif progress is None:
            self._archive.write_table_if_due(self._archive.progress("videos", len(self._done)))
        else:
            running = [one for one in progress.activities if one.uri is not None]
            self._show_running(frozenset(one.entry for one in running if one.entry))
            self._archive.write_table_if_due(
                self._archive.progress(
                    "videos",
                    progress.num_done,
                    num_failed=progress.num_failed,
                    running=[
                        (file_name(redacted(one.uri or "")), one.position_seconds)
                        for one in running
                    ],
                    rate=progress.video_seconds / max(progress.elapsed_seconds, 1e-9),
                    left_seconds=progress.left_seconds,
                )
            )
        if not self._is_announced:
            self._is_announced = True
            self._on_note(f"open {self._path} to follow the batch")

    def _show_running(self, entries: frozenset[str]) -> None:
        """Mark the rows of videos that are analysed now, and of those that no longer are."""
        for entry in (entries ^ self._running) - self._done:
            status: RowStatus = "running" if entry in entries else "waiting"
            for index in self._indices.get(entry, []):
                uri = self._inputs[index].source.uri
                self._archive.show(index, ArchiveRow.without_result(uri, status))
        self._running = set(entries)

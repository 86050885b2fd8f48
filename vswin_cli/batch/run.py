"""Run a batch from beginning to end: read the journal, do what is missing, write the tables."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from vswin_cli.batch.activity import Activity
from vswin_cli.batch.events import BatchEvent
from vswin_cli.batch.executor import Executor
from vswin_cli.batch.inputs import BatchInput
from vswin_cli.batch.job import Job, Task
from vswin_cli.batch.journal import Journal, lock_journal, unlink_link
from vswin_cli.batch.outcome import Outcome, OutcomeStatus
from vswin_cli.batch.resume import EarlierResults, other_journals
from vswin_cli.batch.run_tables import RunTables
from vswin_cli.batch.scheduler import Limits, Scheduler, StopRequest
from vswin_cli.batch.target import Target, result_paths
from vswin_cli.batch.time_left import TimeLeft
from vswin_cli.batch.upload import Uploads
from vswin_cli.errors import OutputError, VswinError
from vswin_cli.storage.humanize import counted

__all__ = ["BatchReport", "Policy", "Progress", "run_batch"]

_REPORT_INTERVAL_SECONDS = 0.2  # summing up a hundred thousand files takes a while


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules for which results of earlier runs count, and for the order of the jobs."""

    resume: bool = True
    """Whether results of earlier runs count."""
    retry_failed: bool = False
    """Whether to try again what failed before."""
    largest_first: bool = False
    """Whether to begin with the largest files, so that no worker is left with a long one at the
    end while the others are idle."""
    needs_scores: bool = False
    """Whether a result counts only with its score file."""
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a batch."""

    num_inputs: int
    num_done: int
    """With a result, complete or partial, of this run or an earlier one."""
    num_failed: int
    num_resumed: int
    """Done or failed in earlier runs."""
    video_seconds: float
    """Analysed by this run."""
    elapsed_seconds: float
    left_seconds: float | None
    """Estimated time until the batch ends; `None` if there is nothing to estimate it by."""
    activities: tuple[Activity, ...]
    num_partial: int = 0
    """Those of `num_done` of which only a part could be analysed."""


@dataclass(frozen=True, slots=True)
class BatchReport:
    """Result of a batch."""

    inputs: tuple[BatchInput, ...]
    """All of them, in their order."""
    outcomes: dict[str, Outcome]
    """By entry; inputs that were not reached have none."""
    num_resumed: int
    """Done or failed in earlier runs."""
    video_seconds: float
    """Length of the videos that this run analysed."""
    elapsed_seconds: float
    """How long it took."""
    stop_signal: int | None = None
    """The signal that ended the batch early, if one did."""

    def __repr__(self) -> str:
        counts = Counter(outcome.status for outcome in self.outcomes.values())
        shown = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
        pending = f", {self.num_pending} pending" if self.num_pending else ""
        return f"BatchReport({counted(len(self.inputs), 'input')}: {shown or 'none done'}{pending})"

    def with_status(self, status: OutcomeStatus) -> list[Outcome]:
        """List outcomes of one status, in the order of the inputs."""
        found = [self.outcomes[item.entry] for item in self.inputs if item.entry in self.outcomes]
        return [outcome for outcome in found if outcome.status == status]

    @property
    def failures(self) -> list[Outcome]:
        """Outcomes that failed, in the order of the inputs."""
        return self.with_status("failed")

    @property
    def num_pending(self) -> int:
        """Number of inputs that were not reached."""
        return len(self.inputs) - len(self.outcomes)

    @property
    def num_segments(self) -> int:
        """Number of segments in all videos."""
        return sum(outcome.num_segments or 0 for outcome in self.outcomes.values())


def run_batch(
    inputs: Sequence[BatchInput],
    target: Target,
    task: Task,
    make_executor: Callable[[int], Executor],
    *,
    policy: Policy,
    stop: StopRequest,
    on_progress: Callable[[Progress], None],
    on_note: Callable[[str], None] = lambda _: None,
    on_event: Callable[[BatchEvent], None] = lambda _: None,
    on_outcome: Callable[[Outcome], None] = lambda _: None,
) -> BatchReport:
    """Tag all inputs that earlier runs have not tagged, and write the tables.

    The tables are written again and again during the run, so that it can be watched; at an address
    they appear every few minutes.

    Args:
        inputs: what to tag.
        target: where tables go; the journal is beside them.
        task: options and fingerprints for all inputs.
        make_executor: makes an executor for a number of jobs; called only if there are jobs.
        policy: which earlier results count.
        stop: set from outside to end after the running jobs.
        on_progress: called often with how far the batch is.
        on_note: called with notes for the user about earlier results.
        on_event: called when a worker begins a video, and when a video is done.
        on_outcome: called with the result of each video, of earlier runs as well.

    Raises:
        OutputError: another run holds the journal, or the disk is full; finished work is kept.
        VswinError: an error that every video would raise, such as a device out of memory.
    """
    journal = Journal(task.journal)
    with lock_journal(journal, target.shard):
        target.sweep()
        _replace_links(result_paths(target, inputs), on_note)
        uploads = Uploads(target, lambda: result_paths(target, inputs), on_note)
        callbacks = _Callbacks(on_progress, on_event, on_outcome)
        batch = _Batch(inputs, target, task, journal, uploads, callbacks)
        jobs = batch.plan(policy, on_note)
        batch.tables.announce()
        try:
            if jobs:
                batch.work(jobs, make_executor(len(jobs)), policy, stop)
        except (VswinError, KeyboardInterrupt):
            # The tables show what was finished; the next run continues from the journal.
            with suppress(OutputError):
                batch.tables.finish()
            raise
        batch.tables.finish()
        report = replace(batch.report(), stop_signal=stop.signal_number)
        # Another shard may still have to join its parts, so only a run on all inputs deletes them.
        if target.shard is None and not report.num_pending:
            journal.clear_parts()
        return report


@dataclass(frozen=True, slots=True)
class _Callbacks:
    """What a run calls as it goes on, see `run_batch`."""

    on_progress: Callable[[Progress], None]
    on_event: Callable[[BatchEvent], None]
    on_outcome: Callable[[Outcome], None]


class _Batch:
    """State of one run."""

    def __init__(
        self,
        inputs: Sequence[BatchInput],
        target: Target,
        task: Task,
        journal: Journal,
        uploads: Uploads,
        callbacks: _Callbacks,
    ) -> None:
        self._inputs = tuple(inputs)
        self._target = target
        self._task = task
        self._journal = journal
        self._callbacks = callbacks
        self._outcomes: dict[str, Outcome] = {}
        self.tables = RunTables(target, self._inputs, self._outcomes, journal, uploads)
        self._num_resumed = 0
        self._video_seconds = 0.0
        self._began = self._last_report = time.monotonic()
        self._time_left = TimeLeft(self._inputs)
        self._workers: dict[str, int] = {}  # by entry, the last that was given the video
        self._activities: list[Activity] = []

    def plan(self, policy: Policy, on_note: Callable[[str], None]) -> list[Job]:
        """Take over results of earlier runs; returns jobs for the rest."""
        if not policy.resume:  # nor may parts of an earlier run count
            self._journal.clear_parts({item.entry for item in self._inputs})
        earlier = EarlierResults(
            self._journal,
            self._task,
            retry_failed=policy.retry_failed,
            needs_scores=policy.needs_scores,
            on_note=on_note,
            others=[Journal(folder) for folder in other_journals(self._target)],
        )
        jobs = []
        for item in self._inputs:
            job = Job.of(item)
            if item.problem is not None:
                failed = job.blank(self._task).of_problem(item.problem)
                self._outcomes[item.entry] = failed
                self._callbacks.on_event(BatchEvent.of_outcome(failed, None))
            elif policy.resume and (outcome := earlier.outcome(item)) is not None:
                self._outcomes[item.entry] = outcome
                self._num_resumed += 1
            else:
                jobs.append(job)
        for outcome in self._outcomes.values():
            self._callbacks.on_outcome(outcome)
        if policy.resume:
            earlier.finish(is_part=self._target.shard is not None)
        if policy.largest_first:
            jobs.sort(key=lambda job: -job.size_bytes)
        return jobs

    def work(self, jobs: list[Job], executor: Executor, policy: Policy, stop: StopRequest) -> None:
        """Do the jobs on an executor."""
        scheduler = Scheduler(
            executor,
            self._task,
            limits=policy.limits,
            on_outcome=self._take,
            on_tick=self._on_tick,
            on_start=self._on_start,
        )
        scheduler.run(jobs, stop)

    def report(self) -> BatchReport:
        """Return the result so far."""
        return BatchReport(
            self._inputs,
            self._outcomes,
            self._num_resumed,
            self._video_seconds,
            time.monotonic() - self._began,
        )

    def _take(self, outcome: Outcome) -> None:
        self._video_seconds += outcome.duration_seconds or 0.0
        self._time_left.add(outcome)
        done = self._outcomes[outcome.entry] = self.tables.add(outcome)
        self._callbacks.on_outcome(done)
        self._callbacks.on_event(
            BatchEvent.of_outcome(done, self._workers.pop(outcome.entry, None))
        )
        self._report(self._activities)

    def _on_start(self, job: Job, worker: int, device: str) -> None:
        self._time_left.begin(time.monotonic())
        self._workers[job.entry] = worker
        self._callbacks.on_event(BatchEvent.of_start(job, worker, device))

    def _on_tick(self, activities: list[Activity]) -> None:
        self._activities = activities
        self._report(activities)
        self.tables.refresh()

    def _report(self, activities: list[Activity]) -> None:
        now = time.monotonic()
        if now - self._last_report < _REPORT_INTERVAL_SECONDS:
            return
        self._last_report = now
        counts = Counter(outcome.status for outcome in self._outcomes.values())
        self._callbacks.on_progress(
            Progress(
                num_inputs=len(self._inputs),
                num_done=counts["ok"] + counts["partial"],
                num_partial=counts["partial"],
                num_failed=counts["failed"],
                num_resumed=self._num_resumed,
                video_seconds=self._video_seconds + sum(a.done_seconds for a in activities),
                elapsed_seconds=now - self._began,
                left_seconds=self._time_left.seconds(now, self._outcomes.keys(), activities),
                activities=tuple(activities),
            )
        )


def _replace_links(paths: Iterable[Path], on_note: Callable[[str], None]) -> None:
    for path in paths:
        if (linked := unlink_link(path)) is not None:
            on_note(f"{path} was a symbolic link to {linked}: replaced by a file; {linked} is kept")

"""A batch from beginning to end: what is left to do, doing it, and the tables."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from vswin_cli.batch.executor import Crew
from vswin_cli.batch.inputs import BatchInput
from vswin_cli.batch.job import Job, Task
from vswin_cli.batch.journal import Journal, hold
from vswin_cli.batch.outcome import Outcome
from vswin_cli.batch.scheduler import Activity, Limits, Scheduler, StopRequest
from vswin_cli.batch.tables import (
    Target,
    video_paths,
    write_files_table,
    write_results,
    write_video,
)
from vswin_cli.batch.upload import publish
from vswin_cli.errors import OptionError, OutputError, SourceError, SourceNotFoundError, VswinError
from vswin_cli.storage.files import replacing_binary
from vswin_cli.storage.remote import upload
from vswin_cli.timeline.record import Timeline, with_segments
from vswin_cli.timeline.score_files import load_track
from vswin_cli.timeline.scores import ScoreTrack

__all__ = ["BatchReport", "Policy", "Standing", "run_batch"]

_TELL_EVERY_SECONDS = 0.2  # adding up a hundred thousand files takes a while


@dataclass(frozen=True, slots=True)
class Policy:
    """What counts as done, and in which order the rest is worked on."""

    resume: bool = True
    """Whether results of earlier runs count."""
    retry_failed: bool = False
    """Whether to try again what failed before."""
    largest_first: bool = False
    """So that no worker begins the longest video when the others are done."""
    needs_scores: bool = False
    """Whether a result without its score file is only half a result."""
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a batch is."""

    num_inputs: int
    num_done: int
    """With a result or as failed; those of earlier runs included."""
    num_failed: int
    num_resumed: int
    """Done by earlier runs."""
    video_seconds: float
    """Analysed by this run."""
    elapsed_seconds: float
    left_seconds: float | None
    """Estimate of the time left."""
    activities: tuple[Activity, ...]


@dataclass(frozen=True, slots=True)
class BatchReport:
    """How a batch ended."""

    inputs: tuple[BatchInput, ...]
    outcomes: dict[str, Outcome]
    """By entry; inputs without one were not reached."""
    num_resumed: int
    video_seconds: float
    elapsed_seconds: float

    @property
    def failures(self) -> list[Outcome]:
        """Of the inputs in their order."""
        found = [self.outcomes[one.entry] for one in self.inputs if one.entry in self.outcomes]
        return [outcome for outcome in found if outcome.status == "failed"]

    @property
    def num_pending(self) -> int:
        """Inputs that were not reached."""
        return len(self.inputs) - len(self.outcomes)

    @property
    def num_segments(self) -> int:
        """In all videos together."""
        return sum(outcome.num_segments or 0 for outcome in self.outcomes.values())


def run_batch(
    inputs: Sequence[BatchInput],
    target: Target,
    task: Task,
    make_crew: Callable[[int], Crew],
    *,
    policy: Policy,
    stop: StopRequest,
    on_standing: Callable[[Standing], None],
) -> BatchReport:
    """Tag all inputs that earlier runs have not, and write the tables.

    Args:
        inputs: what to tag, each place once.
        target: where tables go; the journal lies beside.
        task: what is the same for all.
        make_crew: gives workers for a number of jobs; called only if there are any.
        policy: what to do again.
        stop: set from outside to end after what is in flight.
        on_standing: told how far it is, often.

    Raises:
        OutputError: another run holds the journal, or the disk is full; finished work is kept.
        VswinError: what would fail every video, such as a device that runs out of memory.
    """
    journal = Journal(task.journal)
    with hold(journal, target.shard):
        target.sweep()
        batch = _Batch(inputs, target, task, journal, on_standing)
        jobs = batch.plan(policy)
        batch.announce()
        try:
            if jobs:
                batch.work(jobs, make_crew(len(jobs)), policy, stop)
        except VswinError:
            with suppress(OutputError):
                batch.write_tables()
            raise
        batch.write_tables()
        report = batch.report()
        if target.shard is None and not report.num_pending:
            journal.clear_parts()
        return report


class _Batch:
    """The state of one run."""

    def __init__(
        self,
        inputs: Sequence[BatchInput],
        target: Target,
        task: Task,
        journal: Journal,
        on_standing: Callable[[Standing], None],
    ) -> None:
        self._inputs = tuple(inputs)
        self._target = target
        self._task = task
        self._journal = journal
        self._on_standing = on_standing
        self._outcomes: dict[str, Outcome] = {}
        self._num_resumed = 0
        self._video_seconds = 0.0
        self._began = self._told = time.monotonic()
        self._sizes = {one.entry: max(1, one.size_bytes) for one in self._inputs}
        self._bytes_done = 0
        self._paths = video_paths(target, self._inputs) if target.is_folder else {}

    def plan(self, policy: Policy) -> list[Job]:
        """Take over what is done; returns what is not."""
        if not policy.resume:
            self._journal.clear_parts({one.entry for one in self._inputs})
        jobs = []
        for one in self._inputs:
            outcome = self._known(one, policy)
            if outcome is None:
                jobs.append(Job.of(one))
            else:
                self._outcomes[one.entry] = outcome
                self._num_resumed += one.problem is None
        if policy.largest_first:
            jobs.sort(key=lambda job: -job.size_bytes)
        return jobs

    def work(self, jobs: list[Job], crew: Crew, policy: Policy, stop: StopRequest) -> None:
        """Do the jobs."""
        scheduler = Scheduler(
            crew,
            self._task,
            limits=policy.limits,
            on_outcome=self._take,
            on_tick=self._tell,
        )
        scheduler.run(jobs, stop)

    def announce(self) -> None:
        """Where results go to an address, show there what is going to be done.

        Only writing something tells whether an address can be written to.
        """
        target = self._target
        if target.address is not None:
            write_files_table(target.files_table, self._inputs, self._outcomes)
            upload([(target.files_table, target.place_of(target.files_table))])

    def write_tables(self) -> None:
        """Make the tables anew from the journal."""
        target = self._target
        problems = write_results(target, self._inputs, self._outcomes, self._journal)
        for entry, problem in problems.items():
            self._outcomes[entry] = self._outcomes[entry].of_problem(problem)
        write_files_table(target.files_table, self._inputs, self._outcomes)
        results = self._paths.values() if target.is_folder else [target.table]
        publish(target, [*results, target.files_table])

    def report(self) -> BatchReport:
        """How it ended."""
        return BatchReport(
            self._inputs,
            self._outcomes,
            self._num_resumed,
            self._video_seconds,
            time.monotonic() - self._began,
        )

    def _take(self, outcome: Outcome) -> None:
        self._outcomes[outcome.entry] = outcome
        self._video_seconds += outcome.duration_seconds or 0.0
        self._bytes_done += self._sizes[outcome.entry]
        if self._target.is_folder and outcome.status != "failed":
            path = self._paths[outcome.entry]
            try:
                write_video(self._target, self._journal, outcome.entry, path)
            except (OptionError, SourceError) as problem:  # the journal keeps the result
                self._outcomes[outcome.entry] = outcome.of_problem(problem)
        self._tell([])

    def _tell(self, activities: list[Activity]) -> None:
        now = time.monotonic()
        if now - self._told < _TELL_EVERY_SECONDS:
            return
        self._told = now
        elapsed = now - self._began
        open_bytes = sum(self._sizes.values()) - sum(self._sizes[e] for e in self._outcomes)
        left = elapsed * open_bytes / self._bytes_done if self._bytes_done else None
        self._on_standing(
            Standing(
                num_inputs=len(self._inputs),
                num_done=len(self._outcomes),
                num_failed=sum(one.status == "failed" for one in self._outcomes.values()),
                num_resumed=self._num_resumed,
                video_seconds=self._video_seconds + sum(a.position_seconds for a in activities),
                elapsed_seconds=elapsed,
                left_seconds=left,
                activities=tuple(activities),
            )
        )

    def _known(self, one: BatchInput, policy: Policy) -> Outcome | None:
        """What is known of an input without working on it."""
        if one.problem is not None:
            return Job.of(one).blank(self._task).of_problem(one.problem)
        old = self._journal.recall(one.entry) if policy.resume else None
        if old is None or old.scoring != self._task.scoring or not one.is_as_before(old.identity):
            return None
        if old.status == "failed":
            is_open = policy.retry_failed or old.error_code == SourceNotFoundError.code
            return None if is_open else replace(old, uri=one.source.uri)
        if policy.needs_scores and not self._bring_scores(old):
            return None
        if old.segmenting == self._task.segmenting and old.uri == one.source.uri:
            return old
        return self._segment_again(one, old)

    def _bring_scores(self, old: Outcome) -> bool:
        """Have the scores where this run wants them; whether they are there."""
        wanted = self._task.scores_path(old.entry)
        if wanted is None or wanted.is_file():
            return True
        if old.scores is None or not Path(old.scores).is_file():
            return False
        with Path(old.scores).open("rb") as source, replacing_binary(wanted) as copy:
            shutil.copyfileobj(source, copy)
        return True

    def _open_scores(self, old: Outcome) -> tuple[ScoreTrack, Timeline] | None:
        """Scores from where they would go today, else from where they went then."""
        for path in (self._task.scores_path(old.entry), old.scores and Path(old.scores)):
            with suppress(SourceError):
                if path:
                    return load_track(path)
        return None

    def _segment_again(self, one: BatchInput, old: Outcome) -> Outcome | None:
        """The result under this run's thresholds and name, from saved scores."""
        before = self._journal.timeline(old.entry)
        if before is None:
            return None
        timeline = replace(before, video=replace(before.video, uri=one.source.uri))
        if old.segmenting != self._task.segmenting:
            opened = self._open_scores(old)
            if opened is None:
                return None
            track, saved = opened
            with track:
                if (saved.model, saved.sampling) != (before.model, before.sampling):
                    return None  # scores of another run than the entry's
                timeline = with_segments(timeline, track, self._task.segments)
        outcome = replace(old, uri=one.source.uri, segmenting=self._task.segmenting).of_timeline(
            timeline
        )
        self._journal.record(outcome, timeline)
        return outcome

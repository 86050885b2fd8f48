"""Distribute jobs to workers until every input has an outcome.

A worker that is lost, or makes no progress for too long, costs its video one attempt; after the
second one the video counts as failed and the others go on. If the worker had several videos, the
one at fault is unknown: each is repeated on a worker of its own, and no attempt is counted.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from vswin_cli.batch.activity import Activity
from vswin_cli.batch.executor import Executor
from vswin_cli.batch.job import (
    Decoded,
    Fatal,
    Heartbeat,
    Job,
    Lost,
    Message,
    Part,
    PartDone,
    Ready,
    Task,
    TooLong,
)
from vswin_cli.batch.journal import Journal, unlink_link
from vswin_cli.batch.outcome import WORKER_HUNG, Outcome
from vswin_cli.batch.split import join_parts, plan_parts
from vswin_cli.errors import SourceError, VswinError

__all__ = ["Activity", "Limits", "Scheduler", "StopRequest"]

# A worker can be lost for a reason outside its video, such as a lack of memory, so that one repeat
# is worth its time; a video that has ended two workers is taken for the cause.
_MAX_ATTEMPTS = 2
# In a row, with no worker ready: further starts would fail for the same reason, without an end.
_MAX_FAILED_STARTS = 3
_TICK_SECONDS = 1.0  # the longest delay of a stop request and of the watchdog


@dataclass(frozen=True, slots=True)
class Limits:
    """Time limits for a worker."""

    stall_seconds: float = 600.0
    """A worker that makes no progress for this long is killed."""
    start_seconds: float = 900.0
    """The same while it loads its network, including the download."""


@dataclass(slots=True)
class StopRequest:
    """Set to begin no new jobs; running ones are finished."""

    is_set: bool = False
    signal_number: int | None = None
    """The signal that requested it, if any."""


@dataclass(slots=True)
class _RunningJob:
    """A job that a worker is doing."""

    job: Job
    began: float
    last_seen: float
    position_seconds: float = 0.0
    is_decoded: bool = False

    def activity(self, device: str) -> Activity:
        """Describe it for a display of progress."""
        part = self.job.part
        first = 0.0 if part is None else part.start_seconds
        return Activity(self.job.source.uri, self.position_seconds, device, self.job.entry, first)


@dataclass(slots=True)
class _Slot:
    """State of one worker."""

    last_seen: float
    is_ready: bool = False
    device: str = ""
    capacity: int = 1
    num_decoders: int = 1
    running: dict[str, _RunningJob] = field(default_factory=dict)
    """By key of the job."""

    def takes(self, job: Job) -> bool:
        """Return whether the worker can start this job now.

        Decoding limits how many jobs run at a time, not scoring: a video that is decoded only
        waits for its logits, so another one may begin beside it.
        """
        if not self.is_ready or len(self.running) >= self.capacity:
            return False
        if sum(not running.is_decoded for running in self.running.values()) >= self.num_decoders:
            return False
        is_alone = job.alone or any(running.job.alone for running in self.running.values())
        return not (self.running and is_alone)


@dataclass(slots=True)
class _SplitVideo:
    """A video that is analysed in parts."""

    job: Job
    parts: list[Part]
    num_open: int
    has_all_scores: bool = True
    elapsed_seconds: float = 0.0
    device: str = ""


class Scheduler:
    """Runs jobs on an executor.

    Args:
        executor: starts the workers and passes jobs and messages.
        task: what the jobs have in common.
        limits: how long to wait for a worker.
        on_outcome: called when an input is done and its entry is in the journal.
        on_tick: called at least once a second with what each worker does.
        on_start: called with a job, the number of the worker that it is given to, and its device.
    """

    def __init__(
        self,
        executor: Executor,
        task: Task,
        *,
        limits: Limits,
        on_outcome: Callable[[Outcome], None],
        on_tick: Callable[[list[Activity]], None],
        on_start: Callable[[Job, int, str], None] = lambda *_: None,
    ) -> None:
        self._executor = executor
        self._task = task
        self._journal = Journal(task.journal)
        self._limits = limits
        self._on_outcome = on_outcome
        self._on_tick = on_tick
        self._on_start = on_start
        self._queue: deque[Job] = deque()
        self._slots: dict[int, _Slot] = {}
        self._split_videos: dict[str, _SplitVideo] = {}
        self._failed_starts = 0
        self._fatal: VswinError | None = None
        self._stop = StopRequest()

    def run(self, jobs: Iterable[Job], stop: StopRequest) -> None:
        """Do all jobs; after a stop request, only finish the running ones.

        Raises:
            VswinError: an error that every job would raise.
        """
        self._queue.extend(jobs)
        self._stop = stop
        try:
            # A stop request leaves the queue, not the jobs that run: their work would be lost.
            while self._is_busy() or (self._queue and not stop.is_set):
                if not stop.is_set:
                    self._start_workers()
                    self._assign_jobs()
                self._executor.wait(_TICK_SECONDS, self._receive)
                self._stop_stalled()
                self._on_tick(self._activities())
                if self._fatal is not None:
                    raise self._fatal
        finally:
            self._executor.close()

    def _is_busy(self) -> bool:
        return any(slot.running for slot in self._slots.values())

    def _start_workers(self) -> None:
        # No more workers than jobs: each takes seconds to start, and memory for a network.
        num_busy = sum(bool(slot.running) for slot in self._slots.values())
        wanted = min(self._executor.size, len(self._queue) + num_busy)
        while len(self._slots) < wanted:
            self._slots[self._executor.start_worker()] = _Slot(time.monotonic())

    def _assign_jobs(self) -> None:
        """Give the next jobs to the workers with the fewest."""
        while self._queue:
            # Strictly in the order of the queue: a job that must run alone would wait for ever if
            # later jobs could pass it.
            free = [w for w, slot in self._slots.items() if slot.takes(self._queue[0])]
            if not free:
                return
            worker = min(free, key=lambda w: len(self._slots[w].running))
            job, now = self._queue.popleft(), time.monotonic()
            self._slots[worker].running[job.key] = _RunningJob(job, now, now)
            self._on_start(job, worker, self._slots[worker].device)
            self._executor.assign(worker, job)

    def _receive(self, worker: int, key: str | None, message: Message) -> None:
        slot = self._slots.get(worker)
        if slot is None:
            return  # a late message of a worker that was stopped
        slot.last_seen = time.monotonic()
        if isinstance(message, Ready):
            slot.is_ready, slot.device = True, message.device
            slot.capacity, slot.num_decoders = message.capacity, message.num_decoders
            self._failed_starts = 0
        elif isinstance(message, Fatal):
            self._fatal = message.error
        elif isinstance(message, Lost):
            self._lose(worker, key, message)
        elif isinstance(message, Heartbeat):
            if key in slot.running:
                slot.running[key].last_seen = slot.last_seen
                slot.running[key].position_seconds = message.seconds
            self._on_tick(self._activities())
        elif isinstance(message, Decoded):
            if key in slot.running:
                slot.running[key].is_decoded = True
        else:
            assert key is not None
            self._on_answer(slot.running.pop(key).job, message)

    def _on_answer(self, job: Job, message: Outcome | TooLong | PartDone) -> None:
        if isinstance(message, Outcome):
            if self._stop.is_set and message.status != "ok":
                self._journal.remove(job.entry)  # the signal may have reached the decoder, too
            else:
                self._on_outcome(message)
        elif isinstance(message, TooLong):
            self._split(job, message)
        else:
            self._collect(job, message)

    def _stop_stalled(self) -> None:
        # Per job, not per worker: where one of several videos hangs, the others still send
        # heartbeats. A worker without jobs has none to send, so it is never stopped.
        now = time.monotonic()
        for worker, slot in list(self._slots.items()):
            if slot.is_ready:
                limit = self._limits.stall_seconds
                last_seen = min(
                    (running.last_seen for running in slot.running.values()), default=now
                )
            else:
                limit, last_seen = self._limits.start_seconds, slot.last_seen
            if now - last_seen > limit:
                self._executor.stop_worker(worker)
                self._lose(worker, None, Lost(WORKER_HUNG, f"no progress for {limit:g} s"))

    def _lose(self, worker: int, failed_key: str | None, loss: Lost) -> None:
        """Requeue the jobs of a worker that is gone, or give one up.

        Only the job that ended the worker loses an attempt: the others must not fail because
        they ran beside a bad file. If that job is unknown, all are repeated alone, until the bad
        one ends a worker on its own.

        Args:
            worker: its number.
            failed_key: key of the job that ended it, if that is known.
            loss: the reason.
        """
        slot = self._slots.pop(worker)  # late messages of the worker are ignored from now on
        if not slot.running:
            self._failed_starts += not slot.is_ready
            none_ready = not any(other.is_ready for other in self._slots.values())
            if none_ready and self._failed_starts >= _MAX_FAILED_STARTS:
                self._fatal = VswinError(
                    f"the workers cannot start: {loss.reason}",
                    hint="try --workers 1; the system log shows whether memory ran out",
                )
            return
        if len(slot.running) == 1:
            failed_key = next(iter(slot.running))
        for key, running in slot.running.items():
            if key == failed_key:
                elapsed = time.monotonic() - running.began
                self._on_lost_job(running.job, loss, elapsed, slot.device)
            elif not self._accept_earlier_result(running.job):
                self._queue.append(replace(running.job, alone=failed_key is None))

    def _on_lost_job(self, job: Job, loss: Lost, elapsed: float, device: str) -> None:
        if self._accept_earlier_result(job) or self._stop.is_set:
            return  # what ended the batch may have ended the worker: the next run does the job
        if job.attempt < _MAX_ATTEMPTS:
            self._queue.append(job.again())  # last, so that it delays no other job
        elif job.part is not None:
            self._collect(job, PartDone(False, elapsed, device))
        else:
            outcome = job.blank(self._task).failed(
                loss.code,
                f"the worker was lost in {job.attempt} attempts: {loss.reason}",
                "the file may be damaged; check it with `vswin probe --scan`",
            )
            self._finish(replace(outcome, elapsed_seconds=elapsed, device=device))

    def _accept_earlier_result(self, job: Job) -> bool:
        """Accept the result of a job that was written before its worker was lost, if any."""
        done = self._journal.outcome(job.entry)
        if job.part is not None or done is None or done != self._with_current_settings(job, done):
            return False
        self._on_outcome(done)
        return True

    def _with_current_settings(self, job: Job, done: Outcome) -> Outcome:
        """Return `done` as it would read if it were the result of this very job.

        An entry of an earlier attempt, file or setting must not count.
        """
        return replace(
            done,
            identity=job.identity,
            scoring=self._task.scoring,
            segmenting=self._task.segmenting,
            attempts=job.attempt,
        )

    def _finish(self, outcome: Outcome) -> None:
        self._journal.record(outcome)
        self._on_outcome(outcome)

    def _split(self, job: Job, video: TooLong) -> None:
        """Queue the parts of a long video that no earlier run has scored."""
        assert self._task.split_seconds is not None
        parts = plan_parts(video, self._task.split_seconds)
        self._split_videos[job.entry] = split_video = _SplitVideo(job, parts, len(parts))
        missing = [part for part in parts if not self._part_path(job, part).is_file()]
        split_video.num_open = len(missing)
        # In front of the queue, so that the scores of parts are joined and deleted soon.
        self._queue.extendleft(replace(job, part=part) for part in reversed(missing))
        if not missing:
            self._join(split_video)

    def _collect(self, job: Job, done: PartDone) -> None:
        """Note that a part is done, and join the video after the last one."""
        split_video = self._split_videos[job.entry]
        split_video.num_open -= 1
        split_video.has_all_scores &= done.has_scores
        split_video.elapsed_seconds += done.elapsed_seconds
        split_video.device = done.device
        if split_video.num_open == 0:
            self._join(split_video)

    def _join(self, split_video: _SplitVideo) -> None:
        """Join the parts of a video, or queue it as a whole if that fails."""
        del self._split_videos[split_video.job.entry]
        paths = [self._part_path(split_video.job, part) for part in split_video.parts]
        try:
            # A part that failed may only mean that the declared duration is wrong; the pass over
            # the whole video decides what is wrong with the file, if anything.
            if not split_video.has_all_scores:
                raise SourceError("a part could not be analysed")
            scores = self._task.scores_path(split_video.job.entry)
            if scores is not None:
                unlink_link(scores)
            timeline = join_parts(split_video.parts, paths, self._task.segments, scores)
        except SourceError:
            self._queue.append(replace(split_video.job, may_split=False))
        else:
            outcome = replace(
                split_video.job.blank(self._task).of_timeline(timeline),
                elapsed_seconds=split_video.elapsed_seconds,
                device=split_video.device,
                scores=None if scores is None else str(scores),
            )
            self._journal.record(outcome, timeline)
            self._on_outcome(outcome)
        finally:
            for path in paths:
                path.unlink(missing_ok=True)

    def _part_path(self, job: Job, part: Part) -> Path:
        return self._journal.part_path(
            job.entry, job.identity, self._task.scoring, part.start_seconds, part.count
        )

    def _activities(self) -> list[Activity]:
        found = []
        for slot in self._slots.values():
            found += [running.activity(slot.device) for running in slot.running.values()]
            if not slot.running:
                found.append(Activity(None, 0.0, slot.device))
        return found

"""Hands jobs to workers and sees to it that every input ends as an outcome.

A worker that is lost, or shows no progress for too long, costs its video one attempt; after the
second the video is set aside as failed and the rest goes on. Where a worker had several videos
it is not known which one was to blame: each gets a worker for itself, and no attempt is counted.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from vswin_cli.batch.executor import Crew
from vswin_cli.batch.job import (
    Decoded,
    Fatal,
    Job,
    Lost,
    Message,
    Part,
    PartDone,
    Pulse,
    Ready,
    Task,
    TooLong,
)
from vswin_cli.batch.journal import Journal
from vswin_cli.batch.outcome import WORKER_HUNG, Outcome
from vswin_cli.batch.split import join_parts, plan_parts
from vswin_cli.errors import SourceError, VswinError

__all__ = ["Activity", "Limits", "Scheduler", "StopRequest"]

_MAX_ATTEMPTS = 2
_MAX_FAILED_STARTS = 3
_TICK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How patient the scheduler is."""

    silence_seconds: float = 600.0
    """A worker without progress for this long is ended."""
    start_seconds: float = 900.0
    """The same while it loads its network, downloads included."""


@dataclass(slots=True)
class StopRequest:
    """Set by whoever wants no new work to begin; what is in flight is finished."""

    is_set: bool = False


@dataclass(frozen=True, slots=True)
class Activity:
    """What one worker is doing."""

    uri: str | None
    """Its video; `None` if it starts or waits."""
    position_seconds: float
    device: str


@dataclass(slots=True)
class _Duty:
    """A job in a worker's hands."""

    job: Job
    began: float
    last_sign: float
    position_seconds: float = 0.0
    is_decoded: bool = False


@dataclass(slots=True)
class _Seat:
    """A worker as the scheduler sees it."""

    last_sign: float
    is_ready: bool = False
    device: str = ""
    capacity: int = 1
    num_decoders: int = 1
    duties: dict[str, _Duty] = field(default_factory=dict)
    """By key of the job."""

    def takes(self, job: Job) -> bool:
        """Whether the worker could begin with this job now."""
        if not self.is_ready or len(self.duties) >= self.capacity:
            return False
        if sum(not duty.is_decoded for duty in self.duties.values()) >= self.num_decoders:
            return False
        is_alone = job.alone or any(duty.job.alone for duty in self.duties.values())
        return not (self.duties and is_alone)


@dataclass(slots=True)
class _Whole:
    """A video that is being done in parts."""

    job: Job
    parts: list[Part]
    num_open: int
    is_done: bool = True
    elapsed_seconds: float = 0.0
    device: str = ""


class Scheduler:
    """Runs jobs on a crew.

    Args:
        crew: who works.
        task: what the jobs have in common.
        limits: how long to wait for a worker.
        on_outcome: called as soon as an input is done; its entry is in the journal.
        on_tick: called at least every second, and often, with what each worker does.
    """

    def __init__(
        self,
        crew: Crew,
        task: Task,
        *,
        limits: Limits,
        on_outcome: Callable[[Outcome], None],
        on_tick: Callable[[list[Activity]], None],
    ) -> None:
        self._crew = crew
        self._task = task
        self._journal = Journal(task.journal)
        self._limits = limits
        self._on_outcome = on_outcome
        self._on_tick = on_tick
        self._queue: deque[Job] = deque()
        self._seats: dict[int, _Seat] = {}
        self._wholes: dict[str, _Whole] = {}
        self._failed_starts = 0
        self._fatal: VswinError | None = None
        self._stop = StopRequest()

    def run(self, jobs: Iterable[Job], stop: StopRequest) -> None:
        """Do all jobs; returns early, with nothing in flight, once a stop is requested.

        Raises:
            VswinError: something that would fail every job.
        """
        self._queue.extend(jobs)
        self._stop = stop
        try:
            while self._is_busy() or (self._queue and not stop.is_set):
                if not stop.is_set:
                    self._hire()
                    self._hand_out()
                self._crew.wait(_TICK_SECONDS, self._receive)
                self._end_silent()
                self._on_tick(self._activities())
                if self._fatal is not None:
                    raise self._fatal
        finally:
            self._crew.close()

    def _is_busy(self) -> bool:
        return any(seat.duties for seat in self._seats.values())

    def _hire(self) -> None:
        num_busy = sum(bool(seat.duties) for seat in self._seats.values())
        wanted = min(self._crew.size, len(self._queue) + num_busy)
        while len(self._seats) < wanted:
            self._seats[self._crew.hire()] = _Seat(time.monotonic())

    def _hand_out(self) -> None:
        """Give the next jobs to whoever has the fewest."""
        while self._queue:
            takers = [w for w, seat in self._seats.items() if seat.takes(self._queue[0])]
            if not takers:
                return
            worker = min(takers, key=lambda w: len(self._seats[w].duties))
            job, now = self._queue.popleft(), time.monotonic()
            self._seats[worker].duties[job.key] = _Duty(job, now, now)
            self._crew.assign(worker, job)

    def _receive(self, worker: int, key: str | None, message: Message) -> None:
        seat = self._seats.get(worker)
        if seat is None:
            return  # it was dismissed
        seat.last_sign = time.monotonic()
        if isinstance(message, Ready):
            seat.is_ready, seat.device = True, message.device
            seat.capacity, seat.num_decoders = message.capacity, message.num_decoders
            self._failed_starts = 0
        elif isinstance(message, Fatal):
            self._fatal = message.error
        elif isinstance(message, Lost):
            self._lose(worker, key, message)
        elif isinstance(message, Pulse):
            if key in seat.duties:
                seat.duties[key].last_sign = seat.last_sign
                seat.duties[key].position_seconds = message.seconds
            self._on_tick(self._activities())
        elif isinstance(message, Decoded):
            if key in seat.duties:
                seat.duties[key].is_decoded = True
        else:
            assert key is not None
            self._answer(seat.duties.pop(key).job, message)

    def _answer(self, job: Job, message: Outcome | TooLong | PartDone) -> None:
        if isinstance(message, Outcome):
            if self._stop.is_set and message.status != "ok":
                self._journal.forget(job.entry)  # Ctrl-C may have hit the decoder, too
            else:
                self._on_outcome(message)
        elif isinstance(message, TooLong):
            self._divide(job, message)
        else:
            self._collect(job, message)

    def _end_silent(self) -> None:
        now = time.monotonic()
        for worker, seat in list(self._seats.items()):
            if seat.is_ready:
                limit = self._limits.silence_seconds
                last_sign = min((duty.last_sign for duty in seat.duties.values()), default=now)
            else:
                limit, last_sign = self._limits.start_seconds, seat.last_sign
            if now - last_sign > limit:
                self._crew.dismiss(worker)
                self._lose(worker, None, Lost(WORKER_HUNG, f"no progress for {limit:g} s"))

    def _lose(self, worker: int, culprit: str | None, loss: Lost) -> None:
        """A worker is gone: its jobs get another chance, or one is set aside.

        Args:
            worker: which.
            culprit: key of the job that was its end, if that is known.
            loss: what is known of it.
        """
        seat = self._seats.pop(worker)
        if not seat.duties:
            self._failed_starts += not seat.is_ready
            nobody_works = not any(other.is_ready for other in self._seats.values())
            if nobody_works and self._failed_starts >= _MAX_FAILED_STARTS:
                self._fatal = VswinError(
                    f"workers do not start: {loss.reason}",
                    hint="try --workers 1, or see what the machine's log says of memory",
                )
            return
        if len(seat.duties) == 1:
            culprit = next(iter(seat.duties))
        for key, duty in seat.duties.items():
            if key == culprit:
                elapsed = time.monotonic() - duty.began
                self._on_lost_job(duty.job, loss, elapsed, seat.device)
            elif not self._is_done(duty.job):
                self._queue.append(replace(duty.job, alone=culprit is None))

    def _on_lost_job(self, job: Job, loss: Lost, elapsed: float, device: str) -> None:
        if self._is_done(job):
            return
        if job.attempt < _MAX_ATTEMPTS:
            self._queue.append(job.again())
        elif job.part is not None:
            self._collect(job, PartDone(False, elapsed, device))
        else:
            outcome = job.blank(self._task).failed(
                loss.code,
                f"the worker was lost in {job.attempt} attempts: {loss.reason}",
                "the file may be damaged; `vswin probe --scan` looks into it",
            )
            self._finish(replace(outcome, elapsed_seconds=elapsed, device=device))

    def _is_done(self, job: Job) -> bool:
        """Whether a worker was lost only after it had written this job's result."""
        done = self._journal.recall(job.entry)
        if job.part is not None or done is None or done != self._as_wanted(job, done):
            return False
        self._on_outcome(done)
        return True

    def _as_wanted(self, job: Job, done: Outcome) -> Outcome:
        """The outcome as it would have to read to be about this very job."""
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

    def _divide(self, job: Job, video: TooLong) -> None:
        assert self._task.split_seconds is not None
        parts = plan_parts(video, self._task.split_seconds)
        self._wholes[job.entry] = whole = _Whole(job, parts, len(parts))
        missing = [part for part in parts if not self._part_path(job, part).is_file()]
        whole.num_open = len(missing)
        self._queue.extendleft(replace(job, part=part) for part in reversed(missing))
        if not missing:
            self._join(whole)

    def _collect(self, job: Job, done: PartDone) -> None:
        whole = self._wholes[job.entry]
        whole.num_open -= 1
        whole.is_done &= done.has_scores
        whole.elapsed_seconds += done.elapsed_seconds
        whole.device = done.device
        if whole.num_open == 0:
            self._join(whole)

    def _join(self, whole: _Whole) -> None:
        """Put the parts of a video together, or have it done in one piece after all."""
        del self._wholes[whole.job.entry]
        paths = [self._part_path(whole.job, part) for part in whole.parts]
        try:
            if not whole.is_done:
                raise SourceError("a part could not be analysed")
            scores = self._task.scores_path(whole.job.entry)
            timeline = join_parts(whole.parts, paths, self._task.segments, scores)
        except SourceError:
            self._queue.append(replace(whole.job, may_split=False))
        else:
            outcome = replace(
                whole.job.blank(self._task).of_timeline(timeline),
                elapsed_seconds=whole.elapsed_seconds,
                device=whole.device,
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
        for seat in self._seats.values():
            for duty in seat.duties.values():
                found.append(Activity(duty.job.source.uri, duty.position_seconds, seat.device))
            if not seat.duties:
                found.append(Activity(None, 0.0, seat.device))
        return found

"""Events of a batch for logs that programs read: what began, and how each video ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vswin_cli.batch.job import Job
from vswin_cli.batch.outcome import Outcome

__all__ = ["BatchEvent", "EventName"]

EventName = Literal["started", "finished", "partial", "failed"]


@dataclass(frozen=True, slots=True)
class BatchEvent:
    """A worker has begun a video, or a video is done."""

    event: EventName
    video: str
    worker: int | None
    """Number of the worker, counted from 1; `None` if none was needed."""
    device: str
    """Device of the worker, with its machine on a cluster; empty if there is none."""
    attempt: int
    part: str | None = None
    """Such as `2/5`, if a part of a long video has begun."""
    seconds: float | None = None
    """Wall time of the last attempt."""
    segments: int | None = None
    code: str | None = None
    """Why a video is partial or failed, for programs."""
    reason: str | None = None
    """The same for people."""

    @classmethod
    def of_start(cls, job: Job, worker: int, device: str) -> BatchEvent:
        """Make the event for a job that is given to a worker."""
        part = None if job.part is None else f"{job.part.index + 1}/{job.part.count}"
        return cls("started", job.source.uri, worker, device, job.attempt, part)

    @classmethod
    def of_outcome(cls, outcome: Outcome, worker: int | None) -> BatchEvent:
        """Make the event for a video that is done."""
        return cls(
            "finished" if outcome.status == "ok" else outcome.status,
            outcome.uri,
            worker,
            outcome.device,
            outcome.attempts,
            seconds=round(outcome.elapsed_seconds, 3),
            segments=outcome.num_segments,
            code=outcome.error_code,
            reason=outcome.error,
        )

"""What one input of a batch came to, without the timeline itself.

Small enough to keep for every input, to send between processes and to write as a row of the
table of files.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from vswin_cli.errors import VswinError
from vswin_cli.storage.json_records import named
from vswin_cli.timeline.record import Timeline

__all__ = ["WORKER_CRASHED", "WORKER_HUNG", "Outcome", "OutcomeStatus"]

OutcomeStatus = Literal["ok", "partial", "failed"]

WORKER_CRASHED = "WORKER_CRASHED"
"""The process that worked on the video ended, twice."""
WORKER_HUNG = "WORKER_HUNG"
"""The process that worked on the video made no progress, twice."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one input in brief, and under which circumstances it holds."""

    uri: str
    """The input as the user named it."""
    entry: str
    """Name of its entry in the journal."""
    identity: str | None
    """Which state of the file this is about; `None` if it could not be looked at."""
    scoring: str
    """Fingerprint of everything that the scores depend on."""
    segmenting: str
    """Fingerprint of how scores became segments."""
    status: OutcomeStatus
    duration_seconds: float | None = field(default=None, metadata=named("duration"))
    coverage: float | None = None
    num_segments: int | None = field(default=None, metadata=named("segments"))
    error_code: str | None = None
    error: str | None = None
    hint: str | None = None
    elapsed_seconds: float = field(default=0.0, metadata=named("elapsed"))
    """Wall time of the last attempt."""
    attempts: int = 1
    device: str = ""
    """Where the network ran."""
    scores: str | None = None
    """File that holds the score track."""

    def of_timeline(self, timeline: Timeline) -> Outcome:
        """The same input, done, with this result."""
        return replace(
            self,
            status="partial" if timeline.status == "partial" else "ok",
            duration_seconds=timeline.video.duration_seconds,
            coverage=timeline.coverage.fraction,
            num_segments=len(timeline.segments),
        )

    def of_problem(self, problem: VswinError) -> Outcome:
        """The same input, failed."""
        return self.failed(problem.code, problem.message, problem.hint)

    def failed(self, code: str, message: str, hint: str | None = None) -> Outcome:
        """The same input, failed, for reasons that no error tells."""
        return replace(self, status="failed", error_code=code, error=message, hint=hint)

"""The result of one input of a batch, without its timeline.

Small enough to keep one for every input in memory, to send between processes and to write as a
row of the table of files.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from vswin_cli.errors import VswinError, redacted
from vswin_cli.storage.json_records import named
from vswin_cli.timeline.record import Timeline

__all__ = ["PARTIAL", "WORKER_CRASHED", "WORKER_HUNG", "Outcome", "OutcomeStatus", "without_name"]

PARTIAL = "PARTIAL"
"""Error code: only a part of the video could be analysed."""
OutcomeStatus = Literal["ok", "partial", "failed"]

WORKER_CRASHED = "WORKER_CRASHED"
"""Error code: the process that analysed the video ended, twice."""
WORKER_HUNG = "WORKER_HUNG"
"""Error code: the process that analysed the video made no progress, twice."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Summary of the result of one input, and what it depends on."""

    uri: str
    """The input as the user named it."""
    entry: str
    """Name of its entry in the journal."""
    identity: str | None
    """Size and time of the file when it was analysed; `None` if it could not be read."""
    scoring: str
    """Fingerprint of everything that the scores depend on."""
    segmenting: str
    """Fingerprint of the options that turn scores into segments."""
    status: OutcomeStatus
    duration_seconds: float | None = field(default=None, metadata=named("duration"))
    coverage: float | None = None
    num_segments: int | None = field(default=None, metadata=named("segments"))
    error_code: str | None = None
    """Why it is partial or failed, for programs; `None` if it is ok."""
    error: str | None = None
    """The same for people."""
    hint: str | None = None
    elapsed_seconds: float = field(default=0.0, metadata=named("elapsed"))
    """Wall time of the last attempt."""
    attempts: int = 1
    device: str = ""
    """Device of the network."""
    scores: str | None = None
    """Path of the score track."""
    features: str | None = None
    """Path of the features."""
    has_evidence: bool | None = field(default=None, metadata=named(is_optional=True))
    """Whether its segments say where in the frame their scores come from."""

    @property
    def reason(self) -> str:
        """Why it is partial or failed, without the name of the video."""
        return without_name(self.error or "", self.uri)

    def of_timeline(self, timeline: Timeline) -> Outcome:
        """Return the outcome with the figures of a timeline and, if it is partial, the reason."""
        is_partial = timeline.status == "partial"
        # The reason is among the warnings of every partial timeline.
        reason = next(
            (notice.message for notice in timeline.warnings if notice.code == PARTIAL), None
        )
        return replace(
            self,
            status="partial" if is_partial else "ok",
            error_code=PARTIAL if is_partial else None,
            error=(reason or "a part could not be analysed") if is_partial else None,
            hint=None,
            duration_seconds=timeline.video.duration_seconds,
            coverage=timeline.coverage.fraction,
            num_segments=len(timeline.segments),
        )

    def of_problem(self, problem: VswinError) -> Outcome:
        """Return the outcome as failed with an error."""
        return self.failed(problem.code, problem.message, problem.hint)

    def failed(self, code: str, message: str, hint: str | None = None) -> Outcome:
        """Return the outcome as failed, for a reason that is not a `VswinError`."""
        return replace(self, status="failed", error_code=code, error=redacted(message), hint=hint)


def without_name(message: str, uri: str) -> str:
    """Leave out the name of a video at the start or the end of a message about it.

    Args:
        message: an error; it may name the file as the user did, or by its whole path.
        uri: the video as the user named it.
    """
    for name in (uri, str(Path(uri).absolute())):
        message = message.removesuffix(f": {name}")
        if message.startswith((f"{name}: ", f"{name} ")):
            message = message[len(name) :].lstrip(": ")
    return message

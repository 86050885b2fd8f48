"""Describe what a worker of a batch is doing, for displays of progress."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Activity"]


@dataclass(frozen=True, slots=True)
class Activity:
    """Current job of one worker."""

    uri: str | None
    """Its video; `None` while it starts or waits."""
    position_seconds: float
    device: str
    entry: str | None = None
    """Entry of the video in the journal."""
    first_seconds: float = 0.0
    """Where in the video it began: after 0 for parts of long videos."""

    @property
    def done_seconds(self) -> float:
        """Length of what it has analysed."""
        return max(0.0, self.position_seconds - self.first_seconds)

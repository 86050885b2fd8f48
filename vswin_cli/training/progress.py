"""Report the progress of training by callback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["OnTraining", "TrainingProgress", "no_progress"]


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """Where a stage of training is; values that it has not are `None`."""

    stage: str
    """A few words, such as `computing features`."""
    done: int
    """Units that are finished."""
    total: int
    unit: str = "examples"
    loss: float | None = None
    """Mean loss of the latest units."""
    accuracy: float | None = None
    """Share of held-out examples that are right so far."""


OnTraining = Callable[[TrainingProgress], None]


def no_progress(_: TrainingProgress) -> None:
    """Do nothing (default callback)."""

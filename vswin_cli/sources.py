"""From what the user named to an ordered list of videos, each once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["VideoSource"]


@dataclass(frozen=True, slots=True)
class VideoSource:
    """One video as the user named it."""

    uri: str
    """What the user wrote, or the path found in a folder."""
    path: Path
    """Where its bytes are on this machine."""

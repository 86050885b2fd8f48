"""Mark clips with what they were cut from, in the comment of the MP4 file, and read the mark back.

The comment is the last thing in the file, so that it is found without parsing a file that somebody
else may have written.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ClipTag", "clip_key", "read_tag", "source_digest"]

_TAG = re.compile(rb'vswin clip/1 (\{"key": "[0-9a-f]{64}", [^{}]{,200}\})')
_TAIL_BYTES = 4096
_SAMPLE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class ClipTag:
    """What a clip's comment says."""

    key: str
    """Of source, times and mode, see `clip_key`."""
    mode: str
    early_seconds: float

    def text(self) -> str:
        """Write it as text for the comment."""
        body = {"key": self.key, "mode": self.mode, "early": round(self.early_seconds, 6)}
        return f"vswin clip/1 {json.dumps(body)}"


def read_tag(path: Path) -> ClipTag | None:
    """Read the mark of a clip; `None` if the file has none, so that it is not ours.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        found = _TAG.search(file.read())
    try:
        body = json.loads(found[1]) if found else None
        return None if body is None else ClipTag(body["key"], body["mode"], float(body["early"]))
    except (ValueError, LookupError, TypeError):
        return None


def source_digest(path: Path) -> str:
    """Hash a video's size, beginning and end: the same after the file was moved or copied.

    Raises:
        OSError: the file cannot be read.
    """
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        digest.update(file.read(_SAMPLE_BYTES))
        file.seek(max(0, size - _SAMPLE_BYTES), os.SEEK_SET)
        digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()


def clip_key(source: str, start_seconds: float, end_seconds: float, mode: str) -> str:
    """Hash what decides a clip's content: source, requested times and mode."""
    text = f"{source} {start_seconds:.6f} {end_seconds:.6f} {mode}"
    return hashlib.sha256(text.encode()).hexdigest()

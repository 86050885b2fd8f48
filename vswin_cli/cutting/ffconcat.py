"""Write segments as a list for FFmpeg's concat demuxer: parts of the originals, nothing copied."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from vswin_cli.cutting.plan import ClipPlan
from vswin_cli.errors import SourceError

__all__ = ["ffconcat_text"]


def ffconcat_text(parts: Iterable[tuple[Path, float, ClipPlan]], folder: Path) -> str:
    """Write an `ffconcat` script.

    Args:
        parts: the video, the time of its first frame in the file, and the clip, for each part.
            In and out points count as the file does, not from its first frame.
        folder: of the script; files below it are named relative to it, others by their full path,
            which FFmpeg opens with `-safe 0` only.

    Raises:
        SourceError: a file name contains a line break, which the format cannot hold.
    """
    lines = ["ffconcat version 1.0", "# made by vswin"]  # by which it is recognised as ours
    for path, origin_seconds, clip in parts:
        lines += [
            f"file {_quoted(_from(path, folder))}",
            f"inpoint {origin_seconds + clip.start_seconds:.6f}",
            f"outpoint {origin_seconds + clip.end_seconds:.6f}",
        ]
    return "\n".join(lines) + "\n"


def _from(path: Path, folder: Path) -> str:
    full, base = path.resolve(), folder.resolve()
    return os.fspath(full.relative_to(base) if full.is_relative_to(base) else full)


def _quoted(name: str) -> str:
    if "\n" in name or "\r" in name:
        raise SourceError(
            f"an ffconcat list cannot name {name!r}, which contains a line break",
            hint="rename the file",
        )
    return "'" + name.replace("'", r"'\''") + "'"

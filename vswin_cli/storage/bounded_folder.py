"""Bound the size of a folder of cached files: those that were used longest ago are removed."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

__all__ = ["mark_used", "remove_unused"]


def mark_used(path: Path) -> None:
    """Set the access time of a cached file to now, and keep its modification time."""
    with suppress(OSError):
        # Set here, since many disks are mounted so that reading a file does not.
        os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))


def remove_unused(folder: Path, most_bytes: int) -> None:
    """Remove the files of a folder that were used longest ago until the others fit a size.

    Files that cannot be removed, or that another process removes first, are passed over.
    """
    found = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                if entry.is_file(follow_symlinks=False):
                    status = entry.stat(follow_symlinks=False)
                    used = max(status.st_atime_ns, status.st_mtime_ns)
                    found.append((used, entry.path, status.st_size))
    total = sum(size for *_, size in found)
    for _, path, size in sorted(found):
        if total <= most_bytes:
            return
        with suppress(OSError):
            Path(path).unlink()
            total -= size

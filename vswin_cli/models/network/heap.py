"""Memory that was freed stays with the process, to be used again by the next pass.

The GNU C library hands large blocks back to the system at once and has the next ones zeroed page
by page. A small network, whose tensors come and go in quick succession, spends a fifth of its time
on that; a large one does not notice.
"""

from __future__ import annotations

import ctypes
import os
import sys
from functools import lru_cache

__all__ = ["keep_freed_memory"]

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # malloc.h
_LARGEST_KEPT_BYTES = 32 << 20  # the most that the library accepts
_KEPT_BYTES = 128 << 20  # free memory at the end of a heap beyond this is given back
_CHOSEN_BY_USER = ("GLIBC_TUNABLES", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")


@lru_cache(maxsize=1)
def keep_freed_memory() -> bool:
    """Ask the C library to keep what is freed, for this whole process; once is enough.

    Returns:
        Whether it does. Not on other systems, with other C libraries, or where the environment
        says how memory is to be handled.
    """
    if not sys.platform.startswith("linux") or any(name in os.environ for name in _CHOSEN_BY_USER):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return False
    return bool(
        library.mallopt(_MMAP_THRESHOLD, _LARGEST_KEPT_BYTES)
        and library.mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
    )

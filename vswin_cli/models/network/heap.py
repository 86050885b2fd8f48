"""Make the C library keep freed memory for the next forward pass.

The GNU C library returns large blocks to the system at once, and the system zeroes the next ones
page by page. A small network, which allocates and frees tensors in quick succession, spends a
fifth of its time on that; for a large one it makes no difference.
"""

from __future__ import annotations

import ctypes
import os
import sys
from functools import lru_cache

__all__ = ["keep_freed_memory"]

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # malloc.h
_LARGEST_KEPT_BYTES = 32 << 20  # the maximum that the library accepts
_KEPT_BYTES = 128 << 20  # free memory at the end of a heap beyond this is returned
_CHOSEN_BY_USER = ("GLIBC_TUNABLES", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")


@lru_cache(maxsize=1)
def keep_freed_memory() -> bool:
    """Configure the C library to keep freed memory, once for the whole process.

    Returns:
        Whether it was configured. False on other systems, with other C libraries, and where the
        user's environment already configures the allocator.
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

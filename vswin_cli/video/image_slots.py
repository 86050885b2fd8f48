"""Memory that a decoder process and its parent share, in slots of one image each.

The decoder writes an image once, into a free slot, and names the slot on the pipe; the parent
gives the slot out as an array and marks it free when the last array on it is gone. The memory is
an anonymous file (`memfd_create`): it has no name, so that nothing is left behind however the
processes end, and it does not count against the size of /dev/shm, which is 64 MB in many
containers. Pages that were never written take no memory.
"""

from __future__ import annotations

import mmap
import os
import sys
import weakref
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ImageSlots", "share_memory"]

_SLOTS = 4096
"""Far more than are in use at once; the queues between decoder and network bound that number."""
_SLOT_BYTES = 1 << 20  # a larger image takes the pipe; usual ones have a third of that
_HEADER_BYTES = mmap.ALLOCATIONGRANULARITY * -(-_SLOTS // mmap.ALLOCATIONGRANULARITY)
_TOTAL_BYTES = _HEADER_BYTES + _SLOTS * _SLOT_BYTES
_FREE, _USED = 0, 1  # the header has a byte per slot; only the decoder takes, only the parent frees


class ImageSlots:
    """A process's view of the shared memory.

    Args:
        descriptor: of the anonymous file.
    """

    def __init__(self, descriptor: int) -> None:
        self._memory = mmap.mmap(descriptor, _TOTAL_BYTES)

    def put(self, image: NDArray[np.uint8]) -> int | None:
        """Copy an image into a free slot; `None` if there is none or the image is too large.

        Args:
            image: (H, W, 3) RGB.
        """
        if image.nbytes > _SLOT_BYTES:
            return None
        slot = self._memory.find(b"\0", 0, _SLOTS)  # the first one, so that few pages are used
        if slot < 0:
            return None
        np.copyto(self._pixels(slot, image.nbytes).reshape(image.shape), image)
        # Used once it is filled; the parent reads the slot only after its number came through the
        # pipe, and the calls of the system there order the writes. So no lock is needed.
        self._memory[slot] = _USED
        return slot

    def get(self, slot: int, height: int, width: int) -> NDArray[np.uint8]:
        """Return the image in a slot, (H, W, 3), which stays there until the array is gone.

        Raises:
            ValueError: there is no such slot, or it is not in use.
        """
        size = 3 * height * width
        if not 0 <= slot < _SLOTS or size > _SLOT_BYTES or self._memory[slot] != _USED:
            raise ValueError(f"no image of {width}x{height} in slot {slot}")
        # Arrays made from this one, whatever they show of it, keep it.
        pixels = self._pixels(slot, size)
        weakref.finalize(pixels, self._free, slot).atexit = False
        return pixels.reshape(height, width, 3)

    def _pixels(self, slot: int, size: int) -> NDArray[np.uint8]:
        return np.frombuffer(self._memory, np.uint8, size, _HEADER_BYTES + slot * _SLOT_BYTES)

    def _free(self, slot: int) -> None:
        # In whatever thread drops the last array. A byte is written whole: a decoder that searches
        # meanwhile finds it used or free; found used, it costs one further slot and no more.
        self._memory[slot] = _FREE


def share_memory() -> int | None:
    """Return the descriptor of new memory for `ImageSlots`; `None` where there is no such thing."""
    if sys.platform != "linux":
        return None
    try:
        descriptor = os.memfd_create("vswin-images")
    except OSError:  # forbidden in this container, or an old kernel
        return None
    try:
        os.ftruncate(descriptor, _TOTAL_BYTES)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor

"""A CPU's cores, each with work of its own.

PyTorch shares every single operation among its threads and waits for the slowest at each one.
Where work falls into independent pieces it is faster, above all on a busy machine, to give each
thread a whole piece and let it run its operations alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

import torch

__all__ = ["lone_threads", "run_apart"]

Piece = TypeVar("Piece")


def run_apart(work: Callable[[Piece], None], pieces: Sequence[Piece]) -> None:
    """Call `work` on every piece, as many at a time as PyTorch may use threads, without gradients.

    Pieces must not depend on each other. Results are the same whatever the number of threads.

    Raises:
        Exception: what `work` raised first, once all that had begun has ended.
    """
    num_threads = torch.get_num_threads()
    if min(num_threads, len(pieces)) == 1:
        for piece in pieces:
            work(piece)
        return

    def alone(piece: Piece) -> None:
        with torch.inference_mode():
            work(piece)

    for _ in lone_threads(num_threads).map(alone, pieces):
        pass


@lru_cache(maxsize=4)
def lone_threads(num_threads: int) -> ThreadPoolExecutor:
    """Threads in which PyTorch's operations run single-threaded; kept for the next who asks."""
    before = torch.get_num_threads()
    all_here = threading.Barrier(num_threads)

    def settle(_: int) -> None:
        torch.get_num_threads()  # a thread's first look would overwrite what was set before it
        torch.set_num_threads(1)  # of this thread, and of threads that are yet to come
        all_here.wait()

    pool = ThreadPoolExecutor(num_threads, thread_name_prefix="vswin-tile")
    list(pool.map(settle, range(num_threads)))
    torch.set_num_threads(before)
    return pool

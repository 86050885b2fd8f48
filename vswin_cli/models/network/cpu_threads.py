"""Run independent pieces of work on a CPU, one piece per thread.

PyTorch by default splits each operation over all its threads and waits for the slowest of them
every time. For independent pieces of work, one piece per thread with single-threaded operations is
faster, above all on a busy machine.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

import torch

__all__ = ["run_pieces", "single_threaded_pool"]

Piece = TypeVar("Piece")


def run_pieces(work: Callable[[Piece], None], pieces: Sequence[Piece]) -> None:
    """Call `work` on every piece without gradients, one piece per thread.

    `torch.get_num_threads()` pieces run at a time. Results do not depend on that number.

    Args:
        work: called once per piece, in any order and from any thread.
        pieces: must not depend on each other.

    Raises:
        Exception: the first one that `work` raised, once all started pieces have ended.
    """
    num_threads = torch.get_num_threads()
    if min(num_threads, len(pieces)) == 1:
        for piece in pieces:
            work(piece)
        return

    def work_without_gradients(piece: Piece) -> None:
        with torch.inference_mode():  # the mode belongs to a thread, so each must enter it
            work(piece)

    for _ in single_threaded_pool(num_threads).map(work_without_gradients, pieces):
        pass


@lru_cache(maxsize=4)
def single_threaded_pool(num_threads: int) -> ThreadPoolExecutor:
    """Return a thread pool in which PyTorch's operations are single-threaded.

    Args:
        num_threads: size of the pool; a pool of each size is started once and cached.
    """
    before = torch.get_num_threads()
    all_started = threading.Barrier(num_threads)  # or one thread could set itself up twice

    def use_one_thread(_: int) -> None:
        # PyTorch initialises a thread's count when it is first read, which would overwrite ours.
        torch.get_num_threads()
        torch.set_num_threads(1)  # for this thread, and for threads that start later
        all_started.wait()

    pool = ThreadPoolExecutor(num_threads, thread_name_prefix="vswin-tile")
    list(pool.map(use_one_thread, range(num_threads)))
    torch.set_num_threads(before)
    return pool

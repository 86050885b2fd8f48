"""Apply a function to items ahead of the consumer, in threads and in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["read_ahead"]

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def read_ahead(
    function: Callable[[_In], _Out],
    items: Iterable[_In],
    *,
    workers: int,
    ahead: int,
    waits: bool = True,
) -> Generator[_Out, None, None]:
    """Apply a function to items in threads, and yield the results in order.

    Args:
        function: called from several threads.
        items: may be endless.
        workers: threads.
        ahead: results that may wait, which bounds the memory.
        waits: whether an early end waits for the calls that run.
    """
    waiting: deque[Future[_Out]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="vswin-ahead")
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=waits, cancel_futures=True)

"""Results come in order, are bounded in number, and an early end waits or not."""

import threading

import pytest

from vswin_cli.errors import SourceError
from vswin_cli.video.read_ahead import read_ahead


def test_reading_ahead_keeps_the_order_and_a_bounded_number():
    started, gate = [], threading.Semaphore(0)

    def work(item):
        started.append(item)
        gate.acquire(timeout=20)
        return item * 10

    results = read_ahead(work, iter(range(50)), workers=3, ahead=5)
    for _ in range(60):
        gate.release()
    assert next(results) == 0
    assert max(started) <= 6
    assert list(results) == [10 * i for i in range(1, 50)]


def test_reading_ahead_passes_errors_on_in_order():
    def work(item):
        if item == 2:
            raise SourceError("bad")
        return item

    results = read_ahead(work, range(9), workers=2, ahead=3)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(SourceError, match="bad"):
        next(results)


@pytest.mark.parametrize("waits", [True, False])
def test_an_early_end_waits_for_calls_that_run_only_if_asked_to(waits):
    running, gate, ended = threading.Event(), threading.Event(), []

    def work(item):
        if item:
            running.set()
            gate.wait(20)
        ended.append(item)

    results = read_ahead(work, range(9), workers=1, ahead=1, waits=waits)
    next(results)
    running.wait(20)
    if waits:
        gate.set()
    results.close()
    assert (1 in ended) == waits
    assert 8 not in ended
    gate.set()

"""Workloads take turns, after a warm-up, and every pass is kept."""

from vswin_cli.bench.record import Timing
from vswin_cli.bench.timing import Workload, measure


def test_workloads_take_turns_after_a_warm_up():
    order = []
    workloads = [Workload(name, lambda name=name: order.append(name)) for name in "ab"]
    timings = measure(workloads, 3)
    assert order == list("ab" + "ababab")
    assert [len(timing.passes_seconds) for timing in timings.values()] == [3, 3]


def test_without_warm_up_each_runs_once_per_pass():
    order = []
    workloads = [Workload(name, lambda name=name: order.append(name)) for name in "ab"]
    measure(workloads, 2, warm_up=False)
    assert order == list("abab")


def test_short_work_is_repeated_within_a_pass():
    calls = []
    measure([Workload("a", lambda: calls.append(1))], 1, pass_seconds=0.01)
    assert len(calls) > 100


def test_a_timing_keeps_every_pass():
    assert Timing.of([3.0, 1.0, 2.0]) == Timing(1.0, 2.0, (3.0, 1.0, 2.0))

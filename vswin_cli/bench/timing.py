"""Time workloads in turns, so that a disturbance hits all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import ceil

from vswin_cli.bench.record import Timing

__all__ = ["Workload", "ignore_step", "measure"]

OnStep = Callable[[str], None]
"""Called with a description of the next measurement."""


def ignore_step(_: str) -> None:
    """Do nothing (default callback)."""


@dataclass(frozen=True, slots=True, eq=False)
class Workload:
    """A piece of work to be timed."""

    name: str
    run: Callable[[], object]
    """Does the work once, completely: on an accelerator it waits for the end."""


def measure(
    workloads: Iterable[Workload],
    passes: int,
    *,
    warm_up: bool = True,
    pass_seconds: float = 0.0,
    on_step: OnStep = ignore_step,
) -> dict[str, Timing]:
    """Time each workload once per pass, all of them in turns.

    Args:
        workloads: names are unique.
        passes: how often each is measured.
        warm_up: run each once before.
        pass_seconds: repeat short work within a pass for about this long and divide.
        on_step: called before each pass.

    Returns:
        Seconds per run of each workload, by name.
    """
    entries = list(workloads)
    if warm_up:
        on_step("warming up")
    calls = {
        workload.name: _calls(workload, pass_seconds) if warm_up else 1 for workload in entries
    }
    # Interleaved: clocks that throttle and other programs that start during a run slow every
    # workload alike, so ratios hold where the seconds themselves do not.
    seconds: dict[str, list[float]] = {workload.name: [] for workload in entries}
    for number in range(1, passes + 1):
        on_step(f"pass {number} of {passes}")
        for workload in entries:
            seconds[workload.name].append(_time(workload, calls[workload.name]))
    return {name: Timing.of(taken) for name, taken in seconds.items()}


def _calls(workload: Workload, pass_seconds: float) -> int:
    """Warm up, and return how many calls fill a pass."""
    # The first call pays for allocation, kernel choice and caches; it only sorts out slow work.
    first = _time(workload, 1)
    if first >= 4 * pass_seconds:  # slow even if warming up took most of it
        return 1
    return max(1, ceil(pass_seconds / _time(workload, 1)))


def _time(workload: Workload, calls: int) -> float:
    begin = time.perf_counter()
    for _ in range(calls):
        workload.run()
    return (time.perf_counter() - begin) / calls

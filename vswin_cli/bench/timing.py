"""Contenders measured in turns, so that a disturbance hits all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import ceil

from vswin_cli.bench.record import Timing

__all__ = ["Contender", "ignore_step", "measure"]

OnStep = Callable[[str], None]
"""Told what is measured next."""


def ignore_step(_: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, eq=False)
class Contender:
    """Something to be timed."""

    name: str
    run: Callable[[], object]
    """Does the work once, completely: on an accelerator it waits for the end."""


def measure(
    contenders: Iterable[Contender],
    passes: int,
    *,
    warm_up: bool = True,
    pass_seconds: float = 0.0,
    on_step: OnStep = ignore_step,
) -> dict[str, Timing]:
    """Time each contender once per pass, all of them in turns.

    Args:
        contenders: names are unique.
        passes: how often each is measured.
        warm_up: run each once before.
        pass_seconds: repeat short work within a pass for about this long and divide.
        on_step: told what comes next.

    Returns:
        Seconds per run of each contender.
    """
    entries = list(contenders)
    if warm_up:
        on_step("warming up")
    calls = {one.name: _calls(one, pass_seconds) if warm_up else 1 for one in entries}
    seconds: dict[str, list[float]] = {one.name: [] for one in entries}
    for number in range(1, passes + 1):
        on_step(f"pass {number} of {passes}")
        for one in entries:
            seconds[one.name].append(_time(one, calls[one.name]))
    return {name: Timing.of(taken) for name, taken in seconds.items()}


def _calls(one: Contender, pass_seconds: float) -> int:
    """Warm up and tell how many calls fill a pass."""
    first = _time(one, 1)
    if first >= 4 * pass_seconds:  # slow even if warming up took most of it
        return 1
    return max(1, ceil(pass_seconds / _time(one, 1)))


def _time(one: Contender, calls: int) -> float:
    begin = time.perf_counter()
    for _ in range(calls):
        one.run()
    return (time.perf_counter() - begin) / calls

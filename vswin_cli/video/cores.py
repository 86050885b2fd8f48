"""Count the cores that this process may use."""

from __future__ import annotations

import os
from math import ceil
from pathlib import Path

__all__ = ["usable_cores"]

_QUOTA_FILE = Path("/sys/fs/cgroup/cpu.max")  # of a container; two numbers in microseconds


def usable_cores() -> int:
    """Return the cores that this process may run on, or the share that its container has."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, min(cores, _quota()))


def _quota() -> int:
    """Return the container's share of time in whole cores; more than any machine without one."""
    try:
        quota, period = _QUOTA_FILE.read_text().split()
        return ceil(int(quota) / int(period))
    except (OSError, ValueError, ZeroDivisionError):  # no container, or the quota is "max"
        return 1 << 16

"""Describe the machine that figures are measured on, and wait for its device."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch

from vswin_cli.bench.record import Machine
from vswin_cli.video.cores import usable_cores

__all__ = ["describe_machine", "synchronise"]

_CPU_FACTS = Path("/proc/cpuinfo")


def describe_machine(device: torch.device, peers: tuple[str, ...] = ()) -> Machine:
    """Describe this machine and the device that the network runs on."""
    return Machine(
        processor=_processor(),
        logical_cores=os.cpu_count() or 1,
        usable_cores=usable_cores(),
        memory_bytes=_memory_bytes(),
        system=platform.platform(),
        python=platform.python_version(),
        torch=str(torch.__version__),
        threads=torch.get_num_threads(),
        device=str(device),
        device_name=_device_name(device),
        peers=peers,
    )


def synchronise(device: torch.device) -> None:
    """Wait until the device has finished all queued work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def _processor() -> str:
    names = _cpu_facts("model name")
    return names[0] if names else platform.processor() or platform.machine()


def _cpu_facts(key: str) -> list[str]:
    """Return a key of `/proc/cpuinfo` for each core; nothing on other systems."""
    if not _CPU_FACTS.is_file():
        return []
    lines = (line.partition(":") for line in _CPU_FACTS.read_text().splitlines())
    return [value.strip() for name, _, value in lines if name.strip() == key]


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return "Apple GPU" if device.type == "mps" else _processor()

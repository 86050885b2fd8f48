"""The processes of a run: one, or several that `torchrun` started, one per device.

Gradients are averaged by PyTorch's DistributedDataParallel: with NCCL on GPUs, with Gloo on CPUs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import nn

from vswin_cli.errors import OptionError

__all__ = ["ProcessGroup", "join_processes"]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """This process among those of the run."""

    rank: int = 0
    """From 0; the first one writes and reports."""
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes and reports."""
        return self.rank == 0

    def share(self, values: list[_T]) -> list[_T]:
        """Return this process's part of a list."""
        return values[self.rank :: self.count]

    def total(self, value: float, device: torch.device) -> float:
        """Add up a number of each process."""
        if self.count == 1:
            return value
        number = torch.tensor(value, dtype=torch.float32, device=device)
        dist.all_reduce(number)
        return float(number)

    def gather(self, values: list[_T]) -> list[_T]:
        """Join the lists of all processes, in the order of their ranks."""
        if self.count == 1:
            return values
        parts: list[list[_T]] = [[] for _ in range(self.count)]
        dist.all_gather_object(parts, values)
        return [value for part in parts for value in part]

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.count > 1:
            dist.barrier()

    def wrap(self, network: nn.Module, device: torch.device) -> nn.Module:
        """Return a network whose gradients are the mean over all processes."""
        if self.count == 1:
            return network
        ids = [device.index] if device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(
            network, device_ids=ids, gradient_as_bucket_view=True
        )


@contextmanager
def join_processes(device: torch.device) -> Iterator[tuple[ProcessGroup, torch.device]]:
    """Join the processes that `torchrun` started, if it did.

    Args:
        device: as chosen by the user; on CUDA each process takes the GPU of its own number.

    Yields:
        The group, and this process's device.

    Raises:
        OptionError: there are more processes than GPUs on this machine.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1 or "RANK" not in os.environ:
        yield ProcessGroup(), device
        return
    if device.type == "cuda":
        local = int(os.environ.get("LOCAL_RANK", "0"))
        if local >= torch.cuda.device_count():
            raise OptionError(
                f"process {local} has no GPU: this machine has {torch.cuda.device_count()}",
                hint="give `torchrun --nproc-per-node` the number of GPUs",
            )
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield ProcessGroup(dist.get_rank(), count), device
    finally:
        dist.destroy_process_group()

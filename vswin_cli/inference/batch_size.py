"""Choose how many views a pass on a GPU takes: by measurement, under a memory budget.

Sizes are tried upwards until a larger one gains little or would not fit. The result is cached for
each GPU, network and precision, together with the memory that a view takes, so that it also holds
when other programs have taken memory since.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from vswin_cli._version import __version__
from vswin_cli.models.architecture import InputSpec
from vswin_cli.models.network.swin3d import VideoSwin
from vswin_cli.storage.measurements import (
    keep_measurement,
    measurement_path,
    read_measurement,
)

__all__ = ["measured_batch_size"]

_SIZES = (2, 4, 8, 16, 32)
_LEAST_GAIN = 1.03
"""What a doubled batch must bring; it also doubles the memory and the time to the first result."""
_MEMORY_SHARE = 0.5  # of what is free: decoders and other programs use the same memory
_PASSES = 3
_FIELDS = ("views", "bytes_per_view")

Pass = Callable[[torch.Tensor], object]


def measured_batch_size(network: VideoSwin, spec: InputSpec, precision: str) -> int:
    """Return the views per pass for a network on its GPU, cached or measured now.

    Args:
        network: on the device, in its type.
        spec: size of its input.
        precision: name of the arithmetic.
    """
    device = next(network.parameters()).device
    conditions = (_describe(device), torch.__version__, __version__, precision)
    path = measurement_path("batch_size", *conditions, network.architecture, spec)
    kept = read_measurement(path, _FIELDS)
    if kept is None:
        kept = _measure(network.forward_steps, network, spec)
        network.forget_sizes()  # tables for sizes that will not come back
        keep_measurement(path, dict(zip(_FIELDS, kept, strict=True)))
    views, bytes_per_view = kept
    budget = _budget(device)
    return max((n for n in _SIZES if n <= views and n * bytes_per_view <= budget), default=1)


@torch.inference_mode()
def _measure(run: Pass, network: VideoSwin, spec: InputSpec) -> tuple[float, float]:
    """Try the sizes; return the best, and the bytes that a view takes."""
    weight = next(network.parameters())
    sides = (spec.num_frames, spec.crop_size, spec.crop_size)
    view = torch.randn(1, 3, *sides, generator=torch.Generator().manual_seed(0))
    view = view.to(weight.device, weight.dtype)
    best, best_rate, bytes_per_view = 1, 0.0, 1.0
    for size in _SIZES:
        if size * bytes_per_view > _budget(weight.device):
            break
        try:
            seconds, used = _try(run, view.expand(size, *view.shape[1:]).contiguous())
        except torch.OutOfMemoryError:
            break
        bytes_per_view = max(bytes_per_view, used / size)
        # Little more speed is not worth the memory of a larger batch.
        if size / seconds < _LEAST_GAIN * best_rate:
            break
        best, best_rate = size, size / seconds
    return best, bytes_per_view


def _try(run: Pass, views: torch.Tensor) -> tuple[float, int]:
    """Return the seconds of the fastest pass, and the bytes that passes take."""
    device = views.device
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    before = _allocated(device)
    run(views)  # compiles, builds tables, allocates
    _wait_for(device)
    shortest = float("inf")
    for _ in range(_PASSES):
        begin = time.perf_counter()
        run(views)
        _wait_for(device)
        shortest = min(shortest, time.perf_counter() - begin)
    return shortest, _allocated(device) - before


def _allocated(device: torch.device) -> int:
    """Return the bytes of the device in use at the peak since it was reset."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0


def _budget(device: torch.device) -> float:
    """Return the bytes that a pass may take."""
    if device.type != "cuda":
        return float("inf")
    free, _ = torch.cuda.mem_get_info(device)
    idle = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return _MEMORY_SHARE * (free + idle)


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _describe(device: torch.device) -> str:
    if device.type != "cuda":
        return str(device)
    facts = torch.cuda.get_device_properties(device)
    return f"{facts.name}, {facts.total_memory} bytes"

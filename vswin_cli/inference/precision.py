"""Choose the precision of the network: by name, by device, or on a CPU by measurement.

Whether a CPU multiplies bfloat16 faster than float32 does not follow from its instruction set: with
AVX512-BF16 alone, one processor ran at half the rate of float32 and another at twice. So two
products of the network are timed in both, once per processor and version of PyTorch. The times are
cached in a file that is read only if no other user can have written it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from time import thread_time

import torch
from torch import Tensor

from vswin_cli.config import Precision
from vswin_cli.errors import OptionError
from vswin_cli.inference.pass_size import is_small
from vswin_cli.models.architecture import Architecture
from vswin_cli.models.card import ModelCard
from vswin_cli.models.network.cpu_threads import single_threaded_pool
from vswin_cli.models.network.linear import Linear, has_fused
from vswin_cli.models.network.native import describe_cpu
from vswin_cli.storage.measurements import (
    keep_measurement,
    measurement_path,
    read_measurement,
)

__all__ = ["PrecisionChoice", "choose_precision"]

_DTYPES: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "tf32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
_FIELDS = ("float32_seconds", "bfloat16_seconds")
_LEAST_GAIN = 1.25
"""Products at less than this speed-up leave too little of it for the network as a whole."""
_ROWS = 196  # tokens: one frame of the stage with most blocks, at 224 × 224 pixels
_TURNS = 6
_STAGE = 2  # counted from 0: the one with most blocks


@dataclass(frozen=True, slots=True)
class PrecisionChoice:
    """The network's arithmetic, and the reason for it."""

    name: Precision
    """Of the arithmetic, such as `float32`."""
    reason: str
    """One phrase, for people."""

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights; `tf32` is float32 with rounded factors in matrix products."""
        return _DTYPES[self.name]


def choose_precision(
    precision: Precision, device: torch.device, card: ModelCard
) -> PrecisionChoice:
    """Choose the network's data type.

    `auto` is bfloat16 on CUDA, and on CPUs where it is measured to be faster; otherwise float32. A
    small network uses float32 on any CPU: decoding is several times slower than the network, so
    that bfloat16 would not be faster and could change single labels.

    Args:
        precision: the user's option.
        device: of the network.
        card: of the network.

    Raises:
        OptionError: not the name of a precision, or none of this device.
    """
    if precision == "auto":
        return _choose(device, card)
    if precision not in _DTYPES:
        raise OptionError(
            f"unknown precision {precision!r}", hint=f"give auto, {', '.join(_DTYPES)}"
        )
    if precision == "tf32" and device.type != "cuda":
        raise OptionError(
            f"tf32 is arithmetic of NVIDIA GPUs, not of {device.type}", hint="give float32"
        )
    return PrecisionChoice(precision, "as asked for")


def _choose(device: torch.device, card: ModelCard) -> PrecisionChoice:
    if device.type == "cuda":
        return PrecisionChoice("bfloat16", "the usual one on CUDA")
    if device.type != "cpu":
        return PrecisionChoice("float32", f"the usual one on {device.type}")
    if is_small(card.architecture, card.input):
        return PrecisionChoice("float32", "decoding is slower than this small network")
    if not has_fused(torch.bfloat16):
        return PrecisionChoice("float32", "PyTorch has no bfloat16 products for this CPU")
    exact, rough = _product_seconds(card.architecture)
    name: Precision = "bfloat16" if exact >= _LEAST_GAIN * rough else "float32"
    times = f"{1e3 * rough:.3g} ms in bfloat16 and {1e3 * exact:.3g} ms in float32"
    return PrecisionChoice(name, f"measured on this CPU: two of its products take {times}")


def _product_seconds(architecture: Architecture) -> tuple[float, float]:
    """Return the seconds of two products in float32 and bfloat16, cached or measured now."""
    width = architecture.embed_dim << min(_STAGE, len(architecture.depths) - 1)
    hidden = int(width * architecture.mlp_ratio)
    shapes = f"{_ROWS}×{width}×{hidden}"
    path = measurement_path("precision", describe_cpu(), torch.__version__, shapes)
    kept = read_measurement(path, _FIELDS)
    if kept is None:
        kept = single_threaded_pool(1).submit(_measure, width, hidden).result()
        keep_measurement(path, dict(zip(_FIELDS, kept, strict=True)))
    exact, rough = kept
    return exact, rough


@torch.inference_mode()
def _measure(width: int, hidden: int) -> tuple[float, float]:
    """Time the two layers of an MLP in float32 and bfloat16, in turns on one thread.

    Measures the CPU time of this thread and returns the minimum of several turns, because other
    programs on the machine can only increase it.
    """
    kinds = [_mlp(width, hidden, dtype) for dtype in (torch.float32, torch.bfloat16)]
    for layers in kinds:
        _run(*layers)  # reorders the weights
    shortest = [inf, inf]
    for turn in range(2 * _TURNS):
        kind = turn % 2
        start = thread_time()
        _run(*kinds[kind])
        shortest[kind] = min(shortest[kind], thread_time() - start)
    return shortest[0], shortest[1]


def _mlp(width: int, hidden: int, dtype: torch.dtype) -> tuple[Linear, Linear, Tensor]:
    with torch.device("meta"):  # initialisation elsewhere would advance the random generator
        layers = Linear(width, hidden), Linear(hidden, width)
    for layer in layers:
        layer.to_empty(device="cpu").to(dtype)
        for values in layer.parameters():
            values.fill_(1 / hidden)
    return *layers, torch.ones(_ROWS, width, dtype=dtype)


def _run(first: Linear, second: Linear, x: Tensor) -> None:
    second.forward_add(first.forward_gelu(x), x)

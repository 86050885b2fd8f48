"""Clips in, logits per time step out: device, precision, batches, memory.

Knows nothing of files or time lines; a clip's times travel through untouched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from vswin_cli.clips import Clip
from vswin_cli.config import EngineOptions, Precision
from vswin_cli.errors import DeviceError, OptionError
from vswin_cli.models.checkpoint import LoadedModel
from vswin_cli.timeline.scores import ClipLogits
from vswin_cli.transforms import make_views

__all__ = ["Engine", "resolve_device", "resolve_precision"]

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_VIEWS_PER_PASS = {"cuda": 8, "mps": 2, "cpu": 1}  # a CPU is busy with one view


def resolve_device(name: str) -> torch.device:
    """Turn `auto` or a torch device name into a device that exists here.

    Raises:
        OptionError: the name is no device at all.
        DeviceError: this machine does not have it.
    """
    if name == "auto":
        name = "cuda" if _has_cuda() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as cause:
        raise OptionError(
            f"unknown device {name!r}", hint="give auto, cpu, cuda, cuda:1 or mps"
        ) from cause
    if device.type == "cuda" and not _has_cuda():
        raise DeviceError(
            f"no CUDA device here for --device {name}",
            hint="use --device cpu, or install a CUDA build of torch and its driver",
        )
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(
            f"no device {name}: this machine has {torch.cuda.device_count()} CUDA device(s)",
            hint="devices count from cuda:0",
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("no Apple GPU here for --device mps", hint="use --device cpu")
    return device


def resolve_precision(precision: Precision, device: torch.device) -> torch.dtype:
    """Pick the network's arithmetic: bfloat16 on CUDA, else float32, unless told otherwise.

    Raises:
        OptionError: the name is none of the known ones.
    """
    if precision == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    if precision not in _DTYPES:
        raise OptionError(
            f"unknown precision {precision!r}", hint=f"give auto, {', '.join(_DTYPES)}"
        )
    return _DTYPES[precision]


def _has_cuda() -> bool:
    return torch.cuda.is_available() and torch.cuda.device_count() > 0


@dataclass(frozen=True, slots=True, eq=False)
class _Pending:
    """A clip on its way through the network."""

    clip: Clip
    views: Tensor
    """(V, 3, T, S, S) on the device."""


class Engine:
    """One model on one device.

    Args:
        model: what to run; it is moved to the device.
        options: device, precision and batch size.
        crops: spatial views per clip.

    Raises:
        DeviceError: the device does not exist here.
        OptionError: device or precision make no sense.
    """

    def __init__(
        self,
        model: LoadedModel,
        options: EngineOptions = EngineOptions(),
        *,
        crops: Literal[1, 3] = 1,
    ) -> None:
        self.model = model
        self.crops = crops
        self.device = resolve_device(options.device)
        self.dtype = resolve_precision(options.precision, self.device)
        self.batch_size = options.batch_size or _VIEWS_PER_PASS.get(self.device.type, 1)
        self._network = model.network.to(device=self.device, dtype=self.dtype).eval()

    @property
    def precision(self) -> str:
        """Name of the arithmetic in use, such as `float32`."""
        return str(self.dtype).removeprefix("torch.")

    @torch.inference_mode()
    def score(self, clips: Iterable[Clip]) -> Iterator[ClipLogits]:
        """Run clips through the network, in order, several views at a time.

        Clips are drawn only as they are needed.

        Raises:
            DeviceError: out of memory even with one view at a time.
        """
        pending: list[_Pending] = []
        for clip in clips:
            pending.append(self._prepare(clip))
            if len(pending) * self.crops >= self.batch_size:
                yield from self._flush(pending)
                pending = []
        if pending:
            yield from self._flush(pending)

    def _prepare(self, clip: Clip) -> _Pending:
        frames = torch.from_numpy(np.ascontiguousarray(clip.frames)).to(self.device)
        return _Pending(clip, make_views(frames, self.model.card.input, self.crops, self.dtype))

    def _flush(self, pending: list[_Pending]) -> Iterator[ClipLogits]:
        steps = self._forward(torch.cat([p.views for p in pending]))
        logits = steps.float().cpu().numpy()  # (n·V, D, K)
        for i, clip in enumerate(p.clip for p in pending):
            views = logits[i * self.crops : (i + 1) * self.crops]  # (V, D, K)
            yield ClipLogits(clip.index, clip.step_edges_seconds, views, clip.num_valid_steps)

    def _forward(self, views: Tensor) -> Tensor:
        """Logits (n, D, K) of (n, 3, T, S, S), in smaller batches once memory has run out."""
        while True:
            try:
                parts = [
                    self._network.forward_steps(v) for v in torch.split(views, self.batch_size)
                ]
                return torch.cat(parts)
            except torch.OutOfMemoryError as cause:
                if self.batch_size == 1:
                    raise DeviceError(
                        f"{self.device} is out of memory with a single view per pass",
                        hint="close other programs that use it, take a smaller model, or use "
                        "--device cpu",
                    ) from cause
                self.batch_size = max(1, self.batch_size // 2)
                torch.cuda.empty_cache()

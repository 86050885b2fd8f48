"""A linear layer fused with the GELU or the residual addition that follows it.

oneDNN takes weights that were reordered beforehand and applies GELU, or adds a residual, while a
result is still in registers; PyTorch's own compiler emits the same operators. They exist for CPUs
and without gradients; elsewhere the steps are separate.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["Linear", "has_fused"]


def has_fused(dtype: torch.dtype) -> bool:
    """Whether this build of PyTorch has the fused operators for a type."""
    operators = torch.ops.mkldnn
    if not torch._C._has_mkldnn or not hasattr(operators, "_linear_pointwise"):
        return False
    if dtype == torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return dtype == torch.float32


class Linear(nn.Linear):
    """`torch.nn.Linear` with two fused forward passes. Parameters and their names are the same."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__(in_features, out_features, bias)
        self._packed: tuple[tuple[object, ...], Tensor] | None = None

    def train(self, mode: bool = True) -> Linear:
        """Same as `torch.nn.Module.train`; also drops the reordered weights."""
        self._packed = None
        return super().train(mode)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_packed": None}  # oneDNN's layout cannot be copied or pickled

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer: (R, C) -> (R, C')."""
        packed = self._reordered(x)
        if packed is None:
            return super().forward(x)
        return _fused()(x, packed, self.bias, "none", [], "")  # type: ignore[no-any-return]

    def forward_gelu(self, x: Tensor) -> Tensor:
        """Apply the layer and an exact GELU: (R, C) -> (R, C')."""
        packed = self._reordered(x)
        if packed is None:
            return F.gelu(super().forward(x))
        return _fused()(x, packed, self.bias, "gelu", [], "none")  # type: ignore[no-any-return]

    def forward_add(self, x: Tensor, residual: Tensor) -> Tensor:
        """Apply the layer and add a residual (R, C'): (R, C) -> (R, C')."""
        packed = self._reordered(x)
        if packed is None:
            return residual + super().forward(x)
        return _fused().binary(x, residual, packed, self.bias, "add")  # type: ignore[no-any-return]

    def _reordered(self, x: Tensor) -> Tensor | None:
        """Reorder the weights for oneDNN, or return the cached ones if they have not changed.

        Returns:
            The weights, or `None` where the fused operators cannot be used for `x`.
        """
        weight = self.weight
        if self._packed is not None and torch.is_grad_enabled() and weight.requires_grad:
            self._packed = None  # a fused optimiser's step does not change the version
        if x.device.type != "cpu" or not torch.is_inference_mode_enabled() or x.dim() != 2:
            return None
        if x.dtype != weight.dtype:
            return None
        # The address is not enough: loading another state changes weights in place, and a new
        # tensor may lie where the old one was. Tensors of inference mode count no versions.
        version = 0 if weight.is_inference() else weight._version
        state = (weight.dtype, weight.data_ptr(), version)
        packed = self._packed
        if packed is None or packed[0] != state:
            if not has_fused(weight.dtype):
                return None
            rows = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), len(x))
            packed = self._packed = (state, rows)
        return packed[1]


def _fused() -> Any:  # noqa: ANN401 - an operator of PyTorch's without a type
    return torch.ops.mkldnn._linear_pointwise

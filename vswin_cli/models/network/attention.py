"""Window attention on a CPU with the compiled kernel in `attention.c`.

Takes the output rows of the projection to queries, keys and values. Where the kernel cannot be
compiled, or differs from PyTorch's attention, there is none and the caller uses PyTorch.
"""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from vswin_cli.models.network.native import native_library

__all__ = ["AttentionKernel", "attention_kernel", "padded_bias"]

_HEAD = 32
_LANES = 16
_LOG2_E = math.log2(math.e)
_NAMES = {torch.float32: "attend_f32", torch.bfloat16: "attend_bf16"}
_TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 3e-2}


@dataclass(frozen=True, slots=True, eq=False)
class AttentionKernel:
    """Compute softmax(q·kᵀ/√32 + bias)·v for heads of 32 values and rows of one type."""

    function: Any
    """The C function; `attention.c` describes its arguments."""

    def attend(self, qkv: Tensor, bias: Tensor, out: Tensor, groups: int) -> None:
        """Attend within each group of n rows.

        Args:
            qkv: (groups·n, 3·C), contiguous, on the CPU.
            bias: from `padded_bias`.
            out: (groups·n, C), contiguous; overwritten with the result.
            groups: number of groups.

        Raises:
            MemoryError: no room for the scores of a few rows.
        """
        heads, n, padded = bias.shape
        pointers = (t.data_ptr() for t in (qkv, bias, out))
        scale = _LOG2_E / math.sqrt(_HEAD)
        if self.function(*pointers, groups, n, padded, heads, scale) != 0:
            raise MemoryError("no memory for attention scores")


def padded_bias(bias: Tensor) -> Tensor:
    """Prepare a bias for the kernel: (1, nH, n, n) -> (nH, n, n rounded up to 16) float32.

    The kernel computes powers of two, which are cheaper than powers of e, so the bias is multiplied
    by log2 e. The padding is -inf: its weight in the softmax is exactly 0.
    """
    n = bias.shape[-1]
    return F.pad(bias[0].float() * _LOG2_E, (0, -n % _LANES), value=-math.inf).contiguous()


def attention_kernel(dtype: torch.dtype, head_size: int) -> AttentionKernel | None:
    """Find the kernel for rows of this type; compiles it on the first call.

    Returns:
        The kernel, or `None`: other heads, another type, no compiler, a CPU without AVX2.
    """
    if head_size != _HEAD or dtype not in _NAMES:
        return None
    return _kernel(dtype)


@lru_cache(maxsize=4)
def _kernel(dtype: torch.dtype) -> AttentionKernel | None:
    if torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"):
        return None
    library = native_library(Path(__file__).with_name("attention.c"))
    function = getattr(library, _NAMES[dtype], None)  # no bfloat16 where the CPU has none
    if function is None:
        return None
    function.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_long] * 4 + [ctypes.c_float]
    kernel = AttentionKernel(function)
    return kernel if _agrees(kernel, dtype) else None


def _agrees(kernel: AttentionKernel, dtype: torch.dtype) -> bool:
    """Compare the kernel with PyTorch on two groups of two heads.

    The kernel is compiled on the user's machine, with a compiler and for a CPU on which it may
    never have been tested. A wrong result would look like a model that tags badly, so every process
    checks the kernel once before it is used.
    """
    n, heads = 21, 2  # not a multiple of the register width or of the rows processed at once
    fixed = torch.Generator().manual_seed(0)
    qkv = torch.randn(2 * n, 3 * heads * _HEAD, generator=fixed).to(dtype)
    bias = torch.randn(1, heads, n, n, generator=fixed)
    out = torch.empty(2 * n, heads * _HEAD, dtype=dtype)
    kernel.attend(qkv, padded_bias(bias), out, 2)
    q, k, v = qkv.float().view(2, n, 3, heads, _HEAD).permute(2, 0, 3, 1, 4)
    truth = F.scaled_dot_product_attention(q, k, v, attn_mask=bias).transpose(1, 2)
    return bool((out.float() - truth.reshape(2 * n, -1)).abs().max() < _TOLERANCE[dtype])

"""Triton kernels for CUDA: window attention over a work list, and LayerNorm with a sum and order.

Import this module only where Triton is installed. `vswin_cli.models.network.triton_network` builds
a network from the kernels.
"""

from __future__ import annotations

import math

import torch.nn.functional as F
import triton
import triton.language as tl
from torch import Tensor, nn

from vswin_cli.models.network.work_list import KEYS, QUERIES, Column

__all__ = ["LOG2_E", "SPARE_ROWS", "attend", "layer_norm", "padded_bias"]

LOG2_E = math.log2(math.e)
SPARE_ROWS = QUERIES
"""Rows after the last region that `attend` may read; they must hold finite numbers."""

_WARPS, _STAGES = 4, 3
_VALUES_PER_PROGRAM = 4096  # of LayerNorm; several short rows or one long one
_NUM_COLUMNS = len(Column)


def padded_bias(bias: Tensor) -> Tensor:
    """Prepare the bias of one group: (nH, n, n) -> (nH·n'·n'',), float32.

    Keys are padded to whole blocks with -inf, whose weight is exactly 0, so that the kernel needs
    no mask; queries with 0. The kernel computes powers of two, so the bias carries log2 e.
    """
    n = bias.shape[-1]
    padded = F.pad(bias.float() * LOG2_E, (0, -n % KEYS), value=-math.inf)
    return F.pad(padded, (0, 0, 0, -n % QUERIES)).flatten()


def attend(qkv: Tensor, bias: Tensor, items: Tensor, num_heads: int, *, tf32: bool) -> Tensor:
    """Attend within each region of a work list, in one launch.

    A value that is not finite may spread to the region after it in `qkv`.

    Args:
        qkv: (R + `SPARE_ROWS`, 3·C), contiguous; q is already multiplied by log2(e)/√(C/nH).
        bias: `padded_bias` of all groups, one after another.
        items: (items, `Column`s) int32, from `list_work`, on the same device; covers all R rows.
        num_heads: nH.
        tf32: multiply float32 in TF32.

    Returns:
        (R, C).
    """
    channels = qkv.shape[1] // 3
    out = qkv.new_empty(len(qkv) - SPARE_ROWS, channels)
    _attend[(len(items) * num_heads,)](
        qkv,
        bias,
        items,
        out,
        num_heads,
        CHANNELS=channels,
        HEAD=channels // num_heads,
        QUERIES=QUERIES,
        KEYS=KEYS,
        COLUMNS=_NUM_COLUMNS,
        PRECISION="tf32" if tf32 else "ieee",
        enable_fp_fusion=True,
        num_warps=_WARPS,
        num_stages=_STAGES,
    )
    return out


def layer_norm(
    x: Tensor,
    norm: nn.LayerNorm,
    *,
    delta: Tensor | None = None,
    order: Tensor | None = None,
    real: Tensor | None = None,
    keep_sum: bool = True,
) -> tuple[Tensor, Tensor]:
    """Add, reorder and normalise rows in one pass over the memory.

    Args:
        x: (R', C), contiguous.
        norm: over k·C values, k rows side by side.
        delta: (R', C) to add to `x` first.
        order: (R·k,) int32 row of `x` for each row that is wanted, -1 for a row of zeros; `None`
            to take the rows as they are.
        real: (R,) bool; false where the normalised row is to be zero.
        keep_sum: also return the rows before normalisation; k is 1 then.

    Returns:
        (R, C) the reordered sum, or `x` itself where nothing changed or it is not kept; and
        (R, k·C) the same normalised.
    """
    channels, width = x.shape[1], norm.normalized_shape[0]
    side_by_side = width // channels
    rows = len(x) if order is None else len(order) // side_by_side
    normalised = x.new_empty(rows, width)
    keep_sum = keep_sum and (delta is not None or order is not None)
    total = x.new_empty(rows, width) if keep_sum else x
    columns = triton.next_power_of_2(width)
    rows_per_program = max(1, _VALUES_PER_PROGRAM // columns)
    _layer_norm[(triton.cdiv(rows, rows_per_program),)](
        x,
        x if delta is None else delta,
        x if order is None else order,
        x if real is None else real,
        norm.weight,
        norm.bias,
        total,
        normalised,
        rows,
        norm.eps,
        CHANNELS=channels,
        WIDTH=width,
        COLUMNS=columns,
        ROWS=rows_per_program,
        HAS_DELTA=delta is not None,
        HAS_ORDER=order is not None,
        HAS_REAL=real is not None,
        KEEP_SUM=keep_sum,
        enable_fp_fusion=True,
        num_warps=_WARPS,
    )
    return total, normalised


@triton.jit
def _attend(
    qkv_ptr,
    bias_ptr,
    items_ptr,
    out_ptr,
    num_heads,
    CHANNELS: tl.constexpr,
    HEAD: tl.constexpr,
    QUERIES: tl.constexpr,
    KEYS: tl.constexpr,
    COLUMNS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Attend with the queries of one item and head; see `Column` for the numbers of an item."""
    head = tl.program_id(0) % num_heads
    item = items_ptr + tl.program_id(0) // num_heads * COLUMNS
    # In 64 bits: rows times stride pass 2^31 values in a large batch of the largest network.
    first_row = tl.load(item).to(tl.int64)
    size = tl.load(item + 1)
    first_query = tl.multiple_of(tl.load(item + 2), QUERIES)
    padded_keys = tl.multiple_of(tl.load(item + 3), KEYS)
    padded_queries = (size + QUERIES - 1) // QUERIES * QUERIES
    # Of the group, then of the head, then of the query: whole blocks each time.
    bias_at = tl.load(item + 4).to(tl.int64) * num_heads
    bias_at = tl.multiple_of(bias_at + head * padded_queries * padded_keys, KEYS)
    stride: tl.constexpr = 3 * CHANNELS
    values = tl.arange(0, HEAD)
    queries = first_query + tl.arange(0, QUERIES)
    keys = tl.arange(0, KEYS)
    base = qkv_ptr + first_row * stride + head * HEAD
    q = tl.load(base + queries[:, None] * stride + values[None, :])
    k_ptrs = base + CHANNELS + keys[None, :] * stride + values[:, None]
    v_ptrs = base + 2 * CHANNELS + keys[:, None] * stride + values[None, :]
    bias_ptrs = bias_ptr + bias_at + queries[:, None] * padded_keys + keys[None, :]
    mixed = tl.zeros((QUERIES, HEAD), tl.float32)
    # Not -inf: where a whole block of keys is padding, -inf minus -inf would be NaN.
    highest = tl.full((QUERIES,), -1e30, tl.float32)
    weights = tl.zeros((QUERIES,), tl.float32)
    # Reads past the region are harmless: a bias of -inf gives those keys the weight 0.
    for _ in range(0, size, KEYS):
        bias = tl.load(bias_ptrs).to(tl.float32)
        scores = tl.dot(q, tl.load(k_ptrs), bias, input_precision=PRECISION)
        # Softmax block by block (arXiv 2205.14135): what was summed under an earlier maximum
        # shrinks to the new one, so that no power overflows and no score is kept.
        new_highest = tl.maximum(highest, tl.max(scores, 1))
        weight = tl.exp2(scores - new_highest[:, None])
        shrink = tl.exp2(highest - new_highest)
        weights = weights * shrink + tl.sum(weight, 1)
        v = tl.load(v_ptrs)
        mixed = tl.dot(weight.to(v.dtype), v, mixed * shrink[:, None], input_precision=PRECISION)
        highest = new_highest
        k_ptrs += KEYS * stride
        v_ptrs += KEYS * stride
        bias_ptrs += KEYS
    out_ptrs = out_ptr + (first_row + queries[:, None]) * CHANNELS + head * HEAD + values[None, :]
    # Queries past the region are computed, too, but their rows are those of the next region.
    result = (mixed / weights[:, None]).to(out_ptr.dtype.element_ty)
    tl.store(out_ptrs, result, mask=(queries < size)[:, None])


@triton.jit
def _layer_norm(
    x_ptr,
    delta_ptr,
    order_ptr,
    real_ptr,
    weight_ptr,
    bias_ptr,
    sum_ptr,
    out_ptr,
    num_rows,
    eps,
    CHANNELS: tl.constexpr,
    WIDTH: tl.constexpr,
    COLUMNS: tl.constexpr,
    ROWS: tl.constexpr,
    HAS_DELTA: tl.constexpr,
    HAS_ORDER: tl.constexpr,
    HAS_REAL: tl.constexpr,
    KEEP_SUM: tl.constexpr,
):
    """Normalise `ROWS` rows of `WIDTH` values, each of `WIDTH // CHANNELS` rows of `x`."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    columns = tl.arange(0, COLUMNS)
    in_rows, in_columns = rows < num_rows, columns < WIDTH
    inside = in_rows[:, None] & in_columns[None, :]
    at = rows.to(tl.int64)[:, None] * WIDTH + columns[None, :]
    if HAS_ORDER:
        if WIDTH == CHANNELS:
            source = tl.load(order_ptr + rows, mask=in_rows, other=-1).to(tl.int64)[:, None]
        else:
            places = rows[:, None] * (WIDTH // CHANNELS) + (columns // CHANNELS)[None, :]
            source = tl.load(order_ptr + places, mask=inside, other=-1).to(tl.int64)
        read_at = source * CHANNELS + (columns % CHANNELS)[None, :]
        readable = inside & (source >= 0)
    else:
        read_at = at
        readable = inside
    x = tl.load(x_ptr + read_at, mask=readable, other=0.0).to(tl.float32)
    if HAS_DELTA:
        x += tl.load(delta_ptr + read_at, mask=readable, other=0.0).to(tl.float32)
    if KEEP_SUM:
        tl.store(sum_ptr + at, x.to(sum_ptr.dtype.element_ty), mask=inside)
    # The mean first, then the squares of the differences: as the difference of two large sums the
    # variance would lose its digits. Columns past the width would add the square of the mean.
    mean = tl.sum(x, 1) / WIDTH
    centred = tl.where(in_columns[None, :], x - mean[:, None], 0.0)
    scale = 1.0 / tl.sqrt(tl.sum(centred * centred, 1) / WIDTH + eps)
    weight = tl.load(weight_ptr + columns, mask=in_columns, other=0.0).to(tl.float32)
    bias = tl.load(bias_ptr + columns, mask=in_columns, other=0.0).to(tl.float32)
    y = centred * scale[:, None] * weight[None, :] + bias[None, :]
    if HAS_REAL:
        y = tl.where(tl.load(real_ptr + rows, mask=in_rows, other=0)[:, None] != 0, y, 0.0)
    tl.store(out_ptr + at, y.to(out_ptr.dtype.element_ty), mask=inside)

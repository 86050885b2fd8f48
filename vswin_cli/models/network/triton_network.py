"""Video Swin Transformer by our own CUDA kernels: the same function as `VideoSwin`, faster.

`VideoSwin.plain_features` is the definition; this follows it step by step and shares its
weights. Differences: a residual is added where the next LayerNorm reads it, all regions of a block
attend in one launch, and biases and GELU are applied by the matrix products (cuBLASLt's GELU is
the tanh form; except in exact float32, it differs from the exact one by less than the rounding).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from vswin_cli.models.network.token_order import AttentionRows, StageRoute, Tile
from vswin_cli.models.network.triton_kernels import (
    LOG2_E,
    SPARE_ROWS,
    attend,
    layer_norm,
    padded_bias,
)
from vswin_cli.models.network.work_list import RegionGroup, list_work

if TYPE_CHECKING:
    from vswin_cli.models.network.swin3d import VideoSwin, _Attention, _Block, _Mlp
    from vswin_cli.models.network.swin3d import _Stage as SwinStage

__all__ = ["TritonNetwork"]


@dataclass(frozen=True, slots=True, eq=False)
class _Blocks:
    """Tables of a stage's even or odd blocks."""

    groups: tuple[AttentionRows, ...]
    items: Tensor
    """The work list, on the device."""
    order: Tensor | None
    """(R,) int32 row in the other blocks' order; `None` if the orders are the same."""
    real: Tensor | None
    """(R,) bool, false for padding; `None` without padding."""


@dataclass(frozen=True, slots=True, eq=False)
class _Stage:
    """Tables of one stage."""

    enter: Tensor
    """(R·k,) int32 rows of the stage before, or of the grid; -1 for a row of zeros."""
    blocks: tuple[_Blocks, _Blocks]
    """Of the even blocks, and of the odd ones."""


@dataclass(frozen=True, slots=True, eq=False)
class _Tables:
    """Tables for one input size."""

    stages: tuple[_Stage, ...]
    leave: Tensor
    """(B·D·H'·W',) int32 row of each token of the last stage."""


class TritonNetwork:
    """Forward pass of one network. Its weights and settings must not change afterwards.

    Args:
        network: on the device and of the type that inputs will have.
        tf32: multiply float32 in TF32 in attention; the matrix products follow PyTorch's setting.
    """

    def __init__(self, network: VideoSwin, *, tf32: bool = False) -> None:
        self._network = network
        self._tf32 = tf32
        self._exact = network.patch_embed.proj.weight.dtype == torch.float32 and not tf32
        self._queries: dict[_Attention, tuple[Tensor, Tensor]] = {}
        self._biases: dict[tuple[object, ...], Tensor] = {}
        self._tables: dict[tuple[int, ...], _Tables] = {}

    def forward_features(self, x: Tensor) -> Tensor:
        """Same as `VideoSwin.plain_features`: (B, 3, T, H, W) -> (B, C, D, H', W')."""
        network = self._network
        tables = self._tables_for(x)
        embed = network.patch_embed
        rows = F.linear(embed.patches(x), embed.proj.weight.flatten(1), embed.proj.bias)
        _, rows = layer_norm(rows, embed.norm, order=tables.stages[0].enter, keep_sum=False)
        delta: Tensor | None = None
        layers = cast("list[SwinStage]", list(network.layers))
        for number, (stage, table) in enumerate(zip(layers, tables.stages, strict=True)):
            if number > 0:
                merging = layers[number - 1].downsample
                assert merging is not None  # only the last stage has none
                _, merged = layer_norm(
                    rows, merging.norm, delta=delta, order=table.enter, keep_sum=False
                )
                rows, delta = F.linear(merged, merging.reduction.weight), None  # (R, 2C)
            for position, block in enumerate(stage.blocks):
                rows, delta = self._block(
                    cast("_Block", block),
                    rows,
                    delta,
                    table.blocks[position % 2],
                    is_first=position == 0,
                )
        _, rows = layer_norm(rows, network.norm, delta=delta, order=tables.leave, keep_sum=False)
        grid = network.routes_for(x)[-1].grid
        return rows.view(len(x), *grid, -1).permute(0, 4, 1, 2, 3)

    def forget_sizes(self) -> None:
        """Drop the tables of all input sizes."""
        self._tables.clear()

    def _block(
        self, block: _Block, rows: Tensor, delta: Tensor | None, tables: _Blocks, *, is_first: bool
    ) -> tuple[Tensor, Tensor]:
        """Apply a block: (R, C) and what is still to be added to it -> the same."""
        order = None if is_first else tables.order
        rows, y = layer_norm(rows, block.norm1, delta=delta, order=order, real=tables.real)
        delta = self._attention(block.attn, y, tables)
        rows, y = layer_norm(rows, block.norm2, delta=delta)
        return rows, self._mlp(block.mlp, y)

    def _attention(self, attention: _Attention, y: Tensor, tables: _Blocks) -> Tensor:
        """Attend within each region: (R, C) -> (R, C)."""
        weight, bias = self._scaled_qkv(attention)
        qkv = y.new_empty(len(y) + SPARE_ROWS, len(bias))  # (R + spare, 3C)
        qkv[len(y) :].zero_()
        torch.addmm(bias, y, weight.t(), out=qkv[: len(y)])
        biases = self._bias(attention, tables.groups)
        mixed = attend(qkv, biases, tables.items, attention.num_heads, tf32=self._tf32)
        return torch.addmm(attention.proj.bias, mixed, attention.proj.weight.t())

    def _mlp(self, mlp: _Mlp, y: Tensor) -> Tensor:
        """Apply both layers of an MLP: (R, C) -> (R, C)."""
        first = (mlp.fc1.bias, y, mlp.fc1.weight.t())
        if self._exact:
            hidden = F.gelu(torch.addmm(*first))
        else:
            hidden = torch._addmm_activation(*first, use_gelu=True)
        return torch.addmm(mlp.fc2.bias, hidden, mlp.fc2.weight.t())

    def _scaled_qkv(self, attention: _Attention) -> tuple[Tensor, Tensor]:
        """Weight and bias of qkv with the factor of the kernel's scores in the rows of q."""
        if attention not in self._queries:
            weight, bias = attention.qkv.weight, attention.qkv.bias
            channels = weight.shape[1]
            scale = torch.ones(3 * channels, device=weight.device)
            scale[:channels] = LOG2_E / math.sqrt(channels // attention.num_heads)
            scaled = (weight.float() * scale[:, None], bias.float() * scale)
            self._queries[attention] = scaled[0].to(weight.dtype), scaled[1].to(bias.dtype)
        return self._queries[attention]

    def _bias(self, attention: _Attention, groups: tuple[AttentionRows, ...]) -> Tensor:
        """Padded biases of all groups; float16 for half types, being more exact than bfloat16."""
        key = (attention, groups[0].key)  # names the groups, whatever the batch size
        if key not in self._biases:
            parts = [padded_bias(attention.gather_bias(group)[0]) for group in groups]
            dtype = attention.relative_position_bias_table.dtype
            kept = torch.float32 if dtype == torch.float32 else torch.float16
            self._biases[key] = torch.cat(parts).to(kept)
        return self._biases[key]

    def _tables_for(self, x: Tensor) -> _Tables:
        """Build the tables for the input's size, or return the kept ones."""
        key = tuple(x.shape)
        if key not in self._tables:
            routes = self._network.routes_for(x)
            stages = tuple(_stage_tables(route, x.device) for route in routes)
            self._tables[key] = _Tables(stages, routes[-1].leave.to(torch.int32))
        return self._tables[key]


def _stage_tables(route: StageRoute, device: torch.device) -> _Stage:
    enter = route.enter.to(torch.int32)
    if route.enters_padding:
        enter[enter == enter.max()] = -1  # the row of zeros is one past the last row
    (regular,), (shifted,) = route.regular, route.shifted  # one tile each on a GPU
    return _Stage(
        enter.flatten(),
        (
            _block_tables(regular, route.to_regular, device),
            _block_tables(shifted, route.to_shifted, device),
        ),
    )


def _block_tables(tile: Tile, order: Tensor | None, device: torch.device) -> _Blocks:
    groups = [RegionGroup(c.rows.start, c.batch, c.size) for c in tile.attention]
    return _Blocks(
        groups=tile.attention,
        items=torch.from_numpy(list_work(groups).items).to(device),
        order=None if order is None else order.flatten().to(torch.int32),
        real=None if tile.real is None else tile.real.flatten(),
    )

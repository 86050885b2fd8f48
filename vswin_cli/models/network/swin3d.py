"""Video Swin Transformer, inference first: pixels in, class logits per clip and time step out.

Follows Liu et al., "Video Swin Transformer", CVPR 2022 (arXiv 2106.13230), section 3, and equals
the authors' release and torchvision's port on their weights; it knows nothing about files,
labels or video.

Shapes: B clips, T×H×W pixels, C channels, D×H'×W' tokens of a stage's grid, R = B·L rows, one per
token slot of the whole batch, K classes. Inside a stage the tokens are rows `(R, C)` in the order
of `vswin_cli.models.network.token_order`: neighbourhood, then group, then clip, then token.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vswin_cli.models.architecture import Architecture
from vswin_cli.models.network.attention import AttentionKernel, attention_kernel, padded_bias
from vswin_cli.models.network.cpu_threads import run_apart
from vswin_cli.models.network.linear import Linear
from vswin_cli.models.network.token_order import Groups, StageRoute, Tile, route_stages
from vswin_cli.models.network.windows import Grid

__all__ = ["VideoSwin"]

_TILE_BYTES = 900_000
"""Rows that a CPU thread takes through a whole block at a time: with the nine times as much that a
block makes of them on the way, they stay near its cache."""


class _Attention(nn.Module):
    """Multi-head self-attention with relative position bias (section 3.2, equation 2)."""

    def __init__(self, dim: int, num_heads: int, window_size: Grid) -> None:
        super().__init__()
        p, m, n = window_size
        self.num_heads = num_heads
        self.relative_position_bias_table = nn.Parameter(
            torch.zeros((2 * p - 1) * (2 * m - 1) * (2 * n - 1), num_heads)
        )
        self.qkv = Linear(dim, 3 * dim)
        self.proj = Linear(dim, dim)
        self._biases: dict[tuple[object, ...], tuple[tuple[object, ...], Tensor]] = {}

    def train(self, mode: bool = True) -> _Attention:
        """As of any module; what was kept is forgotten."""
        self._biases.clear()
        return super().train(mode)

    def forward(self, x: Tensor, groups: tuple[Groups, ...], residual: Tensor) -> Tensor:
        """Attend within each group and add to the residual: (R, C), (R, C) -> (R, C)."""
        qkv = self.qkv(x)  # (R, 3C)
        kernel = self._kernel(qkv)
        if kernel is None:
            parts = [self._attend(qkv[g.rows], g) for g in groups]
            mixed = parts[0] if len(parts) == 1 else torch.cat(parts)
        else:
            mixed = torch.empty_like(x)
            for g in groups:
                kernel.attend(qkv[g.rows], self._bias(g, padded_bias), mixed[g.rows], g.batch)
        return self.proj.forward_add(mixed, residual)

    def _kernel(self, qkv: Tensor) -> AttentionKernel | None:
        if qkv.device.type != "cpu" or not torch.is_inference_mode_enabled():
            return None
        return attention_kernel(qkv.dtype, qkv.shape[1] // (3 * self.num_heads))

    def _attend(self, qkv: Tensor, g: Groups) -> Tensor:
        heads = qkv.view(g.batch, g.size, 3, self.num_heads, -1)
        q, k, v = heads.permute(2, 0, 3, 1, 4)  # 3 × (g·B, nH, n, hd)
        bias = self._bias(g, _as_it_is).to(q.dtype)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return out.transpose(1, 2).reshape(g.batch * g.size, -1)  # (g·B·n, C)

    def _bias(self, g: Groups, shape: Callable[[Tensor], Tensor]) -> Tensor:
        """Relative position bias (1, nH, n, n) in a shape; kept unless gradients flow."""
        table = self.relative_position_bias_table
        if torch.is_grad_enabled() and table.requires_grad:
            self._biases.clear()  # a fused optimiser's step does not change the version
            return shape(self._gather_bias(g))
        version = 0 if table.is_inference() else table._version
        state = (shape, table.data_ptr(), version)
        cached = self._biases.get(g.key)
        if cached is None or cached[0] != state:
            cached = self._biases[g.key] = (state, shape(self._gather_bias(g)).contiguous())
        return cached[1]

    def _gather_bias(self, g: Groups) -> Tensor:
        bias = self.relative_position_bias_table.index_select(0, g.relative_index)  # (n·n, nH)
        return bias.t().reshape(1, self.num_heads, g.size, g.size)


class _Mlp(nn.Module):
    """Two linear layers with an exact GELU between them."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = Linear(dim, hidden)
        self.fc2 = Linear(hidden, dim)

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        """Add to the residual: (R, C), (R, C) -> (R, C)."""
        return self.fc2.forward_add(self.fc1.forward_gelu(x), residual)


class _Block(nn.Module):
    """Attention and MLP, each normalised before and added after (equation 1)."""

    def __init__(self, dim: int, num_heads: int, window_size: Grid, mlp_ratio: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attn = _Attention(dim, num_heads, window_size)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = _Mlp(dim, int(dim * mlp_ratio))

    def forward(self, x: Tensor, tile: Tile) -> Tensor:
        """Work on one tile's rows: (R, C) -> (R, C)."""
        y = self.norm1(x)
        if tile.real is not None:
            y = y * tile.real  # the reference pads here, behind the norm
        x = self.attn(y, tile.groups, x)
        return self.mlp(self.norm2(x), x)  # type: ignore[no-any-return]


class _PatchMerging(nn.Module):
    """Halve height and width: four neighbours side by side, then a linear layer."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * dim)
        self.reduction = Linear(4 * dim, 2 * dim, bias=False)

    def forward(self, x: Tensor, tile: Tile) -> Tensor:
        """Merge quads of rows: (R, 4C) -> (R, 2C)."""
        return self.reduction(self.norm(x))  # type: ignore[no-any-return]


class _Stage(nn.Module):
    """Blocks on one token grid, alternately in regular and in shifted windows."""

    def __init__(self, architecture: Architecture, stage: int) -> None:
        super().__init__()
        dim = architecture.embed_dim << stage
        heads, window = architecture.num_heads[stage], architecture.window_size
        self.blocks = nn.ModuleList(
            _Block(dim, heads, window, architecture.mlp_ratio)
            for _ in range(architecture.depths[stage])
        )
        is_last = stage == len(architecture.depths) - 1
        self.downsample = None if is_last else _PatchMerging(dim)

    def forward(self, x: Tensor, route: StageRoute) -> Tensor:
        """(R, C) in regular order -> (R, C) in the order of the last block."""
        for number, block in enumerate(self.blocks):
            tiles = route.shifted if number % 2 else route.regular
            order = None if number == 0 else route.to_shifted if number % 2 else route.to_regular
            x = _through_tiles(block, x, tiles, order, x.shape[1])
        return x


def _as_it_is(bias: Tensor) -> Tensor:
    return bias


def _through_tiles(
    part: nn.Module, x: Tensor, tiles: tuple[Tile, ...], order: Tensor | None, channels: int
) -> Tensor:
    """Apply a part of the network tile by tile: no tile needs another's result.

    Args:
        part: takes the rows of a tile, and the tile.
        x: rows to read; written over if they stay in order.
        tiles: cover the rows of the result.
        order: (R, k) rows of `x` that lie side by side in each row that goes in; none if R rows go
            in as they lie.
        channels: C of the result (R, C).
    """

    def rows_of(tile: Tile) -> Tensor:
        if order is None:
            return x[tile.rows]
        return x.index_select(0, order[tile.rows].flatten()).view(-1, order.shape[1] * x.shape[1])

    if len(tiles) == 1:
        return part(rows_of(tiles[0]), tiles[0])  # type: ignore[no-any-return]
    out = x if order is None else x.new_empty(tiles[-1].rows.stop, channels)

    def work(tile: Tile) -> None:
        out[tile.rows] = part(rows_of(tile), tile)

    run_apart(work, tiles)
    return out


class _PatchEmbed(nn.Module):
    """3D patch partition and linear embedding (section 3.1): 2×4×4×3 = 96 values per token."""

    def __init__(self, patch_size: Grid, dim: int) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.proj = nn.Conv3d(3, dim, kernel_size=patch_size, stride=patch_size)
        self.norm = nn.LayerNorm(dim)

    def grid(self, clip_size: Grid) -> Grid:
        """Tokens D×H×W for T×H×W pixels, rounded up."""
        d, h, w = (-(-n // p) for n, p in zip(clip_size, self.patch_size, strict=True))
        return d, h, w

    def patches(self, x: Tensor) -> Tensor:
        """Cut: (B, 3, T, H, W) -> (B·D·H'·W', 3·p·m·n) in row-major grid order."""
        b = x.shape[0]
        d, h, w = self.grid((x.shape[2], x.shape[3], x.shape[4]))
        p, m, n = self.patch_size
        x = F.pad(x, (0, w * n - x.shape[4], 0, h * m - x.shape[3], 0, d * p - x.shape[2]))
        patches = x.view(b, 3, d, p, h, m, w, n).permute(0, 2, 4, 6, 1, 3, 5, 7)
        return patches.reshape(b * d * h * w, -1)

    def forward(self, x: Tensor, tile: Tile) -> Tensor:
        """Embed patches: (R, 3·p·m·n) -> (R, C)."""
        return self.norm(F.linear(x, self.proj.weight.flatten(1), self.proj.bias))  # type: ignore[no-any-return]


class VideoSwin(nn.Module):
    """The network of one architecture with a linear head.

    State-dict names are the authors' without their wrapper's prefixes; tables that follow from
    the architecture are not part of it. Any T, H, W ≥ 1 and any batch size will do; index tables
    are built on the first call with a size and kept.

    Args:
        architecture: shape of the network.
        num_classes: K; 0 for no head, which leaves only `forward_features`.
    """

    def __init__(self, architecture: Architecture, num_classes: int) -> None:
        super().__init__()
        self.architecture = architecture
        self.patch_embed = _PatchEmbed(architecture.patch_size, architecture.embed_dim)
        self.layers = nn.ModuleList(
            _Stage(architecture, i) for i in range(len(architecture.depths))
        )
        self.norm = nn.LayerNorm(architecture.num_features)
        self.head = nn.Linear(architecture.num_features, num_classes) if num_classes else None
        self._routes: dict[tuple[object, ...], tuple[StageRoute, ...]] = {}

    def forward(self, x: Tensor) -> Tensor:
        """Logits of each clip: (B, 3, T, H, W) -> (B, K)."""
        return self.forward_steps(x).mean(1)

    def forward_steps(self, x: Tensor) -> Tensor:
        """Logits of each time step: (B, 3, T, H, W) -> (B, D, K).

        The head is linear and pooling is a mean, so the clip's logits are exactly the mean of
        these over D: a timeline finer than the clip at no further cost.
        """
        if self.head is None:
            raise ValueError("this network has no head")
        return self.head(self.forward_features(x).mean((3, 4)).transpose(1, 2))  # type: ignore[no-any-return]

    def forward_features(self, x: Tensor) -> Tensor:
        """Normalised features of the last stage: (B, 3, T, H, W) -> (B, C, D, H', W')."""
        routes = self._routes_for(x)
        rows = self.patch_embed.patches(x)
        entry: nn.Module = self.patch_embed
        for number, (stage, route) in enumerate(zip(self.layers, routes, strict=True)):
            channels = self.architecture.embed_dim << number
            if route.enters_padding:
                rows = F.pad(rows, (0, 0, 0, 1))
            rows = _through_tiles(entry, rows, route.regular, route.enter, channels)  # (R, C)
            rows = stage(rows, route)
            entry = stage.downsample  # type: ignore[assignment]
        rows = self.norm(rows.index_select(0, routes[-1].leave))  # (B·D·H'·W', C)
        features: Tensor = rows.view(x.shape[0], *routes[-1].grid, -1)
        return features.permute(0, 4, 1, 2, 3)

    def _routes_for(self, x: Tensor) -> tuple[StageRoute, ...]:
        tiled = x.device.type == "cpu" and torch.is_inference_mode_enabled()
        tile_values = _TILE_BYTES // x.element_size() if tiled else None
        key = (tuple(x.shape), x.device, tile_values)
        if key not in self._routes:
            grid = self.patch_embed.grid((x.shape[2], x.shape[3], x.shape[4]))
            with torch.inference_mode(False):  # training may follow and keeps them for gradients
                self._routes[key] = route_stages(
                    self.architecture, grid, x.shape[0], x.device, tile_values
                )
        return self._routes[key]

"""Video Swin Transformer: pixels in, class logits per clip and time step out.

Follows Liu et al., "Video Swin Transformer", CVPR 2022 (arXiv 2106.13230), section 3, and equals
the authors' release and torchvision's port on their weights. It is written for inference, but
gradients work. Independent of files, labels and video decoding.

Shapes: B clips, T×H×W pixels, C channels, D×H'×W' tokens of a stage's grid, R = B·L rows, one per
token slot of the whole batch, K classes. Inside a stage the tokens are rows `(R, C)` in the order
of `vswin_cli.models.network.token_order`: window group, then region, then clip, then token.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vswin_cli.models.architecture import Architecture
from vswin_cli.models.network.attention import AttentionKernel, attention_kernel, padded_bias
from vswin_cli.models.network.cuda_path import CudaPath, products_in_tf32
from vswin_cli.models.network.linear import Linear
from vswin_cli.models.network.patch_embed import PatchEmbed
from vswin_cli.models.network.tile_pass import for_training, through_tiles
from vswin_cli.models.network.token_order import AttentionRows, StageRoute, Tile, route_stages
from vswin_cli.models.network.windows import Grid

__all__ = ["VideoSwin"]

_TILE_BYTES = 900_000
"""Size of the rows that a CPU thread processes through a whole block at a time. A block's
intermediate results are about nine times as large; at this size they stay in or near the core's
cache."""


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
        """Same as `torch.nn.Module.train`; also drops the cached biases."""
        self._biases.clear()
        return super().train(mode)

    def forward(self, x: Tensor, calls: tuple[AttentionRows, ...], residual: Tensor) -> Tensor:
        """Attend within each region and add to the residual: (R, C), (R, C) -> (R, C)."""
        qkv = self.qkv(x)  # (R, 3C)
        kernel = self._kernel(qkv)
        # One call per window group: the masked attention matrix of a shifted window is
        # block-diagonal, so each of its regions attends on its own, without a mask.
        if kernel is None:
            parts = [self._attend(qkv[c.rows], c) for c in calls]
            mixed = parts[0] if len(parts) == 1 else torch.cat(parts)  # (R, C)
        else:
            mixed = torch.empty_like(x)
            for c in calls:
                kernel.attend(qkv[c.rows], self._bias(c, padded_bias), mixed[c.rows], c.batch)
        return self.proj.forward_add(mixed, residual)

    def _kernel(self, qkv: Tensor) -> AttentionKernel | None:
        """Return the compiled kernel if it applies: on a CPU, without gradients."""
        if qkv.device.type != "cpu" or not torch.is_inference_mode_enabled():
            return None
        return attention_kernel(qkv.dtype, qkv.shape[1] // (3 * self.num_heads))

    def _attend(self, qkv: Tensor, call: AttentionRows) -> Tensor:
        """Attend with PyTorch's operator: (g·n, 3C) -> (g·n, C), g regions of all clips."""
        heads = qkv.view(call.batch, call.size, 3, self.num_heads, -1)  # (g, n, 3, nH, hd)
        q, k, v = heads.permute(2, 0, 3, 1, 4)  # 3 × (g, nH, n, hd)
        bias = self._bias(call, _unchanged).to(q.dtype)  # no mask: regions are separate
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)  # (g, nH, n, hd)
        return out.transpose(1, 2).reshape(call.batch * call.size, -1)  # (g·n, C)

    def _bias(self, call: AttentionRows, shape: Callable[[Tensor], Tensor]) -> Tensor:
        """Look up the relative position bias (1, nH, n, n) and apply `shape` to it.

        The result is cached until the table changes, unless gradients must flow through it.
        """
        table = self.relative_position_bias_table
        if torch.is_grad_enabled() and table.requires_grad:
            self._biases.clear()  # a fused optimiser's step does not change the version
            return shape(self.gather_bias(call))
        version = 0 if table.is_inference() else table._version
        state = (shape, table.data_ptr(), version)
        cached = self._biases.get(call.key)
        if cached is None or cached[0] != state:
            cached = self._biases[call.key] = (state, shape(self.gather_bias(call)).contiguous())
        return cached[1]

    def gather_bias(self, call: AttentionRows) -> Tensor:
        """Look up the relative position bias of one window group: (1, nH, n, n)."""
        bias = self.relative_position_bias_table.index_select(0, call.relative_index)  # (n·n, nH)
        return bias.t().reshape(1, self.num_heads, call.size, call.size)


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

    def forward(self, x: Tensor, tile: Tile, branch_scales: Tensor | None = None) -> Tensor:
        """Apply the block to the rows of one tile: (R, C) -> (R, C).

        Args:
            x: rows.
            tile: where they belong.
            branch_scales: (2, B) factors of each clip's attention and MLP, for training.
        """
        y = self.norm1(x)
        if tile.real is not None:
            # The authors pad with zeros here, after the norm, and do not mask the padding: it
            # takes part in attention, with the bias of qkv as its keys and values.
            y = y * tile.real
        if branch_scales is None:
            x = self.attn(y, tile.attention, x)
            return self.mlp(self.norm2(x), x)  # type: ignore[no-any-return]
        attention, mlp = tile.per_row(branch_scales)  # 2 × (R, 1)
        nothing = x.new_zeros(())
        x = x + attention * self.attn(y, tile.attention, nothing)
        return x + mlp * self.mlp(self.norm2(x), nothing)  # type: ignore[no-any-return]


class _PatchMerging(nn.Module):
    """Halve height and width: concatenate four neighbours, then apply a linear layer."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * dim)
        self.reduction = Linear(4 * dim, 2 * dim, bias=False)

    def forward(self, x: Tensor, tile: Tile) -> Tensor:
        """Merge quads of rows: (R, 4C) -> (R, 2C)."""
        return self.reduction(self.norm(x))  # type: ignore[no-any-return]


class _Stage(nn.Module):
    """Blocks on one token grid, alternately in regular and in shifted windows (section 3.2)."""

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

    def forward(
        self,
        x: Tensor,
        route: StageRoute,
        branch_scales: Tensor | None = None,
        recompute: bool = False,
    ) -> Tensor:
        """Apply the blocks: (R, C) in regular order -> (R, C) in the order of the last block.

        Args:
            x: rows.
            route: of this stage.
            branch_scales: (blocks, 2, B), see `VideoSwin.plain_features`.
            recompute: see there.
        """
        for number, block in enumerate(self.blocks):
            # Rows stay in window order between blocks: a single gather replaces the cyclic roll,
            # the partition into windows and the reverse of both.
            tiles = route.shifted if number % 2 else route.regular
            order = None if number == 0 else route.to_shifted if number % 2 else route.to_regular
            scales = None if branch_scales is None else branch_scales[number]
            part = for_training(block, scales, recompute)
            x = through_tiles(part, x, tiles, order, x.shape[1])
        return x


def _unchanged(bias: Tensor) -> Tensor:
    return bias


class VideoSwin(nn.Module):
    """Video Swin Transformer of one architecture with a linear head (arXiv 2106.13230, section 3).

    State-dict names are the authors' without the prefixes of their wrapper; tables derived from
    the architecture are not part of it. Any T, H, W ≥ 1 and any batch size are possible; index
    tables are built on the first call with a size and cached.

    Args:
        architecture: shape of the network.
        num_classes: K; 0 for no head, so that only `forward_features` is available.
    """

    def __init__(self, architecture: Architecture, num_classes: int) -> None:
        super().__init__()
        self.architecture = architecture
        self.patch_embed = PatchEmbed(architecture.patch_size, architecture.embed_dim)
        self.layers = nn.ModuleList(
            _Stage(architecture, i) for i in range(len(architecture.depths))
        )
        self.norm = nn.LayerNorm(architecture.num_features)
        self.head = nn.Linear(architecture.num_features, num_classes) if num_classes else None
        self.allow_tf32 = False
        """Whether CUDA may multiply float32 in TF32, which keeps 10 bits of a fraction."""
        self._routes: dict[tuple[object, ...], tuple[StageRoute, ...]] = {}
        self._cuda_path: CudaPath | None = None

    @property
    def cuda_path(self) -> CudaPath | None:
        """What runs passes on CUDA without gradients, once there was one."""
        return self._cuda_path

    def train(self, mode: bool = True) -> VideoSwin:
        """Same as `torch.nn.Module.train`; also drops what is kept for CUDA."""
        self._cuda_path = None
        return super().train(mode)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> VideoSwin:
        self._cuda_path = None  # weights move to another device or type
        return super()._apply(fn, recurse)  # type: ignore[no-any-return, no-untyped-call]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_cuda_path": None}  # CUDA graphs cannot be copied

    def forward(self, x: Tensor) -> Tensor:
        """Compute the logits of each clip: (B, 3, T, H, W) -> (B, K).

        Args:
            x: normalised pixels.

        Raises:
            ValueError: the network has no head.
        """
        return self.forward_steps(x).mean(1)

    def forward_steps(self, x: Tensor) -> Tensor:
        """Compute the logits of each time step: (B, 3, T, H, W) -> (B, D, K).

        The head is linear and pooling is a mean, so the clip's logits are exactly the mean of
        these over D: the resolution in time is finer than a clip, at no extra cost.

        Raises:
            ValueError: the network has no head.
        """
        return self.head_of(self.forward_pooled(x))

    def head_of(self, pooled: Tensor) -> Tensor:
        """Compute logits from pooled features: (B, D, C) -> (B, D, K).

        Raises:
            ValueError: the network has no head.
        """
        if self.head is None:
            raise ValueError("this network has no head")
        return self.head(pooled)  # type: ignore[no-any-return]

    def forward_pooled(self, x: Tensor) -> Tensor:
        """Compute each time step's features, a mean over space: (B, 3, T, H, W) -> (B, D, C)."""
        return self.pooled_of(self.forward_features(x))

    def pooled_of(self, features: Tensor) -> Tensor:
        """Average features over space: (B, C, D, H', W') -> (B, D, C)."""
        return features.mean((3, 4)).transpose(1, 2)

    def forward_cells(self, x: Tensor, classes: Tensor | None = None) -> Tensor:
        """Compute the logits of each cell of the last grid: (B, 3, T, H, W) -> (B, D, H', W', k).

        The head is linear and pooling a mean, so the clip's logits are exactly the mean of these
        over D, H' and W': each cell's share in them, without an approximation.

        Args:
            x: normalised pixels.
            classes: (k,) rows of the head; by default all.

        Raises:
            ValueError: the network has no head.
        """
        return self.cells_of(self.forward_features(x), classes)

    def cells_of(self, features: Tensor, classes: Tensor | None = None) -> Tensor:
        """Compute the logits of cells from features: (B, C, D, H', W') -> (B, D, H', W', k).

        Args:
            features: see `forward_features`.
            classes: (k,) rows of the head; by default all.

        Raises:
            ValueError: the network has no head.
        """
        if self.head is None:
            raise ValueError("this network has no head")
        rows = slice(None) if classes is None else classes
        return F.linear(
            features.permute(0, 2, 3, 4, 1), self.head.weight[rows], self.head.bias[rows]
        )

    def forward_features(self, x: Tensor) -> Tensor:
        """Compute the normalised features of the last stage: (B, 3, T, H, W) -> (B, C, D, H', W').

        Time is halved once, by the patches; height and width are divided by 4 there and by 2
        before every further stage, rounded up. On CUDA our own kernels do it where they can.
        """
        is_cuda = x.device.type == "cuda"
        with products_in_tf32(is_cuda and self.allow_tf32):
            fast = None
            if is_cuda and torch.is_inference_mode_enabled():  # the kernels have no gradients
                self._cuda_path = self._cuda_path or CudaPath(self)
                fast = self._cuda_path.forward_features(x)
            return self.plain_features(x) if fast is None else fast

    def plain_features(
        self, x: Tensor, *, branch_scales: Tensor | None = None, recompute: bool = False
    ) -> Tensor:
        """Same as `forward_features`, without the CUDA kernels: the definition of the network.

        Args:
            x: normalised pixels.
            branch_scales: (blocks, 2, B) factors of each block's attention and MLP, for
                stochastic depth (Huang et al., arXiv 1603.09382). They are drawn by the caller,
                so that the network has no random state.
            recompute: keep only the input of each block for the backward pass, and compute the
                rest again: less memory for a third more time.
        """
        routes = self.routes_for(x)
        rows = self.patch_embed.patches(x)  # (B·D·H'·W', 3·p·m·n)
        entry: nn.Module = self.patch_embed
        for number, (stage, route) in enumerate(zip(self.layers, routes, strict=True)):
            channels = self.architecture.embed_dim << number
            if route.enters_padding:
                rows = F.pad(rows, (0, 0, 0, 1))  # (R + 1, C), zeros for `enter` to point at
            rows = through_tiles(entry, rows, route.regular, route.enter, channels)  # (R, C)
            if branch_scales is None:
                rows = stage(rows, route, None, recompute)
            else:
                own, branch_scales = branch_scales.tensor_split([self.architecture.depths[number]])
                rows = stage(rows, route, own, recompute)
            entry = stage.downsample  # type: ignore[assignment]
        rows = self.norm(rows.index_select(0, routes[-1].leave))  # (B·D·H'·W', C)
        features: Tensor = rows.view(x.shape[0], *routes[-1].grid, -1)
        return features.permute(0, 4, 1, 2, 3)

    def forget_sizes(self) -> None:
        """Drop the tables of all input sizes; they are built again when a size comes back."""
        self._routes.clear()
        if self._cuda_path is not None:
            self._cuda_path.forget_sizes()

    def routes_for(self, x: Tensor) -> tuple[StageRoute, ...]:
        """Build the index tables for the input's size, or return the cached ones."""
        tiled = x.device.type == "cpu" and torch.is_inference_mode_enabled()
        tile_values = _TILE_BYTES // x.element_size() if tiled else None
        key = (tuple(x.shape), x.device, tile_values)
        if key not in self._routes:
            grid = self.patch_embed.grid((x.shape[2], x.shape[3], x.shape[4]))
            with torch.inference_mode(False):  # later training needs them as normal tensors
                self._routes[key] = route_stages(
                    self.architecture, grid, x.shape[0], x.device, tile_values
                )
        return self._routes[key]

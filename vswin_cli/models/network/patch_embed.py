"""Cut pixels into patches and embed them: the tokens of the first stage."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from vswin_cli.models.network.token_order import Tile
from vswin_cli.models.network.windows import Grid

__all__ = ["PatchEmbed"]


class PatchEmbed(nn.Module):
    """3D patch partition and linear embedding (section 3.1): 2×4×4×3 = 96 values per token."""

    def __init__(self, patch_size: Grid, dim: int) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.proj = nn.Conv3d(3, dim, kernel_size=patch_size, stride=patch_size)
        self.norm = nn.LayerNorm(dim)

    def grid(self, clip_size: Grid) -> Grid:
        """Count the tokens D×H×W for T×H×W pixels, rounded up."""
        d, h, w = (-(-n // p) for n, p in zip(clip_size, self.patch_size, strict=True))
        return d, h, w

    def patches(self, x: Tensor) -> Tensor:
        """Cut into patches: (B, 3, T, H, W) -> (B·D·H'·W', 3·p·m·n) in row-major grid order."""
        b = x.shape[0]
        d, h, w = self.grid((x.shape[2], x.shape[3], x.shape[4]))
        p, m, n = self.patch_size
        x = F.pad(x, (0, w * n - x.shape[4], 0, h * m - x.shape[3], 0, d * p - x.shape[2]))
        patches = x.view(b, 3, d, p, h, m, w, n).permute(0, 2, 4, 6, 1, 3, 5, 7)
        return patches.reshape(b * d * h * w, -1)  # values in the order of the convolution kernel

    def forward(self, x: Tensor, tile: Tile) -> Tensor:
        """Embed patches: (R, 3·p·m·n) -> (R, C).

        A convolution whose stride is its kernel is a matrix product over patches.
        """
        return self.norm(F.linear(x, self.proj.weight.flatten(1), self.proj.bias))  # type: ignore[no-any-return]

"""Count the multiply-adds of a Video Swin Transformer from its shape alone; free of torch.

The convention is that of the papers: one multiply-add counts once, only matrix products and the
patch embedding count, and attention counts as the reference implementations do it, every pair of
tokens of a window whether a mask rules it out or not, on the grid padded to whole windows. The
count does not depend on the implementation, so shares of a ceiling can be compared between one that
skips work and one that does not. `skip_masked` leaves out the pairs that shifted windows rule out.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from vswin_cli.models.architecture import Architecture

__all__ = ["count_macs", "mlp_shapes"]

Grid = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Stage:
    """One stage's sizes for one input size."""

    dim: int
    """Channels C."""
    depth: int
    grid: Grid
    """Tokens D×H×W."""
    window: Grid
    """Cut to the grid."""
    shift: Grid
    """Of every second block; zero where the window spans the grid."""

    @property
    def padded(self) -> Grid:
        d, h, w = (_ceil_div(n, m) * m for n, m in zip(self.grid, self.window, strict=True))
        return d, h, w

    def block_macs(self, mlp_ratio: float, *, shifted: bool, skip_masked: bool) -> int:
        """Count one block: the four projections, the MLP and both products of attention."""
        tokens, slots = prod(self.grid), prod(self.padded)
        pairs = self._unmasked_pairs() if shifted and skip_masked else slots * prod(self.window)
        projections = slots * 4 * self.dim**2
        mlp = tokens * 2 * self.dim * int(self.dim * mlp_ratio)
        return projections + mlp + 2 * pairs * self.dim

    def _unmasked_pairs(self) -> int:
        """Count the pairs of tokens that attend to each other."""
        # The mask factorises over the axes. Along a shifted axis every window is whole but the
        # last, which the roll has put together from the two ends of the grid: tokens of
        # different ends do not attend to each other: two groups of window - shift and shift tokens.
        pairs = 1
        for length, window, shift in zip(self.padded, self.window, self.shift, strict=True):
            whole = length // window - bool(shift)
            pairs *= whole * window**2 + (bool(shift) and (window - shift) ** 2 + shift**2)
        return pairs


def count_macs(
    architecture: Architecture, clip_size: Grid, num_classes: int, *, skip_masked: bool = False
) -> int:
    """Count the multiply-adds of one clip.

    Args:
        architecture: shape of the network.
        clip_size: frames, height and width in pixels.
        num_classes: K of the head; 0 for none.
        skip_masked: leave out pairs of tokens that never attend to each other.
    """
    a = architecture
    stages = _stages(a, clip_size)
    total = prod(stages[0].grid) * 3 * prod(a.patch_size) * a.embed_dim
    for stage, after in zip(stages, [*stages[1:], None], strict=True):
        total += sum(
            stage.block_macs(a.mlp_ratio, shifted=block % 2 == 1, skip_masked=skip_masked)
            for block in range(stage.depth)
        )
        if after is not None:
            total += prod(after.grid) * 4 * stage.dim * after.dim
    return total + a.num_features * num_classes


def mlp_shapes(architecture: Architecture, clip_size: Grid, batch: int) -> list[Grid]:
    """Return rows, inner size and columns of the matrix products in each stage's MLP."""
    shapes = []
    for stage in _stages(architecture, clip_size):
        rows, hidden = batch * prod(stage.grid), int(stage.dim * architecture.mlp_ratio)
        shapes += [(rows, stage.dim, hidden), (rows, hidden, stage.dim)]
    return shapes


def _stages(architecture: Architecture, clip_size: Grid) -> list[_Stage]:
    d, h, w = (_ceil_div(n, p) for n, p in zip(clip_size, architecture.patch_size, strict=True))
    stages = []
    for number, depth in enumerate(architecture.depths):
        axes = list(zip((d, h, w), architecture.window_size, strict=True))
        window = tuple(min(n, m) for n, m in axes)
        shift = tuple(0 if n <= m else m // 2 for n, m in axes)
        dim = architecture.embed_dim << number
        stages.append(_Stage(dim, depth, (d, h, w), window, shift))  # type: ignore[arg-type]
        h, w = _ceil_div(h, 2), _ceil_div(w, 2)
    return stages


def _ceil_div(amount: int, unit: int) -> int:
    """Divide and round up."""
    return -(-amount // unit)

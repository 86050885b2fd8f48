"""Estimate how much work one view of a clip is for a network."""

from __future__ import annotations

from vswin_cli.models.architecture import Architecture, InputSpec

__all__ = ["PRODUCTS_PER_PASS", "is_small", "products_per_view"]

PRODUCTS_PER_PASS = 1_000_000_000
"""Multiplications that keep a core busy enough for the cost of calling operations to vanish."""


def products_per_view(architecture: Architecture, spec: InputSpec) -> int:
    """Multiplications in the linear layers of all blocks, roughly a pass's work."""
    size = (spec.num_frames, spec.crop_size, spec.crop_size)
    depth, height, width = (n // p for n, p in zip(size, architecture.patch_size, strict=True))
    per_value = 4 + 2 * architecture.mlp_ratio  # q, k, v, projection and the MLP
    products = 0.0
    for stage, blocks in enumerate(architecture.depths):
        tokens = depth * (height >> stage) * (width >> stage)
        products += blocks * tokens * per_value * (architecture.embed_dim << stage) ** 2
    return int(products)


def is_small(architecture: Architecture, spec: InputSpec) -> bool:
    """Whether a CPU core takes several views of it per pass."""
    return 2 * products_per_view(architecture, spec) <= PRODUCTS_PER_PASS

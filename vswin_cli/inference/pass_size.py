"""Estimate the computational cost of one view of a clip."""

from __future__ import annotations

from vswin_cli.models.architecture import Architecture, InputSpec

__all__ = ["PRODUCTS_PER_PASS", "is_small", "products_per_view"]

PRODUCTS_PER_PASS = 1_000_000_000
"""Multiplications per pass beyond which the cost of calling operations is negligible."""


def products_per_view(architecture: Architecture, spec: InputSpec) -> int:
    """Count the multiplications in the linear layers of all blocks, about the cost of a view."""
    size = (spec.num_frames, spec.crop_size, spec.crop_size)
    depth, height, width = (n // p for n, p in zip(size, architecture.patch_size, strict=True))
    per_value = 4 + 2 * architecture.mlp_ratio  # q, k, v, projection and the MLP
    products = 0.0
    for stage, blocks in enumerate(architecture.depths):
        tokens = depth * (height >> stage) * (width >> stage)
        products += blocks * tokens * per_value * (architecture.embed_dim << stage) ** 2
    return int(products)


def is_small(architecture: Architecture, spec: InputSpec) -> bool:
    """Return whether a network is so small that a CPU core computes several views per pass."""
    return 2 * products_per_view(architecture, spec) <= PRODUCTS_PER_PASS

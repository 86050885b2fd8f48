"""Compute how the time steps of a clip overlap the cells of a regular axis.

Pure arithmetic on the edges of both, in seconds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["UNSEEN", "half_inside", "highest", "overlaps_of"]

UNSEEN = -1.0
"""Placeholder where there is no score; below any score."""

_ROUNDING = 1e-3  # edges carry float errors; exactly half must count as half


def overlaps_of(cells: NDArray[np.float64], steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the seconds shared by each of n cells and D steps, given by their edges: (n, D)."""
    left = np.maximum(cells[:-1, None], steps[None, :-1])
    right = np.minimum(cells[1:, None], steps[None, 1:])
    return np.asarray(np.maximum(right - left, 0.0), np.float64)


def half_inside(
    overlaps: NDArray[np.float64], cells: NDArray[np.float64], steps: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Find which of n cells and D steps overlap by at least half of the shorter one: (n, D)."""
    shorter = np.minimum(np.diff(cells)[:, None], np.diff(steps)[None])
    return np.asarray((overlaps >= (0.5 - _ROUNDING) * shorter) & (overlaps > 0))


def highest(scores: NDArray[np.float32], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Take the highest score (n, L) of the steps (D, L) inside each cell; `UNSEEN` without one.

    Args:
        scores: (D, L), one row per step.
        inside: (n, D), see `half_inside`.
    """
    chosen = np.where(inside[..., None], scores[None], UNSEEN)  # (n, D, L)
    return np.asarray(chosen.max(axis=1), np.float64)

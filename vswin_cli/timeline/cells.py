"""Values of overlapping clips, averaged on the cells of a regular time axis."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vswin_cli.timeline.spool import ScoreSpool

__all__ = ["AveragedCells"]


@dataclass(frozen=True, eq=False)
class AveragedCells:
    """Values (N, K) on the cells of a regular time axis, and the time that clips cover.

    Cell i represents `[start_seconds + i*step_seconds, start_seconds + (i+1)*step_seconds)`.
    """

    start_seconds: float
    """Left edge of cell 0."""
    step_seconds: float
    """Length of a cell."""
    end_seconds: float
    """End of the analysed part; the last cell may reach past it."""
    valid: NDArray[np.bool_]
    """(N,) whether any clip covers the cell; the values of other cells are zero."""
    spans: tuple[tuple[float, float], ...]
    """Exact intervals in seconds that clips cover, sorted and disjoint."""
    clip_starts_seconds: NDArray[np.float64]
    """(M,) where each clip begins, rising."""
    clip_ends_seconds: NDArray[np.float64]
    """(M,) where its valid steps end."""
    spool: ScoreSpool
    """The values (N, K)."""

    @property
    def num_cells(self) -> int:
        """Number of cells, N."""
        return len(self.valid)

    def values(self) -> dict[str, Any]:
        """Return the fields of this record, to make a track with further ones."""
        return {field.name: getattr(self, field.name) for field in fields(AveragedCells)}

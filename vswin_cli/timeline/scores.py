"""The logits of clips, and the score track: scores on one regular time axis.

`vswin_cli.timeline.track_builder` makes the track from the clips. Independent of the network, the
decoder and segments.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from vswin_cli.models.architecture import Activation
from vswin_cli.storage.humanize import counted
from vswin_cli.timeline.cells import AveragedCells
from vswin_cli.video.info import Gap

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = [
    "SLIVER",
    "CellLogits",
    "ClipLogits",
    "Gap",
    "ScoreTrack",
    "Section",
    "activate",
]

Floats = NDArray[np.float32]

_CHUNK_ROWS = 512
SLIVER = 1e-3
"""Overlaps shorter than this part of a cell are rounding, not content."""


@dataclass(frozen=True, slots=True, eq=False)
class CellLogits:
    """The logits of each cell of a clip's last grid, and where the cells lie in the frame."""

    logits: Floats
    """(V, D, H', W', k): views, time steps, rows, columns, the classes that were asked for. The
    mean over the cells of a step is the step's logit."""
    areas: NDArray[np.float64]
    """(V, 4) x, y, width and height of each view's grid, as parts of the upright frame's width and
    height; cells that are padded may lie outside of the frame."""

    def __repr__(self) -> str:
        views, steps, height, width, classes = self.logits.shape
        return f"CellLogits({views} views x {steps} steps x {height}x{width} x {classes} classes)"


@dataclass(frozen=True, slots=True, eq=False)
class ClipLogits:
    """The logits of one clip and the times of its steps.

    Raises:
        ValueError: the arrays' shapes do not match.
    """

    index: int
    """Position of the clip in the video's sequence of clips."""
    step_edges_seconds: NDArray[np.float64]
    """(D+1,) presentation times that bound the D model time steps, rising."""
    logits: Floats
    """(V, D, K): spatial crops, time steps, classes."""
    num_valid_steps: int
    """Leading steps that show new content; the rest is looped padding."""
    features: Floats | None = None
    """(V, D, C): what the head computed the logits from, where the engine keeps it."""
    cells: CellLogits | None = None
    """The logits of cells, where the engine keeps them."""

    def __post_init__(self) -> None:
        if self.logits.ndim != 3:
            raise ValueError(f"logits must be (V, D, K), got shape {self.logits.shape}")
        steps = self.logits.shape[1]
        if self.step_edges_seconds.shape != (steps + 1,):
            raise ValueError(
                f"{steps} steps need {steps + 1} edges, got {self.step_edges_seconds.shape}"
            )
        if not 0 < self.num_valid_steps <= steps:
            raise ValueError(f"valid steps must be in 1..{steps}, got {self.num_valid_steps}")
        if self.features is not None and self.features.shape[:2] != self.logits.shape[:2]:
            raise ValueError(f"features {self.features.shape} do not fit {self.logits.shape}")

    def __repr__(self) -> str:
        views, steps, classes = self.logits.shape
        first, last = self.step_edges_seconds[[0, -1]]
        return (
            f"ClipLogits(index={self.index}, [{first:.3f}, {last:.3f}) s, {views} views x "
            f"{steps} steps ({self.num_valid_steps} valid) x {classes} classes)"
        )


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the video without a decode gap; no segment crosses its ends."""

    start_seconds: float
    """Start of the analysed content."""
    end_seconds: float
    """Its end, exclusive."""
    first_cell: int
    """First cell of the track that it touches."""
    stop_cell: int
    """One past the last."""


@dataclass(frozen=True, eq=False)
class ScoreTrack(AveragedCells):
    """Scores (N, K) on a regular time axis, with their labels; close it after use.

    `track.scores` is the whole array and `track.edges_seconds` its times; `read` and `chunks` take
    less memory for long videos. Row i holds for `[start_seconds + i*step_seconds, start_seconds +
    (i+1)*step_seconds)`.
    """

    labels: tuple[str, ...]
    """K names in column order."""
    activation: Activation
    """How logits became scores."""
    gaps: tuple[Gap, ...]
    """Parts that could not be decoded, sorted."""

    def __repr__(self) -> str:
        return (
            f"ScoreTrack([{self.start_seconds:.3f}, {self.end_seconds:.3f}) s, "
            f"{self.num_cells} cells of {self.step_seconds:.4g} s x {len(self.labels)} labels, "
            f"{self.activation}, {counted(len(self.clip_starts_seconds), 'clip')}, "
            f"{counted(len(self.gaps), 'gap')})"
        )

    @property
    def analysed_seconds(self) -> float:
        """Total length of the parts that clips cover."""
        return math.fsum(end - start for start, end in self.spans)

    @property
    def scores(self) -> Floats:
        """All scores (N, K) in 0..1, in memory; rows that no clip covers are NaN."""
        rows = self.read(0, self.num_cells)
        rows[~self.valid] = np.nan
        return rows

    @property
    def edges_seconds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Start and end (N,) of each row, in seconds; the last is cut at the end of the video."""
        cells = np.arange(self.num_cells, dtype=np.float64)
        starts = self.start_seconds + cells * self.step_seconds
        return starts, np.minimum(starts + self.step_seconds, self.end_seconds)

    def to_pandas(self) -> DataFrame:
        """Make a pandas DataFrame (N, K): a row per time step, a column per label.

        The index `start` is in seconds; rows that no clip covers are NaN.

        Raises:
            OptionError: pandas is not installed.
        """
        from vswin_cli.timeline.data_frames import score_frame

        return score_frame(self)

    def read(self, start: int, stop: int) -> Floats:
        """Read the scores of cells `[start, stop)` as (n, K)."""
        return self.spool.read(start, stop).astype(np.float32)

    def chunks(
        self, start: int = 0, stop: int | None = None
    ) -> Iterator[tuple[int, NDArray[np.float16]]]:
        """Yield (first cell, stored rows) over `[start, stop)` in chunks of bounded size."""
        stop = self.num_cells if stop is None else stop
        for first in range(start, stop, _CHUNK_ROWS):
            yield first, self.spool.read(first, min(first + _CHUNK_ROWS, stop))

    def cell_start_seconds(self, cell: int) -> float:
        """Return the left edge of a cell, which is the right edge of the one before."""
        return self.start_seconds + cell * self.step_seconds

    def cells_of(self, start_seconds: float, end_seconds: float) -> tuple[int, int]:
        """Return the half-open range of cells that `[start_seconds, end_seconds)` touches."""
        first = math.floor((start_seconds - self.start_seconds) / self.step_seconds + SLIVER)
        stop = math.ceil((end_seconds - self.start_seconds) / self.step_seconds - SLIVER)
        return max(0, first), min(self.num_cells, stop)

    def sections(self) -> list[Section]:
        """Divide the analysed parts at decode gaps only, in order.

        Time between sparse clips was skipped on purpose and does not divide a section; in a decode
        gap anything may have happened, so nothing is joined across one.
        """
        parts: list[tuple[float, float]] = []
        for start, end in self.spans:
            for piece in _outside_gaps(start, end, self.gaps):
                if parts and not self._gap_between(parts[-1][1], piece[0]):
                    parts[-1] = (parts[-1][0], piece[1])
                else:
                    parts.append(piece)
        return [self._section(start, end) for start, end in parts]

    def count_clips(self, start_seconds: float, end_seconds: float) -> int:
        """Count the clips that overlap `[start_seconds, end_seconds)`."""
        # The clips that began before its end, minus those that ended before its start. Clips have
        # different numbers of valid steps, so that their ends need not be in order.
        begun = np.searchsorted(self.clip_starts_seconds, end_seconds, side="left")
        over = np.searchsorted(np.sort(self.clip_ends_seconds), start_seconds, side="right")
        return int(begun - over)

    def close(self) -> None:
        """Release memory and temporary file; calling it again does nothing."""
        self.spool.close()

    def __enter__(self) -> ScoreTrack:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _gap_between(self, left: float, right: float) -> bool:
        """Return whether a gap touches `[left, right]`, apart from rounding."""
        slack = SLIVER * self.step_seconds
        return any(
            gap.end_seconds > left - slack and gap.start_seconds < right + slack
            for gap in self.gaps
        )

    def _section(self, start: float, end: float) -> Section:
        return Section(start, end, *self.cells_of(start, end))


def activate(logits: Floats, activation: Activation) -> Floats:
    """Convert logits (..., K) to scores in [0, 1], over all classes (softmax) or each alone.

    Args:
        logits: (..., K).
        activation: `softmax` or `sigmoid`.
    """
    if activation == "sigmoid":
        # 1 / (1 + exp(-x)) without the overflow of exp at large negative logits
        return cast(Floats, np.exp(-np.logaddexp(0.0, -logits)).astype(np.float32))
    # Less the highest, which cancels: the power of a large logit would overflow.
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return cast(Floats, (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32))


def _outside_gaps(start: float, end: float, gaps: Sequence[Gap]) -> list[tuple[float, float]]:
    """Cut sorted gaps out of `[start, end)`."""
    pieces: list[tuple[float, float]] = []
    for gap in gaps:
        if gap.start_seconds > start and gap.end_seconds > start and gap.start_seconds < end:
            pieces.append((start, gap.start_seconds))
        if gap.start_seconds < end:
            start = max(start, gap.end_seconds)
    if start < end:
        pieces.append((start, end))
    return pieces

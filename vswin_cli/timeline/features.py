"""The features of a video on a time axis: the input of the network's head.

A feature is the normalised output of the network's last stage, a mean over space (section 3.1 of
the paper; `VideoSwin.forward_pooled`). Clips overlap: per time step they are averaged on cells
like scores, per clip they are a mean over its valid steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vswin_cli.errors import VswinError
from vswin_cli.storage.humanize import counted
from vswin_cli.timeline.cell_average import CellAverage
from vswin_cli.timeline.cells import AveragedCells
from vswin_cli.timeline.record import (
    Coverage,
    ModelRecord,
    Notice,
    SamplingRecord,
    Status,
    ToolRecord,
    VideoRecord,
)
from vswin_cli.timeline.scores import ClipLogits
from vswin_cli.timeline.spool import ScoreSpool
from vswin_cli.video.info import Gap

__all__ = ["FeatureBuilder", "FeatureRecord", "FeatureTrack"]

_CHUNK_ROWS = 512


@dataclass(frozen=True, slots=True)
class FeatureRecord:
    """Provenance of features: video, model, sampling and coverage."""

    video: VideoRecord
    model: ModelRecord
    sampling: SamplingRecord
    coverage: Coverage
    warnings: tuple[Notice, ...] = ()
    status: Status = "ok"
    """`partial`: something could not be decoded."""
    tool: ToolRecord = field(default_factory=ToolRecord)
    identity: str | None = None
    """Size and time of the video's file; `None` where it is not known."""
    settings: str | None = None
    """Fingerprint of everything else that the features depend on: weights, sampling, precision."""
    features_sha256: str | None = None
    """Hash of the weights that they come from, whatever head these had."""

    @property
    def weights_identity(self) -> str:
        """Identity of these weights; in files of earlier versions, of the head as well."""
        return self.features_sha256 or self.model.weights_sha256 or self.model.id


@dataclass(frozen=True, eq=False)
class FeatureTrack(AveragedCells):
    """Features (N, C) on a regular time axis and (M, C) per clip; close it after use."""

    gaps: tuple[Gap, ...]
    """Parts that could not be decoded, sorted."""
    clip_spool: ScoreSpool
    """The features of clips (M, C)."""
    record: FeatureRecord
    """Their provenance."""

    def __repr__(self) -> str:
        return (
            f"FeatureTrack([{self.start_seconds:.3f}, {self.end_seconds:.3f}) s, "
            f"{counted(self.num_cells, 'cell')} of {self.step_seconds:.4g} s x {self.width} "
            f"features, {counted(len(self.clip_starts_seconds), 'clip')}, "
            f"{counted(len(self.gaps), 'gap')})"
        )

    @property
    def width(self) -> int:
        """Values per feature, C."""
        return self.spool.width

    @property
    def features(self) -> NDArray[np.float32]:
        """All features of valid cells (n, C), in memory; `chunks` yields them in parts."""
        rows = [rows for _, rows in self.chunks()]
        return np.concatenate([np.zeros((0, self.width), np.float16), *rows]).astype(np.float32)

    @property
    def edges_seconds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Start and end (n,) of each valid cell, the last one cut at the end of the video."""
        cells = np.flatnonzero(self.valid).astype(np.float64)
        starts = self.start_seconds + cells * self.step_seconds
        ends = self.start_seconds + (cells + 1) * self.step_seconds
        return starts, np.minimum(ends, self.end_seconds)

    @property
    def clip_features(self) -> NDArray[np.float32]:
        """Features of all clips (M, C), in memory."""
        return self.clip_spool.read(0, len(self.clip_starts_seconds)).astype(np.float32)

    def chunks(self) -> Iterator[tuple[int, NDArray[np.float16]]]:
        """Yield (first cell, features of the valid ones among the next 512 cells)."""
        for first in range(0, self.num_cells, _CHUNK_ROWS):
            stop = min(first + _CHUNK_ROWS, self.num_cells)
            yield first, self.spool.read(first, stop)[self.valid[first:stop]]

    def close(self) -> None:
        """Release memory and temporary files; calling it again does nothing."""
        self.spool.close()
        self.clip_spool.close()

    def __enter__(self) -> FeatureTrack:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class FeatureBuilder:
    """Build a feature track from clips, which must come in the order of their start.

    Args:
        width: values per feature, C.
        step_seconds: length of a cell; two sampled frames is the network's own resolution.
        start_seconds: left edge of the axis.
    """

    def __init__(self, width: int, step_seconds: float, *, start_seconds: float = 0.0) -> None:
        self._cells = CellAverage(width, step_seconds, start_seconds=start_seconds)
        self._clips = ScoreSpool(width)

    def add(self, clip: ClipLogits) -> None:
        """Add one clip, the mean of its crops.

        Raises:
            VswinError: the features hold values that are not numbers.
            OutputError: the disk for temporary files is full.
            ValueError: the clip has no features.
        """
        if clip.features is None:
            raise ValueError(f"clip {clip.index} has no features: see `Engine.with_features`")
        edges = clip.step_edges_seconds[: clip.num_valid_steps + 1]
        rows = clip.features[:, : clip.num_valid_steps].mean(axis=0)  # (d, C)
        if not np.isfinite(rows).all():
            raise VswinError(
                f"the features of the clip at {edges[0]:.2f} s are not numbers",
                hint="try again with `--precision float32`",
            )
        self._cells.add(edges, rows, clip.features.shape[1])
        self._clips.append(rows.mean(axis=0, keepdims=True))

    def average(self, duration_seconds: float) -> AveragedCells:
        """Finish the axis: no more clips follow.

        Args:
            duration_seconds: end of the analysed part on the video's time axis.
        """
        return self._cells.finish(duration_seconds)

    def finish(
        self, cells: AveragedCells, gaps: Iterable[Gap], record: FeatureRecord
    ) -> FeatureTrack:
        """Return the track.

        Args:
            cells: from `average`.
            gaps: parts that could not be decoded.
            record: where the clips come from.
        """
        return FeatureTrack(
            gaps=tuple(sorted(gaps, key=lambda gap: (gap.start_seconds, gap.end_seconds))),
            clip_spool=self._clips,
            record=record,
            **cells.values(),
        )

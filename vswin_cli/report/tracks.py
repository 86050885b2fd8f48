"""Pack a score track into a page: exactly where it fits, else rounded or without weak labels.

Stored scores have half precision. They are embedded unchanged if the space allows, otherwise in
steps of 1/256, which half precision also represents exactly, and as 0 below 1/64. If that is still
too large, the labels with the lowest best scores are left out and the page's thresholds end above
those, so that its segments are complete. Margin and entropy depend on all labels and are embedded
as the highest threshold that each cell passes; the thresholds are the steps of the page's sliders
and the value of the run, so that the page gates exactly like the command.
"""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vswin_cli.config import SegmentOptions
from vswin_cli.timeline.boundaries import Boundary, find_boundaries
from vswin_cli.timeline.scores import ScoreTrack
from vswin_cli.timeline.selection import LabelView, normalised_entropy, top_margin

__all__ = ["LOWEST_ONSET", "PackedTrack", "gate_levels", "pack_track"]

LOWEST_ONSET = 0.05
"""Labels that never reach this score are always left out."""

_BATCH = 16  # columns in memory at once
_MAX_LABELS = 256  # more make a page slow; those that reach the onset always count
_STEP = 1 / 256
_LEAST_CODE = 4  # lower scores are noise far from any threshold, and cost most of the bytes
_BASE64 = 4 / 3
_GATE_STEPS = 100  # of the page's sliders for margin and entropy

Bits = Literal[8, 16]


@dataclass(frozen=True, slots=True)
class PackedTrack:
    """The parts of a track that the page needs to segment it again."""

    labels: tuple[str, ...]
    """Labels and groups that a threshold in the page can reach, in the order of the columns."""
    start_seconds: float
    step_seconds: float
    num_cells: int
    bits: Bits
    """16: the stored scores unchanged; 8: rounded to 1/256, and to 0 below 1/64."""
    scores: str
    """Per column the differences along time, all high bytes before all low ones; deflated."""
    valid: str
    """A bit per cell, lowest first; deflated."""
    margins: str
    """For each cell the last of `gate_levels` that its margin reaches, a byte; packed like a column
    of `scores` of 8 bits. Empty for sigmoid scores."""
    entropies: str
    """The same for the first of the levels that its entropy does not exceed."""
    sections: tuple[tuple[float, float, int, int], ...]
    """Start and end in seconds, first and stop cell."""
    boundaries: tuple[Boundary, ...]
    """Every peak that divides segments at some onset that the page allows."""
    lowest_onset: float
    """Lowest onset at which no label is missing."""
    num_left_out: int
    """Labels that reach `LOWEST_ONSET` and did not fit."""

    def __repr__(self) -> str:
        return (
            f"PackedTrack({self.num_cells} cells of {self.step_seconds:.4g} s x "
            f"{len(self.labels)} labels, {self.bits} bits, {len(self.scores)} characters, "
            f"{self.num_left_out} labels left out)"
        )


def pack_track(track: ScoreTrack, options: SegmentOptions, max_bytes: int) -> PackedTrack:
    """Pack as many columns as fit into `max_bytes` of base64 text, the highest scores first.

    Args:
        track: all scores.
        options: which labels are reported, alone or in groups, and the gating thresholds.
        max_bytes: for the scores; the rest is a few kilobytes.

    Raises:
        OptionError: the options name labels that the track does not have.
    """
    view = LabelView.of(track.labels, track.activation, options)
    largest = _largest(track, view)
    wanted = np.flatnonzero(view.reported & (largest >= LOWEST_ONSET))
    ordered = wanted[np.argsort(-largest[wanted], kind="stable")]
    enough = max(_MAX_LABELS, int(np.count_nonzero(largest[wanted] >= options.onset)))
    carried = ordered[:enough]
    # Exact scores if all columns fit; rounding is preferred to leaving labels out.
    bits: Bits = 16
    count, text = _pack(track, view, carried, bits, max_bytes)
    if count < len(carried):
        bits = 8
        count, text = _pack(track, view, carried, bits, max_bytes)
    missing = largest[ordered[count:]]
    margins, entropies = _gates(track, view, options)
    return PackedTrack(
        labels=tuple(view.names[i] for i in np.sort(ordered[:count])),
        start_seconds=track.start_seconds,
        step_seconds=track.step_seconds,
        num_cells=track.num_cells,
        bits=bits,
        scores=text,
        valid=_packed_bits(track.valid),
        margins=margins,
        entropies=entropies,
        sections=tuple(
            (section.start_seconds, section.end_seconds, section.first_cell, section.stop_cell)
            for section in track.sections()
        ),
        boundaries=_boundaries(track, options),
        lowest_onset=_above(float(missing.max())) if len(missing) else LOWEST_ONSET,
        num_left_out=len(missing),
    )


def _largest(track: ScoreTrack, view: LabelView) -> NDArray[np.float32]:
    """Return the best score of each column, anywhere in the track."""
    largest = np.zeros(view.num_columns, np.float32)
    for _, rows in track.chunks():
        if len(rows):
            np.maximum(largest, view.apply(rows).max(axis=0), out=largest)
    return largest


def _boundaries(track: ScoreTrack, options: SegmentOptions) -> tuple[Boundary, ...]:
    onsets = [options.onset_of(label) for label in options.boundaries]
    return find_boundaries(track, options.boundaries, min([LOWEST_ONSET, *onsets]))


def gate_levels(chosen: float) -> NDArray[np.float64]:
    """Return the page's margin or entropy thresholds: its slider's steps and the run's value."""
    return np.unique([*(np.arange(_GATE_STEPS + 1) / _GATE_STEPS), chosen])


def _gates(track: ScoreTrack, view: LabelView, options: SegmentOptions) -> tuple[str, str]:
    """Compute `margins` and `entropies` of a packed track."""
    if track.activation != "softmax":
        return "", ""
    # Compared in single precision, as in the command, or cells at a threshold would differ.
    low = gate_levels(options.min_margin).astype(np.float32)
    high = gate_levels(options.max_entropy).astype(np.float32)
    margins = np.zeros(track.num_cells, np.uint8)
    entropies = np.zeros(track.num_cells, np.uint8)
    for first, rows in track.chunks():
        scores = view.apply(rows)
        part = slice(first, first + len(rows))
        margins[part] = np.searchsorted(low, top_margin(scores), side="right") - 1
        entropies[part] = np.searchsorted(high, normalised_entropy(scores), side="left")
    return _text(_deflated_column(margins)), _text(_deflated_column(entropies))


def _pack(
    track: ScoreTrack, view: LabelView, ordered: NDArray[np.intp], bits: Bits, max_bytes: int
) -> tuple[int, str]:
    """Pack columns until the space is used up; return their number and text, in column order."""
    remaining_bytes = max_bytes / _BASE64
    packed: dict[int, bytes] = {}
    for first in range(0, len(ordered), _BATCH):
        batch = np.sort(ordered[first : first + _BATCH])
        codes = dict(zip(batch.tolist(), _codes(track, view, batch, bits), strict=True))
        for column in ordered[first : first + _BATCH].tolist():
            data = _deflated_column(codes[column])
            remaining_bytes -= len(data) + 4
            if remaining_bytes < 0:
                return len(packed), _joined(packed)
            packed[column] = data
    return len(packed), _joined(packed)


def _codes(
    track: ScoreTrack, view: LabelView, columns: NDArray[np.intp], bits: Bits
) -> Iterator[NDArray[np.uint8] | NDArray[np.uint16]]:
    """Yield the scores of each column as whole numbers in the same order (N,)."""
    out = np.empty((len(columns), track.num_cells), np.uint16 if bits == 16 else np.uint8)
    for first, rows in track.chunks():
        values = view.apply(rows, columns).T
        if bits == 16:
            codes = values.astype(np.float16).view(np.uint16)
        else:
            codes = np.minimum(np.rint(values / _STEP), 255).astype(np.uint8)
            codes[codes < _LEAST_CODE] = 0
        out[:, first : first + len(rows)] = codes
    yield from out


def _deflated_column(codes: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    """Deflate one column; differences and separate byte planes compress far better."""
    steps = np.diff(codes, prepend=codes.dtype.type(0))  # wraps around, as adding up does
    planes = steps.astype(steps.dtype.newbyteorder(">")).view(np.uint8)
    return zlib.compress(planes.reshape(len(codes), codes.itemsize).T.tobytes(), 9)


def _joined(packed: dict[int, bytes]) -> str:
    """Join columns in rising order, each after its length in four bytes, little-endian."""
    parts = (packed[column] for column in sorted(packed))
    return _text(b"".join(len(part).to_bytes(4, "little") + part for part in parts))


def _packed_bits(flags: NDArray[np.bool_]) -> str:
    return _text(zlib.compress(np.packbits(flags, bitorder="little").tobytes(), 9))


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _above(score: float) -> float:
    """Return the next hundredth above a score."""
    return min(1.0, (math.floor(score * 100 + 1e-4) + 1) / 100)

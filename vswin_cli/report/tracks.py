"""A score track made small enough to travel inside a page, and still exact where it fits.

Scores are stored in half precision. They are carried over bit by bit if the space allows,
otherwise in steps of 1/256, which half precision also holds exactly, and as nothing below 1/64.
If even that is too much, the labels with the lowest best scores stay behind and the page's
thresholds stop above them, so that what it shows is complete. Margin and entropy, for which all
labels count, travel as the thresholds that each cell passes: the steps of the page's sliders and
what the user chose, so that they are exact where it matters.
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
"""Labels that never score this much are left out in any case."""

_BATCH = 16  # columns held at once
_MAX_LABELS = 256  # more make a page slow rather than informative, unless they reach the onset
_STEP = 1 / 256
_LEAST_CODE = 4  # what lies below is noise far from any threshold, and most of the bytes
_BASE64 = 4 / 3
_GATE_STEPS = 100  # of the page's sliders for margin and entropy

Bits = Literal[8, 16]


@dataclass(frozen=True, slots=True)
class PackedTrack:
    """What the page needs of a track to segment it again."""

    labels: tuple[str, ...]
    """Labels and groups that a threshold in the page can reach, in the order of the columns."""
    start_seconds: float
    step_seconds: float
    num_cells: int
    bits: Bits
    """16: the stored scores themselves; 8: rounded to 1/256, and to 0 below 1/64."""
    scores: str
    """Column by column, differences along time, high bytes ahead of low ones; deflated."""
    valid: str
    """A bit per cell, lowest first; deflated."""
    margins: str
    """For each cell the last of `gate_levels` that its margin reaches, a byte; packed like a column
    of `scores` in steps. Empty where scores do not compete."""
    entropies: str
    """The same for the first of the levels that its entropy does not exceed."""
    stretches: tuple[tuple[float, float, int, int], ...]
    """Start and end in seconds, first and stop cell."""
    boundaries: tuple[Boundary, ...]
    """Every peak that may divide segments at an onset in reach."""
    lowest_onset: float
    """From here on no label is missing."""
    num_left_out: int
    """Labels that reach `LOWEST_ONSET` and had no room."""


def pack_track(track: ScoreTrack, options: SegmentOptions, max_bytes: int) -> PackedTrack:
    """Take along what fits into `max_bytes` of base64 text.

    Args:
        track: all scores.
        options: which labels are reported, alone or in groups, and what counts as undecided.
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
        stretches=tuple(
            (one.start_seconds, one.end_seconds, one.first_cell, one.stop_cell)
            for one in track.stretches()
        ),
        boundaries=_boundaries(track, options),
        lowest_onset=_above(float(missing.max())) if len(missing) else LOWEST_ONSET,
        num_left_out=len(missing),
    )


def _largest(track: ScoreTrack, view: LabelView) -> NDArray[np.float32]:
    """Best score of each column, wherever a reader may look for it."""
    largest = np.zeros(view.num_columns, np.float32)
    for _, rows in track.chunks():
        if len(rows):
            np.maximum(largest, view.apply(rows).max(axis=0), out=largest)
    return largest


def _boundaries(track: ScoreTrack, options: SegmentOptions) -> tuple[Boundary, ...]:
    onsets = [options.onset_of(label) for label in options.boundaries]
    return find_boundaries(track, options.boundaries, min([LOWEST_ONSET, *onsets]))


def gate_levels(chosen: float) -> NDArray[np.float64]:
    """Thresholds of margin or entropy that the page knows, rising: its slider's, and the user's."""
    return np.unique([*(np.arange(_GATE_STEPS + 1) / _GATE_STEPS), chosen])


def _gates(track: ScoreTrack, view: LabelView, options: SegmentOptions) -> tuple[str, str]:
    """`margins` and `entropies` of a packed track."""
    if track.activation != "softmax":
        return "", ""
    # compared in single precision, as the command does
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
    """How many of the ordered columns fit, and those in their own order as text."""
    room = max_bytes / _BASE64
    packed: dict[int, bytes] = {}
    for first in range(0, len(ordered), _BATCH):
        batch = np.sort(ordered[first : first + _BATCH])
        codes = dict(zip(batch.tolist(), _codes(track, view, batch, bits), strict=True))
        for column in ordered[first : first + _BATCH].tolist():
            data = _deflated_column(codes[column])
            room -= len(data) + 4
            if room < 0:
                return len(packed), _joined(packed)
            packed[column] = data
    return len(packed), _joined(packed)


def _codes(
    track: ScoreTrack, view: LabelView, columns: NDArray[np.intp], bits: Bits
) -> Iterator[NDArray[np.uint8] | NDArray[np.uint16]]:
    """Scores of each column as whole numbers that rise with them (N,)."""
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
    steps = np.diff(codes, prepend=codes.dtype.type(0))  # wraps around, as adding up does
    planes = steps.astype(steps.dtype.newbyteorder(">")).view(np.uint8)
    return zlib.compress(planes.reshape(len(codes), codes.itemsize).T.tobytes(), 9)


def _joined(packed: dict[int, bytes]) -> str:
    """Columns in rising order, each behind its length in four bytes, lowest first."""
    parts = (packed[column] for column in sorted(packed))
    return _text(b"".join(len(part).to_bytes(4, "little") + part for part in parts))


def _packed_bits(flags: NDArray[np.bool_]) -> str:
    return _text(zlib.compress(np.packbits(flags, bitorder="little").tobytes(), 9))


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _above(score: float) -> float:
    """The next hundredth that a score does not reach."""
    return min(1.0, (math.floor(score * 100 + 1e-4) + 1) / 100)

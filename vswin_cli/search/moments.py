"""Find the windows of a feature sequence that are most similar to a query, without overlaps.

The similarity of two sequences of equal length is the mean, over their time steps, of the cosine
of the features at the same step: 1 for a sequence and itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Windows",
    "best_apart",
    "best_of_several",
    "box_means",
    "cosines",
    "single_precision",
    "unit_rows",
    "windows_like",
]

_CONVERTED_ROWS = 1024  # at a time: a megabyte stays in a core's cache
_CHUNK_ROWS = 8192
_MANTISSA_BITS = 13  # that single precision has more than half
_SIGN_AND_VALUE = np.int32(-0x70002000)  # 0x8fffe000: without the copies of the sign
_EXPONENTS_APART = np.float32(2.0**112)  # exponents are stored with 127 and 15 added
_GAP_STEPS = 0.5  # rows further apart than this share of a step do not follow each other
_SHORTEST = 0.5  # of the query, where a stretch between gaps is shorter than the query


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows of rows `[first, stop)` with their similarities, all of shape (n,)."""

    first: NDArray[np.intp]
    stop: NDArray[np.intp]
    similarity: NDArray[np.float32]

    def moved(self, rows: int) -> Windows:
        """Return the same windows of a sequence with so many more rows ahead."""
        return Windows(self.first + rows, self.stop + rows, self.similarity)

    def chosen(self, which: NDArray[Any]) -> Windows:
        """Return some of them, by index or mask."""
        return Windows(self.first[which], self.stop[which], self.similarity[which])

    @classmethod
    def joined(cls, parts: list[Windows]) -> Windows:
        """Return the windows of all parts."""
        none = np.zeros(0, np.intp)
        return cls(
            np.concatenate([none, *(part.first for part in parts)]),
            np.concatenate([none, *(part.stop for part in parts)]),
            np.concatenate([np.zeros(0, np.float32), *(part.similarity for part in parts)]),
        )


def unit_rows(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    """Scale each row (n, C) to length 1; rows of zeros stay."""
    values = np.asarray(rows, np.float32)
    lengths = np.sqrt(np.einsum("ij,ij->i", values, values))
    return (values / np.where(lengths > 0, lengths, 1)[:, None]).astype(np.float32)


def cosines(rows: NDArray[np.floating], units: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the cosine (n, m) of each row (n, C) with each unit vector (m, C).

    Half-precision rows are converted a chunk at a time: they may be mapped from a large file.
    """
    found = np.empty((len(rows), len(units)), np.float32)
    for first in range(0, len(rows), _CONVERTED_ROWS):
        part = slice(first, first + _CONVERTED_ROWS)
        values = single_precision(rows[part])
        lengths = np.sqrt(np.einsum("ij,ij->i", values, values))
        products = values @ units.T  # (chunk, m)
        found[part] = products / np.where(lengths > 0, lengths, 1)[:, None]
    return found


def single_precision(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    """Convert rows to single precision; infinite halves become 65536.

    NumPy converts halves one by one, five times slower than this.
    """
    if rows.dtype != np.float16:
        return np.asarray(rows, np.float32)
    bits = rows.view(np.int16).astype(np.int32)  # extends the sign over the upper bits
    bits <<= _MANTISSA_BITS
    bits &= _SIGN_AND_VALUE
    values = bits.view(np.float32)
    values *= _EXPONENTS_APART
    return values


def box_means(values: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """Return the mean (n - width + 1,) of each `width` values that follow each other."""
    sums = np.concatenate([np.zeros(1), np.cumsum(values, dtype=np.float64)])
    return np.asarray((sums[width:] - sums[:-width]) / width, np.float32)


def windows_like(
    query: NDArray[np.float32],
    rows: NDArray[np.floating],
    starts: NDArray[np.float64],
    ends: NDArray[np.float64],
) -> Windows:
    """Compare the query with every window of its length that no gap interrupts.

    Args:
        query: (m, C) unit vectors, a row per time step.
        rows: (n, C) features.
        starts: (n,) time in seconds of each row.
        ends: (n,) exclusive.

    Returns:
        A window per row at which one can begin; a stretch between gaps that is shorter than the
        query, but not by more than half, is one window.
    """
    parts = []
    for first, stop in _stretches(starts, ends):
        for begin, end in _chunks(first, stop, len(query)):
            means = _aligned_means(cosines(rows[begin:end], query))
            if not len(means):
                continue
            at = begin + np.arange(len(means))
            parts.append(Windows(at, np.minimum(at + len(query), stop), means))
    return Windows.joined(parts)


def _stretches(starts: NDArray[np.float64], ends: NDArray[np.float64]) -> Iterator[tuple[int, int]]:
    """Yield the half-open ranges of rows that follow each other without a gap."""
    if not len(starts):
        return
    tolerance = _GAP_STEPS * float(np.median(ends - starts))
    breaks = np.flatnonzero(starts[1:] - ends[:-1] > tolerance) + 1
    edges = [0, *breaks.tolist(), len(starts)]
    yield from pairwise(edges)


def _chunks(first: int, stop: int, length: int) -> Iterator[tuple[int, int]]:
    """Divide a stretch so that each window of this length is in one part."""
    step = max(_CHUNK_ROWS, length)
    for begin in range(first, max(first + 1, stop - length + 1), step):
        yield begin, min(begin + step + length - 1, stop)


def _aligned_means(table: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of each diagonal of a table (n, m) of cosines: a window per start.

    A stretch with n < m rows is compared with the parts of the query: the best one counts.
    """
    count, length = table.shape
    if count < length:
        if count < _SHORTEST * length:
            return np.zeros(0, np.float32)
        means = _aligned_means(np.ascontiguousarray(table.T))
        return np.asarray([means.max()], np.float32)
    sums = np.zeros(count - length + 1, np.float32)
    for i in range(length):
        sums += table[i : i + len(sums), i]
    return np.asarray(sums / length, np.float32)


def best_apart(windows: Windows, count: int, min_similarity: float = -1.0) -> Windows:
    """Choose the most similar windows that do not overlap, best first.

    Args:
        windows: to choose from.
        count: how many at most.
        min_similarity: what is less similar is left out.
    """
    windows = windows.chosen(windows.similarity >= min_similarity)
    is_taken = np.zeros(int(windows.stop.max(initial=0)), np.bool_)
    found: list[int] = []
    for i in _descending(windows.similarity, 4 * count):
        if len(found) == count:
            break
        place = slice(windows.first[i], windows.stop[i])
        if not is_taken[place].any():
            is_taken[place] = True
            found.append(i)
    return windows.chosen(np.array(found, np.intp))


def best_of_several(
    parts: Sequence[Windows], lengths: Sequence[int], count: int, min_similarity: float = -1.0
) -> list[tuple[int, int, int, float]]:
    """Choose the most similar windows of several sequences that do not overlap, best first.

    Args:
        parts: windows of each sequence.
        lengths: rows of each.
        count: how many windows at most.
        min_similarity: what is less similar is left out.

    Returns:
        Number of the sequence, first row, end of the rows and similarity of each.
    """
    edges = np.concatenate([[0], np.cumsum(lengths)])
    moved = [part.moved(int(edge)) for part, edge in zip(parts, edges, strict=False)]
    best = best_apart(Windows.joined(moved), count, min_similarity)
    found = []
    for first, stop, similarity in zip(best.first, best.stop, best.similarity, strict=True):
        number = int(np.searchsorted(edges, first, side="right")) - 1
        edge = int(edges[number])
        found.append((number, int(first) - edge, int(stop) - edge, float(similarity)))
    return found


def _descending(values: NDArray[np.float32], head: int) -> Iterator[int]:
    """Yield indices from the largest value down; equal ones in their order.

    Sorting all of a long sequence takes longer than finding its largest values.
    """
    done = 0
    while done < len(values):
        head = min(max(head, 16), len(values))
        if head < len(values):
            bound = -np.partition(-values, head - 1)[head - 1]
            near = np.flatnonzero(values >= bound)  # all of those that are equal
        else:
            near = np.arange(len(values))
        order = near[np.argsort(-values[near], kind="stable")]
        yield from order[done:].tolist()
        done, head = len(order), 16 * head

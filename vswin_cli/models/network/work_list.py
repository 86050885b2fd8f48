"""List the work of window attention on a GPU: one item per region and block of its queries.

Plain integers in a table, so that one launch serves regions of any sizes; nothing here computes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "HEAD_SIZES",
    "KEYS",
    "QUERIES",
    "Column",
    "RegionGroup",
    "WorkList",
    "list_work",
]

HEAD_SIZES = (16, 32, 64)
"""Values per head for which there is a kernel."""
QUERIES = 64
"""Queries per item. With 64 keys a step, or 128 queries, an H200 was 9 % and 24-40 % slower."""
KEYS = 32
"""Keys that an item takes per step."""


class Column(IntEnum):
    """What the numbers of an item mean."""

    FIRST_ROW = 0
    """Row of the region's first token."""
    SIZE = 1
    """Tokens n of the region."""
    FIRST_QUERY = 2
    """First of the item's queries, counted within the region; a multiple of `QUERIES`."""
    PADDED_KEYS = 3
    """n rounded up to whole steps of keys: the row length of the region's bias."""
    BIAS_OFFSET = 4
    """Where the bias of the region's group begins, in values per head."""


@dataclass(frozen=True, slots=True)
class RegionGroup:
    """Regions of one shape whose rows lie one after another."""

    first_row: int
    regions: int
    size: int
    """Tokens n per region."""


@dataclass(frozen=True, slots=True, eq=False)
class WorkList:
    """All items of one attention layer."""

    items: NDArray[np.int32]
    """(items, `Column`s), the largest regions first, so that the last ones to end are short."""
    bias_values: int
    """Length per head of the padded biases of all groups, one after another."""


def list_work(groups: Iterable[RegionGroup]) -> WorkList:
    """Cut regions into blocks of queries.

    Args:
        groups: in the order in which their biases are stored.
    """
    parts, offset = [], 0
    for group in groups:
        keys = _rounded_up(group.size, KEYS)
        first_queries = np.arange(0, group.size, QUERIES)
        part = np.empty((group.regions, len(first_queries), len(Column)), np.int32)
        starts = group.first_row + group.size * np.arange(group.regions)
        part[..., Column.FIRST_ROW] = starts[:, None]
        part[..., Column.SIZE] = group.size
        part[..., Column.FIRST_QUERY] = first_queries
        part[..., Column.PADDED_KEYS] = keys
        part[..., Column.BIAS_OFFSET] = offset
        parts.append(part.reshape(-1, len(Column)))
        offset += _rounded_up(group.size, QUERIES) * keys
    items = np.concatenate(parts)
    return WorkList(items[np.argsort(-items[:, Column.SIZE], kind="stable")], offset)


def _rounded_up(count: int, block: int) -> int:
    """Round up to a multiple of `block`."""
    return -(-count // block) * block

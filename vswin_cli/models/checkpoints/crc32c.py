"""Compute CRC-32C (Castagnoli, RFC 3720 appendix B.4) of large buffers with numpy.

A byte-wise loop in Python takes half a minute for a few hundred megabytes. The checksum is linear
over GF(2), so a buffer viewed as rows of W words can be folded into one row: advance the row so far
past W words of zeros, the same step for all words, and add the next row. The result is a buffer of
one row with the same remainder, which is folded again with shorter rows; the loop handles the rest.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["crc32c", "masked_crc32c"]

_POLYNOMIAL = 0x82F63B78  # reflected
_ONES = 0xFFFFFFFF
_ROW_WORDS = (8192, 64)  # 32 KiB rows keep the lookup tables in cache; then 256 bytes
_MASK_DELTA = 0xA282EAD8  # of LevelDB and TensorFlow

_Words = NDArray[np.uint32]


def crc32c(data: bytes | memoryview) -> int:
    """Compute the checksum of a contiguous buffer; `crc32c(b"123456789") == 0xE3069283`."""
    if len(data) < 4:
        return _advance_bytes(bytes(data), _ONES) ^ _ONES
    body = np.frombuffer(data, np.uint8)
    start = body[:4] ^ np.uint8(0xFF)  # the initial remainder, moved into the data
    for words in _ROW_WORDS:
        if len(body) > 4 * words:
            body = _fold(start, body, words)
            start = body[:4]
    return _advance_bytes(start.tobytes() + body[4:].tobytes(), 0) ^ _ONES


def masked_crc32c(data: bytes | memoryview) -> int:
    """Compute the masked checksum of LevelDB tables and TensorFlow bundles."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & _ONES


def _fold(start: NDArray[np.uint8], body: NDArray[np.uint8], words: int) -> NDArray[np.uint8]:
    """Reduce `body`, its first four bytes replaced by `start`, to one row of equal remainder."""
    row_bytes = 4 * words
    head_bytes = (len(body) - 4) % row_bytes + 4  # at least the four replaced bytes
    # Leading zeros do not change a remainder that starts at 0.
    head = np.zeros(-(-head_bytes // row_bytes) * row_bytes, np.uint8)
    head[-head_bytes:] = body[:head_bytes]
    head[-head_bytes:][:4] = start
    low, high = _step_tables(words)
    row: _Words = np.zeros(words, np.uint32)
    for part in (head, body[head_bytes:]):
        for following in np.frombuffer(part, "<u4").reshape(-1, words):
            row = low[row & 0xFFFF] ^ high[row >> 16] ^ following
    return row.astype("<u4").view(np.uint8)


@lru_cache
def _byte_table() -> tuple[int, ...]:
    table = []
    for remainder in range(256):
        for _ in range(8):
            remainder = remainder >> 1 ^ (_POLYNOMIAL if remainder & 1 else 0)
        table.append(remainder)
    return tuple(table)


def _advance_bytes(data: bytes, remainder: int) -> int:
    table = _byte_table()
    for byte in data:
        remainder = table[(remainder ^ byte) & 0xFF] ^ remainder >> 8
    return remainder


@lru_cache
def _step_tables(words: int) -> tuple[_Words, _Words]:
    """Tabulate the effect of `words` zero words on a remainder's low and high half: 2¹⁶ each."""
    columns = _advance_zeros(4 * words)
    return _span(columns[:16]), _span(columns[16:])


def _advance_zeros(num_bytes: int) -> list[int]:
    """Compute the 32×32 bit matrix that advances a remainder past zeros, by repeated squaring."""
    power = [_advance_bytes(b"\0", 1 << bit) for bit in range(32)]
    result = [1 << bit for bit in range(32)]
    while num_bytes:
        if num_bytes & 1:
            result = [_apply(power, column) for column in result]
        power = [_apply(power, column) for column in power]
        num_bytes >>= 1
    return result


def _apply(columns: list[int], remainder: int) -> int:
    product = 0
    for bit, column in enumerate(columns):
        if remainder >> bit & 1:
            product ^= column
    return product


def _span(columns: list[int]) -> _Words:
    """Compute all sums of the columns: entry i adds those whose bit is set in i."""
    table = np.zeros(1 << len(columns), np.uint32)
    for bit, column in enumerate(columns):
        table[1 << bit : 2 << bit] = table[: 1 << bit] ^ np.uint32(column)
    return table

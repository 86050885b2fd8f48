"""Rows of scores on their way from the network to the segments, out of memory's way."""

from __future__ import annotations

import tempfile
import weakref

import numpy as np
from numpy.typing import NDArray

from vswin_cli.storage.files import writing

__all__ = ["ScoreSpool"]

_ZERO_ROWS = 512
_MEMORY_BYTES = 2 << 20  # a spool that stays smaller never touches the disk


class ScoreSpool:
    """Rows of scores in half precision: appended once, read back in chunks.

    Small ones stay in memory, larger ones live in an unnamed temporary file.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.num_rows = 0
        self._file = tempfile.SpooledTemporaryFile(max_size=_MEMORY_BYTES)  # noqa: SIM115
        self._finalizer = weakref.finalize(self, self._file.close)

    def append(self, rows: NDArray[np.floating]) -> None:
        """Add rows (n, K).

        Raises:
            OutputError: the disk for temporary files is full.
        """
        if rows.shape[1:] != (self.width,):
            raise ValueError(f"rows must be (n, {self.width}), got {rows.shape}")
        with writing(f"temporary scores in {tempfile.gettempdir()}"):
            self._file.seek(0, 2)
            self._file.write(np.ascontiguousarray(rows, dtype=np.float16).tobytes())
        self.num_rows += len(rows)

    def append_zeros(self, count: int) -> None:
        """Add rows that no clip has reached."""
        block = np.zeros((min(count, _ZERO_ROWS), self.width), np.float16)
        for start in range(0, count, _ZERO_ROWS):
            self.append(block[: min(_ZERO_ROWS, count - start)])

    def read(self, start: int, stop: int) -> NDArray[np.float16]:
        """Rows `[start, stop)` as stored (n, K)."""
        row_bytes = 2 * self.width
        self._file.seek(start * row_bytes)
        data = self._file.read((stop - start) * row_bytes)
        return np.frombuffer(data, np.float16).reshape(-1, self.width)

    def close(self) -> None:
        """Give the memory and the temporary file back; idempotent."""
        self._finalizer()

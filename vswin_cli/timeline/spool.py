"""Store rows of scores in half precision, in memory while few, else in a temporary file."""

from __future__ import annotations

import tempfile
import weakref

import numpy as np
from numpy.typing import NDArray

from vswin_cli.errors import OptionError
from vswin_cli.storage.files import writing

__all__ = ["ScoreSpool"]

_ZERO_ROWS = 512
_MEMORY_BYTES = 2 << 20  # a spool that stays smaller never touches the disk


class ScoreSpool:
    """Storage of score rows in half precision, appended and read back in chunks.

    Small spools stay in memory, larger ones use an unnamed temporary file.
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

    def __repr__(self) -> str:
        return f"ScoreSpool({self.num_rows} rows x {self.width})"

    def append_zeros(self, count: int) -> None:
        """Add rows of zeros, for cells that no clip covers."""
        block = np.zeros((min(count, _ZERO_ROWS), self.width), np.float16)
        for start in range(0, count, _ZERO_ROWS):
            self.append(block[: min(_ZERO_ROWS, count - start)])

    def read(self, start: int, stop: int) -> NDArray[np.float16]:
        """Read rows `[start, stop)` as stored (n, K).

        Raises:
            OptionError: the spool is closed.
        """
        if not self._finalizer.alive:
            raise OptionError(
                "the track is closed, so that its values cannot be read any more",
                hint="read them inside of `with`, or before `close()`",
            )
        row_bytes = 2 * self.width
        self._file.seek(start * row_bytes)
        data = self._file.read((stop - start) * row_bytes)
        return np.frombuffer(data, np.float16).reshape(-1, self.width)

    def write_score(self, row: int, column: int, score: float) -> None:
        """Replace one stored score."""
        self._file.seek(2 * (row * self.width + column))
        self._file.write(np.float16(score).tobytes())

    def close(self) -> None:
        """Release memory and temporary file; calling it again does nothing."""
        self._finalizer()

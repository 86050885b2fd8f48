"""Limits and error boundary of all checkpoint readers, against damaged and hostile files.

A file may declare sizes in terabytes, lists that contain themselves, cycles. The memory and time of
a reader are therefore bounded by the real size of the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vswin_cli.errors import CheckpointError, VswinError

__all__ = ["most_tensor_bytes", "reading_checkpoint", "too_large"]

_HINT = "download the file again and compare its size with the publisher's"
_SPARE_BYTES = 64 << 20
_MOST_TIMES = 4  # tensors under several names may share their numbers in the file


def most_tensor_bytes(path: Path) -> int:
    """Return the maximum number of bytes for all tensors of a file together."""
    return _MOST_TIMES * path.stat().st_size + _SPARE_BYTES


@contextmanager
def reading_checkpoint(path: Path) -> Iterator[None]:
    """Convert any exception of a reader on damaged data to the documented error.

    The libraries do not document their exceptions for hostile data: PyTorch, zipfile and numpy
    raise RuntimeError, NotImplementedError, OverflowError, RecursionError and more.
    """
    try:
        yield
    except VswinError:
        raise
    except MemoryError as error:
        raise CheckpointError(
            f"{path}: its content needs more memory than there is",
            hint="use a machine with more memory if you trust the source of the file",
        ) from error
    except Exception as error:
        raise CheckpointError(
            f"{path}: damaged, or not a file of weights ({type(error).__name__})",
            hint=_HINT,
        ) from error


def too_large(path: Path, claimed_bytes: int) -> CheckpointError:
    """Return the error for a file that declares more data than it can hold."""
    return CheckpointError(
        f"{path}: declares {claimed_bytes / 1e6:,.0f} MB of numbers, more than a file of its size "
        "can hold",
        hint=_HINT,
    )

"""Limits and the error boundary of all readers of checkpoints, against damaged and hostile files.

A file may claim anything: sizes in the terabytes, lists that contain themselves, cycles. What a
reader allocates and how long it works follow from the bytes that the file really has.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vswin_cli.errors import CheckpointError, VswinError

__all__ = ["most_tensor_bytes", "reading_checkpoint", "too_large"]

_HINT = "download the file again and compare its size with the publisher's"
_SPARE_BYTES = 64 << 20
_MOST_TIMES = 4  # weights that are listed under several names share their numbers in the file


def most_tensor_bytes(path: Path) -> int:
    """Compute how many bytes the tensors of a file may take together."""
    return _MOST_TIMES * path.stat().st_size + _SPARE_BYTES


@contextmanager
def reading_checkpoint(path: Path) -> Iterator[None]:
    """Turn whatever a reader raises on damaged data into the documented error.

    The libraries below document none of what hostile data makes them raise: PyTorch, zipfile and
    numpy answer with RuntimeError, NotImplementedError, OverflowError, RecursionError and more.
    """
    try:
        yield
    except VswinError:
        raise
    except MemoryError as error:
        raise CheckpointError(
            f"{path}: its content needs more memory than there is",
            hint="use a machine with more memory, if the file is from a source that you trust",
        ) from error
    except Exception as error:
        raise CheckpointError(
            f"{path}: damaged, or not a file of weights ({type(error).__name__})",
            hint=_HINT,
        ) from error


def too_large(path: Path, claimed_bytes: int) -> CheckpointError:
    """Make the error for a file that claims more than it can hold."""
    return CheckpointError(
        f"{path}: claims {claimed_bytes / 1e6:,.0f} MB of numbers, more than a file of its size "
        "can hold",
        hint=_HINT,
    )

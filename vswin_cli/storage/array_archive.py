"""Read and write named arrays in a NumPy archive (`.npz`) in pieces, without pickles.

`numpy.savez` needs each array whole in memory and writes the time of day into the file. Here rows
are written as they come, equal content gives equal bytes, and what is read is bounded before any
memory is taken for it.
"""

from __future__ import annotations

import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from vswin_cli.errors import SourceError, SourceNotFoundError
from vswin_cli.storage.files import reading_hint
from vswin_cli.storage.json_records import UNREADABLE

__all__ = [
    "map_array",
    "member",
    "open_archive",
    "read_array",
    "read_header",
    "write_array",
    "write_header",
]

_LARGEST_ARRAY = 256 << 20  # bytes in memory, a year of cells
_EXPANSION = 100  # zeros, the values of gaps, shrink this much and more, but are few
_FREE_EXPANSION = 1 << 30  # bytes of any file, however small
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the zip format's own: equal content gives equal bytes
_LOCAL_HEADER_BYTES = 30  # of a zip member, before its name and extra field
_DAMAGE = (  # what zip archives, JSON and NumPy's headers raise on hostile data
    *UNREADABLE,
    EOFError,
    SyntaxError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


@contextmanager
def open_archive(
    path: Path, limits: dict[str, int | None], refuse: Callable[[str], SourceError]
) -> Iterator[zipfile.ZipFile]:
    """Open an archive for reading; whatever its content raises in the block is one error.

    Args:
        path: of the file.
        limits: largest size of members by name, None for any; all others may have 256 MiB.
        refuse: makes the error of a file that is damaged or of another kind, from the reason.

    Raises:
        SourceNotFoundError: no such file, or not readable.
        SourceError: as `refuse` makes it.
    """
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            _check_expansion(archive, path.stat().st_size, limits)
            yield archive
    except OSError as error:
        raise SourceNotFoundError(
            f"cannot read {path}: {error.strerror or error}", hint=reading_hint(error)
        ) from error
    except SourceError as error:
        raise refuse(error.message) from error
    except _DAMAGE as error:
        raise refuse(str(error)[:200]) from error


def _check_expansion(
    archive: zipfile.ZipFile, file_bytes: int, limits: dict[str, int | None]
) -> None:
    """Reject an archive with an implausible expanded size, before any of it is read."""
    total = 0
    for found in archive.infolist():
        if found.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise SourceError("compressed in an unknown way")
        total += found.file_size
        limit = limits.get(found.filename, _LARGEST_ARRAY)
        if limit is not None and found.file_size > limit:
            raise SourceError(f"`{found.filename}` is too large")
    if total > _FREE_EXPANSION + _EXPANSION * file_bytes:
        raise SourceError(f"{file_bytes:,} bytes expand to {total:,}")


@contextmanager
def member(archive: zipfile.ZipFile, name: str, *, compress: bool = True) -> Iterator[IO[bytes]]:
    """Open a new member for writing.

    Args:
        archive: open for writing.
        name: of the member, `features.npy` for an array.
        compress: without it `map_array` can map the content into memory.
    """
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    info.external_attr = 0o644 << 16
    with archive.open(info, "w", force_zip64=True) as out:
        yield out


def write_array(
    archive: zipfile.ZipFile, name: str, array: NDArray[Any], *, compress: bool = True
) -> None:
    """Write a whole array under its name."""
    with member(archive, f"{name}.npy", compress=compress) as out:
        write_header(out, array.dtype, array.shape)
        out.write(np.ascontiguousarray(array).tobytes())


def write_header(out: IO[bytes], dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    """Write NumPy's header; the values follow in C order."""
    description = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": shape,
    }
    np.lib.format.write_array_header_1_0(out, description)


def read_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read NumPy's header: shape and type of the values that follow in C order.

    Raises:
        SourceError: another version or layout, or objects.
        ValueError, SyntaxError, tokenize.TokenError: not a header.
    """
    if np.lib.format.read_magic(file) != (1, 0):
        raise SourceError("unknown version of an array")
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
    if fortran_order or dtype.hasobject:
        raise SourceError("unknown layout of an array")
    return shape, dtype


def read_array(archive: zipfile.ZipFile, name: str, kind: type, dims: int) -> NDArray[Any]:
    """Read a whole array of a type and a number of dimensions.

    Raises:
        SourceError: it is of another kind, or too large.
    """
    with archive.open(f"{name}.npy") as file:
        shape, dtype = read_header(file)
        if dtype != np.dtype(kind) or len(shape) != dims:
            raise SourceError(f"`{name}` must be {np.dtype(kind)} of {dims} dimensions")
        count = math.prod(shape)
        if count * dtype.itemsize > _LARGEST_ARRAY:
            raise SourceError(f"`{name}` is too large")
        data = file.read(count * dtype.itemsize)
        array = np.frombuffer(data, np.uint8 if kind is np.bool_ else dtype, count).reshape(shape)
        return array != 0 if kind is np.bool_ else array  # a byte of 2 is not a valid flag


def map_array(archive: zipfile.ZipFile, path: str, name: str) -> NDArray[Any]:
    """Map an uncompressed array into memory: pages are read when they are used.

    Raises:
        SourceError: it is compressed, or shorter than declared in its header.
    """
    info = archive.getinfo(f"{name}.npy")
    if info.compress_type != zipfile.ZIP_STORED:
        raise SourceError(f"`{name}` is compressed")
    with open(path, "rb") as file:  # noqa: PTH123
        file.seek(info.header_offset)
        head = file.read(_LOCAL_HEADER_BYTES)
        lengths = int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
        start = info.header_offset + _LOCAL_HEADER_BYTES + lengths
        file.seek(start)
        shape, dtype = read_header(file)
        offset = file.tell()
    if math.prod(shape) * dtype.itemsize != info.file_size - (offset - start):
        raise SourceError(f"`{name}` is shorter than its header says")
    if not math.prod(shape):
        return np.zeros(shape, dtype)
    return np.memmap(path, dtype, "r", offset, shape)

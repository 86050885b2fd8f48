"""Read tensors from a file of unknown origin: PyTorch's two pickle formats and safetensors.

The format is detected from the first bytes, never from the name. Nothing in a file is ever run:
`torch.load` reads with `weights_only`, and if it rejects an object beside the tensors, the reader
in `vswin_cli.models.checkpoints.safe_pickle` reads the tensors and leaves the object out.
"""

from __future__ import annotations

import io
import pickle
import warnings
import zipfile
from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from typing import IO

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from vswin_cli.errors import CheckpointError, UnsafeCheckpointError
from vswin_cli.models.checkpoints.hostile import most_tensor_bytes, reading_checkpoint, too_large
from vswin_cli.models.checkpoints.safe_pickle import (
    PendingTensor,
    PickleContent,
    Placeholder,
    Storage,
    run_pickle,
)
from vswin_cli.models.checkpoints.state_dicts import SUPPORTED, TensorFile, find_tensors
from vswin_cli.storage.files import reading_hint

__all__ = ["TensorFile", "read_tensor_file"]

_LEGACY_NUMBER = 0x1950A86A20F9469CFC6C
_AGAIN = "download the file again and compare its size with the publisher's"
_HEAD_BYTES = 512
_MOST_DIMENSIONS = 16
_ZIP_PICKLE = "data.pkl"
_FOREIGN: tuple[tuple[bytes, str, str], ...] = (
    (b"\x89HDF", "an HDF5 file, as Keras writes", "convert it to safetensors with Keras"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file", "fetch it with `git lfs pull`"),
    (b"<!DOCTYPE", "a web page", _AGAIN),
    (b"<!doctype", "a web page", _AGAIN),
    (b"<html", "a web page", _AGAIN),
    (b"\x1f\x8b", "a gzip archive", "unpack it first"),
    (b"\x93NUMPY", "a NumPy array", SUPPORTED),
    (b"\x08", "perhaps an ONNX model", SUPPORTED),
)


def read_tensor_file(path: Path) -> TensorFile:
    """Read all tensors of a file.

    Raises:
        UnsafeCheckpointError: loading the file, or its tensors, would run code.
        CheckpointError: not readable, cut off, damaged, or no file of tensors.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file", hint="check the path") from error
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot be read ({error.strerror})", hint=reading_hint(error)
        ) from error
    if not head:
        raise CheckpointError(f"{path}: the file is empty", hint=_AGAIN)
    with warnings.catch_warnings(), reading_checkpoint(path):
        warnings.simplefilter("ignore")  # from pickle modules, about details of the file
        return _read(path, head)


def _read(path: Path, head: bytes) -> TensorFile:
    if head.startswith(b"PK"):
        _check_zip(path)
        return find_tensors(*_read_pickle(path, _run_zip, _read_zip), path)
    if head[8:9] == b"{":
        return TensorFile(_read_safetensors(path), None)
    if _is_legacy(path):
        return find_tensors(*_read_pickle(path, _run_legacy, _read_legacy), path)
    raise _foreign(path, head)


def _is_legacy(path: Path) -> bool:
    """Return whether the file starts with the first pickle of the format before PyTorch 1.6.

    Raises:
        UnsafeCheckpointError: the first pickle is another one and would run code.
    """
    with path.open("rb") as file:
        try:
            return run_pickle(file, str(path)).root == _LEGACY_NUMBER
        except UnsafeCheckpointError:
            raise
        except CheckpointError:
            return False


def _foreign(path: Path, head: bytes) -> CheckpointError:
    for prefix, what, hint in _FOREIGN:
        if head.startswith(prefix):
            return CheckpointError(f"{path}: {what}, expected a checkpoint", hint=hint)
    what = "a Python pickle that PyTorch did not write" if head[:1] == b"\x80" else "unknown data"
    shown = head[:8].hex(" ")
    return CheckpointError(f"{path}: {what} (starts with {shown})", hint=SUPPORTED)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path}: a damaged or cut off safetensors file ({error})", hint=_AGAIN
        ) from error


def _read_pickle(
    path: Path,
    run: Callable[[Path], PickleContent],
    read: Callable[[Path, PickleContent], Mapping[str, bytes]],
) -> tuple[object, tuple[str, ...]]:
    """Read the top-level object of a PyTorch file, and the names of objects left out.

    Args:
        path: the file.
        run: called first, because a file that it rejects could crash PyTorch's own reader.
        read: returns the numbers of the storages by key, if PyTorch rejects the file.
    """
    content = run(path)
    most_bytes = most_tensor_bytes(path)
    claimed = sum(max(0, s.count) * s.dtype.itemsize for s in content.storages.values())
    if claimed > most_bytes:  # PyTorch allocates them before it checks whether they are there
        raise too_large(path, claimed)
    try:
        with path.open("rb") as file:  # given a path, PyTorch would go by the name's ending
            return torch.load(file, map_location="cpu", weights_only=True), ()
    except pickle.UnpicklingError:
        return _build(content.root, read(path, content), path), tuple(sorted(content.ignored))
    except Exception as error:  # PyTorch does not document the errors for damaged files
        raise CheckpointError(f"{path}: damaged or cut off PyTorch file", hint=_AGAIN) from error


def _check_zip(path: Path) -> None:
    """Reject zip archives that are not from `torch.save`, and verify their checksums.

    Raises:
        CheckpointError: damaged, cut off, or not written by `torch.save`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            expanded = sum(entry.file_size for entry in archive.infolist())
            if expanded > most_tensor_bytes(path):  # `torch.save` compresses nothing
                raise too_large(path, expanded)
            damaged = archive.testzip()
    except CheckpointError:
        raise
    except Exception as error:  # zipfile documents few of its errors for damaged files
        raise CheckpointError(f"{path}: cut off or damaged zip archive", hint=_AGAIN) from error
    if damaged is not None:
        raise CheckpointError(f"{path}: damaged (checksum of {damaged} differs)", hint=_AGAIN)
    if any(name.endswith("/constants.pkl") for name in names):
        raise CheckpointError(
            f"{path}: a TorchScript program, expected weights",
            hint="save the `state_dict()` of the model that it was made from",
        )
    if sum(name.lower().endswith(_ZIP_PICKLE) for name in names) != 1:  # by any case, as PyTorch
        raise CheckpointError(
            f"{path}: a zip archive, but not one that PyTorch wrote", hint=SUPPORTED
        )


def _run_zip(path: Path) -> PickleContent:
    with zipfile.ZipFile(path) as archive:
        return run_pickle(io.BytesIO(archive.read(_pickle_in(archive))), str(path))


def _pickle_in(archive: zipfile.ZipFile) -> str:
    return next(name for name in archive.namelist() if name.lower().endswith(_ZIP_PICKLE))


def _read_zip(path: Path, content: PickleContent) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        prefix = _pickle_in(archive)[: -len(_ZIP_PICKLE)]
        if f"{prefix}byteorder" in names and archive.read(f"{prefix}byteorder") != b"little":
            raise CheckpointError(
                f"{path}: big-endian files are not supported",
                hint="load and save it again on a little-endian machine",
            )
        return {
            key: archive.read(f"{prefix}data/{key}")
            for key in content.storages
            if f"{prefix}data/{key}" in names
        }


def _run_legacy(path: Path) -> PickleContent:
    with path.open("rb") as file:
        return _legacy_pickles(file, path)[3]


def _legacy_pickles(file: IO[bytes], path: Path) -> list[PickleContent]:
    """Read the pickles of the format before PyTorch 1.6; content and keys come last."""
    return [run_pickle(file, str(path)) for _ in range(5)]


def _read_legacy(path: Path, content: PickleContent) -> dict[str, bytes]:
    with path.open("rb") as file:
        keys = _legacy_pickles(file, path)[4].root
        names = [key for key in keys if isinstance(key, str)] if isinstance(keys, list) else []
        if set(content.storages) < set(names):
            raise _unknown_storage(path)
        if set(content.storages) != set(names):
            raise CheckpointError(f"{path}: damaged PyTorch file", hint=_AGAIN)
        return {name: _read_run(file, content.storages[name], path) for name in names}


def _unknown_storage(path: Path) -> CheckpointError:
    return CheckpointError(
        f"{path}: unknown kind of tensor storage",
        hint="save it again with a current PyTorch, or as safetensors",
    )


def _read_run(file: IO[bytes], storage: Storage, path: Path) -> bytes:
    """Read the numbers of one storage, which come after their count, a 64-bit integer."""
    count = int.from_bytes(file.read(8), "little")
    data = file.read(storage.count * storage.dtype.itemsize) if count == storage.count else b""
    if count != storage.count or len(data) < count * storage.dtype.itemsize:
        raise CheckpointError(f"{path}: cut off or damaged PyTorch file", hint=_AGAIN)
    return data


def _build(value: object, data: Mapping[str, bytes], path: Path, depth: int = 0) -> object:
    """Replace the pending tensors in nested dictionaries by tensors."""
    if depth == 0:
        _check_expanded(value, path)
    if isinstance(value, dict) and depth < 4:
        return {key: _build(item, data, path, depth + 1) for key, item in value.items()}
    return _build_tensor(value, data, path) if isinstance(value, PendingTensor) else value


def _check_expanded(root: object, path: Path) -> None:
    """Reject tensors larger than the file, such as views with a stride of 0."""
    total = 0
    level, seen = [root], set()
    for _ in range(5):
        below: list[object] = []
        for item in level:
            if isinstance(item, dict) and id(item) not in seen:
                seen.add(id(item))
                below += item.values()
            elif isinstance(item, PendingTensor) and isinstance(item.size, tuple):
                sizes = [n for n in item.size if isinstance(n, int) and n > 0]
                total += prod(sizes) if len(sizes) <= _MOST_DIMENSIONS else 1 << 62
        level = below
    if total > most_tensor_bytes(path):
        raise too_large(path, total)


def _build_tensor(pending: PendingTensor, data: Mapping[str, bytes], path: Path) -> Tensor:
    match pending:
        case PendingTensor(Storage() as storage, int(offset), tuple(size), tuple(stride)):
            numbers = [offset, *size, *stride]
        case PendingTensor(Placeholder()):
            raise _unknown_storage(path)
        case _:
            raise CheckpointError(f"{path}: damaged PyTorch file", hint=_AGAIN)
    if not all(isinstance(n, int) and n >= 0 for n in numbers) or len(size) != len(stride):
        raise CheckpointError(f"{path}: a tensor of impossible shape", hint=_AGAIN)
    numbers_of = data.get(storage.key, b"")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if len(numbers_of) != storage.count * storage.dtype.itemsize or last >= storage.count > 0:
        raise CheckpointError(
            f"{path}: cut off, a tensor of shape {size} lacks its numbers", hint=_AGAIN
        )
    if prod(size) == 0:
        return torch.empty(size, dtype=storage.dtype)
    whole = torch.frombuffer(bytearray(numbers_of), dtype=storage.dtype)
    return whole.as_strided(size, stride, offset).clone()

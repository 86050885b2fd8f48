"""Read the `.index` file of a TensorFlow checkpoint: the location of each tensor.

The file is a LevelDB table of protocol-buffer messages. Only the output of TensorFlow's
BundleWriter is supported; everything read is covered by a checksum, which is verified. The meaning
of the tensors is determined elsewhere.

Formats: leveldb/doc/table_format.md and tensorflow/core/protobuf/tensor_bundle.proto.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

from vswin_cli.errors import CheckpointError
from vswin_cli.models.checkpoints.crc32c import masked_crc32c

__all__ = ["OBJECT_GRAPH_KEY", "BundleEntry", "BundleIndex", "Cursor", "message_fields"]

OBJECT_GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"

_FOOTER_BYTES = 48
_TABLE_MAGIC = 0xDB4775248B80FB57
_DTYPE_FLOAT32 = 1
_DTYPE_STRING = 7
_MOST_KEY_BYTES = 4096
_MOST_DIMENSIONS = 16
_HINT = "download the file again"
_FOREIGN_HINT = "supported are the SavedModels of the Hub repository innat/videoswin"


class Cursor:
    """Read the integers of both formats from a buffer.

    Args:
        data: the buffer.
        where: its origin, for messages.

    Raises:
        CheckpointError: from any method, if the buffer ends too early.
    """

    def __init__(self, data: bytes, where: str) -> None:
        self.data = data
        self.where = where
        self.position = 0

    def __bool__(self) -> bool:
        return self.position < len(self.data)

    def take(self, count: int) -> bytes:
        """Read the next `count` bytes."""
        end = self.position + count
        if end > len(self.data):
            raise CheckpointError(f"{self.where}: cut off or damaged", hint=_HINT)
        part, self.position = self.data[self.position : end], end
        return part

    def fixed(self, num_bytes: int) -> int:
        """Read an unsigned little-endian integer of fixed width."""
        return int.from_bytes(self.take(num_bytes), "little")

    def varint(self) -> int:
        """Read an unsigned integer in groups of seven bits, lowest first."""
        value = 0
        for shift in range(0, 70, 7):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise CheckpointError(f"{self.where}: damaged", hint=_HINT)


def message_fields(message: bytes, where: str) -> Iterator[tuple[int, int | bytes]]:
    """Iterate over the fields of a protocol-buffer message in file order: number and value."""
    cursor = Cursor(message, where)
    while cursor:
        tag = cursor.varint()
        number, wire_type = tag >> 3, tag & 7
        if wire_type == 0:
            yield number, cursor.varint()
        elif wire_type == 2:
            yield number, cursor.take(cursor.varint())
        elif wire_type in (1, 5):
            yield number, cursor.fixed(8 if wire_type == 1 else 4)
        else:
            raise CheckpointError(f"{where}: damaged (wire type {wire_type})", hint=_HINT)


@dataclass(frozen=True, slots=True)
class BundleEntry:
    """Location, shape and checksum of one tensor."""

    is_string: bool
    """A byte string instead of float32 numbers."""
    shape: tuple[int, ...]
    """Empty for a scalar."""
    shard: int
    """Number of the data file."""
    offset: int
    """Bytes from the start of that file."""
    num_bytes: int
    """Length in that file."""
    masked_crc32c: int
    """Checksum; for a string, of its length, the length's checksum and its content."""


@dataclass(frozen=True, slots=True)
class BundleIndex:
    """All entries of one checkpoint."""

    path: Path
    """The `.index` file."""
    num_shards: int
    """Number of data files."""
    entries: Mapping[str, BundleEntry]
    """By checkpoint key."""

    @classmethod
    def read(cls, path: Path) -> BundleIndex:
        """Parse and verify an index file.

        Raises:
            CheckpointError: not readable, not such a table, or damaged.
        """
        try:
            data = path.read_bytes()
        except OSError as error:
            raise CheckpointError(
                f"{path}: cannot be read ({error.strerror})",
                hint="the folder `variables` needs its index and its data files",
            ) from error
        pairs = dict(_table_items(data, str(path)))
        header = dict(message_fields(pairs.pop("", b""), str(path)))
        if _integer(header, 2, str(path)) != 0:
            raise CheckpointError(
                f"{path}: big-endian TensorFlow checkpoints are not supported", hint=_FOREIGN_HINT
            )
        entries = {key: _entry(key, value, path) for key, value in pairs.items()}
        return cls(path, _integer(header, 1, str(path)), entries)

    @property
    def variables(self) -> dict[str, BundleEntry]:
        """Select the numeric entries."""
        return {key: entry for key, entry in self.entries.items() if not entry.is_string}

    @property
    def parameter_count(self) -> int:
        """Count the numbers stored in all variables."""
        return sum(prod(entry.shape) for entry in self.variables.values())

    def data_bytes(self, shard: int = 0) -> int:
        """Compute the length of a data file: 4 × parameters + object graph if there is one shard.

        Follows from the index alone, so a download can be checked without a published hash.
        """
        return sum(entry.num_bytes for entry in self.entries.values() if entry.shard == shard)

    def data_path(self, shard: int) -> Path:
        """Return the path of the data file of this number, beside the index."""
        name = f"{self.path.stem}.data-{shard:05d}-of-{self.num_shards:05d}"
        return self.path.with_name(name)


def _table_items(data: bytes, where: str) -> Iterator[tuple[str, bytes]]:
    """Iterate over the key-value pairs of a LevelDB table."""
    magic = int.from_bytes(data[-8:], "little")
    if len(data) < _FOOTER_BYTES or magic != _TABLE_MAGIC:
        raise CheckpointError(
            f"{where}: not a TensorFlow checkpoint index, or cut off ({len(data)} bytes)",
            hint="download `variables.index` again, from beside the data file",
        )
    footer = Cursor(data[-_FOOTER_BYTES:], where)
    footer.varint(), footer.varint()  # the metaindex block is empty
    index_block = _block(data, footer.varint(), footer.varint(), where)
    for _, handle in _block_items(index_block, where):
        cursor = Cursor(handle, where)
        for key, value in _block_items(
            _block(data, cursor.varint(), cursor.varint(), where), where
        ):
            yield key.decode("utf-8", "replace"), value


def _block(data: bytes, offset: int, size: int, where: str) -> bytes:
    cursor = Cursor(data, where)
    cursor.take(offset)
    body, kind = cursor.take(size), cursor.take(1)
    if masked_crc32c(body + kind) != cursor.fixed(4):
        raise CheckpointError(f"{where}: damaged (checksum of a block differs)", hint=_HINT)
    if kind != b"\0":
        raise CheckpointError(
            f"{where}: compressed TensorFlow indexes are not supported", hint=_FOREIGN_HINT
        )
    return body


def _block_items(block: bytes, where: str) -> Iterator[tuple[bytes, bytes]]:
    """Iterate over the pairs of a block; keys share a prefix with the one before."""
    num_restarts = int.from_bytes(block[-4:], "little")
    cursor = Cursor(block[: max(0, len(block) - 4 * (num_restarts + 1))], where)
    key = b""
    while cursor:
        shared, unshared, value_bytes = cursor.varint(), cursor.varint(), cursor.varint()
        key = key[:shared] + cursor.take(unshared)
        if len(key) > _MOST_KEY_BYTES:  # hostile keys could grow with each entry
            raise CheckpointError(f"{where}: damaged (a key of {len(key)} bytes)", hint=_HINT)
        yield key, cursor.take(value_bytes)


def _entry(key: str, message: bytes, path: Path) -> BundleEntry:
    where = f"{path}: the entry of {key}"
    fields = dict(message_fields(message, where))
    dtype = _integer(fields, 1, where)
    if dtype not in (_DTYPE_FLOAT32, _DTYPE_STRING):
        raise CheckpointError(
            f"{path}: {key} has TensorFlow data type {dtype}, expected float32",
            hint="this checkpoint holds more than Video Swin weights",
        )
    if 7 in fields:
        raise CheckpointError(
            f"{path}: {key} is stored in slices, which is not supported", hint=_FOREIGN_HINT
        )
    shape = _shape(fields.get(2, b""), where)
    if len(shape) > _MOST_DIMENSIONS:
        raise CheckpointError(f"{where} has {len(shape)} dimensions", hint=_HINT)
    shard, offset, num_bytes, crc = (_integer(fields, number, where) for number in (3, 4, 5, 6))
    if dtype == _DTYPE_FLOAT32 and num_bytes != 4 * prod(shape):
        raise CheckpointError(f"{where} has {num_bytes} bytes for the shape {shape}", hint=_HINT)
    return BundleEntry(dtype == _DTYPE_STRING, shape, shard, offset, num_bytes, crc)


def _integer(fields: dict[int, int | bytes], number: int, where: str) -> int:
    """Read a numeric field; absent means zero."""
    value = fields.get(number, 0)
    if not isinstance(value, int):
        raise CheckpointError(f"{where}: damaged", hint=_HINT)
    return value


def _shape(message: int | bytes, where: str) -> tuple[int, ...]:
    dims = message_fields(message, where) if isinstance(message, bytes) else ()
    return tuple(
        _integer(dict(message_fields(dim, where)), 1, where)
        for number, dim in dims
        if number == 2 and isinstance(dim, bytes)
    )

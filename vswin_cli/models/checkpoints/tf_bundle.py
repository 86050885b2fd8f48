"""Read weights of innat's TensorFlow Video Swin (Hub repository `innat/videoswin`) with numpy.

Takes the `variables` folder of a SavedModel and returns tensors under our names. The names are
taken from the object graph in the checkpoint, never from the order or shape of the variables:
gamma and beta have the same shape, and so have a square kernel and its transpose. Every byte that
is used is covered by a checksum, which is verified.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vswin_cli.errors import CheckpointError
from vswin_cli.models.checkpoints.crc32c import masked_crc32c
from vswin_cli.models.checkpoints.hostile import reading_checkpoint
from vswin_cli.models.checkpoints.tf_index import (
    OBJECT_GRAPH_KEY,
    BundleEntry,
    BundleIndex,
    Cursor,
    message_fields,
)
from vswin_cli.storage.files import is_file, is_folder

__all__ = ["find_bundle_index", "graph_names", "read_bundle"]

_HINT = "download the file again"
_FOREIGN_HINT = "supported are the SavedModels of the Hub repository innat/videoswin"

_BRANCHES = {
    "attn": "attn",
    "basic_layers": "layers",
    "blocks": "blocks",
    "downsample": "downsample",
    "fc1": "fc1",
    "fc2": "fc2",
    "head": "head",
    "mlp": "mlp",
    "norm": "norm",
    "norm1": "norm1",
    "norm2": "norm2",
    "patch_embed": "patch_embed",
    "proj": "proj",
    "qkv": "qkv",
    "reduction": "reduction",
}
_LEAVES = {
    "beta": "bias",
    "bias": "bias",
    "gamma": "weight",
    "kernel": "weight",
    "relative_position_bias_table": "relative_position_bias_table",
}
# PyTorch puts the output channels first: (D, H, W, in, out) and (in, out) become (out, in, ...).
_KERNEL_ORDERS = {5: (4, 3, 0, 1, 2), 2: (1, 0)}
_MOST_STEPS = 1_000_000  # the largest published network takes some 10,000
_MAX_DEPTH = 8  # layers.0.blocks.0.attn.qkv.kernel is 7 deep


@dataclass(frozen=True, slots=True)
class _Node:
    """One object of the graph."""

    children: tuple[tuple[str, int], ...]
    """Attribute name and node number."""
    checkpoint_key: str | None
    """Key of the value, if the object is a variable."""


def find_bundle_index(path: Path) -> Path | None:
    """Find the `.index` file for a folder, an index or a data file; `None` if there is none."""
    if is_folder(path):
        candidates = [path / "variables.index", path / "variables" / "variables.index"]
    elif path.suffix == ".index":
        candidates = [path]
    else:
        stem, separator, _ = path.name.partition(".data-")
        candidates = [path.with_name(f"{stem}.index")] if separator else []
    return next((candidate for candidate in candidates if is_file(candidate)), None)


def read_bundle(index_path: Path) -> dict[str, Tensor]:
    """Read all weights under our names, float32.

    Raises:
        CheckpointError: a file is missing, cut off or damaged, or contains another network.
    """
    with reading_checkpoint(index_path):
        return _read_bundle(index_path)


def _read_bundle(index_path: Path) -> dict[str, Tensor]:
    index = BundleIndex.read(index_path)
    if any(entry.shard >= index.num_shards for entry in index.entries.values()):
        raise CheckpointError(f"{index_path}: damaged (a shard too many)", hint=_HINT)
    for shard in range(index.num_shards):
        _check_length(index, shard)
    graph = index.entries.get(OBJECT_GRAPH_KEY)
    if graph is None or not graph.is_string:
        raise CheckpointError(
            f"{index_path}: a TensorFlow checkpoint without an object graph", hint=_FOREIGN_HINT
        )
    names = graph_names(_read_string(index, graph), str(index_path))
    _check_complete(index, names)
    return {name: _read_tensor(index, name, key) for name, key in names.items()}


def _check_length(index: BundleIndex, shard: int) -> None:
    path, expected = index.data_path(shard), index.data_bytes(shard)
    if not is_file(path):
        raise CheckpointError(
            f"{path}: no such file, but {index.path.name} refers to it",
            hint="keep the index and its data file side by side",
        )
    found = path.stat().st_size
    if found != expected:
        problem = "cut off" if found < expected else "too long"
        raise CheckpointError(
            f"{path}: {problem}, got {found:,} bytes, expected {expected:,}", hint=_HINT
        )


def _read_bytes(index: BundleIndex, entry: BundleEntry) -> bytes:
    with index.data_path(entry.shard).open("rb") as file:
        file.seek(entry.offset)
        return file.read(entry.num_bytes)


def _read_string(index: BundleIndex, entry: BundleEntry) -> bytes:
    """Read a scalar string: varint length, masked checksum of the length, content."""
    where = str(index.data_path(entry.shard))
    cursor = Cursor(_read_bytes(index, entry), where)
    length = cursor.varint()
    length_crc, content = cursor.take(4), cursor.take(length)
    if masked_crc32c(length.to_bytes(4, "little") + length_crc + content) != entry.masked_crc32c:
        raise CheckpointError(f"{where}: damaged (checksum of the object graph)", hint=_HINT)
    return content


def _read_tensor(index: BundleIndex, name: str, key: str) -> Tensor:
    entry = index.entries[key]
    data = _read_bytes(index, entry)
    if masked_crc32c(data) != entry.masked_crc32c:
        raise CheckpointError(
            f"{index.data_path(entry.shard)}: damaged (checksum of {key})", hint=_HINT
        )
    values = np.frombuffer(data, "<f4").reshape(entry.shape)
    order = _KERNEL_ORDERS.get(values.ndim) if name.endswith(".weight") else None
    values = values.transpose(order) if order else values
    return torch.from_numpy(np.array(values, np.float32, order="C"))


def graph_names(graph: bytes, where: str) -> dict[str, str]:
    """Map our tensor names to the checkpoint keys of their values.

    Args:
        graph: a `TrackableObjectGraph` message.
        where: its file, for messages.

    Raises:
        CheckpointError: the message is damaged.
    """
    nodes = [_parse_node(value, where) for number, value in message_fields(graph, where)]
    return dict(_walk(nodes, 0, (), where, [_MOST_STEPS])) if nodes else {}


def _parse_node(message: int | bytes, where: str) -> _Node:
    children, key = [], None
    for number, value in message_fields(_as_bytes(message, where), where):
        fields = dict(message_fields(_as_bytes(value, where), where))
        if number == 1:
            node = fields.get(1, 0)
            children.append((_text(fields, 2), node if isinstance(node, int) else -1))
        elif number == 2 and _text(fields, 1) == "VARIABLE_VALUE":
            key = _text(fields, 3)
    return _Node(tuple(children), key)


def _as_bytes(value: int | bytes, where: str) -> bytes:
    if not isinstance(value, bytes):
        raise CheckpointError(f"{where}: damaged object graph", hint=_HINT)
    return value


def _text(fields: dict[int, int | bytes], number: int) -> str:
    value = fields.get(number, b"")
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""


def _walk(
    nodes: list[_Node], number: int, path: tuple[str, ...], where: str, steps_left: list[int]
) -> Iterator[tuple[str, str]]:
    """Traverse the graph from one node along known attribute names.

    The graph is not a tree: Keras adds paths such as `trainable_variables` and `keras_api` to the
    same variables, and cycles. Even without cycles, shared nodes can make the number of paths
    exponential, so the steps of the whole traversal are limited by `steps_left`.
    """
    steps_left[0] -= 1 + len(nodes[number].children) if 0 <= number < len(nodes) else 1
    if not 0 <= number < len(nodes) or len(path) > _MAX_DEPTH or steps_left[0] < 0:
        raise CheckpointError(f"{where}: damaged object graph", hint=_HINT)
    for local_name, child in nodes[number].children:
        if local_name in _LEAVES:
            key = nodes[child].checkpoint_key if 0 <= child < len(nodes) else None
            if key is not None:
                yield ".".join((*path, _LEAVES[local_name])), key
        elif local_name in _BRANCHES or local_name.isdecimal():
            step = _BRANCHES.get(local_name, local_name)
            yield from _walk(nodes, child, (*path, step), where, steps_left)


def _check_complete(index: BundleIndex, names: dict[str, str]) -> None:
    """Check that each variable has exactly one name."""
    known, named = set(index.variables), list(names.values())
    if not names or set(named) - known or len(set(named)) < len(named):
        raise CheckpointError(
            f"{index.path}: a TensorFlow checkpoint, but not of a known Video Swin",
            hint=_FOREIGN_HINT,
        )
    unnamed = sorted(known - set(named))
    if unnamed:
        raise CheckpointError(
            f"{index.path}: {len(unnamed)} unknown variables, the first is {unnamed[0]}",
            hint=_FOREIGN_HINT,
        )

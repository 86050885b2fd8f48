"""Write checkpoints as their publishers do: names, wrappers, index buffers and serialisation."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vswin_cli.models.checkpoints.crc32c import masked_crc32c

Window = tuple[int, int, int]


def official_file(path: Path, state: Mapping[str, Tensor], window: Window | None = None) -> Path:
    """The authors' releases: legacy pickle, one key `state_dict`, index buffers (if `window`)."""
    named = OrderedDict((_authors_name(name), tensor) for name, tensor in state.items())
    if window is not None:
        named.update(_index_buffers(named, position_index(window)))
    torch.save({"state_dict": named}, path, _use_new_zipfile_serialization=False)
    return path


def mmaction2_file(
    path: Path, state: Mapping[str, Tensor], window: Window | None = None, meta: Any = None
) -> Path:
    """MMAction2 1.x: zip, `meta` beside `state_dict`, the last norm numbered by its stage."""
    named = {
        _authors_name(name).replace("backbone.norm.", "backbone.norm3."): tensor
        for name, tensor in state.items()
    }
    if window is not None:
        named.update(_index_buffers(named, position_index(window)))
    torch.save({"meta": meta or {"epoch": 30, "iter": 1}, "state_dict": named}, path)
    return path


def torchvision_file(path: Path, state: Mapping[str, Tensor], window: Window | None = None) -> Path:
    """Torchvision: bare dictionary, stages and mergings in one list, flattened index buffers."""
    named = OrderedDict((torchvision_name(name), tensor) for name, tensor in state.items())
    if window is not None:
        named.update(_index_buffers(named, position_index(window).flatten()))
    torch.save(named, path)
    return path


LAYOUT_WRITERS = {
    "official": official_file,
    "mmaction2": mmaction2_file,
    "torchvision": torchvision_file,
}


def image_swin_file(path: Path, state: Mapping[str, Tensor]) -> Path:
    """The authors' image releases: zip, one key `model`."""
    torch.save({"model": dict(state)}, path)
    return path


def image_swin_state(window: int, seed: int = 7) -> dict[str, Tensor]:
    """A small 2D Swin: 16 channels, two blocks in each of four stages, 1000 classes."""
    from tests.support.golden import golden_network, parameter_shapes

    draw = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in parameter_shapes(golden_network("w877").architecture, 1000).items():
        if name == "patch_embed.proj.weight":
            shape = (shape[0], 3, 4, 4)
        if name.endswith("bias_table"):
            shape = ((2 * window - 1) ** 2, shape[1])
        is_large = name.endswith(("bias_table", "patch_embed.proj.weight", "head.weight"))
        state[name] = (1.0 if is_large else 0.1) * torch.randn(shape, generator=draw)
    return state


def position_index(window: Window) -> Tensor:
    """Relative position index (N, N), token by token from its definition in the paper."""
    tokens = np.stack(np.unravel_index(np.arange(np.prod(window)), window), axis=1)
    spans = [2 * n - 1 for n in window]
    rows = [
        np.ravel_multi_index(tuple((token - tokens + np.array(window) - 1).T), spans)
        for token in tokens
    ]
    return torch.from_numpy(np.stack(rows))


def torchvision_name(name: str) -> str:
    name = name.replace(".mlp.fc1.", ".mlp.0.").replace(".mlp.fc2.", ".mlp.3.")
    name = re.sub(r"^layers\.(\d)\.blocks\.", lambda m: f"features.{2 * int(m[1])}.", name)
    return re.sub(r"^layers\.(\d)\.downsample\.", lambda m: f"features.{2 * int(m[1]) + 1}.", name)


def _authors_name(name: str) -> str:
    return name.replace("head.", "cls_head.fc_cls.") if name[:5] == "head." else f"backbone.{name}"


def _index_buffers(state: Mapping[str, Tensor], index: Tensor) -> dict[str, Tensor]:
    tables = [name for name in state if name.endswith("relative_position_bias_table")]
    return {name.replace("_bias_table", "_index"): index.clone() for name in tables}


def tf_table(entries: dict[bytes, bytes]) -> bytes:
    """A table of one data block, as the writer of such files lays it out."""
    body = b"".join(
        bytes([0, len(key), len(value)]) + key + value for key, value in sorted(entries.items())
    )
    blocks, file = [], b""
    for content in (body, b""):
        content += (0).to_bytes(4, "little") + (1).to_bytes(4, "little")
        blocks.append((len(file), len(content)))
        file += content + b"\0" + masked_crc32c(content + b"\0").to_bytes(4, "little")
    data_handle = _varint(blocks[0][0]) + _varint(blocks[0][1])
    index = bytes([0, 1, len(data_handle)]) + b"z" + data_handle + bytes(4) + b"\1\0\0\0"
    handles = [*blocks[1], len(file), len(index)]
    file += index + b"\0" + masked_crc32c(index + b"\0").to_bytes(4, "little")
    footer = b"".join(map(_varint, handles)).ljust(40, b"\0")
    return file + footer + (0xDB4775248B80FB57).to_bytes(8, "little")


def _varint(value: int) -> bytes:
    groups = []
    while True:
        value, low = value >> 7, value & 0x7F
        groups.append(low | (0x80 if value else 0))
        if not value:
            return bytes(groups)

"""Folders with weights and a `config.json`: our own, and those of Hugging Face libraries.

Names and formats of the latter are those of `save_pretrained`: `model.safetensors` or
`pytorch_model.bin`, whole or in shards with an index, and `id2label` in the configuration.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from torch import Tensor

from vswin_cli.errors import CheckpointError
from vswin_cli.models.checkpoints.tensor_files import TensorFile, read_tensor_file
from vswin_cli.models.labels import LabelMap
from vswin_cli.models.weights.store import MODEL_FILES, SHARD_INDEXES, WEIGHTS_FILES
from vswin_cli.storage.files import is_file, is_folder

__all__ = [
    "CARD_FILE",
    "WEIGHTS_FILE",
    "config_labels",
    "config_of",
    "find_weights",
    "read_weights",
]

WEIGHTS_FILE, CARD_FILE = MODEL_FILES
_CONFIG_KEYS = ("id2label", "architectures", "model_type", "transformers_version", "num_labels")
_MOST_JSON_BYTES = 64 << 20
_MOST_SHARDS = 1000
_PLACEHOLDER = re.compile(r"LABEL_\d+")
_HINT = "download the folder again, with all its files"


def find_weights(path: Path) -> Path:
    """Find the weights at a path: those in a folder, or the file itself.

    Raises:
        CheckpointError: a folder without weights and a configuration.
    """
    if not is_folder(path):
        return path
    if is_file(path / CARD_FILE):
        for name in WEIGHTS_FILES:
            if is_file(path / name):
                return path / name
    raise CheckpointError(
        f"{path}: not a model folder",
        hint=f"expected {WEIGHTS_FILE} and {CARD_FILE}, or a TensorFlow model's `variables`; "
        "give the checkpoint file itself",
    )


def config_of(weights: Path) -> dict[str, Any] | None:
    """Read the Hugging Face configuration beside weights; `None` if there is none.

    Our own card has the same file name, but a schema.
    """
    path = weights.with_name(CARD_FILE)
    if weights.name not in WEIGHTS_FILES or not is_file(path):
        return None
    try:
        content = _read_json(path)
    except CheckpointError:
        if weights.name == WEIGHTS_FILE:
            return None  # perhaps a damaged card of our own, whose reader reports the error
        raise
    is_config = isinstance(content, dict) and "schema" not in content
    return content if is_config and any(key in content for key in _CONFIG_KEYS) else None


def config_labels(config: dict[str, Any], num_classes: int, where: str) -> tuple[str, ...]:
    """Read the class names of a Hugging Face configuration, in index order.

    Returns:
        An empty tuple if the configuration has only placeholders such as `LABEL_3`.

    Raises:
        LabelsError: not one name for each class, by index.
    """
    id2label = config.get("id2label")
    if not isinstance(id2label, (dict, list)) or not id2label:
        return ()
    names = LabelMap.from_json(id2label, where).names
    if all(map(_PLACEHOLDER.fullmatch, names)):
        return ()
    LabelMap(where, names).check_width(num_classes, "the weights beside it")
    return names


def read_weights(path: Path) -> TensorFile:
    """Read a file of tensors, or all shards of an index.

    Raises:
        CheckpointError: a shard is missing or damaged, or the index does not match its shards.
    """
    if path.name not in SHARD_INDEXES:
        return read_tensor_file(path)
    content = _read_json(path)
    shard_of = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(shard_of, dict) or not shard_of:
        raise CheckpointError(f"{path}: an index without `weight_map`", hint=_HINT)
    names = {name for name in shard_of.values() if _is_plain_name(name)}
    if len(names) > _MOST_SHARDS or not all(map(_is_plain_name, shard_of.values())):
        # An index from elsewhere must not refer to other files on this machine.
        raise CheckpointError(f"{path}: a shard is not in the same folder", hint=_HINT)
    tensors: dict[str, Tensor] = {}
    ignored: set[str] = set()
    for name in sorted(names):
        shard = read_tensor_file(path.with_name(name))
        tensors |= {key: tensor for key, tensor in shard.tensors.items() if key in shard_of}
        ignored |= set(shard.ignored)
    missing = [key for key in shard_of if key not in tensors]
    if missing:
        raise CheckpointError(
            f"{path}: {missing[0]} is in none of its shards ({len(missing)} missing)", hint=_HINT
        )
    return TensorFile(tensors, None, tuple(sorted(ignored)))


def _is_plain_name(name: object) -> bool:
    return isinstance(name, str) and name == Path(name).name and "\\" not in name and name != ".."


def _read_json(path: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_JSON_BYTES + 1)
        if len(text) > _MOST_JSON_BYTES:
            raise ValueError("larger than such a file can be")
        return json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error})", hint=_HINT) from error

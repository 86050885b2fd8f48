"""Find the state dict in the content of a checkpoint: under a usual key, or by its tensors.

Training tools put weights under keys of their own, average them, and save optimisers beside them.
Takes the top-level object of a file, made of plain containers and tensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from vswin_cli.errors import CheckpointError, UnsafeCheckpointError
from vswin_cli.models.checkpoints.hostile import most_tensor_bytes, too_large
from vswin_cli.models.checkpoints.safe_pickle import Placeholder
from vswin_cli.models.checkpoints.weight_sets import ROOT, is_average

__all__ = ["SUPPORTED", "TensorFile", "find_tensors"]

SUPPORTED = "supported are .pth files of PyTorch, .safetensors, and vswin's own folders"
"""Hint for files of other kinds."""
_WRAPPERS = ("state_dict", "model", "model_state_dict", "model_state", "module", "net", "network")
_SEARCH_DEPTH = 4  # enough for `ema.state_dict.module`


@dataclass(frozen=True, slots=True, eq=False)
class TensorFile:
    """The tensors of one file, under their names in it."""

    tensors: dict[str, Tensor]
    """On the CPU, in the file's order and data types."""
    wrapper: str | None
    """Top-level key that holds them; `None` if they are the top level."""
    ignored: tuple[str, ...] = ()
    """Globals of a pickle that were left out, as `module.name`."""
    averaged: bool = False
    """Whether `tensors` are averaged weights (EMA)."""
    alternative: TensorFile | None = None
    """The raw weights beside averaged ones, or the other way round."""

    def __repr__(self) -> str:
        """Count the tensors; they are not printed."""
        return f"TensorFile({len(self.tensors)} tensors, under {self.wrapper or 'the top level'})"


def find_tensors(root: object, ignored: tuple[str, ...], path: Path) -> TensorFile:
    """Find the state dict in the content of a pickle, and its average if there is one."""
    if isinstance(root, Mapping):
        maps = _network_maps(root)
        if maps:
            return _weights_and_average(maps, ignored, path)
        candidates = [(key, root.get(key)) for key in _WRAPPERS]
        for wrapper, content in [*candidates, (None, root)]:
            tensors = _tensors(content, path)
            if tensors:
                return TensorFile(tensors, wrapper, ignored)
    if ignored:
        what = f"`{root.name}`" if isinstance(root, Placeholder) else ", ".join(ignored[:3])
        raise UnsafeCheckpointError(
            f"{path}: refused, its weights are inside Python objects ({what})",
            hint="save the model's `state_dict()` instead of the model, with the original code",
        )
    if isinstance(root, Mapping):
        names = [key for key in list(root)[:5] if isinstance(key, str)]
        found = f"keys {', '.join(names)}"
    else:
        found = type(root).__name__
    raise CheckpointError(f"{path}: contains no tensors (found {found})", hint=SUPPORTED)


def _network_maps(root: Mapping[Any, Any]) -> dict[str, Mapping[Any, Any]]:
    """Find all mappings that contain a Swin, by their dotted key; the top level's is empty.

    Each mapping is visited once, or shared references could make the search exponential.
    """
    found: dict[str, Mapping[Any, Any]] = {}
    seen: set[int] = set()
    level: list[tuple[str, Mapping[Any, Any]]] = [("", root)]
    for _ in range(_SEARCH_DEPTH):
        below: list[tuple[str, Mapping[Any, Any]]] = []
        for key, content in level:
            if id(content) in seen:
                continue
            seen.add(id(content))
            if any(isinstance(name, str) and name.endswith(ROOT) for name in content):
                found[key] = content
                continue
            below += [
                (f"{key}.{name}".lstrip("."), value)
                for name, value in content.items()
                if isinstance(name, str) and isinstance(value, Mapping)
            ]
        level = below
    return found


def _weights_and_average(
    maps: Mapping[str, Mapping[Any, Any]], ignored: tuple[str, ...], path: Path
) -> TensorFile:
    """Distinguish raw and averaged weights, and prefer the usual key."""
    kinds = {key: is_average(key) for key in maps}
    if {"state_dict", "ema_state_dict"} <= set(maps) and "steps" in maps["ema_state_dict"]:
        # MMEngine's EMAHook exchanges the two when it saves, so that `state_dict` is averaged.
        kinds |= {"state_dict": True, "ema_state_dict": False}
    if {"state_dict", "current_model_state"} <= set(maps):
        kinds |= {"state_dict": True, "current_model_state": False}  # Lightning's WeightAveraging
    # The key that other tools load comes first, then raw weights before averaged ones.
    order = sorted(maps, key=lambda key: (_rank(key), is_average(key)))
    files = {
        key: TensorFile(_tensors(maps[key], path), key or None, ignored, kinds[key])
        for key in order
    }
    first, *rest = files.values()
    alike = [file for file in rest if file.averaged == first.averaged]
    if alike and _rank(first.wrapper or "") == len(_WRAPPERS):
        raise CheckpointError(
            f"{path}: several networks in it: {', '.join(files)}",
            hint="save the one that you mean into a file of its own",
        )
    others = [file for file in rest if file.averaged != first.averaged]
    return replace(first, alternative=others[0] if others else None)


def _rank(key: str) -> int:
    """Return the position of a top-level key among the usual ones."""
    if not key:
        return 0
    return _WRAPPERS.index(key) if key in _WRAPPERS else len(_WRAPPERS)


def _tensors(content: object, path: Path) -> dict[str, Tensor]:
    if not isinstance(content, Mapping):
        return {}
    for name, value in content.items():
        if isinstance(value, Placeholder):
            raise UnsafeCheckpointError(
                f"{path}: refused, the tensor {name} is built by `{value.name}`",
                hint="save the weights as plain tensors, with the original code",
            )
    tensors = {
        name: value.detach()
        for name, value in content.items()
        if isinstance(name, str) and isinstance(value, Tensor)
    }
    total = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    if total > most_tensor_bytes(path):  # views with a stride of 0 are copied later
        raise too_large(path, total)
    return tensors

"""Find the networks among the tensors of a file, and choose one: raw or averaged weights.

Training wrappers put prefixes in front of names (`module.`, `_orig_mod.`, `model.net.`), keep an
average of the weights (EMA) beside them, and save losses and metrics too. A network is found by a
tensor that every Swin has, with any prefix. Independent of files and layouts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from vswin_cli.errors import CheckpointError

__all__ = ["ROOT", "WeightSet", "choose_set", "is_average", "networks_in", "serves_training"]

ROOT = "patch_embed.proj.weight"
"""Name of the first tensor of every Swin, without prefix."""

# Parts of a name that PyTorch's wrappers insert anywhere: compiled modules, DataParallel, averaged
# models, FSDP, activation checkpoints, Lightning's strategies.
_WRAPPERS = {
    "_orig_mod", "module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module",
}  # fmt: skip
_BACKBONE = "backbone."
_AVERAGE_WORDS = {"ema", "averaged", "average", "avg", "swa", "polyak"}
_TRAINING_WORDS = {
    "acc", "auc", "auroc", "averaged", "confmat", "confusion", "decay", "ema", "f1", "initted",
    "map", "mean", "metric", "precision", "recall", "std", "step", "steps", "top1", "top5",
    "updates",
}  # fmt: skip
_TRAINING_STARTS = ("accuracy", "criterion", "loss", "metric", "optim", "sched")
_TRAINING_ENDS = ("loss", "metric", "metrics", "acc")
_CLASS_WEIGHTS = re.compile(r"(^|[._])(class|pos|label)_?weights?($|[._])")


@dataclass(frozen=True, slots=True, eq=False)
class WeightSet:
    """One network's tensors without prefix, and the other tensors beside the network."""

    key: str
    """Its place in the file, for messages: a top-level key, a prefix, or both."""
    tensors: Mapping[str, Tensor]
    """The network's under their names without prefix, the others under their full names."""
    averaged: bool
    """Whether these are averaged weights (EMA)."""


def is_average(name: str) -> bool:
    """Return whether a key or prefix means averaged weights: `state_dict_ema`, `ema_model.`."""
    return not _AVERAGE_WORDS.isdisjoint(re.split(r"[._\-/]", name.lower()))


def serves_training(name: str, tensor: Tensor) -> bool:
    """Return whether a tensor beside a network cannot belong to it: counters, losses, metrics.

    Counters are whole numbers, which no layer of a network has as weights. The others are
    recognised by words in the name; any other tensor might be a layer.
    """
    if not tensor.is_floating_point() or _CLASS_WEIGHTS.search(name.lower()):
        return True
    words = re.split(r"[._]", name.lower())
    return any(
        word in _TRAINING_WORDS
        or word.startswith(_TRAINING_STARTS)
        or word.endswith(_TRAINING_ENDS)
        for word in words
    )


def networks_in(tensors: Mapping[str, Tensor], key: str, *, averaged: bool) -> list[WeightSet]:
    """Split a state dict into the networks in it, raw ones first.

    Args:
        tensors: under their names in the file.
        key: their place in the file.
        averaged: whether that key means averaged weights; a prefix may mean it, too.

    Returns:
        One set for each network; a single one with all tensors if there is no Swin among them.
    """
    plain = {original: _without_wrappers(original) for original in tensors}
    if len(set(plain.values())) < len(plain):
        plain = {original: original for original in tensors}  # names differ only by wrappers
    by_name = {name: tensors[original] for original, name in plain.items()}
    prefixes = sorted(_prefixes(by_name), key=is_average)
    if not prefixes:
        return [WeightSet(key, by_name, averaged)]
    sets = []
    for prefix in prefixes:
        others = [other for other in prefixes if other != prefix]
        inside = _inside(by_name, prefix, others)
        beside = {
            name: tensor
            for name, tensor in by_name.items()
            if not name.startswith(prefix) and not any(map(name.startswith, filter(None, others)))
        }
        # A tensor outside the prefix must not be mistaken for one of the network's.
        marked = {
            f"{name} (beside {prefix}*)" if name in inside or _is_own(name) else name: tensor
            for name, tensor in beside.items()
        }
        where = "".join(filter(None, (key, ":" if key and prefix else "", prefix.rstrip("."))))
        sets.append(WeightSet(where, inside | marked, averaged or is_average(prefix)))
    return sets


def choose_set(
    sets: Sequence[WeightSet], ema: bool | None, where: str
) -> tuple[WeightSet, str | None]:
    """Choose the weights to use, with a note if the file contains several.

    Args:
        sets: of the file, the one under the usual key first.
        ema: true for averaged weights, false for raw ones, `None` for the first.
        where: the file, for messages.

    Returns:
        The set, and a note for the user or `None`.

    Raises:
        CheckpointError: no such weights, or several networks of one kind.
    """
    wanted = sets[0].averaged if ema is None else ema
    fitting = [candidate for candidate in sets if candidate.averaged == wanted]
    others = [candidate for candidate in sets if candidate.averaged != wanted]
    if not fitting:
        kind, option = ("averaged", "--ema") if wanted else ("raw", "--no-ema")
        raise CheckpointError(
            f"{where}: no {kind} weights in it, only {_keys(others)}", hint=f"leave {option} out"
        )
    if len(fitting) > 1:
        raise CheckpointError(
            f"{where}: {len(fitting)} networks in it: {_keys(fitting)}",
            hint="save the one that you mean into a file of its own",
        )
    chosen = fitting[0]
    used = f"{'averaged' if wanted else 'raw'} weights ({chosen.key or 'top level'}) used"
    if others:
        return chosen, f"{used}; {_option(not wanted)} takes {_keys(others)}"
    return chosen, f"{used}, no others in the file" if wanted else None


def _option(averaged: bool) -> str:
    return "--ema" if averaged else "--no-ema"


def _keys(sets: Sequence[WeightSet]) -> str:
    return ", ".join(weights.key or "top level" for weights in sets[:4])


def _without_wrappers(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)


def _prefixes(names: Mapping[str, Tensor]) -> list[str]:
    """List the prefixes of the networks."""
    found = [name[: -len(ROOT)] for name in names if name == ROOT or name.endswith(f".{ROOT}")]
    # The head is beside the backbone in the authors' layout, so the prefix ends before both.
    return [prefix.removesuffix(_BACKBONE) for prefix in found]


def _inside(tensors: Mapping[str, Tensor], prefix: str, others: Sequence[str]) -> dict[str, Tensor]:
    """Select one network's tensors, without those of networks with a longer prefix."""
    longer = tuple(other for other in others if len(other) > len(prefix))
    return {
        name[len(prefix) :]: tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix) and not name.startswith(longer)
    }


def _is_own(name: str) -> bool:
    """Return whether a name without prefix is that of a network's part."""
    first = name.partition(".")[0]
    return first in ("backbone", "cls_head", "features", "head", "layers", "norm", "patch_embed")

"""Read checkpoints of any layout, check them, build the network, and save our own format.

`read_checkpoint` takes any public layout or our own folder, recognised by content, and returns
weights that match their architecture completely. `save_model` writes our own format: a folder with
`model.safetensors` and `config.json`. Independent of downloads and model names.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex

import numpy as np
import torch
from torch import Tensor

from vswin_cli.errors import CheckpointError, OutputError
from vswin_cli.models.architecture import Architecture
from vswin_cli.models.card import ModelCard
from vswin_cli.models.checkpoints.hostile import reading_checkpoint
from vswin_cli.models.checkpoints.inflate import inflate
from vswin_cli.models.checkpoints.layouts import recognise, rename
from vswin_cli.models.checkpoints.model_folder import (
    CARD_FILE,
    WEIGHTS_FILE,
    config_labels,
    config_of,
    find_weights,
    read_weights,
)
from vswin_cli.models.checkpoints.tensor_files import TensorFile, read_tensor_file
from vswin_cli.models.checkpoints.tf_bundle import find_bundle_index, read_bundle
from vswin_cli.models.checkpoints.weight_sets import WeightSet, choose_set, networks_in
from vswin_cli.models.network.swin3d import VideoSwin
from vswin_cli.models.weights.store import TRAINING_FILE, check_replaceable
from vswin_cli.storage.files import is_file
from vswin_cli.storage.humanize import counted

__all__ = [
    "CARD_FILE",
    "WEIGHTS_FILE",
    "Checkpoint",
    "LoadedModel",
    "build_model",
    "inflate_checkpoint",
    "read_checkpoint",
    "save_model",
]

_SHOWN_NAMES = 4


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """Weights that match their architecture."""

    path: Path
    """File or folder that was read."""
    layout: str
    """`official`, `mmaction2`, `torchvision`, `tensorflow`, `vswin`, `bare` or `inflated`."""
    state: dict[str, Tensor]
    """Under our names, float32, on the CPU; complete."""
    architecture: Architecture
    """From the shapes, or from the card."""
    num_classes: int
    """Width K of the head; 0 without one."""
    card: ModelCard | None = None
    """The card of our own format; other layouts have none."""
    ignored: tuple[str, ...] = ()
    """Python objects and tensors beside the weights that were left out."""
    notes: tuple[str, ...] = ()
    """Remarks for the user on how the file was read."""
    labels: tuple[str, ...] = ()
    """Class names from a Hugging Face configuration beside the weights."""

    def __repr__(self) -> str:
        """Name file, layout and architecture; tensors are not printed."""
        return (
            f"Checkpoint({self.path}, {self.layout}, {self.architecture.name}, "
            f"{counted(len(self.state), 'tensor')}, {counted(self.num_classes, 'class')})"
        )


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModel:
    """A network ready to run, with its card."""

    network: VideoSwin
    """On the CPU, in evaluation mode."""
    card: ModelCard
    """Class names, input spec and provenance."""
    weights_sha256: str
    """Hash of the weights in the format of `save_model`."""

    @property
    def features_sha256(self) -> str:
        """Hash of the weights that features come from: models that share it differ in the head."""
        return self.card.features_sha256 or self.weights_sha256

    def __repr__(self) -> str:
        """Name the model, its size and its classes; parameters are not printed."""
        parameters = sum(p.numel() for p in self.network.parameters())
        return (
            f"LoadedModel({self.card.id}, {self.card.architecture.name}, "
            f"{parameters / 1e6:.1f} M parameters, {counted(self.card.num_classes, 'class')}, "
            f"sha256 {self.weights_sha256[:12]})"
        )


def read_checkpoint(path: Path, *, ema: bool | None = None) -> Checkpoint:
    """Read weights in any known layout.

    Args:
        path: a .pth or .safetensors file, our own folder or its weights, a Hugging Face folder,
            a TensorFlow SavedModel folder, its `variables` folder or one of the two files in it.
        ema: true for averaged weights, false for raw ones; by default those under the usual key.

    Raises:
        UnsafeCheckpointError: loading the file would run code; nothing in it was run.
        CheckpointError: not there, damaged, another network, or tensors missing, left over or
            of the wrong shape.
    """
    with reading_checkpoint(path):
        return _read_checkpoint(path, ema)


def _read_checkpoint(path: Path, ema: bool | None) -> Checkpoint:
    index = find_bundle_index(path)
    if index is not None:
        return _from_tensors(TensorFile(read_bundle(index), None), path, "tensorflow", ema=ema)
    weights = find_weights(path)
    config = config_of(weights)
    card = weights.with_name(CARD_FILE)
    if config is None and weights.name == WEIGHTS_FILE and is_file(card):
        return _from_card(read_weights(weights), ModelCard.read(card), weights, ema)
    found = _from_tensors(read_weights(weights), weights, ema=ema)
    if config is None:
        return found
    return replace(found, labels=config_labels(config, found.num_classes, str(card)))


def inflate_checkpoint(
    path: Path, window_size: tuple[int, int, int], *, ema: bool | None = None
) -> Checkpoint:
    """Read a 2D image Swin as the start of a video network without a head.

    Raises:
        UnsafeCheckpointError: loading the file would run code; nothing in it was run.
        CheckpointError: the file is not a 2D Swin, or is incomplete.
    """
    with reading_checkpoint(path):
        return _inflate_checkpoint(path, window_size, ema)


def _inflate_checkpoint(
    path: Path, window_size: tuple[int, int, int], ema: bool | None
) -> Checkpoint:
    content = read_tensor_file(path)
    chosen, _ = choose_set(_sets_in(content), ema, str(path))
    named = rename(chosen.tensors)
    if not named.is_image_swin:
        raise CheckpointError(
            f"{path}: only a 2D image Swin can be inflated, and this is not one",
            hint="convert a video checkpoint without `--inflate`",
        )
    inflated = inflate(named.state, window_size, str(path))
    whole = replace(content, tensors=inflated, alternative=None)
    checkpoint = _from_tensors(whole, path, "inflated")
    # Several windows may have a bias table of this many rows; here the window is given.
    return replace(
        checkpoint, architecture=replace(checkpoint.architecture, window_size=window_size)
    )


def build_model(checkpoint: Checkpoint, card: ModelCard) -> LoadedModel:
    """Build the network and put the weights into it.

    Args:
        checkpoint: complete weights, with the architecture and number of classes to use.
        card: class names, input spec and other metadata.

    Raises:
        LabelsError: the card names classes, but not one for each output.
    """
    notes = (*card.notes, *checkpoint.notes)
    if checkpoint.ignored:
        notes += (f"Left out of {checkpoint.path.name}: {_listed(list(checkpoint.ignored))}.",)
    card = replace(
        card,
        architecture=checkpoint.architecture,
        num_classes=checkpoint.num_classes,
        notes=notes,
    )
    # Built without memory and random numbers, as every parameter is replaced.
    with torch.device("meta"):
        network = VideoSwin(checkpoint.architecture, checkpoint.num_classes)
    network.load_state_dict(checkpoint.state, assign=True)
    network.eval().requires_grad_(False)
    digest = hashlib.sha256()
    for part in _serialised(checkpoint.state):
        digest.update(part)
    return LoadedModel(network, card, digest.hexdigest())


def save_model(
    folder: Path, state: Mapping[str, Tensor], card: ModelCard, *, training: str | None = None
) -> None:
    """Write our own format; the same weights and card give the same bytes.

    The folder is created atomically, and replaces an older model folder without other files.

    Args:
        folder: to create.
        state: the weights.
        card: their metadata.
        training: text of `training.json`, which says how they were trained.

    Raises:
        CheckpointError: the weights do not fit the card.
        OutputError: the folder contains other files, or cannot be written.
    """
    _check_complete(state, card.architecture, card.num_classes, folder)
    folder = folder.absolute()
    unfinished = folder.with_name(f".{folder.name}.{token_hex(4)}.part")
    try:
        check_replaceable(folder)
        unfinished.mkdir(parents=True)
        with (unfinished / WEIGHTS_FILE).open("wb") as file:
            file.writelines(_serialised(state))
        (unfinished / CARD_FILE).write_text(card.to_json(), encoding="utf-8")
        if training is not None:
            (unfinished / TRAINING_FILE).write_text(training, encoding="utf-8")
        _put_in_place(unfinished, folder)
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written ({error.strerror or error})",
            hint="choose a folder that is writable, on a disk with room",
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _put_in_place(finished: Path, folder: Path) -> None:
    """Rename the finished folder, moving an older one aside first."""
    if not folder.exists():
        finished.rename(folder)
        return
    # Two renames, as a folder that is not empty cannot be replaced by one.
    aside = finished.with_suffix(".old")
    folder.rename(aside)
    try:
        finished.rename(folder)
    except OSError:
        aside.rename(folder)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _serialised(state: Mapping[str, Tensor]) -> Iterator[bytes | memoryview]:
    """Serialise float32 tensors as a safetensors file in pieces: header, then numbers.

    Not done with the safetensors library, so that the bytes, and with them the hash, depend only
    on the weights, not on the library's version, and so that no second copy of them is needed.
    """
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, tensor in sorted(state.items()):
        start, end = end, end + 4 * tensor.numel()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # numbers start at a multiple of 8
    yield len(text).to_bytes(8, "little") + text
    for _, tensor in sorted(state.items()):
        numbers = tensor.detach().to("cpu", torch.float32).contiguous()
        yield numbers.numpy().astype("<f4", copy=False).reshape(-1).view(np.uint8).data


def _from_card(content: TensorFile, card: ModelCard, path: Path, ema: bool | None) -> Checkpoint:
    if ema:
        choose_set(_sets_in(content), ema, str(path))  # fails: our own format holds one set, raw
    state = {name: tensor.to(torch.float32) for name, tensor in content.tensors.items()}
    _check_complete(state, card.architecture, card.num_classes, path)
    return Checkpoint(path, "vswin", state, card.architecture, card.num_classes, card)


def _from_tensors(
    content: TensorFile, path: Path, layout: str | None = None, *, ema: bool | None = None
) -> Checkpoint:
    chosen, note = choose_set(_sets_in(content), ema, str(path))
    found = recognise(chosen.tensors, str(path))
    _check_complete(found.state, found.architecture, found.num_classes, path)
    return Checkpoint(
        path=path,
        layout=layout or found.layout,
        state=found.state,
        architecture=found.architecture,
        num_classes=found.num_classes,
        ignored=(*content.ignored, *found.ignored),
        notes=() if note is None else (f"{note[0].upper()}{note[1:]}.",),
    )


def _sets_in(content: TensorFile) -> list[WeightSet]:
    """List the networks of a file, the one under the usual key first."""
    files = (content, content.alternative)
    return [
        network
        for file in files
        if file is not None
        for network in networks_in(file.tensors, file.wrapper or "", averaged=file.averaged)
    ]


def _check_complete(
    state: Mapping[str, Tensor], architecture: Architecture, num_classes: int, path: Path
) -> None:
    """Compare weights with their network: every tensor, no other, of the right shape, finite."""
    if sum(architecture.depths) > len(state):  # or a hostile card could demand a huge network
        raise CheckpointError(
            f"{path}: {sum(architecture.depths)} blocks, but only {len(state)} tensors",
            hint="the file is incomplete, damaged or of a changed network; get the original",
        )
    with torch.device("meta"):
        expected = VideoSwin(architecture, num_classes).state_dict()
    misshapen = [
        f"{name} {tuple(state[name].shape)}, expected {tuple(expected[name].shape)}"
        for name in expected
        if name in state and state[name].shape != expected[name].shape
    ]
    broken = [name for name, t in state.items() if not bool(torch.isfinite(t).all())]
    problems = {
        "missing": [name for name in expected if name not in state],
        "left over": [name for name in state if name not in expected],
        "of the wrong shape": misshapen,
        "not finite": broken,
    }
    found = [f"{_listed(names)} {problem}" for problem, names in problems.items() if names]
    if found:
        raise CheckpointError(
            f"{path}: does not fit {architecture.name}: {'; '.join(found)}",
            hint="the file is incomplete, damaged or of a changed network; get the original",
        )


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return ", ".join(names[:_SHOWN_NAMES]) + more

"""Translate the tensor names of public layouts to ours, and infer the architecture from shapes.

Takes named tensors of unknown origin and detects the layout from the names. Tables that are derived
from the architecture are checked and dropped. Independent of files; no network is built.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isqrt, prod

import torch
from torch import Tensor

from vswin_cli.errors import CheckpointError
from vswin_cli.models.architecture import Architecture
from vswin_cli.models.checkpoints.weight_sets import ROOT, networks_in, serves_training
from vswin_cli.models.network.windows import Grid, relative_index

__all__ = ["NamedTensors", "Recognised", "recognise", "rename"]

_TABLE = "layers.{}.blocks.0.attn.relative_position_bias_table"
_PREPROCESSOR = "data_preprocessor."  # of MMAction2: mean and std of the pixels
_OWN = ("patch_embed.", "layers.", "norm.", "head.")
_DERIVED = ("relative_position_index", "attn_mask")
_INDEX = "attn.relative_position_index"
_USUAL_WINDOW_SIDE = 7  # of all published video weights
_HINT_SUPPORTED = (
    "supported are Video Swin checkpoints of the authors, MMAction2 1.x, torchvision and "
    "innat/videoswin"
)

_KNOWN_SHAPES: Mapping[tuple[int, tuple[int, ...], tuple[int, ...]], str] = {
    (96, (2, 2, 6, 2), (3, 6, 12, 24)): "swin3d_tiny",
    (96, (2, 2, 18, 2), (3, 6, 12, 24)): "swin3d_small",
    (128, (2, 2, 18, 2), (4, 8, 16, 32)): "swin3d_base",
    (192, (2, 2, 18, 2), (6, 12, 24, 48)): "swin3d_large",
}

# Parts of names by which other networks are recognised; the first match counts.
_FOREIGN = (
    ("cpb_mlp", "a Swin Transformer V2"),
    ("features.0.0.weight", "torchvision's 2D image Swin or another of its image networks"),
    ("embeddings.patch_embeddings", "a network of the Transformers library"),
    ("multipathway_blocks", "a SlowFast network of PyTorchVideo"),
    ("pathway0", "a SlowFast or MViT network"),
    ("temporal_embed", "a TimeSformer"),
    ("encoder.blocks.0.attn", "a masked autoencoder such as VideoMAE, before fine-tuning"),
    ("relative_position_bias_table", "a Swin Transformer, but with unknown names"),
    ("cls_token", "a Vision Transformer"),
    ("blocks.0.attn.qkv.weight", "a Vision Transformer, such as VideoMAE"),
    ("mixed_5b", "an I3D or S3D network"),
    ("layer1.0.conv1", "a ResNet"),
    ("token_embedding", "a CLIP network"),
)


@dataclass(frozen=True, slots=True, eq=False)
class NamedTensors:
    """Tensors of any layout under our names."""

    layout: str
    """`official`, `mmaction2`, `torchvision` or `bare`."""
    state: dict[str, Tensor]
    """Trained values, in the file's order."""
    indices: dict[str, Tensor]
    """Relative position indices in the file, for checking."""
    ignored: tuple[str, ...] = ()
    """Tensors beside the network that cannot belong to it: counters, losses, metrics."""

    @property
    def is_image_swin(self) -> bool:
        """Whether this is a Swin Transformer for images (2D patches)."""
        patch = self.state.get(ROOT)
        return patch is not None and patch.ndim == 4 and _TABLE.format(0) in self.state


@dataclass(frozen=True, slots=True, eq=False)
class Recognised:
    """A Video Swin checkpoint: layout, architecture and weights."""

    layout: str
    """`official`, `mmaction2`, `torchvision` or `bare`."""
    state: dict[str, Tensor]
    """Under our names, float32, contiguous."""
    architecture: Architecture
    """Inferred from the shapes."""
    num_classes: int
    """Width K of the head; 0 without one."""
    ignored: tuple[str, ...] = ()
    """Tensors that were left out because they cannot belong to the network."""


def recognise(tensors: Mapping[str, Tensor], where: str) -> Recognised:
    """Recognise layout and architecture of a Video Swin checkpoint.

    Args:
        tensors: as the file names them.
        where: the file, for messages.

    Raises:
        CheckpointError: another network, a 2D Swin, or shapes that contradict each other.
    """
    named = rename(tensors)
    if named.is_image_swin:
        raise CheckpointError(
            f"{where}: a 2D Swin Transformer for images, not a video network",
            hint="to start a video network from it, use `vswin convert --inflate`",
        )
    if ROOT not in named.state or _TABLE.format(0) not in named.state:
        raise CheckpointError(
            f"{where}: not a Video Swin checkpoint; it looks like {_describe(tensors)}",
            hint=_HINT_SUPPORTED,
        )
    head = named.state.get("head.weight")
    return Recognised(
        layout=named.layout,
        state={name: _plain(tensor) for name, tensor in named.state.items()},
        architecture=_infer(named, where),
        num_classes=0 if head is None else head.shape[0],
        ignored=named.ignored,
    )


def rename(tensors: Mapping[str, Tensor]) -> NamedTensors:
    """Rename the tensors of any known layout to our names; unknown names stay as they are.

    Any prefix of training wrappers is dropped. Tensors beside the network that cannot belong to it
    are left out; others stay, so that the check for completeness rejects them.
    """
    tensors = networks_in(tensors, "", averaged=False)[0].tensors
    layout = _layout(set(tensors))
    state, indices, ignored = {}, {}, []
    for name, tensor in tensors.items():
        ours = _our_name(name, layout)
        if ours.endswith(_INDEX):
            indices[ours] = tensor
        elif ours.endswith(_DERIVED) or ours.startswith(_PREPROCESSOR):
            continue
        elif ours.startswith(_OWN) or not serves_training(ours, tensor):
            state[ours] = tensor
        else:
            ignored.append(name)
    return NamedTensors(layout, state, indices, tuple(ignored))


def _layout(names: set[str]) -> str:
    if any(re.match(r"backbone\.norm\d\.", name) for name in names):
        return "mmaction2"
    if any(name.startswith("backbone.layers.") for name in names):
        return "official"
    if "features.0.0.attn.qkv.weight" in names:
        return "torchvision"
    return "bare"


def _our_name(name: str, layout: str) -> str:
    if layout == "torchvision":
        name = name.replace(".mlp.0.", ".mlp.fc1.").replace(".mlp.3.", ".mlp.fc2.")
        return re.sub(r"^features\.(\d+)\.", _torchvision_stage, name)
    name = name.removeprefix("backbone.").replace("cls_head.fc_cls.", "head.")
    return re.sub(r"^norm\d\.", "norm.", name) if layout == "mmaction2" else name


def _torchvision_stage(match: re.Match[str]) -> str:
    """Translate an index of torchvision, which lists stages and patch mergings alternately."""
    stage, is_merging = divmod(int(match[1]), 2)
    return f"layers.{stage}.downsample." if is_merging else f"layers.{stage}.blocks."


def _plain(tensor: Tensor) -> Tensor:
    """Convert to float32, contiguous, without shared memory."""
    plain = tensor.to(torch.float32).contiguous()
    whole = plain.untyped_storage().nbytes() == plain.numel() * plain.element_size()
    return plain if whole else plain.clone()


def _describe(tensors: Mapping[str, Tensor]) -> str:
    for mark, description in _FOREIGN:
        if any(mark in name for name in tensors):
            return description
    shown = ", ".join(list(tensors)[:3])
    return f"something else ({len(tensors)} tensors: {shown}, ...)"


def _infer(named: NamedTensors, where: str) -> Architecture:
    """Infer the architecture from the tensors' shapes."""
    patch = named.state[ROOT]
    if patch.ndim != 5 or patch.shape[1] != 3:
        raise CheckpointError(
            f"{where}: {ROOT} has the shape {tuple(patch.shape)}, "
            "expected (C, 3, time, height, width)",
            hint=_HINT_SUPPORTED,
        )
    depths = tuple(_depths(named.state))
    tables = [_shape(named, _TABLE.format(stage), where) for stage in range(len(depths))]
    hidden = _shape(named, "layers.0.blocks.0.mlp.fc1.weight", where)[0]
    dim, heads = patch.shape[0], tuple(table[1] for table in tables)
    try:
        return Architecture(
            name=_KNOWN_SHAPES.get((dim, depths, heads), "swin3d_custom"),
            embed_dim=dim,
            depths=depths,
            num_heads=heads,
            window_size=_window(tables[0][0], named, where),
            patch_size=(patch.shape[2], patch.shape[3], patch.shape[4]),
            mlp_ratio=hidden / dim,
        )
    except ValueError as error:
        raise CheckpointError(
            f"{where}: its shapes do not fit a Video Swin ({error})", hint=_HINT_SUPPORTED
        ) from error


def _shape(named: NamedTensors, name: str, where: str) -> tuple[int, int]:
    tensor = named.state.get(name)
    if tensor is None or tensor.ndim != 2:
        found = "it is missing" if tensor is None else f"its shape is {tuple(tensor.shape)}"
        raise CheckpointError(
            f"{where}: expected a matrix {name}, but {found}", hint=_HINT_SUPPORTED
        )
    return tensor.shape[0], tensor.shape[1]


def _depths(state: Mapping[str, Tensor]) -> Iterator[int]:
    """Count the blocks of each stage, up to the first missing one."""
    for stage in range(len(state)):
        blocks = range(len(state))
        depth = next(b for b in blocks if f"layers.{stage}.blocks.{b}.attn.qkv.weight" not in state)
        if depth == 0:
            return
        yield depth


def _window(num_rows: int, named: NamedTensors, where: str) -> Grid:
    """Find the attention window P×M×M whose bias table has this many rows: (2P−1)(2M−1)².

    The file's relative position index determines it, even if it is not square; without an index,
    the usual M is preferred.
    """
    candidates = list(_windows(num_rows))
    if not named.indices:
        square = [window for window in candidates if window[1] == window[2]]
        return min(square, key=lambda w: (abs(w[1] - _USUAL_WINDOW_SIDE), w))
    (name, index), *_ = named.indices.items()
    # The row count of the table leaves several windows possible; the index also has the number of
    # tokens, and its order distinguishes height from width.
    tokens = isqrt(index.numel())
    for window in candidates:
        if prod(window) == tokens:
            expected = relative_index(window).flatten()
            if all(torch.equal(i.flatten(), expected) for i in named.indices.values()):
                return window
    raise CheckpointError(
        f"{where}: {name} does not number a window in the authors' order", hint=_HINT_SUPPORTED
    )


def _windows(num_rows: int) -> Iterator[Grid]:
    """List all windows with a bias table of this many rows."""
    sides = [n for n in range(1, num_rows + 1, 2) if num_rows % n == 0]
    for height in sides:
        for width in sides:
            if num_rows % (height * width) == 0:
                depth = num_rows // (height * width)
                if depth % 2:
                    yield (depth + 1) // 2, (height + 1) // 2, (width + 1) // 2

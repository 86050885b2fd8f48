"""Networks of which reference implementations have computed the logits.

`tests/data/golden_logits.json` holds what the authors' SwinTransformer3D gave in float32 on a CPU
(MMAction2 1.2.0 and torchvision 0.28 agree to 1.5e-6), and for `tf` what TensorFlow 2.12 gave.
The weights of the first two are random numbers from a recorded seed, so they are drawn again
here instead of being stored. So are those of `tf`; the checksums in its index, which TensorFlow
wrote, prove that the same bytes come out.
"""

from __future__ import annotations

import gzip
import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vswin_cli.models.architecture import Architecture, InputSpec
from vswin_cli.models.card import ModelCard
from vswin_cli.models.checkpoints.crc32c import masked_crc32c
from vswin_cli.models.checkpoints.load import LoadedModel
from vswin_cli.models.checkpoints.tf_bundle import graph_names
from vswin_cli.models.checkpoints.tf_index import BundleIndex
from vswin_cli.models.network.swin3d import VideoSwin

DATA = Path(__file__).parents[1] / "data"
TF_DATA = DATA / "tf"
TOLERANCE = 1e-4
SPEC = InputSpec(num_frames=8, resize_short_side=32, crop_size=32)
"""Small clips that every golden network takes."""

State = dict[str, Tensor]
Size = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class GoldenCase:
    """One input size T, H, W and what the reference computes for it."""

    size: Size
    logits: Tensor

    @property
    def id(self) -> str:
        return "x".join(str(n) for n in self.size)


@dataclass(frozen=True, eq=False)
class GoldenNetwork:
    """A small network with its reference results."""

    name: str
    architecture: Architecture
    num_classes: int
    seed: int | None
    cases: tuple[GoldenCase, ...]

    def cheapest(self, count: int) -> tuple[GoldenCase, ...]:
        """The cases with the fewest pixels."""
        return tuple(sorted(self.cases, key=lambda case: math.prod(case.size))[:count])


@lru_cache
def golden_network(name: str) -> GoldenNetwork:
    """Look up `w877`, `w1677` or `tf`."""
    entry = json.loads((DATA / "golden_logits.json").read_text())[name]
    network = entry["network"]
    architecture = Architecture(
        name="swin3d_custom",
        embed_dim=network["embed_dim"],
        depths=tuple(network["depths"]),
        num_heads=tuple(network["num_heads"]),
        window_size=tuple(network["window_size"]),
        patch_size=tuple(network["patch_size"]),
    )
    cases = tuple(GoldenCase(tuple(c["size"]), torch.tensor(c["logits"])) for c in entry["cases"])
    return GoldenNetwork(name, architecture, network["num_classes"], network.get("seed"), cases)


def golden_input(size: Size) -> Tensor:
    """The input of every case, (1, 3, T, H, W): a formula in float64, rounded to float32."""
    t, h, w = np.ogrid[: size[0], : size[1], : size[2]]
    channels = [
        np.sin(0.31 * (c + 1) * t + 0.07 * h) * np.cos(0.11 * w - 0.13 * c * t)
        + 0.5 * np.sin(0.9 * t * (c + 1) + 0.013 * h * w)
        for c in range(3)
    ]
    return torch.from_numpy(np.stack(channels)[None].astype(np.float32))


@lru_cache
def _golden_state(name: str) -> State:
    network = golden_network(name)
    assert network.seed is not None, f"the weights of {name} are stored, not drawn"
    draw = torch.Generator().manual_seed(network.seed)
    shapes = parameter_shapes(network.architecture, network.num_classes)
    state = {k: _draw(k, shape, draw) for k, shape in shapes.items() if not k.startswith("head.")}
    draw = torch.Generator().manual_seed(network.seed + 1)
    state["head.weight"] = 0.3 * torch.randn(shapes["head.weight"], generator=draw)
    state["head.bias"] = 0.1 * torch.randn(shapes["head.bias"], generator=draw)
    return state


def golden_state(name: str) -> State:
    """The weights of `w877` or `w1677` under our names, in the authors' order."""
    return dict(_golden_state(name))


def golden_card(id: str, labels: Sequence[str], spec: InputSpec = SPEC) -> ModelCard:
    """The card of `w877` under the given name and with the given ten labels."""
    golden = golden_network("w877")
    return ModelCard(
        id=id,
        architecture=golden.architecture,
        num_classes=golden.num_classes,
        labels=tuple(labels),
        input=spec,
    )


def load_golden(spec: InputSpec = SPEC) -> LoadedModel:
    """The network `w877` as if loaded from a file, with the labels `a` to `j`."""
    card = golden_card("golden", "abcdefghij", spec)
    network = VideoSwin(card.architecture, card.num_classes)
    network.load_state_dict(golden_state("w877"))
    return LoadedModel(network=network.eval(), card=card, weights_sha256="0" * 64)


def _draw(name: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    values = torch.randn(shape, generator=generator)
    if name.endswith("bias_table"):
        return 0.8 * values
    if len(shape) > 1:
        return 1.6 / math.sqrt(math.prod(shape[1:])) * values
    return 0.1 * values + (1.0 if name.endswith("weight") else 0.0)


def parameter_shapes(architecture: Architecture, num_classes: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a network in the authors' order, written down from their code."""
    a, dim = architecture, architecture.embed_dim
    shapes: dict[str, tuple[int, ...]] = {"patch_embed.proj.weight": (dim, 3, *a.patch_size)}
    shapes |= {"patch_embed.proj.bias": (dim,)} | _norm_shapes("patch_embed.norm", dim)
    for stage, (depth, heads) in enumerate(zip(a.depths, a.num_heads, strict=True)):
        dim = a.embed_dim << stage
        for block in range(depth):
            shapes |= _block_shapes(f"layers.{stage}.blocks.{block}", dim, heads, a)
        if stage < len(a.depths) - 1:
            shapes[f"layers.{stage}.downsample.reduction.weight"] = (2 * dim, 4 * dim)
            shapes |= _norm_shapes(f"layers.{stage}.downsample.norm", 4 * dim)
    shapes |= _norm_shapes("norm", dim)
    return shapes | ({"head.weight": (num_classes, dim), "head.bias": (num_classes,)})


def _norm_shapes(name: str, dim: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (dim,), f"{name}.bias": (dim,)}


def _block_shapes(block: str, dim: int, heads: int, a: Architecture) -> dict[str, tuple[int, ...]]:
    hidden = int(dim * a.mlp_ratio)
    rows = math.prod(2 * n - 1 for n in a.window_size)
    return {
        **_norm_shapes(f"{block}.norm1", dim),
        f"{block}.attn.relative_position_bias_table": (rows, heads),
        f"{block}.attn.qkv.weight": (3 * dim, dim),
        f"{block}.attn.qkv.bias": (3 * dim,),
        f"{block}.attn.proj.weight": (dim, dim),
        f"{block}.attn.proj.bias": (dim,),
        **_norm_shapes(f"{block}.norm2", dim),
        f"{block}.mlp.fc1.weight": (hidden, dim),
        f"{block}.mlp.fc1.bias": (hidden,),
        f"{block}.mlp.fc2.weight": (dim, hidden),
        f"{block}.mlp.fc2.bias": (dim,),
    }


def write_tf_bundle(folder: Path) -> Path:
    """Write the bundle of `tf` byte for byte as TensorFlow did; its index holds the checksums.

    Returns:
        The `variables.index` file.
    """
    graph = gzip.decompress((TF_DATA / "TFVideoSwinTiny16.object_graph.pb.gz").read_bytes())
    index_file = TF_DATA / "TFVideoSwinTiny16.index"
    index = BundleIndex.read(index_file)
    names = {key: name for name, key in graph_names(graph, "graph").items()}
    draw = np.random.RandomState(20231014)
    ordered = sorted(index.variables.items(), key=lambda item: item[1].offset)
    data = [_draw_tf(names[key], entry.shape, draw) for key, entry in ordered]
    length = len(graph).to_bytes(4, "little")
    varint = bytes([len(graph) & 127 | 128, len(graph) >> 7 & 127 | 128, len(graph) >> 14])
    data += [varint, masked_crc32c(length).to_bytes(4, "little"), graph]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "variables.data-00000-of-00001").write_bytes(b"".join(data))
    shutil.copyfile(index_file, folder / "variables.index")
    return folder / "variables.index"


def _draw_tf(name: str, shape: tuple[int, ...], draw: np.random.RandomState) -> bytes:
    values = draw.standard_normal(shape)
    if name.endswith("bias_table"):
        values = 0.8 * values
    elif len(shape) > 1:
        gain = 1.5 if name.startswith("head") else 1.0
        values = gain * (values / np.sqrt(math.prod(shape[:-1])))
    else:
        values = 0.2 * values + (1.0 if name.endswith("weight") else 0.0)
    return values.astype("<f4").tobytes()

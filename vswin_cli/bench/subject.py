"""Load the network to measure: local weights, or an architecture with random ones."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from vswin_cli.errors import OptionError
from vswin_cli.models.architecture import Architecture
from vswin_cli.models.card import ModelCard, Provenance
from vswin_cli.models.checkpoints.load import LoadedModel
from vswin_cli.models.network.swin3d import VideoSwin
from vswin_cli.models.weights.loading import load_model
from vswin_cli.models.weights.registry import get_spec

__all__ = ["ARCHITECTURES", "Subject", "load_subject", "random_model", "random_network"]

ARCHITECTURES = {
    "swin3d_t": "swin-t-k400",
    "swin3d_s": "swin-s-k400",
    "swin3d_b": "swin-b-k400",
    "swin3d_l": "swin-l-k400",
}
"""Names that torchvision uses, and the published weights whose shape they mean."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Name of the network to measure."""

    name: str
    """Registry name, Hub repository or path; or one of `ARCHITECTURES`."""
    random: bool = False
    """Whether the name is an architecture, to be filled with random weights."""


def load_subject(subject: Subject) -> LoadedModel:
    """Load local weights, or draw random ones.

    Raises:
        OptionError: no such architecture.
        ModelError: the weights are not here or unusable.
    """
    return random_model(subject.name) if subject.random else load_model(subject.name)


def random_model(name: str) -> LoadedModel:
    """Build a network of a published shape with random weights, the same ones every time.

    Raises:
        OptionError: no such architecture.
    """
    if name not in ARCHITECTURES:
        raise OptionError(
            f"unknown architecture {name!r}", hint=f"it can be {', '.join(ARCHITECTURES)}"
        )
    spec = get_spec(ARCHITECTURES[name])
    network = random_network(spec.architecture, spec.num_classes)
    card = ModelCard(
        id=name,
        architecture=spec.architecture,
        num_classes=spec.num_classes,
        labels=tuple(f"class {number}" for number in range(spec.num_classes)),
        input=spec.input,
        provenance=Provenance("random numbers"),
    )
    return LoadedModel(network, card, "random")


def random_network(architecture: Architecture, num_classes: int) -> VideoSwin:
    """Build a network with random weights, the same ones every time.

    They are scaled so that activations stay of the size that trained weights give them; speed does
    not depend on them otherwise.
    """
    network = VideoSwin(architecture, num_classes).eval().requires_grad_(False)
    draw = torch.Generator().manual_seed(0)
    for key, tensor in network.state_dict().items():
        # Unit variance through every product; the tables of position biases stay small.
        matrix = tensor.dim() > 1 and "table" not in key
        scale = math.prod(tensor.shape[1:]) ** -0.5 if matrix else 0.1
        offset = 1.0 if "norm" in key and key.endswith("weight") else 0.0
        tensor.copy_(offset + scale * torch.randn(tensor.shape, generator=draw))
    return network

"""Make the network that training begins with: other weights with a new head, or random ones."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from vswin_cli.errors import CheckpointError
from vswin_cli.models.architecture import Architecture, InputSpec
from vswin_cli.models.card import ModelCard, Provenance
from vswin_cli.models.checkpoints.load import LoadedModel, build_model, inflate_checkpoint
from vswin_cli.models.network.swin3d import VideoSwin
from vswin_cli.models.weights.loading import load_model

__all__ = ["initial_network", "load_initial"]

_STD, _HEAD_STD = 0.02, 0.01  # of the authors' backbone and head
_WINDOW = (8, 7, 7)


def load_initial(
    reference: str | Path,
    *,
    spec: InputSpec | None = None,
    window_size: tuple[int, int, int] = _WINDOW,
) -> LoadedModel:
    """Load the weights that training begins with.

    Args:
        reference: weights of a video network as for `load_model`, or the file of a 2D image Swin,
            which is inflated.
        spec: input of the trained network, for an image network, which has none.
        window_size: attention window of an inflated network.

    Raises:
        ModelError: neither of both, or not there.
    """
    try:
        return load_model(reference)
    except CheckpointError as error:
        try:
            inflated = inflate_checkpoint(Path(reference), window_size)
        except CheckpointError:
            raise error from None
    card = ModelCard(
        Path(reference).stem,
        inflated.architecture,
        0,
        input=spec or InputSpec(),
        provenance=Provenance(str(reference), layout=inflated.layout),
    )
    return build_model(inflated, card)


def initial_network(
    base: LoadedModel, labels: tuple[str, ...], *, from_scratch: bool, seed: int
) -> VideoSwin:
    """Make a network with a head for the labels.

    The head is new, unless the weights have one for the same labels.

    Args:
        base: weights to begin with; only their shape counts from scratch.
        labels: names of the classes.
        from_scratch: draw all weights at random.
        seed: of random weights.
    """
    architecture: Architecture = base.card.architecture
    draw = torch.Generator().manual_seed(seed)
    with torch.device("meta"):
        network = VideoSwin(architecture, len(labels))
    network.to_empty(device="cpu")
    for name, tensor in network.named_parameters():
        _draw(name, tensor, draw)
    if not from_scratch:
        known = base.network.state_dict()
        if base.card.labels != labels:
            known = {name: value for name, value in known.items() if not name.startswith("head.")}
        network.load_state_dict(known, strict=False)
    return network


@torch.no_grad()
def _draw(name: str, tensor: Tensor, draw: torch.Generator) -> None:
    """Initialise a tensor as the authors do."""
    if tensor.ndim == 1:
        tensor.fill_(1.0 if "norm" in name and name.endswith("weight") else 0.0)
    elif name.startswith("head."):
        tensor.normal_(0.0, _HEAD_STD, generator=draw)
    else:
        nn.init.trunc_normal_(tensor, std=_STD, generator=draw)

"""Write tests/data/reference_gradients.json with torchvision's `SwinTransformer3d` as the oracle.

For each tensor, three numbers that any wrong element changes: the gradient's norm, its sum and its
product with a fixed wave. Run by hand, with torchvision installed:

    python -m tests.support.reference_gradients
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.support.golden import Size, State, golden_input, golden_network, golden_state
from tests.support.reference_logits import NETWORKS, formula_weights, reference, torchvision_name
from vswin_cli.models.architecture import Architecture
from vswin_cli.models.network.swin3d import VideoSwin

DATA = Path(__file__).parents[1] / "data" / "reference_gradients.json"
SIZES: dict[str, Size] = {"w877": (16, 64, 64), "three-stages": (9, 61, 33)}
TARGET = torch.tensor([1])


def network_of(key: str) -> tuple[Architecture, int, State]:
    """The shape, number of classes and weights of a reference network."""
    if key == "w877":
        golden = golden_network(key)
        return golden.architecture, golden.num_classes, golden_state(key)
    architecture, num_classes = NETWORKS[key]
    state = VideoSwin(architecture, num_classes).state_dict()
    weights = formula_weights({name: tensor.shape for name, tensor in state.items()})
    return architecture, num_classes, weights


def summarise(gradient: Tensor) -> list[float]:
    """Norm, sum and product with a wave."""
    values = gradient.double().flatten()
    wave = torch.sin(0.7 * torch.arange(len(values), dtype=torch.float64) + 1)
    return [float(values.norm()), float(values.sum()), float(values @ wave)]


def gradients_of(network: nn.Module, size: Size) -> dict[str, list[float]]:
    """Gradients of the cross-entropy of one clip, by the names of the network."""
    F.cross_entropy(network(golden_input(size)), TARGET).backward()
    return {name: summarise(p.grad) for name, p in network.named_parameters() if p.grad is not None}


def main() -> None:
    """Ask the oracle and write its answers."""
    answers = {}
    for key, size in SIZES.items():
        architecture, num_classes, state = network_of(key)
        found = gradients_of(reference(architecture, num_classes, state), size)
        answers[key] = {name: found[torchvision_name(name)] for name in state}
    DATA.write_text(json.dumps(answers, indent=1) + "\n")


if __name__ == "__main__":
    main()

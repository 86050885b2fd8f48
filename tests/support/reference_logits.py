"""Write tests/data/reference_logits.json with torchvision's `SwinTransformer3d` as the oracle.

The networks' weights are a formula (`formula_weights`), so that no weight file is needed to ask
another implementation the same question. Run by hand, with torchvision installed:

    python -m tests.support.reference_logits
"""

import json
import math
import sys
import types
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tests.support.golden import golden_input
from vswin_cli.models.architecture import Architecture

DATA = Path(__file__).parents[1] / "data" / "reference_logits.json"
NETWORKS = {
    "w1677": (Architecture("w1677", 8, (2, 2), (1, 2), (16, 7, 7)), 5),
    "three-stages": (Architecture("three-stages", 12, (1, 3, 2), (1, 3, 2), (4, 3, 5)), 7),
    "one-stage": (Architecture("one-stage", 16, (4,), (4,), (8, 7, 7), (1, 8, 8)), 3),
}
SIZES = [(32, 112, 112), (16, 96, 100), (33, 40, 70), (6, 61, 33), (64, 32, 32), (1, 4, 4)]


def formula_weights(shapes: dict[str, torch.Size]) -> dict[str, Tensor]:
    """Weights that follow from a tensor's name and shape alone, of a trained network's size."""
    state = {}
    for name, shape in shapes.items():
        phase = sum(name.encode()) % 97
        noise = 43758.5453 * torch.sin(torch.arange(math.prod(shape), dtype=torch.float64) + phase)
        wave = 3.4 * (noise - noise.floor() - 0.5)  # uniform, of about unit variance
        scale = 1.0 if len(shape) == 1 or "table" in name else math.prod(shape[1:]) ** -0.5
        offset = 1.0 if "norm" in name and name.endswith("weight") else 0.0
        state[name] = (offset + scale * wave.view(shape)).float()
    return state


def torchvision_name(name: str) -> str:
    """Our name of a tensor in torchvision's layout."""
    name = name.replace(".mlp.fc1.", ".mlp.0.").replace(".mlp.fc2.", ".mlp.3.")
    if not name.startswith("layers."):
        return name
    _, stage, kind, rest = name.split(".", 3)
    at = 2 * int(stage)
    return f"features.{at}.{rest}" if kind == "blocks" else f"features.{at + 1}.{rest}"


def reference(architecture: Architecture, num_classes: int, state: dict[str, Tensor]) -> Any:
    """Torchvision's network with the given weights."""
    sys.modules.setdefault("torchvision._meta_registrations", types.ModuleType("stand_in"))
    from torchvision.models.video.swin_transformer import (  # type: ignore[import-untyped,import-not-found,unused-ignore]
        SwinTransformer3d,
    )

    network = SwinTransformer3d(
        list(architecture.patch_size),
        architecture.embed_dim,
        list(architecture.depths),
        list(architecture.num_heads),
        list(architecture.window_size),
        num_classes=num_classes,
    ).eval()
    renamed = {torchvision_name(name): tensor for name, tensor in state.items()}
    missing, extra = network.load_state_dict(renamed, strict=False)
    assert not extra
    assert all("relative_position_index" in name for name in missing)
    return network


def main() -> None:
    """Ask the oracle and write its answers."""
    from vswin_cli.models.network.swin3d import VideoSwin

    answers: dict[str, list[dict[str, object]]] = {}
    for key, (architecture, num_classes) in NETWORKS.items():
        ours = VideoSwin(architecture, num_classes)
        state = formula_weights({name: t.shape for name, t in ours.state_dict().items()})
        oracle = reference(architecture, num_classes, state)
        with torch.inference_mode():
            answers[key] = [
                {"size": size, "logits": oracle(golden_input(size))[0].tolist()} for size in SIZES
            ]
    DATA.write_text(json.dumps(answers, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Build torchvision's `swin3d` with our weights, to measure beside ours."""

from __future__ import annotations

import sys
import types
from importlib import import_module
from typing import TYPE_CHECKING

from torch import nn

from vswin_cli.errors import OptionError

if TYPE_CHECKING:
    from vswin_cli.models.network.swin3d import VideoSwin

__all__ = ["build_torchvision", "import_torchvision", "torchvision_name"]

_MODULE = "torchvision.models.video.swin_transformer"
_COMPILED_PART = "torchvision._meta_registrations"


def import_torchvision() -> types.ModuleType:
    """Import the module with torchvision's network.

    A torchvision without its compiled operators, as beside another build of torch, still has the
    network; one module of it, which only registers those operators, is left empty then.

    Raises:
        OptionError: torchvision is not installed or too old.
    """
    try:
        return _import()
    except ImportError as cause:
        raise OptionError(
            f"--peer torchvision cannot be measured: {cause}",
            hint="`pip install torchvision` (0.15 or newer), the build that fits the installed "
            "torch",
        ) from cause


def _import() -> types.ModuleType:
    try:
        return import_module(_MODULE)
    except RuntimeError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]  # what the failed import left half done
        sys.modules[_COMPILED_PART] = types.ModuleType(_COMPILED_PART)
        return import_module(_MODULE)


def build_torchvision(network: VideoSwin) -> nn.Module:
    """Build torchvision's network with our shape and weights, in evaluation mode.

    Raises:
        OptionError: torchvision is not installed or too old.
    """
    shape = network.architecture
    peer: nn.Module = import_torchvision().SwinTransformer3d(
        patch_size=list(shape.patch_size),
        embed_dim=shape.embed_dim,
        depths=list(shape.depths),
        num_heads=list(shape.num_heads),
        window_size=list(shape.window_size),
        mlp_ratio=shape.mlp_ratio,
        num_classes=network.head.out_features if network.head is not None else 0,
    )
    state = peer.state_dict()
    for name, tensor in network.state_dict().items():
        state[torchvision_name(name)].copy_(tensor)
    return peer.eval().requires_grad_(False)


def torchvision_name(name: str) -> str:
    """Translate our name of a tensor to torchvision's layout."""
    name = name.replace(".mlp.fc1.", ".mlp.0.").replace(".mlp.fc2.", ".mlp.3.")
    if not name.startswith("layers."):
        return name
    _, stage, kind, rest = name.split(".", 3)
    return f"features.{2 * int(stage) + (kind != 'blocks')}.{rest}"

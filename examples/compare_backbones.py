"""Time our backbone beside torchvision's Swin3D in one run, interleaved, and compare the logits.

    python examples/compare_backbones.py --model swin3d_t --precision float32 bfloat16 --compiled

Needs torchvision. Both networks get the same random weights and the same clip of 32x224x224.
"""

from __future__ import annotations

import argparse
import sys
import time
import types
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from vswin_cli.models.swin3d import VideoSwin
from vswin_cli.weights.registry import get_spec

NAMED = {"swin3d_t": "swin-t-k400", "swin3d_s": "swin-s-k400", "swin3d_b": "swin-b-k400"}


def build_peer(name: str, ours: VideoSwin) -> nn.Module:
    """Torchvision's network of this name with our weights."""
    # A torchvision without its compiled part still has the network; this module needs the rest.
    sys.modules.setdefault("torchvision._meta_registrations", types.ModuleType("stand_in"))
    from torchvision.models import video  # type: ignore[import-untyped,import-not-found,unused-ignore]

    network: nn.Module = getattr(video, name)(weights=None).eval()
    state = network.state_dict()
    for key, tensor in ours.state_dict().items():
        state[their_name(key)].copy_(tensor)
    return network


def their_name(name: str) -> str:
    """Our name of a tensor in torchvision's layout."""
    name = name.replace(".mlp.fc1.", ".mlp.0.").replace(".mlp.fc2.", ".mlp.3.")
    if not name.startswith("layers."):
        return name
    _, stage, kind, rest = name.split(".", 3)
    return f"features.{2 * int(stage) + (kind != 'blocks')}.{rest}"


def time_once(run: Callable[[Tensor], Tensor], clip: Tensor) -> float:
    """Seconds of wall time for one pass."""
    begin = time.perf_counter()
    run(clip)
    return time.perf_counter() - begin


def matrix_rate(dtype: torch.dtype) -> float:
    """The machine's own matrix products, in GFLOP/s: the ceiling."""
    a = torch.randn(2048, 2048).to(dtype)
    times = [time_once(lambda m: m @ m, a) for _ in range(8)]
    return float(2 * 2048**3 / min(times) / 1e9)


def compare(ours: VideoSwin, peer: nn.Module, options: argparse.Namespace, precision: str) -> None:
    """Print one line per contender, fastest pass of several, and the ratio to the first."""
    dtype = getattr(torch, precision)
    ours, peer = ours.to(dtype), peer.to(dtype)
    clip = torch.randn(1, 3, 32, 224, 224, generator=torch.Generator().manual_seed(1)).to(dtype)
    contenders: dict[str, Any] = {"vswin": ours, "torchvision": peer}
    if options.compiled:
        contenders["torchvision compiled"] = torch.compile(peer)
    with torch.inference_mode():
        outputs = {name: run(clip).float() for name, run in contenders.items()}  # and warm-up
        times: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(options.repeats):
            for name, run in contenders.items():
                times[name].append(time_once(run, clip))
    difference = (outputs["vswin"] - outputs["torchvision"]).abs().max().item()
    print(f"{options.model} {precision}: matrix rate {matrix_rate(dtype):.0f} GFLOP/s, ", end="")
    print(f"largest logit difference {difference:.1e}")
    for name, seconds in times.items():
        ratio = min(seconds) / min(times["vswin"])
        print(f"  {name:22}{min(seconds):7.3f} s  {ratio:5.2f}x  ({len(seconds)} passes)")


def main() -> None:
    """Compare in each precision."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=list(NAMED), default="swin3d_t")
    parser.add_argument("--precision", nargs="+", default=["float32"])
    parser.add_argument("--compiled", action="store_true", help="compile torchvision's, too")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    torch.manual_seed(0)
    spec = get_spec(NAMED[options.model])
    ours = VideoSwin(spec.architecture, spec.num_classes).eval()
    peer = build_peer(options.model, ours)
    for precision in options.precision:
        compare(ours, peer, options, precision)


if __name__ == "__main__":
    main()

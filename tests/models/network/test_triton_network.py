"""The whole network by kernels against `VideoSwin`, on a GPU or in Triton's interpreter."""

from __future__ import annotations

import pytest
import torch

from tests.support.triton_device import MARKS, TRITON_DEVICE
from vswin_cli.models.architecture import Architecture
from vswin_cli.models.network.swin3d import VideoSwin
from vswin_cli.models.network.triton_network import TritonNetwork

pytestmark = MARKS

SMALL = Architecture("small", 32, (2, 1, 2), (2, 2, 4), window_size=(2, 3, 3))


def random_network(architecture=SMALL, dtype=torch.float32):
    torch.manual_seed(0)
    network = VideoSwin(architecture, 5).eval().requires_grad_(False)
    for name, tensor in network.named_parameters():
        torch.nn.init.normal_(tensor, std=0.5 if "table" in name else 0.15)
        if "norm" in name and name.endswith("weight"):
            tensor.add_(1)
    return network.to(TRITON_DEVICE, dtype)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("batch", "size"),
    [(1, (8, 24, 24)), (2, (5, 21, 30))],
    ids=["whole windows", "odd sizes, padding"],
)
@torch.inference_mode()
def test_network_by_kernels_equals_the_plain_one(batch, size):
    network = random_network()
    clips = torch.randn(batch, 3, *size, generator=torch.Generator().manual_seed(1))
    clips = clips.to(TRITON_DEVICE)
    plain = network.forward_features(clips)
    fast = TritonNetwork(network).forward_features(clips)
    assert fast.shape == plain.shape
    assert (fast - plain).abs().max() < 2e-5
    assert plain.abs().max() > 1


@pytest.mark.slow
@torch.inference_mode()
def test_half_precision_is_as_close_as_the_plain_network():
    clips = torch.randn(1, 3, 4, 21, 21, generator=torch.Generator().manual_seed(2))
    clips = clips.to(TRITON_DEVICE)
    truth = random_network().forward_features(clips)
    half = random_network(dtype=torch.float16)
    plain = half.forward_features(clips.half())
    fast = TritonNetwork(half).forward_features(clips.half())
    assert (fast - truth).norm() < 2 * (plain - truth).norm()

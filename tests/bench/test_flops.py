"""Multiply-adds against the published figures, PyTorch's own counter and a count by hand."""

import math
from itertools import product

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.support.golden import golden_network
from vswin_cli.bench.flops import count_macs, mlp_shapes
from vswin_cli.bench.torchvision_peer import build_torchvision
from vswin_cli.errors import OptionError
from vswin_cli.models.architecture import Architecture
from vswin_cli.models.network.swin3d import VideoSwin
from vswin_cli.models.weights.registry import all_specs

ODD = Architecture("odd", 12, (1, 3, 2), (1, 3, 2), (4, 3, 5))
SIZES = [(8, 32, 32), (16, 64, 48), (33, 40, 70), (32, 112, 112)]


@pytest.mark.parametrize("spec", all_specs(), ids=lambda spec: spec.name)
def test_published_figures_are_met(spec):
    """To 0.2 %: the publishers also count norms and activations."""
    macs = count_macs(spec.architecture, (32, 224, 224), spec.num_classes)
    assert macs == pytest.approx(spec.flops_per_view, rel=2e-3)


def test_swin_t_by_hand():
    """Swin-T at 32×224×224: 16×56×56 tokens, windows of 392, no padding anywhere."""
    total = 16 * 56 * 56 * 96 * 96 + 768 * 400
    for stage, depth in enumerate((2, 2, 6, 2)):
        tokens, dim = 16 * (56 >> stage) ** 2, 96 << stage
        total += depth * tokens * (12 * dim**2 + 2 * 392 * dim)
        total += (tokens // 4) * 8 * dim**2 if stage < 3 else 0
    tiny = Architecture("t", 96, (2, 2, 6, 2), (3, 6, 12, 24))
    assert count_macs(tiny, (32, 224, 224), 400) == total == 87_764_152_320


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("shape", [golden_network("w877").architecture, ODD], ids=["w877", "odd"])
def test_torchvision_does_what_is_counted(shape, size):
    try:
        network = build_torchvision(VideoSwin(shape, 10))
    except OptionError:
        pytest.skip("torchvision is not installed")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 3, *size))
    assert counter.get_total_flops() == 2 * count_macs(shape, size, 10)


def unmasked_pairs(grid, window):
    """Pairs of tokens that share a window and a region after the shift, counted one by one."""
    per_axis = []
    for length, largest in zip(grid, window, strict=True):
        size = min(length, largest)
        shift = 0 if length <= largest else largest // 2
        padded = math.ceil(length / size) * size
        place = [((i - shift) % padded // size, i < shift) for i in range(padded)]
        per_axis.append(sum(a == b for a, b in product(place, place)))
    return math.prod(per_axis)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_masked_pairs_can_be_left_out(size):
    shape = Architecture("one", 16, (2,), (2,), (4, 3, 5), (2, 4, 4))
    grid = tuple(math.ceil(n / p) for n, p in zip(size, shape.patch_size, strict=True))
    window = tuple(min(n, m) for n, m in zip(grid, shape.window_size, strict=True))
    slots = math.prod(math.ceil(n / m) * m for n, m in zip(grid, window, strict=True))
    saved = 2 * 16 * (slots * math.prod(window) - unmasked_pairs(grid, shape.window_size))
    whole, less = (count_macs(shape, size, 3, skip_masked=skip) for skip in (False, True))
    assert whole - less == saved


def test_a_network_without_shifts_saves_nothing():
    shape = Architecture("still", 16, (2, 2), (2, 4), (8, 7, 7))
    size = (16, 28, 28)
    assert count_macs(shape, size, 0) == count_macs(shape, size, 0, skip_masked=True)


def test_products_of_the_mlp_are_those_of_each_stage():
    shape = Architecture("two", 16, (1, 1), (2, 4), (8, 7, 7))
    assert mlp_shapes(shape, (8, 32, 32), 3) == [
        (3 * 4 * 64, 16, 64),
        (3 * 4 * 64, 64, 16),
        (3 * 4 * 16, 32, 128),
        (3 * 4 * 16, 128, 32),
    ]

"""The network on a GPU: close to float32, on any size; and what happens when memory runs out."""

from __future__ import annotations

import threading
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.support.golden import TOLERANCE, golden_input, golden_network, load_golden
from vswin_cli.bench.subject import ARCHITECTURES, random_model, random_network
from vswin_cli.config import EngineOptions
from vswin_cli.inference.batch_size import measured_batch_size
from vswin_cli.inference.engine import Engine
from vswin_cli.models.network.swin3d import VideoSwin
from vswin_cli.models.network.token_order import route_stages
from vswin_cli.models.weights.registry import get_spec
from vswin_cli.video.clips import Clip

FULL, ODD = (32, 224, 224), (19, 97, 130)
WINDOWS = [(8, 7, 7), (16, 7, 7)]
TYPES_OF = {
    "swin3d_t": [torch.bfloat16, torch.float16],
    "swin3d_b": [torch.bfloat16],
}


@pytest.fixture(autouse=True)
def no_kernel_steps_aside():
    """Kernels that step aside warn, which fails a test here as everywhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def noise(batch, size, device):
    return torch.randn(batch, 3, *size, generator=torch.Generator().manual_seed(4)).to(device)


def clips_of(spec, count):
    draw = np.random.default_rng(6)
    shape = (spec.num_frames, spec.crop_size, spec.crop_size, 3)
    edges = np.arange(spec.num_frames // 2 + 1) / 8
    return [
        Clip(index, draw.integers(0, 256, shape, np.uint8), index + edges, len(edges) - 1)
        for index in range(count)
    ]


def uses_kernels(network: VideoSwin) -> bool:
    return network.cuda_path is not None and network.cuda_path.uses_kernels


@pytest.mark.parametrize("window", WINDOWS, ids=["window 8", "window 16"])
@pytest.mark.parametrize("name", TYPES_OF)
@torch.inference_mode()
def test_half_precision_is_as_close_to_float32_as_plain_pytorch(name, window, gpu):
    shape = replace(get_spec(ARCHITECTURES[name]).architecture, window_size=window)
    network = random_network(shape, 400).to(gpu)
    exact = {size: network.plain_features(noise(2, size, gpu)) for size in (FULL, ODD)}
    for dtype in TYPES_OF[name]:
        half = random_network(shape, 400).to(gpu, dtype)
        for size, truth in exact.items():
            clips = noise(2, size, gpu).to(dtype)
            fast, plain = half.forward_features(clips), half.plain_features(clips)
            assert uses_kernels(half)
            assert (fast - truth).norm() < 1.5 * (plain - truth).norm()


@torch.inference_mode()
def test_float32_is_exact_and_does_without_kernels(gpu):
    golden = golden_network("w877")
    network = load_golden().network.to(gpu)
    for case in golden.cases:
        logits = network(golden_input(case.size).to(gpu))
        assert (logits.cpu() - case.logits).abs().max() < TOLERANCE
    assert not uses_kernels(network)


@torch.inference_mode()
def test_tf32_is_close_to_float32_and_ends_with_the_pass(gpu):
    network = random_model("swin3d_t").network.to(gpu)
    clips = noise(1, FULL, gpu)
    exact = network(clips)
    network.allow_tf32 = True
    rounded = network(clips)
    assert uses_kernels(network)
    assert 0 < (rounded - exact).abs().max() < 0.01 * exact.abs().max()
    assert torch.get_float32_matmul_precision() == "highest"


@torch.inference_mode()
def test_graphs_give_the_same_and_keep_results_apart(gpu):
    network = random_model("swin3d_t").network.to(gpu, torch.bfloat16)
    clips = [noise(1, FULL, gpu).bfloat16() * scale for scale in (1, -1, 2)]
    before = [network(one) for one in clips]
    later = [network(one) for one in clips]
    assert network.cuda_path is not None
    assert network.cuda_path.num_graphs == 1
    for one, other in zip(before, later, strict=True):
        torch.testing.assert_close(one, other)
    assert (later[0] - later[1]).abs().max() > 0.01


@pytest.mark.parametrize("batch", [1, 3])
def test_tables_do_not_depend_on_where_they_are_built(batch, gpu):
    shape = get_spec(ARCHITECTURES["swin3d_t"]).architecture
    here = route_stages(shape, (10, 25, 33), batch, torch.device("cpu"))
    there = route_stages(shape, (10, 25, 33), batch, gpu)
    for one, other in zip(here, there, strict=True):
        for name in ("enter", "to_shifted", "to_regular", "leave"):
            ours, theirs = getattr(one, name), getattr(other, name)
            assert (ours is None) == (theirs is None)
            assert ours is None or torch.equal(ours, theirs.cpu())
        tiles = zip(one.regular + one.shifted, other.regular + other.shifted, strict=True)
        for ours, theirs in tiles:
            assert (ours.real is None) == (theirs.real is None)
            assert ours.real is None or torch.equal(ours.real, theirs.real.cpu())


def test_the_batch_size_is_measured_once_and_fits(gpu):
    model = random_model("swin3d_t")
    network = model.network.to(gpu, torch.bfloat16)
    size = measured_batch_size(network, model.card.input, "bfloat16")
    assert size >= 4
    assert measured_batch_size(network, model.card.input, "bfloat16") == size
    assert network._routes == {}


def test_running_out_of_memory_halves_the_batch_without_loss(gpu):
    model = random_model("swin3d_t")
    engine = Engine(model, EngineOptions("cuda:0", "bfloat16", 2))
    clips = clips_of(model.card.input, 16)
    torch.cuda.reset_peak_memory_stats(gpu)
    held = torch.cuda.memory_allocated(gpu)
    expected = [one.logits for one in engine.score(clips)]
    per_view = (torch.cuda.max_memory_allocated(gpu) - held) / 2
    engine.batch_size = 16
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(gpu).total_memory
    allowed = torch.cuda.memory_reserved(gpu) + 7 * per_view
    torch.cuda.set_per_process_memory_fraction(allowed / total, gpu)
    try:
        scored = list(engine.score(clips))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, gpu)
    assert engine.batch_size < 16
    assert uses_kernels(model.network)
    assert [one.index for one in scored] == list(range(16))
    for one, logits in zip(scored, expected, strict=True):
        np.testing.assert_allclose(one.logits, logits, atol=0.05)


def test_the_second_gpu_works_beside_the_first(gpu):
    if torch.cuda.device_count() < 2:
        pytest.skip("has one GPU")
    models = [random_model("swin3d_t") for _ in range(2)]
    scores: dict[int, list[np.ndarray]] = {}

    def score(number: int) -> None:
        engine = Engine(models[number], EngineOptions(f"cuda:{number}", "bfloat16", 2))
        clips = clips_of(models[number].card.input, 6)
        scores[number] = [one.logits for one in engine.score(clips)]

    threads = [threading.Thread(target=score, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert uses_kernels(models[1].network)
    np.testing.assert_allclose(scores[0], scores[1], atol=0.05)

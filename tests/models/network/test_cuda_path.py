"""When the kernels are used, and when they step aside; `test_triton_network` checks what they do.

Without a GPU, Triton's interpreter runs them on the CPU, where nothing would choose them: so the
choice is called directly.
"""

from __future__ import annotations

import copy
import warnings

import pytest
import torch

from tests.models.network.test_triton_network import SMALL, random_network
from tests.support.triton_device import MARKS, ON_GPU, TRITON_DEVICE
from vswin_cli.models.architecture import Architecture
from vswin_cli.models.network import cuda_path, triton_network
from vswin_cli.models.network.cuda_path import CudaPath, products_in_tf32

pytestmark = MARKS

ODD_HEADS = Architecture("odd", 24, (1,), (1,), window_size=(2, 3, 3))


@pytest.fixture(autouse=True)
def small_check(monkeypatch):
    monkeypatch.setattr(cuda_path, "_CHECKED_GRID", (2, 4, 3))


def make_clips(dtype=torch.float16):
    clips = torch.randn(1, 3, 4, 12, 16, generator=torch.Generator().manual_seed(3))
    return clips.to(TRITON_DEVICE, dtype)


@pytest.mark.slow
@torch.inference_mode()
def test_kernels_that_agree_are_used():
    network, clips = random_network(dtype=torch.float16), make_clips()
    fast = CudaPath(network).forward_features(clips)
    assert fast is not None
    plain = network.plain_features(clips)
    assert 0 < (fast - plain).float().norm() < 0.01 * plain.float().norm()


@pytest.mark.slow
def test_changed_weights_are_noticed():
    network, clips = random_network(dtype=torch.float16), make_clips()
    path = CudaPath(network)
    with torch.inference_mode():
        before = path.forward_features(clips)
    with torch.no_grad():
        network.layers[0].blocks[0].attn.qkv.weight.mul_(-2)
    with torch.inference_mode():
        after, plain = path.forward_features(clips), network.plain_features(clips)
    assert (after - plain).float().norm() < 0.01 * plain.float().norm()
    assert (after - before).float().norm() > 0.05 * plain.float().norm()


@pytest.mark.slow
@torch.inference_mode()
def test_kernels_that_disagree_step_aside_with_one_warning(monkeypatch):
    attend = triton_network.attend
    monkeypatch.setattr(triton_network, "attend", lambda *a, **k: 3 * attend(*a, **k))
    path, clips = CudaPath(random_network(dtype=torch.float16)), make_clips()
    with pytest.warns(RuntimeWarning, match=r"not used.*slower: their results differ by \d"):
        assert path.forward_features(clips) is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert path.forward_features(clips) is None


@torch.inference_mode()
def test_kernels_that_do_not_compile_step_aside_with_the_reason(monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("Failed to find C compiler.\nmore lines")

    monkeypatch.setattr(triton_network, "layer_norm", broken)
    path = CudaPath(random_network(dtype=torch.float16))
    with pytest.warns(RuntimeWarning, match=r"RuntimeError: Failed to find C compiler\.$"):
        assert path.forward_features(make_clips()) is None


@pytest.mark.slow
@torch.inference_mode()
def test_running_out_of_memory_is_no_reason_to_step_aside(monkeypatch):
    def full(*_, **__):
        raise torch.OutOfMemoryError("no room")

    path = CudaPath(random_network(dtype=torch.float16))
    with monkeypatch.context() as patch:
        patch.setattr(triton_network, "layer_norm", full)
        with pytest.raises(torch.OutOfMemoryError):
            path.forward_features(make_clips())
    assert path.forward_features(make_clips()) is not None


@torch.inference_mode()
def test_kernels_are_for_half_types_and_tf32_only():
    network = random_network()
    assert CudaPath(network).forward_features(make_clips(torch.float32)) is None
    assert not cuda_path._has_kernels_for(network)
    network.allow_tf32 = True
    assert cuda_path._has_kernels_for(network)
    assert cuda_path._has_kernels_for(random_network(dtype=torch.bfloat16))
    assert not cuda_path._has_kernels_for(random_network(ODD_HEADS, torch.bfloat16))
    half = CudaPath(random_network(dtype=torch.float16))
    assert half.forward_features(make_clips(torch.float32)) is None


def test_compiled_code_can_be_turned_off(monkeypatch):
    network = random_network(dtype=torch.float16)
    monkeypatch.setenv("VSWIN_NATIVE", "0")
    with torch.inference_mode():
        assert CudaPath(network).forward_features(make_clips()) is None


def test_tf32_holds_inside_the_block_only():
    with products_in_tf32(True):
        assert torch.get_float32_matmul_precision() == "high"
        with products_in_tf32(False):
            assert torch.get_float32_matmul_precision() == "high"
    assert torch.get_float32_matmul_precision() == "highest"


def test_copies_and_moves_of_a_network_start_anew():
    network = random_network()
    network._cuda_path = CudaPath(network)
    assert copy.deepcopy(network).cuda_path is None
    assert network.half().cuda_path is None


@pytest.mark.skipif(ON_GPU, reason="the plain path of a CPU")
@torch.inference_mode()
def test_a_cpu_never_takes_the_cuda_path():
    network = random_network(SMALL, torch.bfloat16)
    network(make_clips(torch.bfloat16))
    assert network.cuda_path is None

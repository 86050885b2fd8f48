import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from tests.support.golden import golden_input, golden_network, golden_state
from vswin_cli.models.network.attention import attention_kernel, padded_bias
from vswin_cli.models.network.linear import Linear
from vswin_cli.models.network.swin3d import VideoSwin

PRECISIONS = [torch.float32, torch.bfloat16]
SHOW_KERNEL = (
    "import torch; from vswin_cli.models.network.attention import attention_kernel; "
    "print(attention_kernel(torch.float32, 32) is not None)"
)


def kernel_for(dtype):
    kernel = attention_kernel(dtype, 32)
    if kernel is None:
        pytest.skip(f"no kernel for {dtype} on this machine")
    return kernel


def exact(qkv, bias, groups, heads):
    q, k, v = qkv.double().view(groups, -1, 3, heads, 32).permute(2, 0, 3, 1, 4)
    mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias.double())
    return mixed.transpose(1, 2).reshape(len(qkv), -1)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", PRECISIONS, ids=str)
@pytest.mark.parametrize("n", [1, 2, 7, 8, 15, 16, 17, 56, 98, 392])
def test_kernel_equals_attention_in_float64(dtype, n):
    groups, heads = 3, 2
    random = torch.Generator().manual_seed(n)
    qkv = torch.randn(groups * n, 3 * heads * 32, generator=random).to(dtype)
    bias = 2 * torch.randn(1, heads, n, n, generator=random)
    out = torch.full((groups * n + 1, heads * 32), torch.nan, dtype=dtype)
    kernel_for(dtype).attend(qkv, padded_bias(bias), out, groups)
    error = (out[:-1].double() - exact(qkv, bias, groups, heads)).abs().max()
    assert error < (5e-6 if dtype == torch.float32 else 2e-2)
    assert out[-1].isnan().all()  # nothing is written past the end


@pytest.mark.parametrize("dtype", PRECISIONS, ids=str)
def test_kernel_survives_scores_beyond_any_exponent(dtype):
    qkv = 60 * torch.randn(40, 96, generator=torch.Generator().manual_seed(1)).to(dtype)
    bias = torch.zeros(1, 1, 40, 40)
    out = torch.empty(40, 32, dtype=dtype)
    kernel_for(dtype).attend(qkv, padded_bias(bias), out, 1)
    truth = exact(qkv, bias, 1, 1)
    assert (out.double() - truth).abs().max() < 1e-2 * truth.abs().max()


@pytest.mark.slow
def test_kernel_is_as_exact_in_narrower_registers():
    """The two tests above on a CPU that is told to have no AVX-512."""
    kernel_for(torch.float32)
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(
        [*command, "-k", "float64 or exponent"],
        env={**os.environ, "CC": f"{compiler} -mno-avx512f", "ATEN_CPU_CAPABILITY": "avx2"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert "11 passed" in done.stdout


def test_kernel_is_not_offered_for_other_heads_or_types():
    assert attention_kernel(torch.float32, 48) is None
    assert attention_kernel(torch.float16, 32) is None


@pytest.mark.parametrize("dtype", PRECISIONS, ids=str)
@pytest.mark.parametrize("has_bias", [True, False])
def test_linear_does_in_one_pass_what_it_does_in_steps(dtype, has_bias):
    torch.manual_seed(0)
    layer = Linear(96, 200, bias=has_bias).to(dtype)
    x, residual = torch.randn(37, 96).to(dtype), torch.randn(37, 200).to(dtype)
    steps = F.linear(x.float(), layer.weight.float(), layer.bias.float() if has_bias else None)
    bound = 1e-5 if dtype == torch.float32 else 3e-2
    with torch.inference_mode():
        assert (layer(x) - steps).abs().max() < bound
        assert (layer.forward_gelu(x) - F.gelu(steps)).abs().max() < bound
        assert (layer.forward_add(x, residual) - residual - steps).abs().max() < bound


def test_linear_notices_changed_weights():
    layer, x = Linear(8, 4), torch.ones(3, 8)
    with torch.inference_mode():
        before = layer(x)
    with torch.no_grad():
        layer.weight.mul_(2)
        layer.bias.mul_(2)
    with torch.inference_mode():
        torch.testing.assert_close(layer(x), 2 * before)


@pytest.mark.slow
def test_logits_are_the_same_without_kernels():
    golden = golden_network("w877")
    network = VideoSwin(golden.architecture, golden.num_classes).eval()
    network.load_state_dict(golden_state("w877"))
    clip = golden_input((18, 90, 70))
    with torch.inference_mode():
        fast = network(clip)
    with torch.no_grad():  # gradients could be asked for: PyTorch's own operators
        plain = network(clip)
    torch.testing.assert_close(fast, plain, atol=5e-6, rtol=0)


def shows_kernel(cache: Path, **changes: str) -> bool:
    environment = {**os.environ, "VSWIN_CACHE": str(cache), **changes}
    command = [sys.executable, "-c", SHOW_KERNEL]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert done.stderr == ""
    return done.stdout == "True\n"


@pytest.mark.slow
def test_kernel_is_compiled_once_and_kept(tmp_path):
    kernel_for(torch.float32)
    assert shows_kernel(tmp_path)
    kept = list((tmp_path / "native").iterdir())
    assert [path.suffix for path in kept] == [".so"]
    assert shows_kernel(tmp_path, CC="false")  # needs no compiler any more


@pytest.mark.slow
def test_no_kernel_without_a_compiler_or_if_switched_off(tmp_path):
    assert not shows_kernel(tmp_path, CC="false")
    assert not shows_kernel(tmp_path, CC="/no/such/compiler")
    assert not shows_kernel(tmp_path, VSWIN_NATIVE="0")
    assert list(tmp_path.rglob("*.so")) == []


@pytest.mark.slow
@pytest.mark.parametrize("damage", [b"\x7fELF nonsense", None], ids=["nonsense", "cut off"])
def test_a_damaged_library_is_not_used_but_compiled_again(tmp_path, damage):
    kernel_for(torch.float32)
    assert shows_kernel(tmp_path)
    (library,) = (tmp_path / "native").iterdir()
    content = library.read_bytes()
    library.write_bytes(content[: len(content) // 2] if damage is None else damage)
    assert not shows_kernel(tmp_path, CC="false")
    assert shows_kernel(tmp_path)
    assert shows_kernel(tmp_path, CC="false")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_no_kernel_without_a_writable_folder(tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    assert not shows_kernel(tmp_path)

"""The kernels against PyTorch: on a GPU, or in Triton's interpreter (see `triton_device`)."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.support.triton_device import MARKS, TRITON_DEVICE, TYPES
from vswin_cli.models.network.triton_kernels import (
    LOG2_E,
    SPARE_ROWS,
    attend,
    layer_norm,
    padded_bias,
)
from vswin_cli.models.network.windows import plan_stage
from vswin_cli.models.network.work_list import RegionGroup, list_work

pytestmark = MARKS

HEADS, HEAD = 2, 16
BOUND = {torch.float32: 5e-6, torch.float16: 4e-3, torch.bfloat16: 3e-2}
COMPILE = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from vswin_cli.models.network import triton_kernels as kernels

def build(kernel, types, constants):
    names = kernel.arg_names
    signature = {name: types.get(name, "constexpr") for name in names}
    values = {(names.index(name),): value for name, value in constants.items()}
    aligned = {(names.index(n),): [["tt.divisibility", 16]] for n in names if n.endswith("_ptr")}
    source = ASTSource(kernel, signature, values, aligned)
    options = {"num_warps": 4, "num_stages": 3, "enable_fp_fusion": True}
    built = triton.compile(source, target=GPUTarget("cuda", CAPABILITY, 32), options=options)
    print(kernel.fn.__name__, built.metadata.shared, "mma" in built.asm["ptx"])

build(
    kernels._attend,
    {"qkv_ptr": "*bf16", "bias_ptr": "*fp16", "items_ptr": "*i32", "out_ptr": "*bf16",
     "num_heads": "i32"},
    {"CHANNELS": 128, "HEAD": 32, "QUERIES": 64, "KEYS": 32, "COLUMNS": 5, "PRECISION": "ieee"},
)
half = ("x_ptr", "delta_ptr", "weight_ptr", "bias_ptr", "sum_ptr", "out_ptr")
build(
    kernels._layer_norm,
    {**dict.fromkeys(half, "*bf16"), "order_ptr": "*i32", "real_ptr": "*i1", "num_rows": "i32",
     "eps": "fp32"},
    {"CHANNELS": 512, "WIDTH": 2048, "COLUMNS": 2048, "ROWS": 2, "HAS_DELTA": True,
     "HAS_ORDER": True, "HAS_REAL": True, "KEEP_SUM": False},
)
"""


def drawn(*shape, dtype, seed=0):
    values = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return values.to(TRITON_DEVICE, dtype)


def compare_attention(groups, dtype):
    """Compare regions of several sizes in one launch with masked attention over all rows."""
    rows = sum(group.regions * group.size for group in groups)
    qkv = drawn(rows + SPARE_ROWS, 3 * HEADS * HEAD, dtype=dtype)
    qkv[:, : HEADS * HEAD] *= LOG2_E / HEAD**0.5
    biases = [2 * drawn(HEADS, g.size, g.size, dtype=torch.float32, seed=g.size) for g in groups]
    mask = torch.full((HEADS, rows, rows), -torch.inf, device=TRITON_DEVICE)
    for group, bias in zip(groups, biases, strict=True):
        for region in range(group.regions):
            inside = slice(group.first_row + region * group.size, None)
            inside = slice(inside.start, inside.start + group.size)
            mask[:, inside, inside] = bias
    q, k, v = qkv[:rows].float().view(rows, 3, HEADS, HEAD).permute(1, 2, 0, 3)
    truth = F.scaled_dot_product_attention(q[None], k[None], v[None], mask[None], scale=1 / LOG2_E)
    padded = torch.cat([padded_bias(bias) for bias in biases])
    items = torch.from_numpy(list_work(groups).items).to(TRITON_DEVICE)
    kept = padded if dtype == torch.float32 else padded.half()
    mixed = attend(qkv, kept, items, HEADS, tf32=False)
    assert mixed.shape == (rows, HEADS * HEAD)
    error = (mixed.float() - truth[0].transpose(0, 1).reshape(rows, -1)).abs().max()
    assert error < BOUND[dtype]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_attention_over_regions_of_many_sizes_equals_masked_attention(dtype):
    groups, row = [], 0
    for regions, size in [(2, 1), (1, 31), (3, 32), (2, 33), (1, 64), (2, 65), (1, 130)]:
        groups.append(RegionGroup(row, regions, size))
        row += regions * size
    compare_attention(groups, dtype)


@pytest.mark.slow
def test_attention_in_shifted_windows_equals_masked_attention():
    groups, row = [], 0
    for group in plan_stage((4, 6, 9), (2, 4, 4)).shifted.groups:
        groups.append(RegionGroup(row, group.count, group.size))
        row += group.count * group.size
    assert len({group.size for group in groups}) > 2
    compare_attention(groups, torch.float32)


def test_attention_survives_scores_beyond_any_exponent():
    qkv = 60 * drawn(40 + SPARE_ROWS, 48, dtype=torch.float32)
    items = torch.from_numpy(list_work([RegionGroup(0, 1, 40)]).items).to(TRITON_DEVICE)
    bias = padded_bias(torch.zeros(1, 40, 40, device=TRITON_DEVICE))
    q, k, v = qkv[:40].view(1, 40, 3, 16).unbind(2)
    truth = F.scaled_dot_product_attention(q, k, v, scale=1 / LOG2_E)[0]
    assert (attend(qkv, bias, items, 1, tf32=False) - truth).abs().max() < 1e-4 * truth.abs().max()


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("side_by_side", [1, 4])
def test_layer_norm_adds_gathers_and_normalises(dtype, side_by_side):
    channels, rows = 24, 37  # neither is a power of two
    norm = nn.LayerNorm(side_by_side * channels)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    norm = norm.to(TRITON_DEVICE, dtype)
    x, delta = drawn(90, channels, dtype=dtype), drawn(90, channels, dtype=dtype, seed=1)
    draw = torch.Generator().manual_seed(2)
    order = torch.randint(-1, 90, (rows * side_by_side,), generator=draw).to(TRITON_DEVICE)
    real = (torch.rand(rows, generator=draw) < 0.7).to(TRITON_DEVICE)
    is_single = side_by_side == 1
    with torch.no_grad():
        total, normalised = layer_norm(
            x,
            norm,
            delta=delta,
            order=order.int(),
            real=real if is_single else None,
            keep_sum=is_single,
        )
        added = F.pad(x.float() + delta.float(), (0, 0, 0, 1))  # row -1 is zeros
        expected = added[order.long()].view(rows, -1)
        weight, bias = norm.weight.float(), norm.bias.float()
        truth = F.layer_norm(expected, norm.normalized_shape, weight, bias)
    if is_single:
        assert (total.float() - expected).abs().max() < BOUND[dtype]
        truth = truth * real[:, None]
    else:
        assert total is x
    assert (normalised.float() - truth).abs().max() < 2 * BOUND[dtype]


def test_layer_norm_of_rows_as_they_are_leaves_them_alone():
    norm, x = nn.LayerNorm(16).to(TRITON_DEVICE), drawn(5, 16, dtype=torch.float32)
    with torch.no_grad():
        total, normalised = layer_norm(x, norm)
        torch.testing.assert_close(normalised, norm(x))
    assert total is x


@pytest.mark.slow
@pytest.mark.parametrize("capability", [80, 90])
def test_kernels_compile_for_a_gpu_that_is_not_here(capability, tmp_path):
    """In a process of its own, because Triton is set to interpret kernels in this one."""
    script = COMPILE.replace("CAPABILITY", str(capability))
    file = tmp_path / "compile_kernels.py"
    file.write_text(script)
    done = subprocess.run([sys.executable, str(file)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    attention, norm = (line.split() for line in done.stdout.splitlines())
    assert int(attention[1]) < 48 << 10  # bytes of shared memory that every card has
    assert attention[2] == "True"  # it uses the matrix units
    assert int(norm[1]) < 48 << 10

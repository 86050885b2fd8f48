"""The network's arithmetic: what `auto` chooses on a CPU, and what is remembered of that."""

import json

import pytest
import torch

from tests.support.golden import golden_network
from vswin_cli.errors import OptionError
from vswin_cli.inference.precision import choose_precision
from vswin_cli.models.architecture import Architecture, InputSpec
from vswin_cli.models.card import ModelCard
from vswin_cli.models.network.linear import has_fused
from vswin_cli.storage.user_config import cache_folder

CPU = torch.device("cpu")
LARGE = Architecture("swin3d_tiny", 96, (2, 2, 6, 2), (3, 6, 12, 24))
measures = pytest.mark.skipif(
    not has_fused(torch.bfloat16), reason="PyTorch has no bfloat16 products for this CPU"
)


def card(architecture: Architecture, spec: InputSpec) -> ModelCard:
    return ModelCard(id="it", architecture=architecture, num_classes=1, labels=("a",), input=spec)


def choose(precision="auto", device=CPU):
    return choose_precision(precision, device, card(LARGE, InputSpec()))


@pytest.fixture
def remembered():
    """The file of times that the first choice wrote."""
    choose()
    (path,) = (cache_folder() / "precision").iterdir()
    return path


def remember(path, exact: float, rough: float) -> None:
    path.write_text(json.dumps({"float32_seconds": exact, "bfloat16_seconds": rough}))


@pytest.mark.parametrize("name", ["float32", "bfloat16", "float16"])
def test_a_named_precision_is_taken_as_it_is(name):
    choice = choose(name)
    assert (choice.name, choice.dtype, choice.reason) == (
        name,
        getattr(torch, name),
        "as asked for",
    )


def test_tf32_is_for_cuda_and_goes_by_its_own_name():
    choice = choose("tf32", torch.device("cuda"))
    assert (choice.name, choice.dtype) == ("tf32", torch.float32)
    with pytest.raises(OptionError, match="tf32 is arithmetic of NVIDIA GPUs, not of cpu"):
        choose("tf32")


def test_an_unknown_precision_is_refused():
    with pytest.raises(OptionError, match="unknown precision 'int3'"):
        choose("int3")


def test_cuda_takes_bfloat16_and_an_apple_gpu_float32():
    assert choose(device=torch.device("cuda:1")).name == "bfloat16"
    assert choose(device=torch.device("mps")).name == "float32"


def test_a_small_network_is_exact_on_every_cpu_and_nothing_is_measured():
    golden = golden_network("w877").architecture
    small = card(golden, InputSpec(num_frames=8, resize_short_side=32, crop_size=32))
    choice = choose_precision("auto", CPU, small)
    assert choice.name == "float32"
    assert "decoding is slower" in choice.reason
    assert not (cache_folder() / "precision").exists()


@pytest.mark.slow
@measures
def test_times_are_measured_once_and_decide(remembered):
    times = json.loads(remembered.read_text())
    assert 0 < times["bfloat16_seconds"] < 60 > times["float32_seconds"] > 0
    remember(remembered, 0.002, 0.001)
    assert choose().name == "bfloat16"
    assert "1 ms in bfloat16 and 2 ms in float32" in choose().reason
    remember(remembered, 0.001, 0.0019)
    assert choose().name == "float32"
    remember(remembered, 0.0012, 0.001)  # too little to show
    assert choose().name == "float32"


@measures
@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"float32_seconds": 1e999, "bfloat16_seconds": 1}', '{"float32_seconds": 1}'],
)
def test_a_damaged_file_of_times_is_measured_anew(remembered, content):
    remembered.write_text(content)
    choose()
    assert json.loads(remembered.read_text())["bfloat16_seconds"] > 0


@measures
def test_times_that_others_may_have_written_do_not_count(remembered):
    remember(remembered, 3600, 1)
    remembered.chmod(0o666)
    assert "3.6e+06 ms" not in choose().reason


@measures
def test_measuring_draws_no_random_numbers(monkeypatch, tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    choose()
    assert torch.equal(torch.rand(3), expected)


@measures
def test_a_cache_that_cannot_be_written_costs_only_time(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("VSWIN_CACHE", str(tmp_path / "file"))
    assert choose().name in ("float32", "bfloat16")

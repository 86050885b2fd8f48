import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.support.few_steps import train_few_steps
from tests.support.moving_squares import write_small_model, write_table
from vswin_cli import load_model
from vswin_cli.cli.app import run
from vswin_cli.training.initial import initial_network

pytestmark = pytest.mark.slow  # real processes

TWO = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
OPTIONS = (
    *("--full", "--from-scratch", "--epochs", "3", "--clips-per-step", "4", "--device", "cpu"),
    *("--learning-rate", "0.001", "--precision", "float32", "--quiet"),
)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("squares")
    return write_table(folder, 5), write_small_model(folder / "small")


def start(*command):
    """Run a module in two processes."""
    subprocess.run(
        [*TWO, *command],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=True,
    )


def flat(tensors):
    return torch.cat([tensors[name].flatten() for name in sorted(tensors)])


def test_two_processes_have_the_gradients_of_one(inputs, tmp_path):
    """Also where one of them has more of a step's clips."""
    videos = inputs[0].parent
    start("-m", "tests.support.few_steps", str(videos), str(tmp_path))
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    train_few_steps(videos, tmp_path)
    alone = torch.load(tmp_path / "0.pt")
    for name, value in first["weights"].items():
        assert torch.equal(second["weights"][name], value), name
    assert first["losses"] == second["losses"] == pytest.approx(alone["losses"], rel=1e-5)
    for name, value in alone["gradients"].items():
        torch.testing.assert_close(first["gradients"][name], value, atol=1e-6, rtol=1e-3)


def arguments(inputs, out, clips_at_once):
    table, small = inputs
    given = ("train", str(table), "-o", str(out), "--model", str(small))
    return [*given, f"--batch-size={clips_at_once}", *OPTIONS]


def read(folder):
    """Return the backbone's weights and the record."""
    state = load_file(folder / "model.safetensors")
    return {name: state[name] for name in state if not name.startswith("head.")}, json.loads(
        (folder / "training.json").read_text()
    )


def test_the_command_trains_in_two_processes_as_in_one_with_twice_the_clips(inputs, tmp_path):
    assert run(arguments(inputs, tmp_path / "alone", 4)) == 0
    start("-m", "vswin_cli", *arguments(inputs, tmp_path / "shared", 2))
    alone, record = read(tmp_path / "alone")
    shared, shared_record = read(tmp_path / "shared")
    assert shared_record["options"]["processes"] == "2"
    assert shared_record["examples"] == record["examples"]
    losses, shared_losses = (
        [float(loss) for loss in each["options"]["epoch_losses"].split()]
        for each in (record, shared_record)
    )
    assert shared_losses == pytest.approx(losses, rel=1e-4)
    initial = initial_network(load_model(inputs[1]), ("down", "up"), from_scratch=True, seed=0)
    way = flat(alone) - flat({name: initial.state_dict()[name] for name in alone})
    assert way.norm() > 0.1
    assert (flat(shared) - flat(alone)).norm() < 0.001 * way.norm()

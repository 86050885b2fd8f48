"""A run that is killed and started again ends with the bits of one that was not."""

import random
import signal
import subprocess
import sys
import time

import pytest

from tests.support.moving_squares import write_small_model, write_table
from vswin_cli.training.run_state import checkpoint_path

pytestmark = pytest.mark.slow  # real processes

KILLS = 2
SCRIPT = """
import sys
from pathlib import Path
from vswin_cli import FullOptions, load_model, read_examples, train_full
table, small, out = map(Path, sys.argv[1:])
options = FullOptions(epochs=8, clips_per_step=2, checkpoint_seconds=0, from_scratch=True)
train_full(read_examples([table]), load_model(small), options, folder=out).save(out)
"""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("squares")
    return write_table(folder, 4), write_small_model(folder / "small")


def start(inputs, out):
    command = [sys.executable, "-c", SCRIPT, *map(str, inputs), str(out)]
    with out.with_suffix(".err").open("ab") as err:
        return subprocess.Popen(command, stderr=err)


def identity(path):
    return path.stat().st_ino if path.exists() else None


def kill_after_a_step(process, state_file, delay):
    """Kill a training process at some moment after it kept another state."""
    before = identity(state_file)
    while identity(state_file) == before:
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def test_a_killed_run_goes_on_and_ends_with_the_same_bits(inputs, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    undisturbed = start(inputs, whole)
    state_file = checkpoint_path(killed)
    for _ in range(KILLS):
        kill_after_a_step(start(inputs, killed), state_file, random.uniform(0, 0.2))
        assert not killed.exists()
        assert state_file.exists()
    assert start(inputs, killed).wait() == 0, killed.with_suffix(".err").read_text()
    assert undisturbed.wait() == 0, whole.with_suffix(".err").read_text()
    for name in ("model.safetensors", "config.json", "training.json"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes(), name
    assert not state_file.exists()

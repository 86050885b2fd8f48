"""The state of a run between two steps is written, read back, and refused for another run."""

from pathlib import Path

import pytest
import torch

from vswin_cli.errors import CheckpointError
from vswin_cli.training.run_state import RunState, checkpoint_path, read_state, write_state


def state(fingerprint="one") -> RunState:
    weights = {"w": torch.arange(3.0)}
    return RunState(fingerprint, 7, weights, {}, {"state": {0: weights}}, [0.5], [{"epoch": 1.0}])


def test_a_state_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "m.checkpoint"
    assert read_state(path, "one") is None
    write_state(path, state())
    found = read_state(path, "one")
    assert found is not None
    assert (found.step, found.losses, found.history) == (7, [0.5], [{"epoch": 1.0}])
    assert torch.equal(found.network["w"], torch.arange(3.0))


def test_a_state_of_another_run_is_refused(tmp_path):
    write_state(tmp_path / "m", state("other"))
    with pytest.raises(CheckpointError, match="an unfinished run with other options") as caught:
        read_state(tmp_path / "m", "one")
    assert "--no-resume" in (caught.value.hint or "")


@pytest.mark.parametrize("damage", ["cut", "empty", "format"])
def test_a_damaged_state_is_an_error_and_no_fresh_start(tmp_path, damage):
    path = tmp_path / "m"
    write_state(path, state())
    if damage == "format":
        torch.save({"format": "other"}, path)
    else:
        path.write_bytes(path.read_bytes()[: 100 if damage == "cut" else 0])
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_state(path, "one")


def test_the_state_lies_beside_the_model_folder():
    assert checkpoint_path(Path("/models/mine/")) == Path("/models/mine.checkpoint")

import re
from pathlib import Path

import pytest
import torch

from vswin_cli.errors import CheckpointError, UnsafeCheckpointError
from vswin_cli.models.checkpoints import state_dicts
from vswin_cli.models.checkpoints.state_dicts import find_tensors
from vswin_cli.models.checkpoints.weight_sets import ROOT

PATH = Path(__file__)  # its size bounds that of the tensors


def swin(value=0.0):
    """The least that is recognised as a network."""
    return {f"backbone.{ROOT}": torch.full((2,), value)}


def find(root, ignored=()):
    return find_tensors(root, ignored, PATH)


@pytest.mark.parametrize("key", ["state_dict", "model", "module"])
def test_weights_are_found_under_the_usual_keys(key):
    found = find({"epoch": 3, "optimizer": {"lr": 0.1}, key: swin()})
    assert found.wrapper == key
    assert list(found.tensors) == list(swin())
    assert found.alternative is None


def test_weights_at_the_top_level_have_no_wrapper():
    found = find(swin())
    assert found.wrapper is None
    assert not found.averaged


def test_the_average_beside_raw_weights_is_the_alternative():
    found = find({"model": swin(1.0), "ema": {"state_dict": swin(2.0)}})
    assert (found.wrapper, found.averaged) == ("model", False)
    assert found.alternative.averaged
    assert found.alternative.tensors[f"backbone.{ROOT}"][0] == 2.0


def test_mmengine_keeps_the_average_where_others_keep_the_weights():
    found = find({"state_dict": swin(1.0), "ema_state_dict": {"steps": torch.tensor(7), **swin()}})
    assert (found.wrapper, found.averaged) == ("state_dict", True)
    assert not found.alternative.averaged


def test_two_networks_under_keys_of_their_own_are_refused_by_name():
    with pytest.raises(CheckpointError, match="several networks in it: student, teacher"):
        find({"student": swin(), "teacher": swin()})


def test_a_mapping_that_holds_itself_ends_the_search():
    root = {"epoch": 1}
    root["state"] = root
    with pytest.raises(CheckpointError, match=r"contains no tensors \(found keys epoch, state\)"):
        find(root)


def test_weights_inside_objects_that_were_left_out_are_refused():
    with pytest.raises(UnsafeCheckpointError, match=r"inside Python objects \(my\.Net\)"):
        find({"net": None}, ("my.Net",))


def test_views_that_would_grow_are_refused_before_they_are_copied(monkeypatch):
    monkeypatch.setattr(state_dicts, "most_tensor_bytes", lambda path: 100)
    content = {f"backbone.{ROOT}": torch.zeros(1).expand(1000)}
    with pytest.raises(CheckpointError, match=re.escape(PATH.name)):
        find(content)

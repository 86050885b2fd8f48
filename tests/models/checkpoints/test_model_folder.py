"""Folders of Hugging Face libraries: whole, in shards, with their labels."""

import json

import pytest
import torch
from safetensors.torch import save_file

from tests.support.golden import golden_state
from tests.support.layout_files import official_file
from vswin_cli.errors import CheckpointError, LabelsError
from vswin_cli.models.checkpoints.load import read_checkpoint
from vswin_cli.models.weights.loading import load_model

STATE = golden_state("w877")
NAMES = [f"class {letter}" for letter in "abcdefghij"]


@pytest.fixture
def named(tmp_path):
    path = official_file(tmp_path / "official.pth", STATE)
    return {name: tensor.contiguous() for name, tensor in torch.load(path)["state_dict"].items()}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "hf"
    folder.mkdir()
    write_config(folder)
    return folder


def write_config(folder, names=NAMES, **more):
    id2label = {str(index): name for index, name in enumerate(names)}
    content = {"architectures": ["VideoSwin"], "id2label": id2label, **more}
    (folder / "config.json").write_text(json.dumps(content))


def shards(folder, named, ending):
    """Two shards and their index, as `save_pretrained` names them."""
    stem, save = ("pytorch_model", torch.save) if ending == "bin" else ("model", save_file)
    names = sorted(named)
    parts = [names[: len(names) // 2], names[len(names) // 2 :]]
    weight_map = {}
    for number, part in enumerate(parts, 1):
        file = f"{stem}-{number:05d}-of-00002.{ending}"
        save({name: named[name] for name in part}, folder / file)
        weight_map |= dict.fromkeys(part, file)
    index = folder / f"{stem}.{ending}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map}))
    return index


def assert_loads(path):
    checkpoint = read_checkpoint(path)
    assert all(torch.equal(checkpoint.state[name], STATE[name]) for name in STATE)
    assert checkpoint.labels == tuple(NAMES)
    assert load_model(path.absolute()).card.labels == tuple(NAMES)


def test_safetensors_with_their_labels(folder, named):
    save_file(named, folder / "model.safetensors")
    assert_loads(folder)
    assert_loads(folder / "model.safetensors")


def test_a_pickle_with_its_labels(folder, named):
    torch.save(named, folder / "pytorch_model.bin")
    assert_loads(folder)
    assert_loads(folder / "pytorch_model.bin")


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["safetensors", "bin"])
def test_shards_by_their_index(folder, named, ending):
    index = shards(folder, named, ending)
    assert_loads(folder)
    assert_loads(index)


def test_a_missing_shard_is_named(folder, named):
    shards(folder, named, "safetensors")
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"model-00002-of-00002\.safetensors: no such file"):
        read_checkpoint(folder)


@pytest.mark.parametrize("name", ["../official.pth", "/etc/passwd", "..", 3])
def test_an_index_leads_to_no_other_folder(folder, named, name):
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(CheckpointError, match="not in the same folder"):
        read_checkpoint(folder)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"weight_map": 3}', "[" * 100_000])
def test_a_damaged_index_is_refused(folder, content):
    (folder / "model.safetensors.index.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"index\.json"):
        read_checkpoint(folder)


def test_placeholders_are_no_labels(folder, named):
    save_file(named, folder / "model.safetensors")
    write_config(folder, [f"LABEL_{index}" for index in range(10)])
    assert read_checkpoint(folder).labels == ()


def test_labels_of_another_width_are_refused(folder, named):
    save_file(named, folder / "model.safetensors")
    write_config(folder, NAMES[:9])
    with pytest.raises(LabelsError, match="got 9 labels, expected 10"):
        read_checkpoint(folder)


def test_a_configuration_without_labels_leaves_them_to_the_user(folder, named):
    save_file(named, folder / "model.safetensors")
    (folder / "config.json").write_text('{"model_type": "swin", "num_labels": 10}')
    assert read_checkpoint(folder).labels == ()

"""Which model `--model`, `--weights`, `--labels` and the configuration mean."""

import pytest

from vswin_cli.cli.model_choice import ModelChoice, load_chosen, make_engine
from vswin_cli.config import EngineOptions
from vswin_cli.errors import CheckpointError, DeviceError, OptionError, UnknownModelError
from vswin_cli.models.weights.store import embedded_folder
from vswin_cli.storage.user_config import set_default_model


def test_the_default_is_the_embedded_model_or_what_the_user_has_set(tiny_model):
    assert ModelChoice().reference == "camera-motion"
    set_default_model(str(tiny_model))
    assert ModelChoice().reference == str(tiny_model)
    assert ModelChoice("swin-t-k400").reference == "swin-t-k400"


def test_options_that_exclude_each_other_are_refused(tmp_path):
    with pytest.raises(OptionError, match="exclude each other"):
        ModelChoice("swin-t-k400", tmp_path / "mine.pth")
    for choice in ({}, {"model": "swin-t-k400"}):
        with pytest.raises(OptionError, match="belong to --weights"):
            ModelChoice(**choice, ema=True)


def test_missing_files_and_unknown_names_are_found_before_loading(tmp_path):
    with pytest.raises(UnknownModelError):
        ModelChoice("swin-t-k40").check()
    with pytest.raises(CheckpointError) as caught:
        ModelChoice(weights=tmp_path / "mine.pth").check()
    assert "names go with --model" in (caught.value.hint or "")
    set_default_model(str(tmp_path / "gone"))
    with pytest.raises(CheckpointError) as caught:
        ModelChoice().check()
    assert "it is your default model" in (caught.value.hint or "")


def test_files_that_a_result_must_not_overwrite_are_listed(tmp_path, tiny_model):
    files = ModelChoice(str(tiny_model), labels=tmp_path / "labels.txt").files()
    assert {tmp_path / "labels.txt", tiny_model / "model.safetensors"} <= set(files)
    assert embedded_folder() in ModelChoice("camera-motion").files()
    assert ModelChoice("swin-t-k400").files() == []


def test_labels_of_a_file_replace_those_of_the_model(tmp_path, tiny_model):
    path = tmp_path / "labels.txt"
    path.write_text("\n".join(f"name {i}" for i in range(10)))
    model = load_chosen(ModelChoice(str(tiny_model), labels=path), quiet=True)
    assert model.card.labels[3] == "name 3"


def test_a_device_that_is_not_there_is_found_before_the_weights():
    with pytest.raises(DeviceError):
        make_engine(ModelChoice("camera-motion"), EngineOptions("cuda:99"), crops=1, quiet=True)

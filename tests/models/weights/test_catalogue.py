import pytest

from vswin_cli.errors import LabelsError, UnknownModelError
from vswin_cli.models.weights.catalogue import (
    embedded_model,
    find_installed,
    installed_models,
    labels_of,
)
from vswin_cli.models.weights.store import model_folder


def install(tiny_model, name):
    folder = model_folder(name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to(tiny_model)
    return folder


def test_weights_in_the_cache_are_listed_by_name(tiny_model):
    assert installed_models() == ()
    install(tiny_model, "swin-t-k400")
    install(tiny_model, "swin-b-k400")
    found = installed_models()
    assert [one.folder.name for one in found] == ["swin-b-k400", "swin-t-k400"]
    assert found[0].card.num_classes == 10
    assert found[0].size_bytes > 0


def test_a_damaged_card_does_not_hide_the_others(tiny_model):
    install(tiny_model, "swin-t-k400")
    damaged = model_folder("swin-b-k400")
    damaged.mkdir()
    for path in tiny_model.iterdir():
        (damaged / path.name).write_text("{")
    assert [one.folder.name for one in installed_models()] == ["swin-t-k400"]


def test_weights_are_found_by_name_and_by_path(tiny_model):
    assert find_installed("swin-t-k400") is None
    install(tiny_model, "swin-t-k400")
    assert find_installed("swin-t-k400").card == find_installed(str(tiny_model)).card
    assert embedded_model().card.labels


def test_labels_come_from_lists_files_and_weights(tiny_model, tmp_path):
    (tmp_path / "mine.txt").write_text("one\ntwo\n")
    assert labels_of(str(tmp_path / "mine.txt")).names == ("one", "two")
    assert labels_of("swin-t-k400").names == labels_of("kinetics-400").names
    assert labels_of(str(tiny_model)).names[0] == "label a"


@pytest.mark.parametrize(
    ("reference", "error", "hint"),
    [
        ("kinetics-40", UnknownModelError, "did you mean kinetics-400"),
        ("missing.txt", UnknownModelError, "check the path"),
        ("user/repo", LabelsError, "vswin download user/repo"),
    ],
)
def test_what_has_no_labels_says_what_to_do(reference, error, hint):
    with pytest.raises(error) as caught:
        labels_of(reference)
    assert hint in caught.value.hint

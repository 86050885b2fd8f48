import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from tests.support.golden import golden_input, golden_network, golden_state
from tests.support.layout_files import LAYOUT_WRITERS, mmaction2_file, official_file
from vswin_cli.errors import CheckpointError, LabelsError, OutputError
from vswin_cli.models.card import ModelCard
from vswin_cli.models.checkpoints.load import (
    CARD_FILE,
    WEIGHTS_FILE,
    build_model,
    read_checkpoint,
    save_model,
)

NETWORK = golden_network("w877")
CARD = ModelCard("golden", NETWORK.architecture, 10, tuple(f"label {i}" for i in range(10)))


class Log:
    """Unknown to PyTorch's safe loader."""


def contents(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def saved(tmp_path):
    save_model(tmp_path / "model", golden_state("w877"), CARD)
    return tmp_path / "model"


@pytest.fixture
def official(tmp_path):
    return official_file(tmp_path / "weights.pth", golden_state("w877"))


def test_our_folder_gives_back_weights_and_card(saved):
    checkpoint = read_checkpoint(saved)
    assert checkpoint.layout == "vswin"
    assert checkpoint.card == CARD
    assert checkpoint.architecture == NETWORK.architecture
    expected = golden_state("w877")
    assert set(checkpoint.state) == set(expected)
    assert all(torch.equal(checkpoint.state[name], expected[name]) for name in expected)


def test_the_weights_file_in_our_folder_stands_for_the_folder(saved):
    assert read_checkpoint(saved / WEIGHTS_FILE).card == CARD


def test_weights_without_their_card_are_detected_from_shapes(saved):
    (saved / CARD_FILE).unlink()
    checkpoint = read_checkpoint(saved / WEIGHTS_FILE)
    assert (checkpoint.layout, checkpoint.card) == ("bare", None)
    assert checkpoint.architecture == NETWORK.architecture


def test_the_card_counts_where_shapes_are_ambiguous(tmp_path):
    architecture = replace(NETWORK.architecture, window_size=(8, 7, 7))
    other = replace(architecture, window_size=(98, 7, 1))  # the same number of table rows
    save_model(tmp_path / "model", golden_state("w877"), replace(CARD, architecture=other))
    assert read_checkpoint(tmp_path / "model").architecture == other


def test_saving_twice_gives_the_same_bytes(tmp_path):
    state = golden_state("w877")
    backwards = dict(reversed(list(state.items())))
    save_model(tmp_path / "a", state, CARD)
    save_model(tmp_path / "b", backwards, CARD)
    for name in (WEIGHTS_FILE, CARD_FILE):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_our_weights_are_a_safetensors_file_as_the_library_writes_it(saved, tmp_path):
    with safe_open(saved / WEIGHTS_FILE, framework="pt") as file:
        assert set(file.keys()) == set(golden_state("w877"))
        assert file.metadata() == {"format": "pt"}
    save_file(golden_state("w877"), tmp_path / "theirs", {"format": "pt"})
    assert (saved / WEIGHTS_FILE).stat().st_size == (tmp_path / "theirs").stat().st_size


def test_a_built_model_runs_and_has_the_hash_of_its_file(saved, official):
    clip = golden_input((4, 64, 64))
    from_folder = build_model(read_checkpoint(saved), CARD)
    from_official = build_model(read_checkpoint(official), CARD)
    with torch.inference_mode():
        assert torch.equal(from_folder.network(clip), from_official.network(clip))
    digest = hashlib.sha256((saved / WEIGHTS_FILE).read_bytes()).hexdigest()
    assert from_folder.weights_sha256 == from_official.weights_sha256 == digest
    assert not from_folder.network.training
    assert not any(p.requires_grad for p in from_folder.network.parameters())
    assert from_folder.card == CARD


def test_a_card_of_another_width_does_not_fit(official):
    with pytest.raises(LabelsError, match="got 2 labels, expected 10"):
        build_model(read_checkpoint(official), replace(CARD, num_classes=2, labels=("a", "b")))


def test_objects_left_out_are_reported(tmp_path):
    file = mmaction2_file(tmp_path / "file.pth", golden_state("w877"), meta={"log": Log()})
    checkpoint = read_checkpoint(file)
    assert checkpoint.ignored == (f"{__name__}.Log",)
    assert build_model(checkpoint, CARD).card.notes == (f"Left out of file.pth: {__name__}.Log.",)


@pytest.mark.parametrize("layout", LAYOUT_WRITERS)
def test_a_missing_tensor_is_named(tmp_path, layout):
    state = golden_state("w877")
    del state["layers.1.blocks.1.mlp.fc2.bias"]
    file = LAYOUT_WRITERS[layout](tmp_path / "file.pth", state)
    with pytest.raises(
        CheckpointError, match=r"file\.pth: .*layers\.1\.blocks\.1\.mlp\.fc2\.bias missing"
    ):
        read_checkpoint(file)


def test_a_missing_head_bias_is_named(tmp_path):
    state = golden_state("w877")
    del state["head.bias"]
    with pytest.raises(CheckpointError, match=r"head\.bias missing"):
        read_checkpoint(official_file(tmp_path / "file.pth", state))


def test_a_left_over_tensor_is_named(tmp_path):
    state = {**golden_state("w877"), "extra.weight": torch.zeros(1)}
    with pytest.raises(CheckpointError, match=r"extra\.weight left over"):
        read_checkpoint(official_file(tmp_path / "file.pth", state))


def test_a_tensor_of_the_wrong_shape_is_named_with_both_shapes(tmp_path):
    state = golden_state("w877")
    state["layers.0.blocks.0.attn.qkv.weight"] = torch.zeros(48, 17)
    match = r"attn\.qkv\.weight \(48, 17\), expected \(48, 16\) of the wrong shape"
    with pytest.raises(CheckpointError, match=match):
        read_checkpoint(official_file(tmp_path / "file.pth", state))


def test_a_weight_that_is_not_a_number_is_named(tmp_path):
    state = golden_state("w877")
    state["norm.weight"] = state["norm.weight"].clone()
    state["norm.weight"][3] = float("nan")
    with pytest.raises(CheckpointError, match=r"norm\.weight not finite"):
        read_checkpoint(official_file(tmp_path / "file.pth", state))


def test_long_lists_of_names_are_cut(tmp_path):
    state = {k: v for k, v in golden_state("w877").items() if "norm2" not in k}
    with pytest.raises(CheckpointError, match=r"and 12 more missing") as caught:
        read_checkpoint(official_file(tmp_path / "file.pth", state))
    assert len(caught.value.message) < 500


def test_weights_that_contradict_their_card_are_refused(saved):
    card = replace(CARD, architecture=replace(CARD.architecture, depths=(2, 2, 3, 2)))
    (saved / CARD_FILE).write_text(card.to_json())
    with pytest.raises(CheckpointError, match=r"layers\.2\.blocks\.2\..*missing"):
        read_checkpoint(saved)


@pytest.mark.parametrize("name", [WEIGHTS_FILE, CARD_FILE])
def test_half_a_folder_is_refused(saved, name):
    (saved / name).unlink()
    with pytest.raises(CheckpointError, match="not a model folder") as caught:
        read_checkpoint(saved)
    assert WEIGHTS_FILE in str(caught.value.hint)


def test_a_card_that_is_not_text_is_refused(saved):
    (saved / CARD_FILE).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CheckpointError, match=r"config\.json: cannot be read"):
        read_checkpoint(saved)


def test_a_cut_off_weights_file_is_refused(saved):
    content = (saved / WEIGHTS_FILE).read_bytes()
    (saved / WEIGHTS_FILE).write_bytes(content[:-100])
    with pytest.raises(CheckpointError, match=r"model\.safetensors: a damaged or cut off"):
        read_checkpoint(saved)


def test_saving_replaces_an_older_model_and_leaves_no_other_file(saved):
    save_model(saved, golden_state("w877"), replace(CARD, id="newer"))
    assert read_checkpoint(saved).card == replace(CARD, id="newer")
    assert contents(saved.parent) == ["model"]
    assert contents(saved) == [CARD_FILE, WEIGHTS_FILE]


def test_saving_makes_missing_parents_and_fills_an_empty_folder(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    for folder in (tmp_path / "a" / "b", tmp_path / "c" / "d"):
        save_model(folder, golden_state("w877"), CARD)
        assert read_checkpoint(folder).card == CARD


def test_saving_does_not_replace_a_foreign_folder(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"x")
    with pytest.raises(OutputError, match="exists and is not a model folder"):
        save_model(tmp_path, golden_state("w877"), CARD)
    assert contents(tmp_path) == ["photo.jpg"]


def test_weights_that_do_not_fit_the_card_are_not_saved(tmp_path):
    with pytest.raises(CheckpointError, match=r"head\.weight \(10, 128\), expected \(3, 128\)"):
        save_model(
            tmp_path / "model", golden_state("w877"), replace(CARD, num_classes=3, labels=())
        )
    assert contents(tmp_path) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match=r"file/model: cannot be written") as caught:
        save_model(tmp_path / "file" / "model", golden_state("w877"), CARD)
    assert caught.value.hint


def test_a_failed_write_keeps_the_older_model(saved, monkeypatch):
    monkeypatch.setattr(
        ModelCard, "to_json", lambda self: (_ for _ in ()).throw(OSError(28, "No space left"))
    )
    with pytest.raises(OutputError, match="No space left"):
        save_model(saved, golden_state("w877"), replace(CARD, id="newer"))
    monkeypatch.undo()
    assert read_checkpoint(saved).card == CARD
    assert contents(saved.parent) == ["model"]


def test_records_that_hold_tensors_have_a_short_repr_and_compare(official):
    checkpoint, again = read_checkpoint(official), read_checkpoint(official)
    model = build_model(checkpoint, CARD)
    assert "swin3d" in repr(checkpoint)
    assert "official" in repr(checkpoint)
    assert "golden" in repr(model)
    assert "10 classes" in repr(model)
    assert model.weights_sha256[:12] in repr(model)
    assert max(len(repr(model)), len(repr(checkpoint)) - len(str(official))) < 160
    assert checkpoint == checkpoint
    assert checkpoint != again
    assert model == model
    assert model != build_model(again, CARD)

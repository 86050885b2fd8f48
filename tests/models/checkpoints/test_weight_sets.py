"""Prefixes, averaged copies and tensors beside the network, as training tools write them."""

import pytest
import torch

from tests.support.golden import golden_state
from tests.support.layout_files import official_file
from vswin_cli.errors import CheckpointError
from vswin_cli.models.card import ModelCard
from vswin_cli.models.checkpoints.load import build_model, read_checkpoint
from vswin_cli.models.checkpoints.weight_sets import choose_set, networks_in

STATE = golden_state("w877")


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """The authors' names and a state dict under them."""
    path = official_file(tmp_path_factory.mktemp("official") / "file.pth", STATE)
    return torch.load(path)["state_dict"]


@pytest.fixture
def save(tmp_path):
    def save(content):
        torch.save(content, tmp_path / "file.pth")
        return tmp_path / "file.pth"

    return save


def averaged(named):
    return {name: tensor + 1 for name, tensor in named.items()}


def is_raw(checkpoint):
    return torch.equal(checkpoint.state["norm.bias"], STATE["norm.bias"])


def is_average(checkpoint):
    return torch.equal(checkpoint.state["norm.bias"], STATE["norm.bias"] + 1)


@pytest.mark.parametrize(
    "prefix",
    [
        "_orig_mod.",
        "module.",
        "model.",
        "net.",
        "model._orig_mod.",
        "module._orig_mod.",
        "model.module.net.",
        "classifier.video_encoder.",
        "_forward_module.model._orig_mod.module.",
    ],
)
def test_any_prefix_is_dropped(save, named, prefix):
    path = save({"state_dict": {prefix + name: tensor for name, tensor in named.items()}})
    checkpoint = read_checkpoint(path)
    assert checkpoint.layout == "official"
    assert set(checkpoint.state) == set(STATE)
    assert all(torch.equal(checkpoint.state[name], STATE[name]) for name in STATE)
    assert checkpoint.ignored == ()


def test_wrappers_inside_names_are_dropped(save, named):
    def wrapped(name):
        name = name.replace("backbone.", "backbone._orig_mod.")
        return name.replace(".norm1.", "._checkpoint_wrapped_module.norm1.")

    checkpoint = read_checkpoint(save({wrapped(name): t for name, t in named.items()}))
    assert set(checkpoint.state) == set(STATE)


@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        ("n_averaged", torch.tensor(3)),
        ("criterion.weight", torch.ones(10)),
        ("loss_fn.pos_weight", torch.ones(10)),
        ("train_acc.total", torch.tensor(1.0)),
        ("val_metrics.MulticlassF1.confmat", torch.ones(10, 10)),
        ("ema_decay", torch.tensor(0.99)),
        ("model.num_updates", torch.tensor(7)),
    ],
)
def test_tensors_that_serve_training_are_left_out_and_named(save, named, name, tensor):
    state = {f"model.{key}": value for key, value in named.items()} | {name: tensor}
    checkpoint = read_checkpoint(save({"state_dict": state}))
    assert set(checkpoint.state) == set(STATE)
    assert checkpoint.ignored == (name.removeprefix("model."),)
    notes = build_model(checkpoint, ModelCard("x", checkpoint.architecture, 10)).card.notes
    assert notes == (f"Left out of file.pth: {checkpoint.ignored[0]}.",)


@pytest.mark.parametrize(
    "name", ["projector.weight", "temperature", "head.weight", "model.backbone.pos_embed"]
)
def test_tensors_that_could_belong_to_the_network_are_refused_and_named(save, named, name):
    state = {f"model.{key}": value for key, value in named.items()} | {name: torch.ones(10, 4)}
    short = name.removeprefix("model.backbone.")
    with pytest.raises(CheckpointError, match=rf"{short}.* left over"):
        read_checkpoint(save({"state_dict": state}))


def test_a_head_beside_a_network_without_one_is_not_used_for_it(save, named):
    state = {f"net.{key}": value for key, value in named.items() if "cls_head" not in key}
    state |= {"head.weight": STATE["head.weight"], "head.bias": STATE["head.bias"]}
    with pytest.raises(CheckpointError, match=r"head\.weight \(beside net\.\*\)"):
        read_checkpoint(save(state))


@pytest.mark.parametrize("key", ["state_dict_ema", "model_ema", "ema_model", "ema", "swa_model"])
def test_a_lone_average_loads_and_is_named(save, named, key):
    checkpoint = read_checkpoint(save({key: averaged(named), "epoch": 3}))
    assert is_average(checkpoint)
    assert "Averaged weights" in checkpoint.notes[0]
    assert key in checkpoint.notes[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "average"),
    [
        (lambda raw, ema: {"state_dict": raw, "state_dict_ema": ema}, "state_dict_ema"),
        (lambda raw, ema: {"model_ema": ema, "model": raw}, "model_ema"),
        (lambda raw, ema: {"model": raw, "ema": {"decay": 0.9, "module": ema}}, "ema.module"),
        (
            lambda raw, ema: {"state_dict": _under("net.", raw) | _under("ema_model.module.", ema)},
            "ema_model",
        ),
        (
            lambda raw, ema: (
                _under("online_model.", raw)
                | _under("ema_model.", ema)
                | {"initted": torch.tensor(True), "step": torch.tensor(5)}
            ),
            "ema_model",
        ),
    ],
    ids=["timm", "detr", "nested", "lightning", "ema-pytorch"],
)
def test_of_two_weight_sets_one_is_the_default_and_the_other_can_be_chosen(
    save, named, content, average
):
    path = save(content(named, averaged(named)))
    default = read_checkpoint(path)
    assert is_raw(default)
    assert "Raw weights" in default.notes[0]
    assert "--ema takes" in default.notes[0]
    assert average in default.notes[0]
    assert is_average(read_checkpoint(path, ema=True))
    assert is_raw(read_checkpoint(path, ema=False))


def _under(prefix, state):
    return {prefix + name: tensor for name, tensor in state.items()}


def test_mmengine_exchanges_the_two_when_it_saves(save, named):
    raw = {**_under("module.", named), "steps": torch.tensor(9)}
    path = save({"state_dict": averaged(named), "ema_state_dict": raw})
    default = read_checkpoint(path)
    assert is_average(default)
    assert "Averaged weights (state_dict)" in default.notes[0]
    assert "--no-ema takes ema_state_dict" in default.notes[0]
    assert is_raw(read_checkpoint(path, ema=False))


def test_weights_that_are_not_in_the_file_are_refused(save, named):
    with pytest.raises(CheckpointError, match="no averaged weights") as caught:
        read_checkpoint(save({"state_dict": named}), ema=True)
    assert "--ema" in str(caught.value.hint)
    with pytest.raises(CheckpointError, match="no raw weights"):
        read_checkpoint(save({"state_dict_ema": named}), ema=False)


def test_two_networks_of_one_kind_are_rejected_and_named(save, named):
    both = _under("student.", named) | _under("teacher.", averaged(named))
    with pytest.raises(CheckpointError, match="2 networks in it: student, teacher"):
        read_checkpoint(save(both))
    with pytest.raises(CheckpointError, match="several networks in it"):
        read_checkpoint(save({"first": named, "second": averaged(named)}))


def test_weights_under_an_unusual_key_are_found(save, named):
    assert is_raw(read_checkpoint(save({"epoch": 3, "my_weights": {"best": named}})))


def test_a_file_without_a_swin_stays_one_set():
    sets = networks_in({"module.a": torch.ones(1), "module.b": torch.ones(1)}, "", averaged=False)
    assert [set(one.tensors) for one in sets] == [{"a", "b"}]
    assert choose_set(sets, None, "file") == (sets[0], None)


def test_a_swin_under_unknown_names_is_not_called_a_vision_transformer(save, named):
    state = {name.replace("patch_embed.proj", "stem.conv"): t for name, t in named.items()}
    with pytest.raises(CheckpointError, match="a Swin Transformer, but with unknown names"):
        read_checkpoint(save(state))

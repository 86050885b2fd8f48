from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.support.golden import (
    TOLERANCE,
    golden_input,
    golden_network,
    golden_state,
    parameter_shapes,
    write_tf_bundle,
)
from tests.support.layout_files import (
    LAYOUT_WRITERS,
    image_swin_state,
    position_index,
    torchvision_name,
)
from vswin_cli.errors import CheckpointError
from vswin_cli.models.architecture import Architecture
from vswin_cli.models.checkpoints.layouts import recognise, rename
from vswin_cli.models.checkpoints.load import Checkpoint, read_checkpoint
from vswin_cli.models.network.swin3d import VideoSwin
from vswin_cli.models.weights.registry import all_specs

WINDOWS = {"w877": (8, 7, 7), "w1677": (16, 7, 7)}


def largest_difference(checkpoint: Checkpoint, network_name: str) -> float:
    """Over the cheapest golden cases."""
    network = VideoSwin(checkpoint.architecture, checkpoint.num_classes).eval()
    network.load_state_dict(checkpoint.state)
    cases = golden_network(network_name).cheapest(3)
    with torch.inference_mode():
        return max(
            float((network(golden_input(case.size))[0] - case.logits).abs().max()) for case in cases
        )


def empty_state(architecture: Architecture, num_classes: int) -> dict[str, Tensor]:
    """Shapes without storage."""
    shapes = parameter_shapes(architecture, num_classes)
    return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}


@pytest.mark.slow
@pytest.mark.parametrize("has_index", [True, False], ids=["index", "no-index"])
@pytest.mark.parametrize("layout", LAYOUT_WRITERS)
@pytest.mark.parametrize("name", WINDOWS)
def test_each_layout_gives_the_reference_s_logits(tmp_path, name, layout, has_index):
    window = WINDOWS[name] if has_index else None
    file = LAYOUT_WRITERS[layout](tmp_path / "file", golden_state(name), window)
    checkpoint = read_checkpoint(file)
    assert checkpoint.layout == layout
    assert checkpoint.architecture == golden_network(name).architecture
    assert checkpoint.num_classes == 10
    if layout == "official" or not has_index:  # the rest has the very same tensors
        assert largest_difference(checkpoint, name) < TOLERANCE
    expected = golden_state(name)
    assert set(checkpoint.state) == set(expected)
    assert all(torch.equal(checkpoint.state[key], expected[key]) for key in expected)


def test_tensorflow_s_bundle_gives_tensorflow_s_logits(tmp_path):
    write_tf_bundle(tmp_path / "variables")
    checkpoint = read_checkpoint(tmp_path)
    assert checkpoint.layout == "tensorflow"
    assert checkpoint.architecture == golden_network("tf").architecture
    assert largest_difference(checkpoint, "tf") < TOLERANCE


def test_wrong_weights_would_be_noticed(tmp_path):
    state = golden_state("w877")
    name = "layers.2.blocks.1.attn.proj.weight"
    file = LAYOUT_WRITERS["official"](tmp_path / "file", {**state, name: state[name].t()})
    assert largest_difference(read_checkpoint(file), "w877") > 100 * TOLERANCE


@pytest.mark.parametrize("spec", all_specs(), ids=lambda spec: spec.name)
def test_published_architectures_are_detected_from_shapes(spec):
    found = recognise(empty_state(spec.architecture, spec.num_classes), "file")
    assert found.architecture == spec.architecture
    assert found.num_classes == spec.num_classes


@pytest.mark.parametrize(
    "architecture",
    [
        Architecture("swin3d_custom", 8, (1,), (2,), (4, 7, 7), (1, 8, 8)),
        Architecture("swin3d_custom", 12, (1, 3), (1, 4), (2, 3, 3), (2, 4, 4), 2.5),
        Architecture("swin3d_custom", 8, (2, 1, 1, 2, 1), (1, 1, 2, 4, 8), (16, 12, 12)),
    ],
    ids=["one-stage", "narrow-mlp", "five-stages"],
)
def test_other_architectures_are_detected_from_shapes(architecture):
    assert recognise(empty_state(architecture, 3), "file").architecture == architecture


def test_a_window_that_is_not_square_is_detected_from_the_index_buffer():
    architecture = Architecture("swin3d_custom", 8, (1,), (1,), (4, 3, 5))
    state = empty_state(architecture, 3)
    name = "layers.0.blocks.0.attn.relative_position_index"
    state[name] = position_index((4, 3, 5))
    assert recognise(state, "file").architecture.window_size == (4, 3, 5)


def test_an_index_buffer_in_another_order_is_refused():
    state = empty_state(golden_network("w877").architecture, 3)
    name = "layers.0.blocks.0.attn.relative_position_index"
    state[name] = position_index((8, 7, 7)).t()
    with pytest.raises(CheckpointError, match=f"{name} does not number a window"):
        recognise(state, "file")


def test_tables_that_follow_from_the_architecture_are_dropped():
    state = empty_state(golden_network("w877").architecture, 3)
    derived = {
        "layers.0.blocks.1.attn_mask": torch.zeros(1),
        "data_preprocessor.mean": torch.zeros(3),
    }
    assert set(recognise(state | derived, "file").state) == set(state)


@pytest.mark.parametrize("prefix", ["module.", "model."])
def test_prefixes_of_training_wrappers_are_dropped(prefix):
    state = golden_state("w877")
    wrapped = {prefix + torchvision_name(name): tensor for name, tensor in state.items()}
    found = recognise(wrapped, "file")
    assert found.layout == "torchvision"
    assert set(found.state) == set(state)


def test_a_backbone_without_head_has_no_classes():
    state = golden_state("w877")
    backbone = {f"backbone.{name}": t for name, t in state.items() if not name.startswith("head")}
    assert recognise(backbone, "file").num_classes == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_float32(dtype):
    state = {name: tensor.to(dtype) for name, tensor in golden_state("w877").items()}
    assert {t.dtype for t in recognise(state, "file").state.values()} == {torch.float32}


def test_tensors_share_no_memory_and_lie_in_order():
    state = golden_state("w877")
    shared = torch.cat([tensor.flatten() for tensor in state.values()])
    parts = torch.split(shared, [tensor.numel() for tensor in state.values()])
    views = {k: part.view(t.shape) for (k, t), part in zip(state.items(), parts, strict=True)}
    views["head.weight"] = views["head.weight"].t().contiguous().t()
    found = recognise(views, "file").state
    assert all(t.is_contiguous() for t in found.values())
    assert len({t.untyped_storage().data_ptr() for t in found.values()}) == len(found)


def test_a_2d_swin_is_named_and_pointed_to_inflation():
    with pytest.raises(CheckpointError, match="a 2D Swin Transformer for images") as caught:
        recognise(image_swin_state(7), "file")
    assert "--inflate" in str(caught.value.hint)
    assert rename(image_swin_state(7)).is_image_swin


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (["layer1.0.conv1.weight", "fc.weight"], "a ResNet"),
        (["cls_token", "blocks.0.attn.qkv.weight"], "a Vision Transformer"),
        (["patch_embed.proj.weight", "blocks.0.attn.qkv.weight"], "such as VideoMAE"),
        (["layers.0.blocks.0.attn.cpb_mlp.0.weight"], "a Swin Transformer V2"),
        (["features.0.0.weight", "features.1.0.attn.qkv.weight"], "torchvision's 2D image Swin"),
        (["videomae.embeddings.patch_embeddings.projection.weight"], "the Transformers library"),
        (["s1.pathway0_stem.conv.weight"], "SlowFast"),
        (["a.weight", "b.weight"], "something else"),
    ],
)
def test_other_networks_are_named_for_what_they_look_like(names, what):
    with pytest.raises(CheckpointError, match=what) as caught:
        recognise({name: torch.zeros(2, 3, 4, 4) for name in names}, "the-file")
    assert caught.value.message.startswith("the-file: not a Video Swin checkpoint")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "shape", "problem"),
    [
        ("patch_embed.proj.weight", (16, 1, 2, 4, 4), r"patch_embed\.proj\.weight has the shape"),
        (
            "layers.1.blocks.0.attn.relative_position_bias_table",
            (2535, 3),
            "do not fit a Video Swin",
        ),
        ("layers.1.blocks.0.attn.relative_position_bias_table", (5,), r"its shape is \(5,\)"),
        ("layers.2.blocks.0.attn.relative_position_bias_table", None, "it is missing"),
        ("layers.0.blocks.0.mlp.fc1.weight", None, "it is missing"),
    ],
)
def test_contradicting_shapes_are_named(name, shape, problem):
    state = empty_state(golden_network("w877").architecture, 3)
    del state[name]
    if shape is not None:
        state[name] = torch.empty(shape, device="meta")
    with pytest.raises(CheckpointError, match=problem):
        recognise(state, "file")


def test_a_file_of_an_unknown_layout_keeps_its_names():
    named = rename({"a.b": torch.zeros(1)})
    assert named.layout == "bare"
    assert set(named.state) == {"a.b"}
    assert not named.is_image_swin


def test_recognition_does_not_look_at_the_file_s_name(tmp_path: Path) -> None:
    file = LAYOUT_WRITERS["torchvision"](tmp_path / "official.mmaction2.pth", golden_state("w877"))
    assert read_checkpoint(file).layout == "torchvision"

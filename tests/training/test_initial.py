from dataclasses import replace

import pytest
import torch

from tests.support.golden import SPEC, load_golden
from vswin_cli.errors import CheckpointError
from vswin_cli.training.initial import initial_network, load_initial

LABELS = ("walk", "run", "jump")


@pytest.fixture(scope="module")
def golden():
    return load_golden()


def test_a_new_head_stands_on_the_known_weights(golden):
    network = initial_network(golden, LABELS, from_scratch=False, seed=0)
    assert network.head.weight.shape == (3, golden.card.architecture.num_features)
    known = golden.network.state_dict()
    for name, value in network.state_dict().items():
        assert name.startswith("head.") or torch.equal(value, known[name]), name
    assert all(p.requires_grad for p in network.parameters())


def test_the_head_of_the_same_labels_stays(golden):
    network = initial_network(golden, golden.card.labels, from_scratch=False, seed=0)
    assert torch.equal(network.head.weight, golden.network.head.weight)


def test_random_weights_follow_from_the_seed(golden):
    networks = [
        initial_network(golden, LABELS, from_scratch=True, seed=seed).state_dict()
        for seed in (1, 1, 2)
    ]
    assert all(map(torch.equal, networks[0].values(), networks[1].values()))
    name = "layers.0.blocks.0.attn.qkv.weight"
    assert not torch.equal(networks[0][name], networks[2][name])
    assert networks[0][name].std() == pytest.approx(0.02, rel=0.1)
    assert networks[0]["layers.0.blocks.0.norm1.weight"].unique().tolist() == [1.0]
    assert networks[0]["norm.bias"].abs().max() == 0


def image_weights(golden):
    """The golden network as a 2D Swin: one frame and one distance in time."""
    state = {}
    for name, value in golden.network.state_dict().items():
        if name == "patch_embed.proj.weight":
            value = value[:, :, 0]
        elif name.endswith("relative_position_bias_table"):
            value = value[: 13 * 13]
        state[name] = value.clone()
    return state


def test_an_image_network_is_inflated(golden, tmp_path):
    torch.save({"model": image_weights(golden)}, tmp_path / "image.pth")
    base = load_initial(tmp_path / "image.pth", spec=SPEC)
    assert (base.card.num_classes, base.card.input) == (0, SPEC)
    assert replace(base.card.architecture, name="") == replace(golden.card.architecture, name="")
    network = initial_network(base, LABELS, from_scratch=False, seed=0)
    images = image_weights(golden)
    kernel = network.patch_embed.proj.weight
    torch.testing.assert_close(kernel[:, :, 1], images["patch_embed.proj.weight"] / 2)
    table = network.layers[0].blocks[0].attn.relative_position_bias_table
    part = images["layers.0.blocks.0.attn.relative_position_bias_table"]
    torch.testing.assert_close(table, part.repeat(15, 1))


def test_a_file_that_is_no_network_is_refused(tmp_path):
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match=r"other\.pth"):
        load_initial(tmp_path / "other.pth")

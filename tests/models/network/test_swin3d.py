import copy
import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from tests.support.golden import (
    TOLERANCE,
    GoldenNetwork,
    golden_input,
    golden_network,
    golden_state,
)
from tests.support.reference_gradients import DATA as GRADIENTS_FILE
from tests.support.reference_gradients import SIZES as GRADIENT_SIZES
from tests.support.reference_gradients import gradients_of, network_of
from tests.support.reference_logits import NETWORKS, SIZES, formula_weights
from vswin_cli.models.architecture import Architecture
from vswin_cli.models.network.linear import Linear
from vswin_cli.models.network.swin3d import VideoSwin

GRADIENTS = json.loads(GRADIENTS_FILE.read_text())
REFERENCE = json.loads((Path(__file__).parents[2] / "data" / "reference_logits.json").read_text())


def build(golden: GoldenNetwork) -> VideoSwin:
    network = VideoSwin(golden.architecture, golden.num_classes).eval()
    network.load_state_dict(golden_state(golden.name))
    return network


@pytest.fixture(scope="module")
def golden() -> VideoSwin:
    return build(golden_network("w877"))


def formula_network(key: str) -> VideoSwin:
    network = VideoSwin(*NETWORKS[key]).eval()
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
    network.load_state_dict(formula_weights(shapes))
    return network


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "case"),
    [(name, case) for name in ("w877", "w1677") for case in golden_network(name).cases],
    ids=lambda value: value if isinstance(value, str) else value.id,
)
def test_logits_equal_the_authors(name, case):
    with torch.inference_mode():
        logits = build(golden_network(name))(golden_input(case.size))[0]
    torch.testing.assert_close(logits, case.logits, atol=TOLERANCE, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("key", NETWORKS)
@pytest.mark.parametrize("number", range(len(SIZES)), ids=lambda i: "x".join(map(str, SIZES[i])))
def test_logits_equal_torchvision_for_other_windows_and_stages(key, number):
    case = REFERENCE[key][number]
    with torch.inference_mode():
        logits = formula_network(key)(golden_input(case["size"]))[0]
    torch.testing.assert_close(logits, torch.tensor(case["logits"]), atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("size", [(32, 64, 64), (18, 90, 70), (5, 33, 47)])
def test_a_clip_scores_the_same_alone_and_in_a_batch(golden, size):
    clip = golden_input(size)
    with torch.inference_mode():
        alone = golden(clip)
        batch = golden(torch.cat([clip.flip(3), clip, clip.roll(3, 2)]))
    torch.testing.assert_close(batch[1:2], alone, atol=1e-5, rtol=0)


def test_clip_logits_are_the_mean_of_the_step_logits(golden):
    clip = golden_input((18, 90, 70))
    with torch.inference_mode():
        steps = golden.forward_steps(clip)
        pooled = golden.head(golden.forward_features(clip).mean((2, 3, 4)))
    assert steps.shape == (1, 9, 10)
    assert steps.std(1).max() > 0.01
    torch.testing.assert_close(steps.mean(1), pooled, atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [(8, 32, 48), (5, 33, 70)])
def test_step_logits_are_the_mean_of_the_cells_logits(golden, size):
    x = golden_input(size)
    with torch.inference_mode():
        cells, steps = golden.forward_cells(x), golden.forward_steps(x)
        chosen = golden.forward_cells(x, torch.tensor([7, 2]))
    rows, columns = golden.architecture.cell_grid(*size[1:])
    assert cells.shape == (1, steps.shape[1], rows, columns, 10)
    torch.testing.assert_close(cells.mean((2, 3)), steps, atol=1e-5, rtol=0)
    torch.testing.assert_close(chosen, cells[..., [7, 2]], atol=1e-5, rtol=0)


def test_cells_need_a_head():
    network = VideoSwin(golden_network("w877").architecture, 0)
    with pytest.raises(ValueError, match="no head"):
        network.forward_cells(golden_input((2, 32, 32)))


def test_changed_weights_change_the_cached_bias(golden):
    network = formula_network("w1677")
    clip = golden_input((16, 32, 32))
    with torch.no_grad():
        before = network(clip)
        network.layers[0].blocks[0].attn.relative_position_bias_table.uniform_(-3, 3)
        after = network(clip)
        network.load_state_dict(formula_network("w1677").state_dict())
        again = network(clip)
    assert (before - after).abs().max() > 1e-3
    torch.testing.assert_close(again, before)


@pytest.mark.slow
def test_a_fused_step_of_an_optimiser_changes_what_is_kept():
    layer, x = Linear(32, 48), torch.randn(8, 32)
    optimiser = torch.optim.AdamW(layer.parameters(), lr=0.1, fused=True)
    with torch.inference_mode():
        layer(x)
    layer(x).square().sum().backward()
    optimiser.step()  # leaves the version of the weights as it was
    with torch.inference_mode():
        torch.testing.assert_close(layer(x), F.linear(x, layer.weight, layer.bias))


def test_switching_to_eval_drops_cached_biases():
    network = build(golden_network("w877"))
    clip = golden_input((16, 32, 32))
    with torch.inference_mode():
        before = network(clip)
    for parameter in network.parameters():
        parameter.data.mul_(1.5)
    network.eval()
    fresh = copy.deepcopy(network)
    with torch.inference_mode():
        torch.testing.assert_close(network(clip), fresh(clip))
        assert not torch.allclose(before, fresh(clip))


def test_a_network_that_has_been_used_can_be_copied(golden):
    clip = golden_input((16, 32, 32))
    with torch.inference_mode():
        logits = golden(clip)
        torch.testing.assert_close(copy.deepcopy(golden)(clip), logits)


def test_gradients_reach_every_parameter():
    network = formula_network("three-stages").train()
    network(golden_input((9, 20, 25))).square().sum().backward()
    silent = [name for name, p in network.named_parameters() if not p.grad.abs().sum() > 0]
    # A key's bias moves all scores of a query alike, so that only padding can see its gradient.
    assert silent == []


@pytest.mark.parametrize("key", GRADIENT_SIZES)
def test_gradients_equal_torchvision(key):
    architecture, num_classes, state = network_of(key)
    network = VideoSwin(architecture, num_classes).train()
    network.load_state_dict(state)
    found = gradients_of(network, GRADIENT_SIZES[key])
    expected = GRADIENTS[key]
    assert found.keys() == expected.keys()
    for name, (norm, *_) in expected.items():
        assert found[name] == pytest.approx(expected[name], abs=2e-5 * norm + 1e-7), name


def test_recomputing_blocks_changes_no_gradient():
    clip = golden_input((9, 20, 26))

    def gradients(recompute: bool) -> list[torch.Tensor]:
        network = formula_network("three-stages").train()
        network.plain_features(clip, recompute=recompute).square().sum().backward()
        named = network.named_parameters()
        found = [p.grad for name, p in named if not name.startswith("head")]
        return [gradient for gradient in found if gradient is not None]

    plain = gradients(False)
    assert plain
    for one, recomputed in zip(plain, gradients(True), strict=True):
        assert torch.equal(one, recomputed)


def test_branches_are_dropped_per_clip():
    network = formula_network("three-stages")
    clips = torch.cat([golden_input((9, 20, 26)), golden_input((9, 20, 26)).flip(3)])
    scales = torch.ones(6, 2, 2)
    with torch.no_grad():
        plain = network.plain_features(clips)
        torch.testing.assert_close(network.plain_features(clips, branch_scales=scales), plain)
        scales[:, :, 1] = 0  # no branch of the second clip
        dropped = network.plain_features(clips, branch_scales=scales)
        torch.testing.assert_close(dropped[0], plain[0])
        for name, weight in network.named_parameters():
            if ".attn." in name or ".mlp." in name:
                weight.zero_()
        torch.testing.assert_close(dropped[1], network.plain_features(clips)[1])


def test_training_may_follow_inference():
    network = formula_network("three-stages")
    clip = golden_input((9, 20, 26))
    with torch.inference_mode():
        network(clip)
    network.train()(clip).square().sum().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_state_dict_holds_no_derived_tables(golden):
    assert not [name for name in golden.state_dict() if "index" in name or "mask" in name]


def test_network_without_head_still_gives_features():
    network = VideoSwin(Architecture("x", 8, (1,), (1,)), 0).eval()
    assert network.forward_features(golden_input((2, 8, 8))).shape == (1, 8, 1, 2, 2)
    with pytest.raises(ValueError, match="no head"):
        network(golden_input((2, 8, 8)))

import copy
import pickle

import pytest
import torch
import torch.nn.functional as F

from vswin_cli.models.network.linear import Linear, has_fused


@pytest.fixture
def layer():
    torch.manual_seed(0)
    return Linear(48, 32).eval()


@pytest.fixture
def rows():
    return torch.randn(20, 48, generator=torch.Generator().manual_seed(1))


def plain(layer, rows):
    return F.linear(rows, layer.weight, layer.bias)


def test_fused_passes_compute_what_the_separate_steps_do(layer, rows):
    residual = torch.ones(20, 32)
    with torch.inference_mode():
        expected = plain(layer, rows)
        torch.testing.assert_close(layer(rows), expected)
        torch.testing.assert_close(layer.forward_gelu(rows), F.gelu(expected))
        torch.testing.assert_close(layer.forward_add(rows, residual), residual + expected)
    assert (layer._packed is not None) == has_fused(torch.float32)


def test_gradients_flow_through_the_separate_steps(layer, rows):
    with torch.inference_mode():
        layer(rows)  # has reordered the weights
    layer.forward_gelu(rows).sum().backward()
    assert layer.weight.grad is not None
    assert layer._packed is None


def test_weights_changed_in_place_are_reordered_again(layer, rows):
    with torch.inference_mode():
        layer(rows)
    with torch.no_grad():
        layer.weight.mul_(2)
    with torch.inference_mode():
        torch.testing.assert_close(layer(rows), plain(layer, rows))


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_copies_leave_the_reordered_weights_behind(layer, rows, duplicate):
    with torch.inference_mode():
        expected = layer(rows)
        other = duplicate(layer)
        assert other._packed is None
        assert torch.equal(other(rows), expected)
        assert list(other.state_dict()) == ["weight", "bias"]


def test_other_types_and_ranks_take_the_separate_steps(layer, rows):
    with torch.inference_mode():
        torch.testing.assert_close(layer(rows[None]), plain(layer, rows)[None])
        assert layer._packed is None
        assert not has_fused(torch.float64)
        assert layer.double()(rows.double()).dtype == torch.float64

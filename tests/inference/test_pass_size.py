from dataclasses import replace

from vswin_cli.inference.pass_size import is_small, products_per_view
from vswin_cli.models.architecture import Architecture, InputSpec
from vswin_cli.models.weights.registry import get_spec


def test_products_are_those_of_the_linear_layers_counted_by_hand():
    small = Architecture("small", 8, (1, 1), (1, 1), patch_size=(2, 4, 4), mlp_ratio=4.0)
    spec = InputSpec(num_frames=4, crop_size=32)
    first = 2 * 8 * 8 * (4 + 8) * 8 * 8  # tokens, (q, k, v, projection; MLP), width squared
    second = 2 * 4 * 4 * (4 + 8) * 16 * 16
    assert products_per_view(small, spec) == first + second


def test_products_grow_with_the_frames_and_the_area():
    tiny = get_spec("swin-t-k400")
    whole = products_per_view(tiny.architecture, tiny.input)
    half = replace(tiny.input, num_frames=tiny.input.num_frames // 2)
    assert products_per_view(tiny.architecture, half) * 2 == whole


def test_published_networks_fill_a_pass_with_one_view():
    tiny = get_spec("swin-t-k400")
    assert not is_small(tiny.architecture, tiny.input)
    assert is_small(Architecture("small", 8, (1,), (1,)), InputSpec(num_frames=4, crop_size=32))

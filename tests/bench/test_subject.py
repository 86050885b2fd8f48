"""Networks with random weights."""

import pytest
import torch

from vswin_cli.bench.subject import ARCHITECTURES, random_model
from vswin_cli.errors import OptionError


@pytest.mark.slow
def test_random_weights_are_the_same_every_time_and_keep_logits_in_range():
    a, b = (random_model("swin3d_t") for _ in range(2))
    for one, other in zip(a.network.parameters(), b.network.parameters(), strict=True):
        assert torch.equal(one, other)
    with torch.inference_mode():
        logits = a.network(torch.randn(1, 3, 4, 32, 32))
    assert 0.1 < logits.std() < 10
    assert not any(p.requires_grad for p in a.network.parameters())


def test_an_unknown_architecture_is_named_with_the_known_ones():
    with pytest.raises(OptionError, match="swin4d") as caught:
        random_model("swin4d")
    assert all(name in caught.value.hint for name in ARCHITECTURES)

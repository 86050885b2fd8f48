"""Torchvision's network with our weights."""

import sys

import pytest

from vswin_cli.bench.networks import measure_networks
from vswin_cli.bench.torchvision_peer import build_torchvision, import_torchvision
from vswin_cli.errors import OptionError


def test_a_missing_peer_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision.models.video.swin_transformer", None)
    with pytest.raises(OptionError, match="cannot be measured") as caught:
        import_torchvision()
    assert "pip install torchv" in caught.value.hint


@pytest.mark.slow
def test_torchvision_gives_the_same_logits(engines, bench_video):
    try:
        peer = build_torchvision(engines["float32"].model.network)
    except OptionError:
        pytest.skip("torchvision is not installed")
    exact = {"float32": engines["float32"]}
    peers = {"torchvision": {"float32": peer}}
    report = measure_networks(exact, bench_video.first_clips, peers, batch_size=1, passes=1)
    assert report.rows[1].difference < 1e-4

"""The measurement on a CPU, where it works as well; `tests/gpu` runs it on a GPU."""

import pytest
import torch

from tests.support.golden import SPEC, load_golden
from vswin_cli.inference import batch_size
from vswin_cli.inference.batch_size import measured_batch_size


@pytest.fixture
def network():
    return load_golden().network


def count_passes(monkeypatch, network, most=None):
    """Let the network run out of memory above `most` views, and note the size of each pass."""
    whole, sizes = network.forward_steps, []

    def cramped(views):
        sizes.append(len(views))
        if most is not None and len(views) > most:
            raise torch.OutOfMemoryError("no room")
        return whole(views)

    monkeypatch.setattr(network, "forward_steps", cramped)
    return sizes


def test_sizes_are_tried_once_and_remembered(monkeypatch, network):
    sizes = count_passes(monkeypatch, network)
    first = measured_batch_size(network, SPEC, "float32")
    assert first in batch_size._SIZES
    tried = len(sizes)
    assert tried >= 4
    assert measured_batch_size(network, SPEC, "float32") == first
    assert len(sizes) == tried
    measured_batch_size(network, SPEC, "bfloat16")  # another precision is measured on its own
    assert len(sizes) > tried


def test_sizes_that_do_not_fit_are_not_chosen(monkeypatch, network):
    monkeypatch.setattr(batch_size, "_LEAST_GAIN", 0.0)  # any size counts as an improvement
    count_passes(monkeypatch, network, most=5)
    assert measured_batch_size(network, SPEC, "float32") == 4


def test_a_view_that_hardly_fits_goes_alone(monkeypatch, network):
    count_passes(monkeypatch, network, most=1)
    assert measured_batch_size(network, SPEC, "float32") == 1


def test_the_budget_bounds_what_is_tried_and_what_was_remembered(monkeypatch, network):
    monkeypatch.setattr(batch_size, "_LEAST_GAIN", 0.0)
    monkeypatch.setattr(batch_size, "_try", lambda run, views: (1.0, 100 * len(views)))
    monkeypatch.setattr(batch_size, "_budget", lambda device: 1700.0)
    assert measured_batch_size(network, SPEC, "float32") == 16
    monkeypatch.setattr(batch_size, "_budget", lambda device: 850.0)  # others have taken memory
    assert measured_batch_size(network, SPEC, "float32") == 8
    monkeypatch.setattr(batch_size, "_budget", lambda device: 10.0)
    assert measured_batch_size(network, SPEC, "float32") == 1


def test_tables_of_the_sizes_tried_are_dropped(network):
    measured_batch_size(network, SPEC, "float32")
    assert network._routes == {}

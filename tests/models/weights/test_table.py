"""The table of published weights against the networks, label lists and published counts."""

from __future__ import annotations

import pytest
import torch

from vswin_cli.models.labels import LabelMap
from vswin_cli.models.network.swin3d import VideoSwin
from vswin_cli.models.weights.registry import all_specs, get_spec
from vswin_cli.models.weights.spec import parameter_count

SPECS = pytest.mark.parametrize("spec", all_specs(), ids=lambda spec: spec.name)
SOURCES = pytest.mark.parametrize(
    "source",
    [source for spec in all_specs() for source in spec.sources],
    ids=[f"{spec.name}-{source.key}" for spec in all_specs() for source in spec.sources],
)
PUBLISHED_COUNTS = {
    "swin-t-k400": 28_158_070,
    "swin-s-k400": 49_816_678,
    "swin-b-k400": 88_048_984,
    "swin-b-k400-in1k": 88_048_984,
    "swin-b-k600": 88_253_984,
    "swin-b-ssv2": 88_834_038,
    "swin-l-k400": 196_953_916,
    "swin-l-k700": 197_415_016,
    "swin-s-k710": 50_055_068,
}


def test_table_holds_exactly_the_promised_names():
    assert [spec.name for spec in all_specs()] == list(PUBLISHED_COUNTS)


@SPECS
def test_closed_form_gives_the_published_count(spec):
    assert spec.parameters == PUBLISHED_COUNTS[spec.name]
    assert parameter_count(spec.architecture, spec.num_classes) == spec.parameters


@SPECS
def test_network_has_the_recorded_number_of_parameters(spec):
    with torch.device("meta"):
        network = VideoSwin(spec.architecture, spec.num_classes)
    assert sum(parameter.numel() for parameter in network.parameters()) == spec.parameters


@SPECS
def test_label_list_is_as_long_as_the_head(spec):
    LabelMap.bundled(spec.labels).check_width(spec.num_classes, spec.name)


@SPECS
def test_every_entry_states_its_source_and_how_it_was_measured(spec):
    assert spec.origin
    assert spec.licence
    assert spec.pretrained_on
    assert spec.accuracy
    for result in spec.accuracy:
        assert 0 < result.top1 < result.top5 < 100
        assert "clip" in result.protocol
        assert result.by


@SPECS
def test_first_source_holds_the_named_training_itself(spec):
    assert spec.sources[0].other_training is None
    assert len({source.key for source in spec.sources}) == len(spec.sources)


@SPECS
def test_hub_comes_first_where_it_has_the_weights(spec):
    keys = [source.key for source in spec.sources]
    assert "hub" not in keys[1:]


@SOURCES
def test_every_file_can_be_checked_without_a_hash(source):
    assert source.uri.startswith(("https://", "hf://"))
    assert source.licence != "unknown"
    weights = max(source.files, key=lambda file: file.planned_bytes)
    assert weights.size_bytes or weights.tensor_bytes
    assert source.download_bytes > 100_000_000


@SOURCES
def test_file_names_that_carry_a_hash_agree_with_the_record(source):
    if source.key in ("torchvision", "openmmlab"):
        (file,) = source.files
        assert file.sha256 is not None
        assert file.path.endswith(f"-{file.sha256.hex}.pth")
        assert file.sha256.certainty == "published"


def test_something_something_is_sampled_over_its_whole_clip():
    spec = get_spec("swin-b-ssv2")
    assert spec.input.sampling == "uniform"
    assert spec.architecture.window_size == (16, 7, 7)
    assert {s.name for s in all_specs() if s.input.sampling == "uniform"} == {"swin-b-ssv2"}

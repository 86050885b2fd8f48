"""The table of published weights agrees with itself, with the label lists and with the network."""

from __future__ import annotations

import hashlib

import pytest
import torch

from vswin_cli.errors import OptionError, UnknownModelError
from vswin_cli.models.architecture import Architecture
from vswin_cli.models.labels import LabelMap
from vswin_cli.models.network.swin3d import VideoSwin
from vswin_cli.models.weights.registry import all_specs, find_source, get_spec, nearest_names
from vswin_cli.models.weights.spec import FileHash, RemoteFile, WeightsSource, parameter_count

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


def test_closed_form_follows_other_shapes():
    architecture = Architecture("odd", 24, (1, 3), (2, 3), (4, 5, 5), (1, 4, 4), 2.0)
    with torch.device("meta"):
        network = VideoSwin(architecture, 7)
    counted = sum(parameter.numel() for parameter in network.parameters())
    assert parameter_count(architecture, 7) == counted


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


def test_error_for_an_unknown_name_suggests_the_nearest():
    with pytest.raises(UnknownModelError) as caught:
        get_spec("swin_b_k60")
    assert "'swin_b_k60'" in caught.value.message
    assert "swin-b-k600" in str(caught.value.hint)


def test_error_for_a_name_without_similar_ones_lists_all():
    with pytest.raises(UnknownModelError) as caught:
        get_spec("zzz")
    assert all(spec.name in str(caught.value.hint) for spec in all_specs())


def test_nearest_names_ignore_case_and_underscores():
    names = tuple(spec.name for spec in all_specs())
    assert nearest_names("SWIN_T_K400", names)[0] == "swin-t-k400"
    assert nearest_names("swin-l-k600", names)


def test_error_for_an_unknown_source_lists_the_existing_ones():
    assert find_source(get_spec("swin-t-k400"), "authors").key == "authors"
    with pytest.raises(OptionError) as caught:
        find_source(get_spec("swin-b-k600"), "torchvision")
    assert caught.value.hint == "it has: hub, authors"


def test_hash_matches_whole_or_by_its_beginning():
    whole = hashlib.sha256(b"x").hexdigest()
    assert FileHash(whole, "confirmed").matches(whole)
    assert FileHash(whole[:8], "published").matches(whole)
    assert not FileHash("0" * 8, "published").matches(whole)


@pytest.mark.parametrize("text", ["", "abc", "XYZ12345", "A" * 64, "0" * 65])
def test_text_that_is_no_hash_is_refused(text):
    with pytest.raises(ValueError, match="not a sha256"):
        FileHash(text, "published")


def test_exact_length_is_checked_exactly():
    file = RemoteFile("w.pth", size_bytes=100)
    assert file.size_problem(100) is None
    assert file.size_problem(99) == "got 99 bytes, expected 100"


def test_bundle_shorter_than_its_tensors_or_much_longer_is_refused():
    file = RemoteFile("data", tensor_bytes=4000, extra_bytes=500)
    assert file.size_problem(4200) is None
    assert "tensors alone take 4000" in (file.size_problem(3999) or "")
    assert "at most 4500" in (file.size_problem(4501) or "")
    assert RemoteFile("w.pth", tensor_bytes=4000).size_problem(9999) is None
    assert RemoteFile("config.json").size_problem(7) is None


def test_headless_tensorflow_copy_would_be_too_short():
    for spec in all_specs():
        for source in spec.sources:
            if source.key == "hub":
                head = 4 * (spec.architecture.num_features + 1) * spec.num_classes
                data = source.files[1]
                assert data.about_bytes is not None
                assert data.size_problem(data.about_bytes) is None
                assert data.size_problem(data.about_bytes - head) is not None


def test_source_needs_one_place_and_files():
    file = RemoteFile("w.pth")
    with pytest.raises(ValueError, match="needs files"):
        WeightsSource("x", (file,))
    with pytest.raises(ValueError, match="needs files"):
        WeightsSource("x", (file,), repo="a/b", base_url="http://c/")
    with pytest.raises(ValueError, match="needs files"):
        WeightsSource("x", (), repo="a/b")


def test_uris_name_repository_revision_and_file():
    file = RemoteFile("sub/w.pth")
    assert WeightsSource("x", (file,), repo="a/b").uri == "hf://a/b/sub/w.pth"
    assert WeightsSource("x", (file,), repo="a/b", revision="v1").uri == "hf://a/b@v1/sub/w.pth"
    assert WeightsSource("x", (file,), base_url="http://h/d/").uri == "http://h/d/sub/w.pth"

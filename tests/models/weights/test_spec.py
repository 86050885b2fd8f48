"""Records of published weights: hashes, sizes, addresses and numbers of parameters."""

from __future__ import annotations

import hashlib

import pytest
import torch

from vswin_cli.models.architecture import Architecture
from vswin_cli.models.network.swin3d import VideoSwin
from vswin_cli.models.weights.registry import all_specs
from vswin_cli.models.weights.spec import FileHash, RemoteFile, WeightsSource, parameter_count


def test_closed_form_follows_other_shapes():
    architecture = Architecture("odd", 24, (1, 3), (2, 3), (4, 5, 5), (1, 4, 4), 2.0)
    with torch.device("meta"):
        network = VideoSwin(architecture, 7)
    counted = sum(parameter.numel() for parameter in network.parameters())
    assert parameter_count(architecture, 7) == counted


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

"""What a user may write for a model, and which files of a repository that means."""

from __future__ import annotations

from pathlib import Path

import pytest

from vswin_cli.errors import CheckpointError, UnknownModelError
from vswin_cli.models.weights.hub import RepoFile, RepoListing
from vswin_cli.models.weights.references import (
    HubReference,
    LocalReference,
    choose_files,
    parse_reference,
)
from vswin_cli.models.weights.registry import get_spec

COMMIT = "c" * 40


@pytest.fixture(autouse=True)
def _here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def test_registry_name_is_a_name():
    assert parse_reference("swin-t-k400") == get_spec("swin-t-k400")


def test_registry_name_wins_over_a_folder_of_that_name():
    Path("swin-t-k400").mkdir()
    assert parse_reference("swin-t-k400") == get_spec("swin-t-k400")
    assert parse_reference("./swin-t-k400") == LocalReference(Path("swin-t-k400"))


@pytest.mark.parametrize("text", ["w.pth", "./w", "/tmp/w", "../w.bin", "a/b.safetensors"])
def test_reference_in_path_form_is_a_path_even_if_missing(text):
    assert parse_reference(text) == LocalReference(Path(text))


def test_home_is_expanded():
    assert parse_reference("~/w.pth") == LocalReference(Path.home() / "w.pth")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("user/repo", HubReference("user/repo")),
        ("user/repo@v1.0", HubReference("user/repo", "v1.0")),
        ("hf://user/repo", HubReference("user/repo")),
        ("hf://user/repo@main/a/b.pth", HubReference("user/repo", "main", "a/b.pth")),
        ("hf://user/repo/a/", HubReference("user/repo", None, "a")),
    ],
)
def test_repository_forms(text, expected):
    assert parse_reference(text) == expected


def test_repository_prints_as_it_can_be_typed():
    for text in ("hf://user/repo", "hf://user/repo@v1", "hf://user/repo@v1/a/b.pth"):
        assert str(parse_reference(text)) == text


def test_existing_folder_wins_over_a_repository_of_that_name():
    Path("user/repo").mkdir(parents=True)
    assert parse_reference("user/repo") == LocalReference(Path("user/repo"))
    assert parse_reference("hf://user/repo") == HubReference("user/repo")


def test_existing_file_without_an_ending_is_found():
    Path("weights").write_text("")
    assert parse_reference("weights") == LocalReference(Path("weights"))


def test_misspelt_name_offers_the_nearest():
    with pytest.raises(UnknownModelError) as caught:
        parse_reference("swin-t-k40")
    assert "swin-t-k400" in str(caught.value.hint)


@pytest.mark.parametrize("text", ["a/b/c", "hf://alone", "user/repo@", "a b/c"])
def test_unknown_reference_fails(text):
    with pytest.raises(UnknownModelError, match="neither a name"):
        parse_reference(text)


def listing(*paths: str) -> RepoListing:
    files = tuple(RepoFile(path, 10 + number) for number, path in enumerate(sorted(paths)))
    return RepoListing("user/repo", COMMIT, files)


def chosen(reference: HubReference, *paths: str) -> list[str]:
    return [file.path for file in choose_files(reference, listing(*paths)).files]


REPO = HubReference("user/repo")


def test_own_format_is_preferred():
    paths = ("README.md", "config.json", "model.safetensors", "old/w.pth")
    assert chosen(REPO, *paths) == ["model.safetensors", "config.json"]


def test_single_checkpoint_is_unambiguous():
    assert chosen(REPO, "README.md", "run/w.pth", "config.py") == ["run/w.pth"]


def test_bundle_is_taken_with_its_data():
    index, data = "T/variables/variables.index", "T/variables/variables.data-00000-of-00001"
    assert chosen(REPO, index, data, "T/saved_model.pb") == [index, data]


def test_index_without_data_is_no_checkpoint():
    with pytest.raises(CheckpointError, match="contains no checkpoint"):
        choose_files(REPO, listing("T/variables/variables.index"))


def test_source_is_pinned_to_the_commit_and_sizes():
    source = choose_files(HubReference("user/repo", "main"), listing("w.pth"))
    assert source.revision == COMMIT
    assert source.files[0].size_bytes == 10
    assert source.uri == f"hf://user/repo@{COMMIT}/w.pth"


def test_several_checkpoints_are_listed_with_a_way_to_choose():
    with pytest.raises(CheckpointError, match=r"2 checkpoints in it: a\.pth, b\.pth") as caught:
        choose_files(HubReference("user/repo", "v1"), listing("b.pth", "a.pth"))
    assert "hf://user/repo@v1/a.pth" in str(caught.value.hint)
    assert chosen(HubReference("user/repo", "v1", "b.pth"), "b.pth", "a.pth") == ["b.pth"]


def test_path_may_be_a_folder_but_not_half_a_name():
    assert chosen(HubReference("user/repo", None, "a"), "a/w.pth", "ab/w.pth") == ["a/w.pth"]
    with pytest.raises(CheckpointError, match="no checkpoint"):
        choose_files(HubReference("user/repo", None, "a/w"), listing("a/w.pth"))


def test_long_lists_are_cut():
    with pytest.raises(CheckpointError, match="and 12 more"):
        choose_files(REPO, listing(*(f"{number:02}.pth" for number in range(20))))


def test_weights_as_hugging_face_libraries_save_them_come_with_their_configuration():
    more = ("optimizer.pt", "scheduler.pt", "training_args.bin", "rng_state_0.pth")
    assert chosen(REPO, "config.json", "model.safetensors", "pytorch_model.bin", *more) == [
        "model.safetensors",
        "config.json",
    ]
    assert chosen(REPO, "config.json", "pytorch_model.bin", *more) == [
        "pytorch_model.bin",
        "config.json",
    ]


@pytest.mark.parametrize("stem", ["model.{}.safetensors", "pytorch_model.{}.bin"])
def test_shards_come_with_their_index(stem):
    index = stem.replace(".{}", "") + ".index.json"
    shards = [stem.replace(".{}", f"-{number:05d}-of-00002") for number in (1, 2)]
    assert chosen(REPO, "config.json", index, *shards) == [index, "config.json", *shards]

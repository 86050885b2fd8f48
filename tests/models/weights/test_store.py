import json

import pytest

from vswin_cli.errors import CheckpointError, DownloadError, OutputError
from vswin_cli.models.weights.store import (
    MODEL_FILES,
    check_model,
    check_replaceable,
    is_model_folder,
    model_folder,
    recall_commit,
    recall_file,
    record_path,
    remember_commit,
    remember_file,
    remember_model,
)

URI = "https://example.org/weights.pth"


@pytest.fixture
def folder(tmp_path):
    """A folder with two files under the names of our format."""
    folder = tmp_path / "model"
    folder.mkdir()
    for name in MODEL_FILES:
        (folder / name).write_text('{"schema": "vswin.model/1"}')
    return folder


def test_the_hash_of_a_first_download_is_kept():
    assert recall_file(URI) is None
    remember_file(URI, "ab" * 32, 7)
    seen = recall_file(URI)
    assert (seen.uri, seen.sha256, seen.size_bytes) == (URI, "ab" * 32, 7)


@pytest.mark.parametrize("content", ["", "[]", '{"uri": 1}'])
def test_a_damaged_record_is_an_error_and_not_a_missing_one(content):
    remember_file(URI, "ab" * 32, 7)
    record_path(URI).write_text(content)
    with pytest.raises(DownloadError, match="cannot be read"):
        recall_file(URI)


def test_the_record_of_another_address_does_not_count():
    remember_file(URI, "ab" * 32, 7)
    record = json.loads(record_path(URI).read_text())
    record_path(URI).write_text(json.dumps({**record, "uri": "https://example.org/other"}))
    assert recall_file(URI) is None


def test_a_changed_model_is_noticed_also_after_a_move(folder, tmp_path):
    check_model(folder)  # without hashes, as older versions left it
    remember_model(folder)
    check_model(folder)
    moved = tmp_path / "elsewhere" / folder.name
    moved.parent.mkdir()
    folder.rename(moved)
    check_model(moved)
    (moved / MODEL_FILES[0]).write_text("changed")
    with pytest.raises(CheckpointError, match="has changed since"):
        check_model(moved)


def test_commits_are_kept_by_reference():
    remember_commit("user/repo@main", "1" * 40)
    assert recall_commit("user/repo@main") == "1" * 40
    assert recall_commit("user/repo") is None
    assert model_folder(f"user/repo@{'1' * 40}").name == f"user--repo@{'1' * 40}"


def test_only_an_empty_folder_or_a_model_is_replaced(folder, tmp_path):
    check_replaceable(tmp_path / "new")
    check_replaceable(folder)
    assert is_model_folder(folder)
    (folder / "notes.txt").touch()
    with pytest.raises(OutputError, match=r"notes\.txt is in it"):
        check_replaceable(folder)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="not a model folder"):
        check_replaceable(tmp_path / "file")

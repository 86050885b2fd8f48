from pathlib import Path

import pytest

from vswin_cli.cli.output_paths import OutputPath, check_distinct, files_by_id, plan_pages
from vswin_cli.errors import OptionError, OutputError


def test_a_slash_or_a_folder_that_is_there_means_a_folder(tmp_path):
    assert OutputPath.parse(f"{tmp_path}/new/").is_folder
    assert OutputPath.parse(str(tmp_path)).is_folder
    assert not OutputPath.parse(f"{tmp_path}/new").is_folder
    assert OutputPath.parse(f"file://{tmp_path}/a%20b").path == tmp_path / "a b"


@pytest.mark.parametrize("text", ["", "s3://bucket/a.json", "https://example.org/"])
def test_an_empty_name_and_an_address_are_refused(text):
    with pytest.raises(OptionError):
        OutputPath.parse(text)


def test_a_file_where_a_folder_is_meant_and_a_missing_parent_are_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="Not a directory"):
        OutputPath.parse(f"{tmp_path}/file/")
    with pytest.raises(OutputError, match="no folder"):
        OutputPath.parse(f"{tmp_path}/no/a.json")


def test_only_the_folder_itself_is_made(tmp_path):
    OutputPath(tmp_path / "new", True).make()
    assert (tmp_path / "new").is_dir()
    OutputPath(tmp_path / "file", False).make()
    assert not (tmp_path / "file").exists()
    with pytest.raises(OutputError):
        OutputPath(tmp_path / "not mounted" / "new", True).make()


def test_files_in_a_folder_have_names_of_their_own(tmp_path):
    files = OutputPath(tmp_path, True).files(["a/x.mp4", "b/x.mp4"], ".json")
    assert len({*files}) == 2
    assert {file.parent for file in files} == {tmp_path}
    assert OutputPath(tmp_path / "one", False).files(["a", "b"], ".json") == [tmp_path / "one"] * 2


def test_two_options_for_one_file_are_refused_also_through_a_link(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "a")
    named = [("--out", tmp_path / "a"), ("--out", tmp_path / "a")]
    check_distinct(named)
    with pytest.raises(OptionError, match="--out and --report would both write"):
        check_distinct([*named, ("--report", tmp_path / "link")])


def test_files_by_id_need_a_folder_for_several_videos(tmp_path):
    folder = OutputPath(tmp_path, True)
    assert files_by_id(folder, ["x", "y"], ".npz", "--save-scores") == [
        tmp_path / "x.npz",
        tmp_path / "y.npz",
    ]
    with pytest.raises(OptionError, match="is one file for 2 videos"):
        files_by_id(OutputPath(Path("a.npz"), False), ["x", "y"], ".npz", "--save-scores")


def test_pages_of_several_videos_begin_with_their_index(tmp_path):
    first, *others = plan_pages(OutputPath(tmp_path, True), ["a.mp4", "b.mp4"])
    assert first == tmp_path / "index.html"
    assert len(others) == 2
    assert plan_pages(OutputPath(tmp_path, True), ["a.mp4"])[0].stem == "a"

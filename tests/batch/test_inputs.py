"""Which videos the arguments name, where results are written, and the journal."""

import errno
import os

import pytest

from vswin_cli.batch.inputs import Shard, collect_inputs, query_addresses
from vswin_cli.errors import OptionError, SourceNotFoundError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ("a.mp4", "b.mkv", "day1/c.mp4", "day1/deep/d.mov", "notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def uris(found):
    return [one.source.uri for one in found]


def test_a_folder_stands_for_all_videos_in_all_its_folders(folder):
    assert uris(collect_inputs(["."])) == ["a.mp4", "b.mkv", "day1/c.mp4", "day1/deep/d.mov"]


def test_a_folder_without_read_permission_is_a_failed_input(folder, monkeypatch):
    look = os.scandir

    def refuse(path):
        if str(path).endswith("day1"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return look(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = collect_inputs(["."])
    assert uris(found) == ["a.mp4", "b.mkv", "day1"]
    assert found[-1].problem.message == "cannot read day1: Permission denied"
    assert [one.problem for one in found[:-1]] == [None, None]


def test_patterns_choose_files_by_name_or_by_folder(folder):
    assert uris(collect_inputs(["."], files=["*.mp4"])) == ["a.mp4", "day1/c.mp4"]
    assert uris(collect_inputs(["."], files=["day1/*"])) == ["day1/c.mp4"]
    assert uris(collect_inputs(["."], skip_files=["*.mp4", "*.mov"])) == ["b.mkv"]
    address = "https://host/x.mp4?token=1"
    assert uris(collect_inputs([address, "b.mkv"], files=["*.mp4"])) == [
        "https://host/x.mp4?token=***"
    ]


def test_lists_name_inputs_line_by_line(folder):
    (folder / "list.txt").write_text("# today\na.mp4\r\n\nday1\nhttps://host/x.mp4\n")
    assert uris(collect_inputs(["@list.txt"])) == [
        "a.mp4", "day1/c.mp4", "day1/deep/d.mov", "https://host/x.mp4",
    ]  # fmt: skip
    assert uris(collect_inputs(["-"], standard_input=["b.mkv\n", "a.mp4"])) == ["b.mkv", "a.mp4"]
    assert uris(collect_inputs(["-"], standard_input=["b.mkv\0a.mp4\0"])) == ["b.mkv", "a.mp4"]
    with pytest.raises(SourceNotFoundError, match=r"missing\.txt"):
        collect_inputs(["@missing.txt"])


def test_every_path_comes_once(folder):
    assert uris(collect_inputs(["a.mp4", ".", str(folder / "a.mp4")]))[:2] == ["a.mp4", "b.mkv"]
    assert len(collect_inputs(["a.mp4", ".", str(folder / "a.mp4")])) == 4


def test_an_argument_that_names_nothing_becomes_a_failed_input(folder):
    (folder / "empty").mkdir()
    found = collect_inputs(["a.mp4", "gone.mp4", "empty", "*.webm"])
    assert [one.problem is None for one in found] == [True, False, False, False]


def test_a_bad_line_does_not_affect_the_others(folder):
    (folder / "loop.mp4").symlink_to("loop.mp4")
    lines = ["https://host/*.mp4", "nonsense://a/*.mp4", "file://[/a.mp4", "loop.mp4", "http://[/"]
    found = query_addresses(collect_inputs(["-"], standard_input=[*lines, "a.mp4", "github://b"]))
    assert [one.source.uri for one in found if one.problem is None] == ["http://[/", "a.mp4"]
    assert all(one.problem.hint for one in found if one.problem is not None)
    assert all(one.entry for one in found)
    with pytest.raises(OptionError, match="no wildcards"):
        collect_inputs(["-"], standard_input=lines[:2])


def test_the_identity_follows_size_and_time(folder):
    (before,) = collect_inputs(["a.mp4"])
    os.utime(folder / "a.mp4", ns=(1, 1))
    (after,) = collect_inputs(["a.mp4"])
    assert before.entry == after.entry
    assert before.identity != after.identity


def test_shards_are_disjoint_and_complete(folder):
    inputs = collect_inputs(["."])
    parts = [Shard(number, 3).of(inputs) for number in (1, 2, 3)]
    assert sorted(uris(one for part in parts for one in part)) == sorted(uris(inputs))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "1/", "-1/2"])
def test_an_impossible_shard_is_refused(text):
    with pytest.raises(OptionError):
        Shard.parse(text)

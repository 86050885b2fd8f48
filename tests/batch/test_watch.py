"""Videos that arrive in folders, with a clock that the tests set."""

import os
from pathlib import Path

import pytest

from vswin_cli.batch.inputs import BatchInput, collect_inputs
from vswin_cli.batch.watch import FolderWatch, check_folders
from vswin_cli.errors import OptionError


class Folder:
    """A folder in which files appear at times of the test's clock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = 1_700_000_000.0
        find = lambda: collect_inputs([str(path)])  # noqa: E731
        self.watch = FolderWatch(find, stable_seconds=5.0, clock=lambda: self.now)

    def write(self, name: str, content: bytes, age: float = 0.0) -> None:
        (self.path / name).write_bytes(content)
        os.utime(self.path / name, (self.now - age, self.now - age))

    def names(self, found: list[BatchInput] | None) -> list[str] | None:
        return None if found is None else [Path(item.source.uri).name for item in found]

    def look(self, after: float = 0.0) -> list[str] | None:
        self.now += after
        return self.names(self.watch.look())


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_a_file_counts_once_it_is_unchanged_for_a_while(folder):
    assert folder.look() is None
    folder.write("b.mp4", b"1")
    assert folder.look() is None
    assert folder.look(4.0) is None
    folder.write("b.mp4", b"12")
    assert folder.look(4.0) is None
    assert folder.watch.num_incomplete == 1
    assert folder.look(2.0) == ["b.mp4"]
    assert folder.look(60.0) is None


def test_a_file_that_was_moved_here_counts_at_once(folder):
    folder.write("a.mp4", b"1", age=3600.0)
    assert folder.look() == ["a.mp4"]


def test_a_time_in_the_future_does_not_keep_a_file_waiting(folder):
    folder.write("a.mp4", b"1", age=-3600.0)
    assert folder.look() is None
    assert folder.look(6.0) == ["a.mp4"]


def test_an_empty_file_has_not_begun(folder):
    folder.write("a.mp4", b"", age=3600.0)
    assert folder.look() is None
    folder.write("a.mp4", b"1", age=3600.0)
    assert folder.look() == ["a.mp4"]


def test_later_files_follow_and_those_moved_away_stay(folder):
    folder.write("b.mp4", b"1", age=9.0)
    assert folder.look() == ["b.mp4"]
    folder.write("a.mp4", b"1", age=9.0)
    assert folder.look() == ["b.mp4", "a.mp4"]
    (folder.path / "b.mp4").unlink()
    assert folder.look() is None
    folder.write("c.mp4", b"1", age=9.0)
    assert folder.look() == ["b.mp4", "a.mp4", "c.mp4"]


def test_a_file_that_is_written_again_counts_again_once_it_is_complete(folder):
    folder.write("a.mp4", b"1", age=9.0)
    first = folder.watch.look()
    folder.write("a.mp4", b"other")
    assert folder.look() is None
    folder.now += 6.0
    (again,) = folder.watch.look()
    assert again.identity != first[0].identity


def test_only_folders_can_be_watched(tmp_path):
    check_folders([str(tmp_path)])
    (tmp_path / "a.mp4").touch()
    for name in ("a.mp4", "missing", "*.mp4"):
        with pytest.raises(OptionError, match="--watch takes folders"):
            check_folders([str(tmp_path / name)])


@pytest.mark.parametrize("address", ["s3://bucket/in/", "https://me:secret@example.org/in/"])
def test_an_address_cannot_be_watched(tmp_path, address):
    with pytest.raises(OptionError, match="is an address") as caught:
        check_folders([str(tmp_path), address])
    assert "secret" not in str(caught.value)
    assert "run again" in str(caught.value.hint)

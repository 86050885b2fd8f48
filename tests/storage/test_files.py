"""Files appear completely or not at all, and paths that nobody can follow are named as such."""

import hashlib
import os
from pathlib import Path

import pytest

from tests.support.timelines import timeline
from vswin_cli.cli.app import run
from vswin_cli.errors import OutputError
from vswin_cli.export import write_timeline
from vswin_cli.models.weights.store import locked
from vswin_cli.storage.files import (
    absence,
    check_destination,
    file_sha256,
    file_state,
    is_file,
    is_private,
    is_there,
    is_zip,
    replacing_text,
)

LONG = "a" * 300
PATHS = {
    "export saved.json -o {}.srt": 8,
    "segment {}.npz": 4,
    "tag {}.mp4": 4,
    "tag video.mp4 -o {}.srt": 8,
    "tag video.mp4 --report {}.html": 8,
    "tag video.mp4 --weights {}.pth": 5,
    "tag video.mp4 --model ./{}": 5,
    "tag video.mp4 --labels {}.txt": 5,
    "probe {}.mp4": 4,
    "report saved.json -o {}.html": 8,
    "report saved.json -o page.html --video {}.mp4": 2,
    "labels {}.txt": 5,
    "convert {}.pth out": 5,
    "convert video.mp4 {}": 8,
    "batch {}.mp4 -o results.csv": 4,
    "batch video.mp4 -o {}.csv": 8,
    "batch video.mp4 -o results.csv --save-scores {}": 8,
    "bench --video {}.mp4": 4,
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "video.mp4").write_bytes(b"nothing")
    write_timeline(timeline(), "json", tmp_path / "saved.json")
    return tmp_path


@pytest.mark.parametrize("name", ["🎬" * 62, "映" * 84, "a" * 255], ids=len)
def test_the_longest_names_can_be_written(tmp_path, name):
    with replacing_text(tmp_path / name) as file:
        file.write("here")
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("command", [*PATHS, "tag video.mp4 --model {}", "labels {}"])
def test_a_name_that_no_file_can_have_is_an_error_like_others(here, capfd, command):
    code = run(command.format(LONG).split())
    err = capfd.readouterr().err
    assert "internal error" not in err
    assert code == PATHS.get(command, 5), err
    assert LONG in err
    assert "hint: " in err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look everywhere")
@pytest.mark.parametrize("command", PATHS)
def test_what_may_not_be_looked_at_is_an_error_like_others(here, capfd, command):
    closed = here / "closed"
    closed.mkdir(mode=0o000)
    code = run(command.format("closed/x").split())
    closed.chmod(0o700)
    err = capfd.readouterr().err
    assert code == PATHS[command], err
    assert "Permission denied" in err
    assert "hint: " in err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look everywhere")
def test_a_folder_that_may_not_be_read_is_an_error_like_others(here, capfd):
    (here / "closed").mkdir(mode=0o000)
    for command in ("probe closed", "batch closed -o results.csv"):
        assert run(command.split()) == 4
        assert "cannot read closed: Permission denied" in capfd.readouterr().err
    (here / "closed").chmod(0o700)


def test_a_lock_that_cannot_be_taken_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("VSWIN_CACHE", str(tmp_path))
    (tmp_path / "locks" / "model-x.lock").mkdir(parents=True)
    with pytest.raises(OutputError, match="cannot write the cache folder"), locked("model-x"):
        pass


def test_a_file_is_private_only_if_every_folder_on_the_way_is(tmp_path):
    path = tmp_path / "a" / "b" / "file"
    path.parent.mkdir(parents=True)
    path.write_text("x")
    for one in (path, path.parent, path.parent.parent):
        one.chmod(0o700)
    assert is_private(path)
    for one in (path, path.parent, path.parent.parent):
        one.chmod(0o702)
        assert not is_private(path)
        one.chmod(0o700)
    path.parent.chmod(0o1777)  # like /tmp: only owners may rename what is in it
    assert is_private(path)
    assert not is_private(path.parent)
    assert not is_private(tmp_path / "absent")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that takes no files")
def test_a_folder_that_takes_no_files_is_not_called_missing():
    with pytest.raises(OutputError, match=r"/proc takes no new files") as caught:
        check_destination(Path("/proc/x.json"))
    assert caught.value.hint == "write to a folder that accepts new files"


def test_a_name_with_a_null_byte_leads_to_nothing():
    problem = absence(Path("a\0b.mp4"))
    assert problem is not None
    assert "no file can have this name" in str(problem.strerror)
    assert not is_there(Path("a\0b.mp4"))
    assert not is_file(Path("a\0b.mp4"))


def test_the_hash_and_the_state_of_a_file_change_with_its_content(tmp_path):
    path = tmp_path / "f"
    assert file_state(path) is None
    path.write_bytes(b"frames")
    os.utime(path, ns=(1, 1))
    assert file_state(path) == "6:1"
    assert file_sha256(path) == hashlib.sha256(b"frames").hexdigest()


@pytest.mark.parametrize(
    ("content", "expected"), [(b"PK\x03\x04 cut", True), (b"PK", False), (b"", False)]
)
def test_a_zip_archive_is_known_by_its_first_bytes(tmp_path, content, expected):
    (tmp_path / "f").write_bytes(content)
    assert is_zip(tmp_path / "f") is expected
    assert not is_zip(tmp_path)

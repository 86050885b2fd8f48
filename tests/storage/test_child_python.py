"""Children run with this process's packages and never with code from the current folder."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import vswin_cli
from tests.support.hostile import HOSTILE_NAMES, make_hostile, was_run
from vswin_cli.storage.child_python import outside_current_folder, python_command

LOOK = "import json, sys; print(json.dumps([sys.path, vswin_cli_file, sys.argv[1:]]))".replace(
    "vswin_cli_file", "__import__('vswin_cli').__file__"
)


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    folder = make_hostile(tmp_path)
    monkeypatch.chdir(folder)
    return folder


def look(*arguments):
    done = subprocess.run(
        python_command(LOOK, *arguments), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("entry", ["", ".", "full"])
def test_child_never_has_the_current_folder_on_its_path(hostile, monkeypatch, entry):
    entry = str(hostile) if entry == "full" else entry
    monkeypatch.setattr(sys, "path", [entry, *sys.path, entry])
    path, file, arguments = look("a", "b")
    assert not {"", ".", str(hostile)} & set(path)
    assert Path(file) == Path(vswin_cli.__file__)
    assert arguments == ["a", "b"]
    assert was_run(hostile) == set()


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_modules_of_the_same_name_in_the_current_folder_are_not_loaded(hostile, name):
    code = f"import {name}" if name not in ("sitecustomize", "usercustomize", "ray") else "pass"
    subprocess.run(python_command(code), check=True)
    assert was_run(hostile) == set()


def test_current_folder_that_the_user_names_in_pythonpath_stays(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    assert str(tmp_path) in look()[0]


def test_empty_entry_of_pythonpath_names_no_folder(hostile, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep + str(Path(vswin_cli.__file__).parents[1]))
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    assert str(hostile) not in look()[0]
    assert was_run(hostile) == set()


def test_package_is_found_where_this_process_has_it(tmp_path, monkeypatch):
    root = Path(vswin_cli.__file__).parents[1]
    monkeypatch.setattr(sys, "path", [path for path in sys.path if Path(path) != root])
    assert Path(look()[1]) == Path(vswin_cli.__file__)


def test_block_outside_the_current_folder_ends_where_it_began(hostile):
    with outside_current_folder():
        assert Path.cwd() == Path(os.__file__).parent
    assert Path.cwd() == hostile
    with pytest.raises(KeyError), outside_current_folder():
        raise KeyError
    assert Path.cwd() == hostile


def test_removed_current_folder_is_no_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gone = tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    with outside_current_folder():
        pass
    assert look()[2] == []

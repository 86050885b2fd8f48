"""Compile, keep and refuse shared libraries, with a C file of three lines."""

import os
import shutil

import pytest

from vswin_cli.models.network import native

pytestmark = pytest.mark.skipif(
    shutil.which("cc") is None and shutil.which("gcc") is None, reason="no C compiler"
)


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Load the library of a C text afresh, as another process would."""
    monkeypatch.setenv("VSWIN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("VSWIN_NATIVE", raising=False)

    def load(text="int answer(void) { return 42; }"):
        native._load.cache_clear()
        source = tmp_path / "answer.c"
        source.write_text(text)
        return native.native_library(source)

    yield load
    native._load.cache_clear()


def kept(tmp_path):
    return sorted((tmp_path / "cache" / "native").glob("*.so"))


def overwrite(library, content):
    """Put another file there: the old one is still in use by this process."""
    library.unlink()
    library.write_bytes(content)


def test_a_library_is_compiled_and_can_be_called(load, tmp_path):
    assert load().answer() == 42
    assert len(kept(tmp_path)) == 1


def test_a_changed_source_gets_a_library_of_its_own(load, tmp_path):
    load()
    assert load("int answer(void) { return 43; }").answer() == 43
    assert len(kept(tmp_path)) == 2


def test_a_source_that_does_not_compile_gives_none_and_no_file(load, tmp_path):
    assert load("this is no C") is None
    assert list((tmp_path / "cache" / "native").iterdir()) == []


def test_a_compiler_that_fails_or_is_missing_gives_none(load, monkeypatch):
    monkeypatch.setenv("CC", "false")
    assert load() is None
    monkeypatch.setenv("CC", os.devnull)
    assert load() is None


def test_compiled_code_can_be_turned_off(load, monkeypatch, tmp_path):
    monkeypatch.setenv("VSWIN_NATIVE", "0")
    assert load() is None
    assert kept(tmp_path) == []


def test_a_library_that_others_may_have_written_is_not_loaded(load, tmp_path):
    load()
    (library,) = kept(tmp_path)
    overwrite(library, b"not what was compiled")
    for folder, mode in ((library.parent, 0o777), (library.parent.parent, 0o777)):
        folder.chmod(mode)
        assert load().answer() == 42  # compiled afresh, elsewhere
        assert library.read_bytes() == b"not what was compiled"
        folder.chmod(0o700)
    library.chmod(0o666)
    assert load().answer() == 42
    assert kept(tmp_path) == [library]
    assert library.stat().st_mode & 0o022 == 0


def test_without_a_compiler_a_library_that_others_may_write_is_not_used(
    load, monkeypatch, tmp_path
):
    load()
    (library,) = kept(tmp_path)
    monkeypatch.setenv("CC", "false")
    assert load().answer() == 42
    library.chmod(0o602)
    assert load() is None
    library.chmod(0o700)
    library.parent.chmod(0o707)
    assert load() is None


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may chown")
def test_a_library_of_another_user_is_not_used(load, monkeypatch, tmp_path):
    load()
    (library,) = kept(tmp_path)
    monkeypatch.setenv("CC", "false")
    os.chown(library, 12345, -1)
    assert load() is None
    os.chown(library, 0, -1)
    os.chown(library.parent, 12345, -1)
    assert load() is None


@pytest.mark.parametrize("length", [0, 1, 31, 32, 100, 5000])
def test_a_cut_off_library_is_compiled_again(load, tmp_path, length):
    load()
    (library,) = kept(tmp_path)
    whole = library.read_bytes()
    overwrite(library, whole[:length])
    assert load().answer() == 42
    assert len(library.read_bytes()) == len(whole)

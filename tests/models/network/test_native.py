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


def test_a_library_is_compiled_and_can_be_called(load, tmp_path):
    assert load().answer() == 42
    assert len(kept(tmp_path)) == 1


def test_a_changed_source_gets_a_library_of_its_own(load, tmp_path):
    load()
    assert load("int answer(void) { return 43; }").answer() == 43
    assert len(kept(tmp_path)) == 2


def test_a_source_that_does_not_compile_gives_none_and_leaves_nothing(load, tmp_path):
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

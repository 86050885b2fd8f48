"""The script that measures a search finds the moment that it repeated."""

import runpy
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "search_speed.py"


@pytest.mark.slow
def test_the_repeated_moment_is_found_in_another_file(tmp_path, capsys, monkeypatch):
    options = ["--hours", "2", "--width", "16", "--repeats", "1"]
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), str(tmp_path / "index"), *options])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "2 h of width 16"
    assert lines[-2].endswith("  80.00 s  hour000.mp4")
    assert lines[-1].endswith("  164.53 s  hour001.mp4")

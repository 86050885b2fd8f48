"""The scripts that measure training on own labels run, and measure on held-out videos."""

import re
import runpy
import sys
from pathlib import Path

import pytest

from tests.support.moving_squares import write_table

EXAMPLES = Path(__file__).parents[2] / "examples" / "own_labels"


@pytest.mark.slow
def test_head_and_whole_network_are_measured_on_the_same_videos(tmp_path, monkeypatch, capsys):
    table = write_table(tmp_path, 5)
    monkeypatch.setattr(sys, "argv", ["measure_full.py", str(table), "--epochs", "1"])
    runpy.run_path(str(EXAMPLES / "measure_full.py"), run_name="__main__")
    out = capsys.readouterr().out
    assert re.findall(r"^(\D+): \d+\.\d\d % .*: 50\.0%\.$", out, re.MULTILINE) == [
        "Head",
        "Whole network",
    ]

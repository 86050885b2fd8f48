"""The tour of the Python side runs as it stands."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOUR = Path(__file__).parents[2] / "examples" / "python_tour.py"


@pytest.mark.slow
def test_the_tour_runs_and_its_figures_are_good(tmp_path):
    pytest.importorskip("pandas")
    pytest.importorskip("matplotlib")
    command = [sys.executable, str(TOUR), str(tmp_path / "out")]
    environment = {**os.environ, "MPLBACKEND": "Agg"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment)
    assert done.returncode == 0, done.stderr
    assert "(126, 13) time steps and labels" in done.stdout
    assert "F1 of events 1.0000" in done.stdout
    assert "BatchReport(1 input: 1 ok)" in done.stdout
    made = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"scores.npz", "timeline.pdf", "timeline.svg", "timeline.otio", "results.csv"} <= made

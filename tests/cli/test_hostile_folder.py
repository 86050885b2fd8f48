"""Commands run among videos, beside modules with the names of Python's own: none is loaded."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.hostile import make_hostile, was_run
from tests.support.videos import VideoRecipe, make_video

pytestmark = pytest.mark.slow
REPOSITORY = str(Path(__file__).parents[2])
SCRIPT = [str(Path(sys.executable).with_name("vswin"))]
MODULE = [sys.executable, "-m", "vswin_cli"]


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "videos"
    folder.mkdir()
    make_video(folder / "a.mp4", VideoRecipe(num_frames=60))
    return make_hostile(folder)


def run_in(folder, command, *arguments, **environment):
    done = subprocess.run(
        [*command, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert was_run(folder) == set()
    return done.stdout


@pytest.mark.parametrize("command", [SCRIPT, MODULE])
@pytest.mark.parametrize("path", [None, "", REPOSITORY])
def test_tag_and_its_report_run_no_code_beside_the_video(
    folder, tmp_path, tiny_model, command, path
):
    if command == SCRIPT and not Path(SCRIPT[0]).exists():
        pytest.skip("the script is not installed here")
    environment = {} if path is None else {"PYTHONPATH": path}
    page = tmp_path / "page.html"
    options = ["--weights", tiny_model, "--report", page, "-q", "--json"]
    assert "vswin.timeline/1" in run_in(folder, command, "tag", "a.mp4", *options, **environment)
    assert "data:image/" in page.read_text()  # thumbnails come from a child of their own


@pytest.mark.parametrize("workers", ["auto", "2", "ray:1"])
def test_batch_workers_run_no_code_beside_the_video(folder, tmp_path, tiny_model, workers):
    if workers.startswith("ray"):
        pytest.importorskip("ray")
    out = tmp_path / "results.csv"
    options = ["--weights", tiny_model, "--workers", workers, "--out", out, "-q"]
    run_in(folder, MODULE, "batch", "a.mp4", *options)
    assert "ok" in out.with_suffix(".files.csv").read_text()


def test_probe_and_the_memory_measured_by_bench_run_no_code_beside_the_video(folder, tiny_model):
    assert "h264" in run_in(folder, MODULE, "probe", "--scan", "a.mp4")
    script = (
        "from vswin_cli.bench.memory import MemoryRequest, measure_memory\n"
        "notes = []\n"
        f"request = MemoryRequest({str(tiny_model)!r}, False, 'a.mp4', 'cpu', 'float32', 1, 1)\n"
        "print(measure_memory(request, notes) is not None, notes)\n"
    )
    file = folder.parent / "measure.py"
    file.write_text(script)
    assert run_in(folder, [sys.executable], file, PYTHONPATH=REPOSITORY).split()[0] == "True"


def test_pythonpath_and_settings_reach_the_children(folder, tmp_path, tiny_model):
    """Modules that the user put on the path on purpose are there for workers."""
    own = tmp_path / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text(
        "import os, sys\n"
        f"with open({str(tmp_path / 'seen')!r}, 'a') as file:\n"
        "    print(sys.argv[:1], os.environ['PYTHONPATH'], os.environ['VSWIN_X'], file=file)\n"
    )
    path = os.pathsep.join([str(own), REPOSITORY])
    options = ["--weights", tiny_model, "--workers", "2", "--out", tmp_path / "r.csv", "-q"]
    run_in(folder, MODULE, "batch", "a.mp4", *options, PYTHONPATH=path, VSWIN_X="7")
    lines = (tmp_path / "seen").read_text().splitlines()
    assert len(lines) >= 2
    assert {line.split(" ", 1)[1] for line in lines} == {f"{path} 7"}

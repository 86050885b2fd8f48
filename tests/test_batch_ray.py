"""A real Ray cluster of three nodes on this machine, one of which is lost half way."""

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.videos import VideoRecipe, make_video
from vswin_cli.cli.app import run

pytest.importorskip("ray")
pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own

THRESHOLDS = ("--onset", "0.2", "--offset", "0.1")
NUM_VIDEOS = 10


@pytest.fixture
def cluster(monkeypatch):
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    nodes = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
    )
    nodes.add_node(num_cpus=1)
    nodes.add_node(num_cpus=1)
    nodes.wait_for_nodes()
    yield nodes
    nodes.shutdown()


def entries(out: Path) -> int:
    return len(list((out.parent / f".{out.stem}.vswin" / "entries").glob("*.json")))


def test_a_lost_node_costs_nothing_but_time(cluster, tiny_model, tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    for i in range(NUM_VIDEOS):
        make_video(videos / f"clip{i}.mp4", VideoRecipe(num_frames=60, first_index=100 * i))
    make_video(videos / "film.mp4", VideoRecipe(num_frames=400, gop=25))
    (videos / "broken.mp4").write_bytes(b"nothing")
    command = ["batch", str(videos), "--weights", str(tiny_model), *THRESHOLDS, "--json"]
    out = tmp_path / "ray.jsonl"
    ours = ["--out", str(out), "--workers", "ray", "--split", "5"]
    process = subprocess.Popen(
        [sys.executable, "-m", "vswin_cli", *command, *ours, "--ray-address", cluster.address],
        stdout=subprocess.PIPE,
        env=os.environ,
        text=True,
    )
    while process.poll() is None and entries(out) < 3:
        time.sleep(0.05)
    assert process.poll() is None
    cluster.remove_node(cluster.worker_nodes.copy().pop(), allow_graceful=False)
    stdout, _ = process.communicate(timeout=300)
    assert process.returncode == 3
    summary = json.loads(stdout)  # nothing of Ray's gets in between
    assert (summary["ok"], summary["failed"]) == (NUM_VIDEOS + 1, 1)
    run([*command, "--out", str(tmp_path / "one.jsonl"), "-q"])
    assert timelines(out) == timelines(tmp_path / "one.jsonl")
    with (tmp_path / "ray.files.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == NUM_VIDEOS + 2
    assert {row["error_code"] for row in rows} == {"", "NOT_A_VIDEO"}


def timelines(path: Path) -> list[dict[str, object]]:
    found = [json.loads(line) for line in path.read_text().splitlines()]
    for timeline in found:
        del timeline["created"], timeline["video"]["frames_decoded"]
    return found

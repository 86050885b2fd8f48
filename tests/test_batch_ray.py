"""A real Ray cluster of three nodes on this machine, one of which is lost half way."""

import csv
import json
import sys
import threading
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


class Watch:
    """Which node each job is on, while the batch runs in this process."""

    def __init__(self, monkeypatch) -> None:
        from vswin_cli.batch.cluster import RayCrew

        self.held = {}
        assign, take = RayCrew.assign, RayCrew._take_answer

        def watched_assign(crew, worker, job):
            assign(crew, worker, job)
            self.held[worker] = crew._actors[worker].handle, job

        def watched_take(crew, reference, deliver):
            self.held.pop(crew._answers[reference][0], None)
            take(crew, reference, deliver)

        monkeypatch.setattr(RayCrew, "assign", watched_assign)
        monkeypatch.setattr(RayCrew, "_take_answer", watched_take)

    def jobs_by_node(self):
        """The jobs in hand, by the node of the actor that has them; asks the cluster itself."""
        from ray._private.state import actors

        found = {}
        for handle, job in list(self.held.values()):
            actor = actors(handle._actor_id.hex())
            if actor["State"] == "ALIVE":
                found[actor["Address"]["NodeID"]] = job
        return found


class NodeKiller(threading.Thread):
    """Takes a node away while one of its actors is at work on a whole video."""

    def __init__(self, cluster, watch: Watch, out: Path) -> None:
        super().__init__(daemon=True)
        self.cluster, self.watch, self.out = cluster, watch, out
        self.lost_job = None
        self.problem = None

    def run(self):
        try:
            while self.lost_job is None:
                time.sleep(0.05)
                if len(self.entries()) >= 3:
                    self._try()
        except Exception as problem:
            self.problem = problem

    def _try(self):
        jobs = self.watch.jobs_by_node()
        for node in self.cluster.worker_nodes:
            job = jobs.get(node.node_id)
            if job is not None and job.part is None and job.entry not in self.entries():
                self.cluster.remove_node(node, allow_graceful=False)
                if job.entry not in self.entries():  # so it was not done at the last moment
                    self.lost_job = job
                return

    def entries(self):
        return {p.stem for p in (self.out.parent / f".{self.out.stem}.vswin/entries").glob("*")}


def test_a_lost_node_costs_nothing_but_time(cluster, tiny_model, tmp_path, monkeypatch, capfd):
    videos = tmp_path / "videos"
    videos.mkdir()
    for i in range(NUM_VIDEOS):
        make_video(videos / f"clip{i}.mp4", VideoRecipe(num_frames=400, gop=50, first_index=i))
    make_video(videos / "film.mp4", VideoRecipe(num_frames=700, gop=25))
    (videos / "broken.mp4").write_bytes(b"nothing")
    command = ["batch", str(videos), "--weights", str(tiny_model), *THRESHOLDS, "--json"]
    out = tmp_path / "ray.jsonl"
    killer = NodeKiller(cluster, Watch(monkeypatch), out)
    killer.start()
    ours = ["--out", str(out), "--workers", "ray", "--split", "9"]
    with open(1, "w", closefd=False) as stdout:  # as programs have it
        monkeypatch.setattr(sys, "stdout", stdout)
        assert run([*command, *ours, "--ray-address", cluster.address]) == 3
    killer.join(10)
    assert killer.problem is None
    assert killer.lost_job is not None
    summary = json.loads(capfd.readouterr().out)  # nothing of Ray's gets in between
    assert (summary["ok"], summary["failed"]) == (NUM_VIDEOS + 1, 1)
    run([*command, "--out", str(tmp_path / "one.jsonl"), "-q"])
    assert timelines(out) == timelines(tmp_path / "one.jsonl")
    with (tmp_path / "ray.files.csv").open(newline="") as file:
        rows = {row["video"]: row for row in csv.DictReader(file)}
    assert len(rows) == NUM_VIDEOS + 2
    assert {row["error_code"] for row in rows.values()} == {"", "NOT_A_VIDEO"}
    twice = {video for video, row in rows.items() if row["attempts"] == "2"}
    assert twice == {killer.lost_job.source.uri}  # begun on the lost node, done on another
    parts = json.loads(out.read_text().splitlines()[-1])
    assert parts["video"]["uri"].endswith("film.mp4")
    assert parts["video"]["frames_decoded"] is None  # so it was done in parts


def timelines(path: Path) -> list[dict[str, object]]:
    found = [json.loads(line) for line in path.read_text().splitlines()]
    for timeline in found:
        del timeline["created"], timeline["video"]["frames_decoded"]
    return found

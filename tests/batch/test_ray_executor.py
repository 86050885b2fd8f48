"""A real Ray cluster of three nodes on this machine, one of which is lost half way."""

import csv
import json
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.videos import VideoRecipe, make_video
from vswin_cli.batch.job import Heartbeat
from vswin_cli.cli.app import run
from vswin_cli.timeline.feature_files import load_features

pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Ray's own

THRESHOLDS = ("--onset", "0.2", "--offset", "0.1")
NUM_VIDEOS = 10


@pytest.fixture
def cluster(monkeypatch):
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
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
        from vswin_cli.batch.ray_executor import RayExecutor

        self.held: dict[Any, Any] = {}  # by worker
        self.given: dict[Any, Any] = {}  # by actor, all that it ever had
        assign, take = RayExecutor.assign, RayExecutor._take_answer

        def watched_assign(executor, worker, job):
            assign(executor, worker, job)
            actor = executor._actors[worker].handle._actor_id.hex()
            self.held[worker] = actor, job
            self.given.setdefault(actor, []).append(job.source.uri)

        def watched_take(executor, reference, deliver):
            self.held.pop(executor._answers[reference][0], None)
            take(executor, reference, deliver)

        monkeypatch.setattr(RayExecutor, "assign", watched_assign)
        monkeypatch.setattr(RayExecutor, "_take_answer", watched_take)

    def holders(self):
        """Actors and their running jobs, by the node that the actor is on, says the cluster."""
        from ray._private.state import actors

        found = {}
        for actor, job in list(self.held.values()):
            state = actors(actor)
            if state["State"] == "ALIVE":
                found[state["Address"]["NodeID"]] = actor, job
        return found


class NodeKiller(threading.Thread):
    """Takes a node away while one of its actors is at work on a whole video."""

    def __init__(self, cluster, watch: Watch, out: Path) -> None:
        super().__init__(daemon=True)
        self.cluster, self.watch, self.out = cluster, watch, out
        self.lost_actor = None
        self.problem = None

    def run(self):
        try:
            while self.lost_actor is None:
                time.sleep(0.05)
                if len(self.entries()) >= 3:
                    self._try()
        except Exception as problem:
            self.problem = problem

    def _try(self):
        holders = self.watch.holders()
        for node in self.cluster.worker_nodes:
            actor, job = holders.get(node.node_id, (None, None))
            if job is not None and job.part is None and job.entry not in self.entries():
                self.cluster.remove_node(node, allow_graceful=False)
                self.lost_actor = actor
                return

    def entries(self):
        return {p.stem for p in (self.out.parent / f".{self.out.stem}.vswin/entries").glob("*")}


def test_a_heartbeat_changes_the_position_even_without_progress_in_the_video():
    from vswin_cli.batch.ray_executor import _ActorWorker

    worker = _ActorWorker(None, None)
    seen = []
    for seconds in (0.0, 0.0, 2.5):  # twice for a video that is being downloaded
        worker._note("video", Heartbeat(seconds))
        seen.append(worker.positions()["video"])
    assert len(set(seen)) == 3
    assert seen[-1][1] == 2.5


def test_a_lost_node_costs_nothing_but_time(cluster, tiny_model, tmp_path, monkeypatch, capfd):
    videos = tmp_path / "videos"
    videos.mkdir()
    whole = make_video(videos / "clip0.mp4", VideoRecipe(num_frames=1500, gop=50))
    for i in range(1, NUM_VIDEOS):
        shutil.copy(whole, videos / f"clip{i}.mp4")
    make_video(videos / "video.mp4", VideoRecipe(num_frames=2000, gop=25))
    (videos / "broken.mp4").write_bytes(b"nothing")
    command = ["batch", str(videos), "--weights", str(tiny_model), *THRESHOLDS, "--json"]
    command += ["--stride", "25%"]  # so that a video takes a second
    out = tmp_path / "ray.jsonl"
    watch = Watch(monkeypatch)
    killer = NodeKiller(cluster, watch, out)
    killer.start()
    ours = ["--out", str(out), "--workers", "ray", "--split", "32"]
    with open(1, "w", closefd=False) as stdout:  # as programs have it
        monkeypatch.setattr(sys, "stdout", stdout)
        assert run([*command, *ours, "--ray-address", cluster.address]) == 3
    killer.join(10)
    assert killer.problem is None
    assert killer.lost_actor is not None
    summary = json.loads(capfd.readouterr().out)  # nothing of Ray's gets in between
    assert (summary["ok"], summary["failed"]) == (NUM_VIDEOS + 1, 1)
    run([*command, "--out", str(tmp_path / "one.jsonl"), "-q"])
    assert timelines(out) == timelines(tmp_path / "one.jsonl")
    with (tmp_path / "ray.files.csv").open(newline="") as file:
        rows = {row["video"]: row for row in csv.DictReader(file)}
    assert len(rows) == NUM_VIDEOS + 2
    assert {row["error_code"] for row in rows.values()} == {"", "NOT_A_VIDEO"}
    (twice,) = (video for video, row in rows.items() if row["attempts"] == "2")
    assert twice == watch.given[killer.lost_actor][-1]  # begun on the lost node, done on another
    assert twice in {
        uri for actor, uris in watch.given.items() for uri in uris if actor != killer.lost_actor
    }
    parts = json.loads(out.read_text().splitlines()[-1])
    assert parts["video"]["uri"].endswith("video.mp4")
    assert parts["video"]["frames_decoded"] is None  # so it was done in parts


def timelines(path: Path) -> list[dict[str, object]]:
    found = [json.loads(line) for line in path.read_text().splitlines()]
    for timeline in found:
        del timeline["created"], timeline["video"]["frames_decoded"]
    return found


def test_features_and_evidence_come_from_all_nodes(cluster, tiny_model, tmp_path, capfd):
    (tmp_path / "videos").mkdir()
    for i in range(3):
        recipe = VideoRecipe(num_frames=60, first_index=100 * i)
        make_video(tmp_path / "videos" / f"{i}.mp4", recipe)
    (tmp_path / "videos" / "broken.mp4").write_bytes(b"nothing")
    command = ["batch", str(tmp_path / "videos"), "--weights", str(tiny_model), *THRESHOLDS]
    command += ["--json", "--evidence"]
    found = {}
    on_ray = ["ray:2", "--ray-address", cluster.address]
    for name, workers in {"ray": on_ray, "one": ["auto"]}.items():
        own = ["--out", str(tmp_path / f"{name}.jsonl"), "--save-features", str(tmp_path / name)]
        assert run([*command, *own, "--workers", *workers]) == 3, capfd.readouterr().err
        files = [load_features(path) for path in sorted((tmp_path / name).iterdir())]
        assert len(files) == 3
        found[name] = {file.record.video.uri: file for file in files}
    assert timelines(tmp_path / "ray.jsonl") == timelines(tmp_path / "one.jsonl")
    segments = [one for each in timelines(tmp_path / "ray.jsonl") for one in each["segments"]]
    assert segments
    assert all("evidence" in one for one in segments)
    assert found["ray"].keys() == found["one"].keys()
    for uri, file in found["ray"].items():
        assert (file.features == found["one"][uri].features).all()
        assert (file.clip_features == found["one"][uri].clip_features).all()
        assert file.record.identity == found["one"][uri].record.identity
    capfd.readouterr()
    again = ["--out", str(tmp_path / "ray.jsonl"), "--save-features", str(tmp_path / "ray")]
    assert run([*command, *again]) == 3  # in this process, with what the cluster computed
    assert json.loads(capfd.readouterr().out)["resumed"] == 4

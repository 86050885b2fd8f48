"""Worker processes: crashes, parts of long videos, and the same results as in one process."""

import csv
import json
import multiprocessing
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.videos import VideoRecipe, drop_packets, make_video
from vswin_cli.batch.inputs import collect_inputs
from vswin_cli.batch.job import EngineSetup, Fatal, Job, Lost, Ready, Task
from vswin_cli.batch.journal import Journal
from vswin_cli.batch.outcome import Outcome
from vswin_cli.batch.process_executor import ProcessExecutor
from vswin_cli.cli.app import run
from vswin_cli.config import EngineOptions, SamplingOptions, SegmentOptions

pytestmark = pytest.mark.slow
REPOSITORY = Path(__file__).parents[2]
THRESHOLDS = ("--onset", "0.2", "--offset", "0.1")

# Runs when a worker's interpreter starts: videos of certain names crash it or hang.
CRASHES = """
import importlib.util, os, signal, sys, time

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name != "vswin_cli.inference.pipeline":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            analyze = module.analyze_video

            def crashing(source, *arguments, **options):
                if source.path.stem == "crash":
                    os.kill(os.getpid(), signal.SIGSEGV)
                if source.path.stem == "hang":
                    time.sleep(3600)
                return analyze(source, *arguments, **options)

            module.analyze_video = crashing

        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Finder())
"""

# Runs when a worker's interpreter starts: the first one presses Ctrl-C for the whole terminal.
CTRL_C = """
import os, signal, sys
marker = os.path.join(os.path.dirname(__file__), "pressed")
if "--multiprocessing-fork" in sys.orig_argv and not os.path.exists(marker):
    open(marker, "x").close()
    os.killpg(0, signal.SIGINT)
"""


@pytest.fixture
def crashing_environment(tmp_path):
    directory = tmp_path / "crashes"
    directory.mkdir()
    (directory / "sitecustomize.py").write_text(CRASHES)
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(directory), str(REPOSITORY)])}


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_crash_and_a_hang_cost_one_file_each(tiny_model, crashing_environment, tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    for name in ("crash", "good1", "good2", "hang"):
        make_video(videos / f"{name}.mp4", VideoRecipe(num_frames=20))
    command = [sys.executable, "-m", "vswin_cli", "batch", str(videos), "--out", "r.csv"]
    options = ["--weights", str(tiny_model), "--workers", "2", "--timeout", "4"]
    done = subprocess.run(
        [*command, *options, *THRESHOLDS],
        cwd=tmp_path,
        env=crashing_environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 3, done.stderr
    assert done.stdout == ""
    rows = {Path(row["video"]).stem: row for row in read_csv(tmp_path / "r.files.csv")}
    assert {name: (row["status"], row["error_code"]) for name, row in rows.items()} == {
        "crash": ("failed", "WORKER_CRASHED"),
        "hang": ("failed", "WORKER_HUNG"),
        "good1": ("ok", ""),
        "good2": ("ok", ""),
    }
    assert {rows[name]["attempts"] for name in ("crash", "hang")} == {"2"}
    assert "SIGSEGV" in rows["crash"]["error"]
    assert "--retry-failed tries 2 failures again" in done.stderr


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """One long video, and the same with a hole."""
    directory = tmp_path_factory.mktemp("videos")
    whole = make_video(directory / "full.mp4", VideoRecipe(num_frames=450, gop=25, b_frames=2))
    drop_packets(whole, directory / "hole.mp4", range(200, 240))
    return directory


def test_a_video_in_parts_gives_the_timeline_of_one_pass(tiny_model, recordings, tmp_path, capfd):
    many_segments = ("--onset", "0.1", "--offset", "0.1", "--smooth", "0", "--max-labels", "0")
    command = ["batch", str(recordings), "--weights", str(tiny_model), *many_segments, "-q"]
    assert run([*command, "--out", str(tmp_path / "one.jsonl")]) == 0
    in_parts = ["--workers", "2", "--split", "5"]
    # With `--no-resume`, as the results in the table beside would count.
    in_parts.append("--no-resume")
    assert run([*command, "--out", str(tmp_path / "parts.jsonl"), *in_parts]) == 0
    assert capfd.readouterr().out == ""
    one, parts = (
        [json.loads(line) for line in (tmp_path / f"{name}.jsonl").read_text().splitlines()]
        for name in ("one", "parts")
    )
    assert parts[0]["video"]["frames_decoded"] is None  # so it was done in parts
    for timeline in (one[0], parts[0]):
        del timeline["created"], timeline["video"]["frames_decoded"]
    assert one[0] == parts[0]
    assert len(one[0]["segments"]) > 1
    assert parts[1]["video"]["frames_decoded"] > 0  # behind damage only one pass will do
    assert one[1]["segments"] == parts[1]["segments"]
    once, joined = (
        {path.name: np.load(path)["scores"] for path in (tmp_path / directory / "scores").iterdir()}
        for directory in (".one.vswin", ".parts.vswin")
    )
    assert once.keys() == joined.keys()
    for name, scores in once.items():
        np.testing.assert_array_equal(scores, joined[name])
    assert not list((tmp_path / ".parts.vswin" / "parts").iterdir())


@pytest.mark.parametrize("again", [True, False])
def test_parts_of_an_earlier_run_count_unless_all_is_done_again(tiny_model, tmp_path, again):
    video = make_video(tmp_path / "video.mp4", VideoRecipe(num_frames=20))
    (one,) = collect_inputs([str(video)])
    parts = tmp_path / ".r.vswin" / "parts"
    parts.mkdir(parents=True)
    for entry in (one.entry, "elsewhere"):
        (parts / f"{entry}-x-2-0.000000.npz").touch()
    command = ["batch", str(video), "--out", str(tmp_path / "r.csv"), "--shard", "1/1", "-q"]
    options = ["--weights", str(tiny_model), *(["--no-resume"] if again else [])]
    assert run([*command, *options]) == 0
    left = {path.name.partition("-")[0] for path in parts.iterdir()}
    assert left == {"elsewhere"} | (set() if again else {one.entry})


class Messages:
    """Collects what an executor delivers, until something has come."""

    def __init__(self, executor):
        self.executor = executor
        self.received = []

    def __call__(self, number, key, message):
        self.received.append((number, key, message))

    def until(self, kind):
        """The first message of a kind, with the worker's number and the key of the job."""
        while True:
            for found in self.received:
                if isinstance(found[2], kind):
                    self.received.remove(found)
                    return found
            self.executor.wait(60.0, self)


@pytest.fixture
def executor(tiny_model, tmp_path):
    from vswin_cli.models.weights.loading import load_model

    Journal(tmp_path / "journal").create()
    task = Task(SamplingOptions(), SegmentOptions(), "s", "g", tmp_path / "journal", None)
    digest = load_model(str(tiny_model)).weights_sha256
    options = EngineOptions(precision="float32", batch_size=1)
    setup = EngineSetup(str(tiny_model), None, options, 1, digest, num_threads=1)
    made = ProcessExecutor(setup, task, ("cpu",))
    yield made
    made.close()


def test_a_worker_process_does_jobs_until_it_is_killed(executor, tmp_path):
    make_video(tmp_path / "video.mp4", VideoRecipe(num_frames=20))
    (job,) = (Job.of(one) for one in collect_inputs([str(tmp_path / "video.mp4")]))
    messages = Messages(executor)
    number = executor.start_worker()
    assert messages.until(Ready) == (number, None, Ready("cpu"))
    for _ in range(2):
        executor.assign(number, job)
        assert messages.until(Outcome)[:2] == (number, job.key)
    (process,) = multiprocessing.active_children()
    executor.assign(number, job)
    os.kill(process.pid, signal.SIGKILL)
    sender, key, loss = messages.until(Lost)
    assert (sender, key, loss.code) == (number, None, "WORKER_CRASHED")
    assert "SIGKILL" in loss.reason
    assert not process.is_alive()
    again = executor.start_worker()  # another process takes its place
    assert messages.until(Ready)[0] == again != number
    (process,) = multiprocessing.active_children()
    executor.close()
    assert multiprocessing.active_children() == []


def test_a_worker_with_other_weights_ends_the_batch(executor):
    executor._setup = replace(executor._setup, weights_sha256="0" * 64)
    executor.start_worker()
    _, key, message = Messages(executor).until(Fatal)
    assert key is None
    assert message.error.code == "BAD_CHECKPOINT"
    assert multiprocessing.active_children() == []


def test_ctrl_c_while_workers_start_causes_no_traceback(tmp_path):
    make_video(tmp_path / "video.mp4", VideoRecipe(num_frames=60))
    (tmp_path / "sitecustomize.py").write_text(CTRL_C)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(REPOSITORY)])}
    command = [sys.executable, "-m", "vswin_cli", "batch", str(tmp_path / "video.mp4")]
    done = subprocess.run(
        [*command, "--workers", "2", "--out", str(tmp_path / "results.csv")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        start_new_session=True,
    )
    assert done.returncode == 130, done.stderr
    assert "finishing the running jobs" in done.stderr
    assert "Traceback" not in done.stderr

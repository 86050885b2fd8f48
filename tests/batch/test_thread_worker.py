"""Threads that do jobs: each is answered once, and closing ends them without an answer."""

import queue
import threading

import pytest

from tests.support.videos import VideoRecipe, make_video
from vswin_cli.batch.inputs import collect_inputs
from vswin_cli.batch.job import Heartbeat, Job, Task
from vswin_cli.batch.journal import Journal
from vswin_cli.batch.outcome import Outcome
from vswin_cli.batch.thread_worker import ThreadWorker
from vswin_cli.config import EngineOptions, SamplingOptions, SegmentOptions
from vswin_cli.inference.engine import Engine
from vswin_cli.models.weights.loading import load_model

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    make_video(folder / "video.mp4", VideoRecipe(num_frames=90))
    (folder / "broken.mp4").write_bytes(b"nothing")
    return {item.source.path.name: Job.of(item) for item in collect_inputs([str(folder)])}


@pytest.fixture
def start(tiny_model, tmp_path):
    journal = Journal(tmp_path)
    journal.create()
    task = Task(SamplingOptions(), SegmentOptions(), "s", "t", tmp_path, None)
    answers: queue.Queue = queue.Queue()
    started = []

    def make(batch_size, report=lambda *item: answers.put(item)):
        options = EngineOptions(device="cpu", precision="float32", batch_size=batch_size)
        engine = Engine(load_model(str(tiny_model)), options)
        started.append(ThreadWorker(engine, task, report))
        return started[-1]

    yield make, answers
    for worker in started:
        worker.close()


@pytest.mark.parametrize("batch_size", [1, 4])
def test_each_job_is_answered_once_whether_videos_share_batches_or_not(start, jobs, batch_size):
    make, answers = start
    worker = make(batch_size)
    assert worker.ready.capacity == worker.capacity == batch_size
    for job in jobs.values():
        worker.submit(job)
    found = {}
    while len(found) < 2:
        key, message = answers.get(timeout=60)
        if isinstance(message, Outcome):
            assert key not in found
            found[key] = message.status
    assert found == {jobs["video.mp4"].key: "ok", jobs["broken.mp4"].key: "failed"}


def test_nothing_is_reported_after_closing(start, jobs):
    make, _ = start
    found, running, gate = [], threading.Event(), threading.Event()

    def report(_, message):
        found.append(message)
        running.set()
        gate.wait(60)

    worker = make(1, report)
    worker.submit(jobs["video.mp4"])
    assert running.wait(60)
    worker.close()
    gate.set()
    for thread in worker._threads:
        thread.join(60)
    assert [type(message) for message in found] == [Heartbeat]

"""The executor that works in this process."""

import time

import pytest

from vswin_cli.batch.executor import InlineExecutor
from vswin_cli.batch.inputs import BatchInput
from vswin_cli.batch.job import Job, Task
from vswin_cli.batch.job_runner import JobRunner
from vswin_cli.batch.journal import Journal
from vswin_cli.batch.scheduler import Limits, Scheduler, StopRequest
from vswin_cli.config import EngineOptions, SamplingOptions, SegmentOptions
from vswin_cli.inference.engine import Engine
from vswin_cli.models.weights.loading import load_model
from vswin_cli.storage.sources import VideoSource


@pytest.mark.slow
def test_a_job_that_hangs_is_repeated_by_new_threads(tmp_path, monkeypatch):
    Journal(tmp_path).create()
    task = Task(SamplingOptions(), SegmentOptions(), "scoring", "segmenting", tmp_path, None)
    calls, outcomes = [], []

    def run(_, job, on_seconds):
        calls.append(job.attempt)
        if len(calls) == 1:
            time.sleep(2)
            on_seconds(0.0)  # ends the thread: its worker has been stopped meanwhile
        return job.blank(task)

    monkeypatch.setattr(JobRunner, "run", run)
    scheduler = Scheduler(
        InlineExecutor(Engine(load_model("camera-motion"), EngineOptions("cpu")), task),
        task,
        limits=Limits(stall_seconds=0.5),
        on_outcome=outcomes.append,
        on_tick=lambda _: None,
    )
    scheduler.run([Job.of(BatchInput(VideoSource.of("a.mp4"), "1:1", 1))], StopRequest())
    assert calls == [1, 2]
    assert [(outcome.status, outcome.attempts) for outcome in outcomes] == [("ok", 2)]

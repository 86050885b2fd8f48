"""The scheduler with a crew that follows a script: losses, second chances, stops."""

import pytest

from vswin_cli.batch.inputs import BatchInput
from vswin_cli.batch.job import Fatal, Job, Lost, Pulse, Ready, Task
from vswin_cli.batch.journal import Journal
from vswin_cli.batch.outcome import WORKER_CRASHED, WORKER_HUNG
from vswin_cli.batch.scheduler import Limits, Scheduler, StopRequest
from vswin_cli.config import SamplingOptions, SegmentOptions
from vswin_cli.errors import DeviceError, VswinError
from vswin_cli.sources import VideoSource


class ScriptedCrew:
    """Workers whose answer to a job is what a script says for its name and attempt."""

    def __init__(self, task, script, size=2, starts=True):
        self.task, self.script, self.size, self.starts = task, script, size, starts
        self.number = 0
        self.words = []
        self.dismissed = []
        self.given = []
        self.is_closed = False

    def hire(self):
        self.number += 1
        self.words.append((self.number, Ready("cpu") if self.starts else Lost("X", "no memory")))
        return self.number

    def assign(self, worker, job):
        self.given.append(job.source.uri)
        answer = self.script.get((job.source.uri, job.attempt), "ok")
        if answer == "ok":
            answer = job.blank(self.task)
            Journal(self.task.journal).record(answer)
        if answer != "silence":
            self.words += [(worker, Pulse(0.5)), (worker, answer)]

    def dismiss(self, worker):
        self.dismissed.append(worker)

    def wait(self, timeout_seconds, deliver):
        if self.words:
            deliver(*self.words.pop(0))

    def close(self):
        self.is_closed = True


@pytest.fixture
def task(tmp_path):
    Journal(tmp_path).create()
    return Task(SamplingOptions(), SegmentOptions(), "s", "g", tmp_path, None)


def jobs(*names):
    return [Job.of(BatchInput(VideoSource.of(name), "1:1", 1)) for name in names]


def run_script(task, script, names, *, stop=None, limits=None, **crew_options):
    crew = ScriptedCrew(task, script, **crew_options)
    outcomes = {}

    def take(outcome):
        assert outcome.uri not in outcomes
        outcomes[outcome.uri] = outcome

    scheduler = Scheduler(
        crew, task, limits=limits or Limits(), on_outcome=take, on_tick=lambda _: None
    )
    try:
        scheduler.run(jobs(*names), stop or StopRequest())
    finally:
        assert crew.is_closed
    return crew, outcomes


def test_every_job_ends_as_an_outcome(task):
    _, outcomes = run_script(task, {}, "abcde")
    assert {name: one.status for name, one in outcomes.items()} == dict.fromkeys("abcde", "ok")


def test_a_lost_job_gets_a_second_chance(task):
    crew, outcomes = run_script(task, {("b", 1): Lost(WORKER_CRASHED, "SIGSEGV")}, "abc")
    assert (outcomes["b"].status, outcomes["b"].attempts) == ("ok", 2)
    assert crew.number == 3  # two to begin with and one in place of the lost
    assert crew.given[-1] == "b"  # poison waits until the others are done


def test_a_job_lost_twice_is_set_aside_and_the_rest_goes_on(task):
    loss = Lost(WORKER_CRASHED, "SIGSEGV")
    _, outcomes = run_script(task, {("b", 1): loss, ("b", 2): loss}, "abc")
    assert (outcomes["b"].status, outcomes["b"].error_code) == ("failed", WORKER_CRASHED)
    assert "SIGSEGV" in outcomes["b"].error
    assert outcomes["a"].status == outcomes["c"].status == "ok"
    assert Journal(task.journal).recall(jobs("b")[0].entry) == outcomes["b"]


def test_a_silent_worker_is_ended(task):
    script = {("b", 1): "silence", ("b", 2): "silence"}
    limits = Limits(silence_seconds=0.05)
    crew, outcomes = run_script(task, script, "abc", limits=limits)
    assert (outcomes["b"].status, outcomes["b"].error_code) == ("failed", WORKER_HUNG)
    assert len(crew.dismissed) == 2


def test_work_that_was_done_before_its_worker_was_lost_counts(task):
    (job,) = jobs("a")
    Journal(task.journal).record(job.blank(task))
    crew, outcomes = run_script(task, {("a", 1): Lost(WORKER_CRASHED, "gone")}, "a")
    assert outcomes["a"].status == "ok"
    assert crew.given == ["a"]


def test_what_fails_everything_ends_the_batch(task):
    with pytest.raises(DeviceError):
        run_script(task, {("b", 1): Fatal(DeviceError("out of memory"))}, "abc")


def test_workers_that_do_not_start_end_the_batch(task):
    with pytest.raises(VswinError, match="no memory"):
        run_script(task, {}, "abc", starts=False)


def test_after_a_stop_nothing_new_begins(task):
    stop = StopRequest()

    class Stopping(dict):
        def get(self, key, default=None):
            stop.is_set = True
            return default

    crew, outcomes = run_script(task, Stopping(), "abcdef", stop=stop, size=1)
    assert crew.given == ["a"]
    assert set(outcomes) == {"a"}

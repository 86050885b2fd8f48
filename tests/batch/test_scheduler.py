"""The scheduler with an executor that follows a script: losses, second chances, stops."""

from dataclasses import replace

import pytest

from vswin_cli.batch.inputs import BatchInput
from vswin_cli.batch.job import Decoded, Fatal, Heartbeat, Job, Lost, PartDone, Ready, Task, TooLong
from vswin_cli.batch.journal import Journal
from vswin_cli.batch.outcome import WORKER_CRASHED, WORKER_HUNG, Outcome
from vswin_cli.batch.scheduler import Limits, Scheduler, StopRequest
from vswin_cli.batch.split import plan_parts
from vswin_cli.config import SamplingOptions, SegmentOptions
from vswin_cli.errors import DeviceError, VswinError
from vswin_cli.storage.sources import VideoSource


class ScriptedExecutor:
    """Workers whose answer to a job is what a script says for its name and attempt."""

    def __init__(self, task, script, size=2, starts=True, capacity=1, num_decoders=None):
        self.task, self.script, self.size, self.starts = task, script, size, starts
        self.capacity, self.num_decoders = capacity, num_decoders or capacity
        self.number = 0
        self.messages = []
        self.stopped = []
        self.given = []
        self.num_running = {}
        self.most = 0
        self.is_closed = False

    def start_worker(self):
        self.number += 1
        ready = Ready("cpu", self.capacity, self.num_decoders)
        self.messages.append((self.number, None, ready if self.starts else Lost("X", "no memory")))
        return self.number

    def assign(self, worker, job):
        self.given.append(job.source.uri)
        self.num_running[worker] = self.num_running.get(worker, 0) + 1
        self.most = max(self.most, self.num_running[worker])
        answer = self.script.get((job.source.uri, job.attempt), "ok")
        if answer == "ok":
            answer = job.blank(self.task)
        if callable(answer):
            answer = answer(job)
        if answer != "no answer":
            key = None if isinstance(answer, Lost) and answer.code == WORKER_CRASHED else job.key
            # What comes early goes first, as from threads of which some wait for answers.
            early = [(worker, job.key, Heartbeat(0.5)), (worker, job.key, Decoded())]
            self.messages = [*early, *self.messages, (worker, key, answer)]

    def stop_worker(self, worker):
        self.stopped.append(worker)
        self.messages = [item for item in self.messages if item[0] != worker]

    def wait(self, timeout_seconds, deliver):
        if not self.messages:
            return
        worker, key, message = self.messages.pop(0)
        if isinstance(message, Outcome):
            self.num_running[worker] -= 1
            Journal(self.task.journal).record(message)
        if isinstance(message, Lost):
            self.messages = [item for item in self.messages if item[0] != worker]
        deliver(worker, key, message)

    def close(self):
        self.is_closed = True


@pytest.fixture
def task(tmp_path):
    Journal(tmp_path).create()
    return Task(SamplingOptions(), SegmentOptions(), "s", "g", tmp_path, None)


def jobs(*names):
    return [Job.of(BatchInput(VideoSource.of(name), "1:1", 1)) for name in names]


def run_script(task, script, names, *, stop=None, limits=None, **executor_options):
    executor = ScriptedExecutor(task, script, **executor_options)
    outcomes = {}

    def take(outcome):
        assert outcome.uri not in outcomes
        outcomes[outcome.uri] = outcome

    scheduler = Scheduler(
        executor, task, limits=limits or Limits(), on_outcome=take, on_tick=lambda _: None
    )
    try:
        scheduler.run(jobs(*names), stop or StopRequest())
    finally:
        assert executor.is_closed
    return executor, outcomes


def test_every_job_ends_as_an_outcome(task):
    _, outcomes = run_script(task, {}, "abcde")
    assert {name: one.status for name, one in outcomes.items()} == dict.fromkeys("abcde", "ok")


def test_a_lost_job_gets_a_second_chance(task):
    executor, outcomes = run_script(task, {("b", 1): Lost(WORKER_CRASHED, "SIGSEGV")}, "abc")
    assert (outcomes["b"].status, outcomes["b"].attempts) == ("ok", 2)
    assert executor.number == 3  # two to begin with and one in place of the lost
    assert executor.given[-1] == "b"  # repeated after all the others


def test_a_job_lost_twice_fails_and_the_others_go_on(task):
    loss = Lost(WORKER_CRASHED, "SIGSEGV")
    _, outcomes = run_script(task, {("b", 1): loss, ("b", 2): loss}, "abc")
    assert (outcomes["b"].status, outcomes["b"].error_code) == ("failed", WORKER_CRASHED)
    assert "SIGSEGV" in outcomes["b"].error
    assert outcomes["a"].status == outcomes["c"].status == "ok"
    assert Journal(task.journal).outcome(jobs("b")[0].entry) == outcomes["b"]


def test_a_worker_without_progress_is_stopped(task):
    script = {("b", 1): "no answer", ("b", 2): "no answer"}
    limits = Limits(stall_seconds=0.05)
    executor, outcomes = run_script(task, script, "abc", limits=limits)
    assert (outcomes["b"].status, outcomes["b"].error_code) == ("failed", WORKER_HUNG)
    assert len(executor.stopped) == 2


def test_jobs_that_were_lost_together_are_repeated_one_by_one(task):
    loss = Lost(WORKER_CRASHED, "SIGSEGV")
    script = {("b", 1): loss, ("b", 2): loss}
    executor, outcomes = run_script(task, script, "abcd", size=1, capacity=4)
    assert {name: one.status for name, one in outcomes.items()} == {
        "a": "ok", "b": "failed", "c": "ok", "d": "ok",
    }  # fmt: skip
    assert {one.attempts for name, one in outcomes.items() if name != "b"} == {1}
    assert outcomes["b"].attempts == 2
    assert executor.given == [*"abcd", *"bcd", "b"]  # `a` had been done
    assert executor.number == 3  # all together, then each alone: `b` ended the second and the third


def test_a_worker_gets_as_many_jobs_as_it_takes(task):
    executor, outcomes = run_script(task, {}, "abcdefgh", size=2, capacity=3)
    assert len(outcomes) == 8
    assert executor.most == 3


def test_a_job_that_is_decoded_makes_room_for_another(task):
    executor, outcomes = run_script(task, {}, "abcdefgh", size=1, capacity=4, num_decoders=1)
    assert len(outcomes) == 8
    assert executor.most == 4


def test_a_stalled_worker_costs_its_other_jobs_no_attempt(task):
    script = {("b", 1): "no answer", ("b", 2): "no answer"}
    limits = Limits(stall_seconds=0.05)
    _, outcomes = run_script(task, script, "abc", size=1, capacity=3, limits=limits)
    assert (outcomes["b"].status, outcomes["b"].error_code) == ("failed", WORKER_HUNG)
    assert outcomes["a"].attempts == outcomes["c"].attempts == 1


def test_an_internal_error_in_one_job_costs_the_others_no_attempt(task):
    script = {("b", 1): Lost("INTERNAL", "KeyError"), ("b", 2): Lost("INTERNAL", "KeyError")}
    _, outcomes = run_script(task, script, "abc", size=1, capacity=3)
    assert (outcomes["b"].status, outcomes["b"].error_code) == ("failed", "INTERNAL")
    assert outcomes["c"].attempts == 1


def test_work_that_was_done_before_its_worker_was_lost_counts(task):
    (job,) = jobs("a")
    Journal(task.journal).record(job.blank(task))
    executor, outcomes = run_script(task, {("a", 1): Lost(WORKER_CRASHED, "gone")}, "a")
    assert outcomes["a"].status == "ok"
    assert executor.given == ["a"]


@pytest.mark.parametrize(("identity", "num_left"), [("1:1", 0), ("2:2", 4)])
def test_parts_count_as_done_for_the_very_file_only(task, identity, num_left):
    video = TooLong(60.0, 1.0, 2.0, 0.1)
    task = replace(task, split_seconds=15.0)

    def answer(job):
        if job.part is not None:
            return PartDone(False, 0.0, "cpu")
        return video if job.may_split else job.blank(task)

    journal, (job,) = Journal(task.journal), jobs("a")
    for part in plan_parts(video, 15.0):
        part_of = (job.entry, identity, task.scoring, part.start_seconds, part.count)
        journal.part_path(*part_of).write_bytes(b"of an earlier run")
    executor, outcomes = run_script(task, {("a", 1): answer}, "a")
    assert (
        len(executor.given) == 1 + num_left + 1
    )  # parts that are none make it one piece after all
    assert outcomes["a"].status == "ok"


def test_an_error_of_every_job_ends_the_batch(task):
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

    executor, outcomes = run_script(task, Stopping(), "abcdef", stop=stop, size=1)
    assert executor.given == ["a"]
    assert set(outcomes) == {"a"}


def test_a_worker_that_is_lost_after_a_stop_fails_no_video(task):
    stop = StopRequest()

    def lose(_job):
        stop.is_set = True
        return Lost(WORKER_CRASHED, "SIGTERM")

    (job,) = jobs("a")
    script = {("a", 1): Lost(WORKER_CRASHED, "x"), ("a", 2): lose}
    executor, outcomes = run_script(task, script, "a", stop=stop, size=1)
    assert (executor.given, outcomes) == (["a", "a"], {})
    assert Journal(task.journal).outcome(job.entry) is None

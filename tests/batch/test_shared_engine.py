"""Clips of different videos in one batch: fewer passes, the same results, separate failures."""

import csv
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from tests.support.videos import VideoRecipe, make_video, overwrite
from vswin_cli.batch import shared_engine
from vswin_cli.batch.executor import InlineExecutor
from vswin_cli.batch.inputs import collect_inputs
from vswin_cli.batch.job import Decoded, Heartbeat, Job, Lost, Task
from vswin_cli.batch.journal import Journal
from vswin_cli.batch.outcome import Outcome
from vswin_cli.batch.scheduler import Limits, Scheduler, StopRequest
from vswin_cli.batch.shared_engine import SharedEngine
from vswin_cli.batch.thread_worker import ThreadWorker
from vswin_cli.cli.app import run
from vswin_cli.config import EngineOptions, SamplingOptions, SegmentOptions
from vswin_cli.errors import DeviceError
from vswin_cli.inference.engine import Engine
from vswin_cli.models.weights.loading import load_model
from vswin_cli.video.clips import Clip

pytestmark = pytest.mark.slow

THRESHOLDS = ("--onset", "0.2", "--offset", "0.1")
NUM_VIDEOS = 12
BATCH = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Short videos of one or two clips, one damaged in the middle, one that is none."""
    directory = tmp_path_factory.mktemp("shorts")
    for i in range(NUM_VIDEOS):
        make_video(directory / f"clip{i}.mp4", VideoRecipe(num_frames=16 + i, first_index=50 * i))
    make_video(directory / "damaged.mp4", VideoRecipe(num_frames=200))
    overwrite(directory / "damaged.mp4", 0.4, 0.6)
    (directory / "broken.mp4").write_bytes(b"nothing")
    return directory


class CountedPasses:
    """How many clips each pass of a real network had."""

    def __init__(self, engine: Engine) -> None:
        self.sizes: list[int] = []
        self._forward = engine.model.network.forward_steps
        engine.model.network.forward_steps = self._counted  # type: ignore[method-assign]

    def _counted(self, views):
        self.sizes.append(len(views))
        return self._forward(views)


@pytest.fixture
def make_engine(tiny_model):
    def make(batch_size: int) -> Engine:
        options = EngineOptions(device="cpu", precision="float32", batch_size=batch_size)
        return Engine(load_model(str(tiny_model)), options)

    return make


def do_all(engine, folder, directory, **options):
    """Do the videos of a folder in one worker; what they came to by name, and the pass sizes."""
    journal = Journal(directory)
    journal.create()
    task = Task(
        SamplingOptions(),
        SegmentOptions(onset=0.2, offset=0.1),
        "s",
        "g",
        directory,
        directory / "scores",
    )
    answers = {}
    done = threading.Semaphore(0)

    def report(key, message):
        if not isinstance(message, (Heartbeat, Decoded)):
            answers[key] = message
            done.release()

    passes = CountedPasses(engine)
    worker = ThreadWorker(engine, task, report, **options)
    jobs = [Job.of(one) for one in collect_inputs([str(folder)])]
    for job in jobs:
        worker.submit(job)
    for _ in jobs:
        assert done.acquire(timeout=120)
    worker.close()
    return {Path(job.source.uri).stem: answers[job.key] for job in jobs}, passes.sizes, task


def test_results_are_those_of_one_by_one_in_fewer_passes(make_engine, folder, tmp_path):
    alone, single, task = do_all(make_engine(1), folder, tmp_path / "alone")
    shared, passes, other = do_all(make_engine(BATCH), folder, tmp_path / "shared")
    assert set(single) == {1}
    assert sum(passes) == sum(single)
    assert max(passes) > 1
    assert len(passes) <= len(single) / 2
    assert alone.keys() == shared.keys()
    for name, one in alone.items():
        two = shared[name]
        assert isinstance(two, Outcome)
        assert (one.status, one.num_segments, one.error_code, one.coverage) == (
            two.status, two.num_segments, two.error_code, two.coverage,
        )  # fmt: skip
        if one.status != "failed":
            ours, theirs = (np.load(t.scores_path(one.entry))["scores"] for t in (task, other))
            np.testing.assert_allclose(ours, theirs, atol=1e-3, rtol=0)  # saved in half precision
    assert shared["broken"].error_code == "NOT_A_VIDEO"
    assert {one.status for name, one in shared.items() if name.startswith("clip")} == {"ok"}


@pytest.mark.slow
def test_results_do_not_depend_on_the_cores_that_decode(make_engine, folder, tmp_path):
    alone, _, task = do_all(make_engine(1), folder, tmp_path / "alone")
    fed, passes, other = do_all(make_engine(BATCH), folder, tmp_path / "fed", cores=16, num_jobs=5)
    assert max(passes) > 1
    assert alone.keys() == fed.keys()
    for name, one in alone.items():
        assert (one.status, one.num_segments) == (fed[name].status, fed[name].num_segments)
        if one.status != "failed":
            ours, theirs = (np.load(t.scores_path(one.entry))["scores"] for t in (task, other))
            np.testing.assert_allclose(ours, theirs, atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("cores", "num_jobs", "decoding", "each"),
    [(15, 100, 15, 1), (15, 2, 2, 8), (4, 1, 1, 4), (64, 100, 16, 4), (None, 100, 1, None)],
)
def test_cores_are_shared_among_the_videos_that_are_decoded_at_once(
    make_engine, tmp_path, cores, num_jobs, decoding, each
):
    task = Task(SamplingOptions(), SegmentOptions(), "s", "g", tmp_path, None)
    worker = ThreadWorker(make_engine(1), task, print, cores=cores, num_jobs=num_jobs)
    with closing(worker):
        assert worker.ready.num_decoders == decoding
        assert worker.ready.capacity == (1 if cores is None else 16)
        assert worker._runner._cores == each


def test_logits_in_a_batch_are_those_of_one_by_one(make_engine, tiny_model):
    clips = [random_clip(seed) for seed in range(BATCH)]
    shared = SharedEngine(make_engine(BATCH))
    together = {}
    barrier = threading.Barrier(BATCH)

    def ask(seed):
        with shared.expecting(lambda: None):
            barrier.wait(60)
            (together[seed],) = shared.score([clips[seed]])

    askers = [threading.Thread(target=ask, args=(seed,)) for seed in range(BATCH)]
    server = threading.Thread(target=shared.serve)
    for thread in (*askers, server):
        thread.start()
    for thread in askers:
        thread.join(60)
    shared.close()
    server.join(60)
    engine = make_engine(1)
    for seed, clip in enumerate(clips):
        (alone,) = engine.score([clip])
        np.testing.assert_allclose(together[seed].logits, alone.logits, atol=1e-6, rtol=1e-6)


def random_clip(seed: int) -> Clip:
    frames = np.random.default_rng(seed).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    return Clip(0, frames, np.linspace(0.0, 1.0, 5), 4)


@pytest.fixture
def served(make_engine):
    """A shared engine at work, and its passes."""
    engine = make_engine(BATCH)
    passes = CountedPasses(engine)
    shared = SharedEngine(engine)
    server = threading.Thread(target=shared.serve, daemon=True)
    server.start()
    yield shared, passes.sizes
    shared.close()
    server.join(10)
    assert not server.is_alive()


def test_a_single_video_does_not_wait_for_a_full_batch(served, monkeypatch):
    monkeypatch.setattr(shared_engine, "_FULL_BATCH_WAIT_SECONDS", 600)
    shared, passes = served
    answers = []

    def ask():
        with shared.expecting(lambda: None):
            answers.extend(shared.score(random_clip(seed) for seed in range(11)))

    asker = threading.Thread(target=ask, daemon=True)
    asker.start()
    asker.join(60)
    assert len(answers) == 11
    assert sorted(passes) == [3, BATCH]


def test_a_slow_decoder_delays_the_others_only_for_a_moment(served):
    shared, passes = served
    asked, leave = threading.Event(), threading.Event()

    def dawdle():
        with shared.expecting(lambda: None):
            asked.set()
            leave.wait(60)

    slow = threading.Thread(target=dawdle)
    slow.start()
    asked.wait(60)
    with shared.expecting(lambda: None):
        (answer,) = shared.score([random_clip(1)])
    leave.set()
    slow.join()
    assert answer.logits.shape[-1] == 10
    assert passes == [1]


def test_an_exception_of_the_engine_reaches_all_threads(make_engine):
    engine = make_engine(BATCH)

    def break_down(_views):
        raise DeviceError("out of memory")

    engine.model.network.forward_steps = break_down
    shared = SharedEngine(engine)
    server = threading.Thread(target=shared.serve, daemon=True)
    server.start()
    with pytest.raises(DeviceError):
        list(shared.score([random_clip(1)]))
    with pytest.raises(DeviceError):
        list(shared.score([random_clip(2)]))
    server.join(10)
    assert not server.is_alive()


def test_an_internal_error_in_one_video_does_not_affect_the_others(
    make_engine, folder, tmp_path, monkeypatch
):
    from vswin_cli.batch import job_runner

    analyze = job_runner.analyze_video

    def faulty(source, *arguments, **options):
        if source.path.stem == "clip3":
            raise KeyError("ours")
        return analyze(source, *arguments, **options)

    monkeypatch.setattr(job_runner, "analyze_video", faulty)
    answers, _, _ = do_all(make_engine(BATCH), folder, tmp_path)
    assert isinstance(answers.pop("clip3"), Lost)
    assert {one.status for name, one in answers.items() if name.startswith("clip")} == {"ok"}


def test_an_internal_error_of_the_engine_costs_one_attempt_and_no_video(
    make_engine, folder, tmp_path
):
    engine = make_engine(BATCH)
    forward, calls = engine.model.network.forward_steps, []

    def stumble(views):
        calls.append(len(views))
        if len(calls) == 2:
            raise RuntimeError("the driver hiccups")
        return forward(views)

    engine.model.network.forward_steps = stumble
    Journal(tmp_path).create()
    task = Task(SamplingOptions(), SegmentOptions(), "s", "g", tmp_path, None)
    outcomes = []
    scheduler = Scheduler(
        InlineExecutor(engine, task),
        task,
        limits=Limits(),
        on_outcome=outcomes.append,
        on_tick=lambda _: None,
    )
    scheduler.run([Job.of(one) for one in collect_inputs([str(folder)])], StopRequest())
    statuses = {Path(one.uri).stem: one.status for one in outcomes}
    assert len(statuses) == len(outcomes) == NUM_VIDEOS + 2
    assert {statuses[f"clip{i}"] for i in range(NUM_VIDEOS)} == {"ok"}
    assert max(one.attempts for one in outcomes) == 2


def test_a_batch_in_shared_passes_writes_the_same_table(folder, tiny_model, tmp_path):
    command = ["batch", str(folder), "--weights", str(tiny_model), "-q", *THRESHOLDS]
    for name, more in {
        "one": ["--batch-size", "1"],
        "shared": ["--batch-size", "8"],
        "workers": ["--batch-size", "8", "--workers", "2"],
    }.items():
        assert run([*command, "--out", str(tmp_path / f"{name}.csv"), *more]) == 3
    one, shared, workers = (
        [
            {key: value for key, value in row.items() if key not in ("elapsed", "device")}
            for row in csv.DictReader((tmp_path / f"{name}.files.csv").read_text().splitlines())
        ]
        for name in ("one", "shared", "workers")
    )
    assert one == shared == workers
    tables = [(tmp_path / f"{name}.csv").read_text() for name in ("one", "shared", "workers")]
    assert len({table.count("\n") for table in tables}) == 1


def test_a_shared_engine_keeps_its_number_of_crops(make_engine):
    shared = SharedEngine(make_engine(BATCH))
    assert (shared.crops, shared.spare_decoders) == (1, 1)
    with pytest.raises(ValueError, match="crops = 3"):
        shared.with_crops(3)


def test_features_are_kept_only_if_the_engine_keeps_them(make_engine):
    engine = make_engine(1)
    with pytest.raises(ValueError, match="only if its engine does"):
        SharedEngine(engine).with_features()
    shared = SharedEngine(engine.with_features())
    assert shared.with_features() is shared


def test_cells_are_kept_only_if_the_engine_keeps_the_same(make_engine):
    engine = make_engine(1)
    assert engine.cell_classes is None
    with pytest.raises(ValueError, match="keeps the cells of None"):
        SharedEngine(engine).with_cells([1, 2])
    shared = SharedEngine(engine.with_cells([1, 2]))
    assert shared.with_cells([1, 2]) is shared
    with pytest.raises(ValueError, match=r"classes = \[1\]"):
        shared.with_cells([1])

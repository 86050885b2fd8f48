"""One job on a real small network: what is returned, what is on disk, and what is raised."""

from dataclasses import replace

import pytest

from tests.support.videos import VideoRecipe, make_video
from vswin_cli.batch.inputs import collect_inputs
from vswin_cli.batch.job import EngineSetup, Job, Part, PartDone, Task, TooLong
from vswin_cli.batch.job_runner import JobRunner, load_engine
from vswin_cli.batch.journal import Journal
from vswin_cli.batch.outcome import Outcome
from vswin_cli.config import EngineOptions, SamplingOptions, SegmentOptions
from vswin_cli.errors import CheckpointError, OutputError
from vswin_cli.timeline.score_files import load_track
from vswin_cli.video.decoder_pool import DecoderPool

OPTIONS = EngineOptions(device="cpu", precision="float32")


@pytest.fixture(scope="module")
def engine(tiny_model):
    from vswin_cli.inference.engine import Engine
    from vswin_cli.models.weights.loading import load_model

    return Engine(load_model(str(tiny_model)), OPTIONS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A video of eight seconds and a file that is none."""
    directory = tmp_path_factory.mktemp("recordings")
    make_video(directory / "video.mp4", VideoRecipe(num_frames=240, gop=30))
    (directory / "broken.mp4").write_bytes(b"nothing")
    return directory


@pytest.fixture
def task(tmp_path):
    Journal(tmp_path).create()
    return Task(
        SamplingOptions(),
        SegmentOptions(onset=0.2, offset=0.1),
        "scoring",
        "segmenting",
        tmp_path,
        tmp_path / "scores",
    )


@pytest.fixture
def decoders():
    pool = DecoderPool()
    yield pool
    pool.close()


def job_for(path) -> Job:
    (one,) = collect_inputs([str(path.parent)], files=[path.name])
    return Job.of(one)


def test_a_result_is_in_the_journal_with_its_scores(engine, folder, task, decoders):
    job = job_for(folder / "video.mp4")
    positions = []
    outcome = JobRunner(engine, task, decoders).run(job, positions.append)
    assert isinstance(outcome, Outcome)
    assert (outcome.status, outcome.coverage, outcome.device) == ("ok", 1.0, "cpu")
    assert (outcome.scoring, outcome.segmenting) == ("scoring", "segmenting")
    journal = Journal(task.journal)
    assert journal.outcome(job.entry) == outcome
    assert len(journal.timeline(job.entry).segments) == outcome.num_segments
    track, _ = load_track(task.scores_path(job.entry))
    with track:
        assert track.end_seconds == pytest.approx(8.0)
    assert positions == sorted(positions)
    assert positions[-1] == pytest.approx(8.0, abs=0.1)


@pytest.mark.slow
def test_a_file_without_video_is_a_failed_outcome(engine, folder, task, decoders):
    job = job_for(folder / "broken.mp4")
    outcome = JobRunner(engine, task, decoders).run(job, lambda _: None)
    assert (outcome.status, outcome.error_code) == ("failed", "NOT_A_VIDEO")
    assert Journal(task.journal).outcome(job.entry) == outcome


@pytest.mark.slow
def test_a_journal_that_cannot_be_written_raises(engine, folder, task, decoders):
    missing = replace(task, journal=task.journal / "gone", scores=None)
    with pytest.raises(OutputError):
        JobRunner(engine, missing, decoders).run(job_for(folder / "video.mp4"), lambda _: None)


@pytest.mark.slow
def test_a_long_video_is_answered_with_its_length_and_nothing_is_analysed(
    engine, folder, task, decoders
):
    job = job_for(folder / "video.mp4")
    runner = JobRunner(engine, replace(task, split_seconds=4.0), decoders)
    answer = runner.run(job, lambda _: None)
    assert isinstance(answer, TooLong)
    assert answer.duration_seconds == pytest.approx(8.0)
    assert Journal(task.journal).outcome(job.entry) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "split_seconds", "sampling"),
    [
        ({"may_split": False}, 4.0, SamplingOptions()),
        ({}, 4.1, SamplingOptions()),  # not twice as long
        ({}, 61.0, SamplingOptions()),  # too small a file to be looked into
        ({}, 2.0, SamplingOptions(start_seconds=1.0)),
        ({}, 2.0, SamplingOptions(frame_interval=2)),
    ],
)
def test_a_video_is_analysed_in_one_piece(
    engine, folder, task, decoders, changes, split_seconds, sampling
):
    job = replace(job_for(folder / "video.mp4"), **changes)
    task = replace(task, split_seconds=split_seconds, sampling=sampling)
    outcome = JobRunner(engine, task, decoders).run(job, lambda _: None)
    assert isinstance(outcome, Outcome)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "has_scores"), [("video.mp4", True), ("broken.mp4", False)])
def test_a_part_leaves_scores_and_no_entry(engine, folder, task, decoders, name, has_scores):
    part = Part(1, 2, 4.0, None, 4.4)
    job = replace(job_for(folder / name), part=part)
    answer = JobRunner(engine, task, decoders).run(job, lambda _: None)
    assert isinstance(answer, PartDone)
    assert answer.has_scores is has_scores
    path = Journal(task.journal).part_path(job.entry, job.identity, task.scoring, 4.0, 2)
    assert path.is_file() is has_scores
    assert Journal(task.journal).outcome(job.entry) is None


def test_weights_that_differ_from_those_of_the_batch_are_refused(tiny_model, engine):
    setup = EngineSetup(str(tiny_model), None, OPTIONS, 1, engine.model.weights_sha256)
    assert load_engine(setup).model.weights_sha256 == engine.model.weights_sha256
    with pytest.raises(CheckpointError, match="on the one that started the batch"):
        load_engine(replace(setup, weights_sha256="0" * 64))

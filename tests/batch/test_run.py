"""A batch from beginning to end in this process: what is taken over, done again and written."""

import csv
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.videos import VideoRecipe, cut_short, make_video
from vswin_cli.batch.executor import InlineExecutor
from vswin_cli.batch.inputs import collect_inputs
from vswin_cli.batch.job import Task
from vswin_cli.batch.journal import Journal
from vswin_cli.batch.run import Policy, run_batch
from vswin_cli.batch.scheduler import StopRequest
from vswin_cli.batch.target import choose_target
from vswin_cli.config import EngineOptions, SamplingOptions, SegmentOptions
from vswin_cli.errors import DeviceError

NUM_VIDEOS = 3


@pytest.fixture(scope="module")
def engine(tiny_model):
    from vswin_cli.inference.engine import Engine
    from vswin_cli.models.weights.loading import load_model

    options = EngineOptions(device="cpu", precision="float32", batch_size=1)
    return Engine(load_model(str(tiny_model)), options)


class Project:
    """Three videos and a broken file, and what a batch makes of them."""

    def __init__(self, directory, engine, *, out=None, format=None):
        self.videos = directory / "videos"
        self.videos.mkdir()
        for i in range(NUM_VIDEOS):
            recipe = VideoRecipe(num_frames=20 + i, first_index=50 * i)
            make_video(self.videos / f"{i}.mp4", recipe)
        (self.videos / "broken.mp4").write_bytes(b"nothing")
        self.engine = engine
        self.target = choose_target(out or str(directory / "r.csv"), format)
        self.journal = Journal(self.target.state)
        self.task = Task(
            SamplingOptions(),
            SegmentOptions(onset=0.2, offset=0.1),
            "scoring",
            "segmenting",
            self.target.state,
            self.target.state / "scores",
        )
        self.num_jobs = 0
        self.progress = []
        self.notes = []

    def inputs(self):
        return collect_inputs([str(self.videos)])

    def run(self, *, task=None, stop=None, engine=None, on_event=lambda _: None, **policy):
        """Run a batch; `num_jobs` then says how many inputs it had to work on."""
        task = task or self.task
        self.num_jobs = 0
        self.progress.clear()

        def make_executor(num_jobs):
            self.num_jobs = num_jobs
            return InlineExecutor(engine or self.engine, task)

        return run_batch(
            self.inputs(),
            self.target,
            task,
            make_executor,
            policy=Policy(**policy),
            stop=stop or StopRequest(),
            on_progress=self.progress.append,
            on_note=self.notes.append,
            on_event=on_event,
        )

    def files(self):
        with self.target.files_table.open(newline="") as file:
            return list(csv.DictReader(file))


@pytest.fixture
def project(tmp_path, engine):
    return Project(tmp_path, engine)


def test_a_second_run_needs_no_executor_and_writes_the_same(project):
    report = project.run()
    assert (project.num_jobs, report.num_resumed) == (NUM_VIDEOS + 1, 0)
    assert [one.error_code for one in report.failures] == ["NOT_A_VIDEO"]
    assert report.num_segments > 0
    before = project.target.table.read_bytes(), project.target.files_table.read_bytes()
    report = project.run()
    assert (project.num_jobs, report.num_resumed) == (0, NUM_VIDEOS + 1)
    assert (project.target.table.read_bytes(), project.target.files_table.read_bytes()) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("policy", "num_jobs"), [({"resume": False}, NUM_VIDEOS + 1), ({"retry_failed": True}, 1)]
)
def test_the_policy_says_what_is_done_again(project, policy, num_jobs):
    project.run()
    report = project.run(**policy)
    assert project.num_jobs == num_jobs
    assert report.num_resumed == NUM_VIDEOS + 1 - num_jobs


@pytest.mark.slow
def test_a_result_without_its_scores_is_done_again_only_if_they_are_needed(project):
    project.run()
    next(iter((project.target.state / "scores").glob("*.npz"))).unlink()
    assert (project.run().num_resumed, project.num_jobs) == (NUM_VIDEOS + 1, 0)
    assert project.run(needs_scores=True).num_resumed == NUM_VIDEOS
    assert project.num_jobs == 1


@pytest.mark.slow
@pytest.mark.parametrize("place", ["a" * 5000, "/no\0where", "/\ud800"])
def test_scores_at_an_impossible_path_are_no_scores(project, place):
    project.run()
    entry = project.inputs()[0].entry
    (project.target.state / "scores" / f"{entry}.npz").unlink()
    change(scores=place)(project.journal.entry_path(entry))
    assert project.run(needs_scores=True).num_resumed == NUM_VIDEOS
    assert project.num_jobs == 1


@pytest.mark.slow
def test_other_thresholds_take_the_saved_scores_and_fall_back_to_the_video(project):
    project.run()
    other = replace(
        project.task, segments=SegmentOptions(onset=0.6, offset=0.5), segmenting="other"
    )
    assert project.run(task=other).num_resumed == NUM_VIDEOS + 1
    for scores in (project.target.state / "scores").iterdir():
        scores.unlink()
    assert project.run().num_resumed == 1  # the broken file
    assert project.num_jobs == NUM_VIDEOS


def test_a_stop_before_the_first_job_leaves_all_pending(project):
    report = project.run(stop=StopRequest(is_set=True))
    assert report.num_pending == NUM_VIDEOS + 1
    assert {row["status"] for row in project.files()} == {"pending"}
    assert not list(project.journal.folder.glob("entries/*"))


@pytest.mark.slow
def test_an_error_of_every_video_ends_the_batch_and_keeps_the_tables(project, engine, monkeypatch):
    forward, calls = engine.model.network.forward_steps, []

    def run_out_of_memory(views):
        calls.append(len(views))
        if len(calls) > 2:
            raise DeviceError("out of memory")
        return forward(views)

    monkeypatch.setattr(engine.model.network, "forward_steps", run_out_of_memory)
    with pytest.raises(DeviceError):
        project.run()
    statuses = [row["status"] for row in project.files()]
    assert "ok" in statuses
    assert "pending" in statuses
    monkeypatch.undo()
    done = sum(status != "pending" for status in statuses)
    assert project.run().num_resumed == done


@pytest.mark.slow
def test_a_changed_file_is_done_again(project):
    project.run()
    os.utime(project.videos / "1.mp4", ns=(1, 1))
    assert project.run().num_resumed == NUM_VIDEOS
    assert project.num_jobs == 1


@pytest.mark.slow
def test_the_time_left_is_not_estimated_from_empty_and_broken_files(project):
    (project.videos / "0.mp4").write_bytes(b"")
    with (project.videos / "0b.mp4").open("wb") as large:
        large.truncate(1 << 30)  # broken as well, and done in a moment
    project.run()
    ends = [progress for progress in project.progress if progress.left_seconds is not None]
    assert all(progress.num_done > 0 for progress in ends)
    assert all(0.0 <= p.left_seconds <= 10 * p.elapsed_seconds for p in ends)
    assert all(p.num_done + p.num_failed <= p.num_inputs for p in project.progress)


@pytest.mark.slow
def test_tables_are_kept_current_during_the_run(project):
    seen = []

    def look(event):
        if event.event == "finished":
            seen.append([row["status"] for row in project.files()])

    project.run(on_event=look)
    assert seen[0] == ["pending"] * 4
    assert "ok" in seen[1]
    assert "pending" in seen[1]
    assert [row["status"] for row in project.files()] == ["ok"] * NUM_VIDEOS + ["failed"]


@pytest.mark.slow
def test_events_say_what_began_and_how_it_ended(project):
    events = []
    whole = VideoRecipe(num_frames=240, container_options={"movflags": "faststart"})
    cut_short(make_video(project.videos / "2b.mp4", whole), 0.6)
    project.run(on_event=events.append)
    started = [event for event in events if event.event == "started"]
    ended = {Path(event.video).name: event for event in events if event.event != "started"}
    assert sorted(Path(event.video).name for event in started) == sorted(ended)
    assert [e.event for _, e in sorted(ended.items())] == [
        "finished", "finished", "finished", "partial", "failed"
    ]  # fmt: skip
    for event in events:
        assert (event.worker, event.device, event.attempt) == (1, "cpu", 1)
    assert ended["2b.mp4"].code == "PARTIAL"
    assert ended["broken.mp4"].code == "NOT_A_VIDEO"
    for event in ended.values():
        assert (event.reason is None) == (event.event == "finished")
        assert event.seconds is not None
    events.clear()
    project.run(on_event=events.append)
    assert events == []


@pytest.mark.slow
def test_a_partial_entry_of_an_earlier_version_gets_its_reason(project):
    whole = VideoRecipe(num_frames=240, container_options={"movflags": "faststart"})
    cut_short(make_video(project.videos / "3.mp4", whole), 0.6)
    project.run()
    for path in (project.journal.folder / "entries").iterdir():
        document = json.loads(path.read_text())
        if document["status"] == "partial":
            document |= {"error_code": None, "error": None}
            path.write_text(json.dumps(document))
    report = project.run()
    assert project.num_jobs == 0
    (partial,) = report.with_status("partial")
    assert partial.error_code == "PARTIAL"
    assert "could be analysed" in partial.error


@pytest.mark.slow
def test_a_link_in_the_place_of_a_table_is_replaced_and_never_followed(project, tmp_path):
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    project.target.table.symlink_to(precious)
    project.target.files_table.symlink_to(tmp_path / "nowhere" / "x.csv")
    project.run()
    assert precious.read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()
    for path in (project.target.table, project.target.files_table):
        assert path.is_file()
        assert not path.is_symlink()
    first, second = project.notes
    assert first.startswith(f"{project.target.table} was a symbolic link to {precious}")
    assert "nowhere/x.csv is kept" in second


@pytest.mark.slow
def test_links_in_the_place_of_entries_and_scores_are_never_followed(project, tmp_path):
    project.journal.create()
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    for one in project.inputs():
        project.journal.entry_path(one.entry).symlink_to(precious)
        project.task.scores_path(one.entry).symlink_to(precious)
    assert project.run().num_resumed == 0
    assert precious.read_text() == "mine"
    assert project.run().num_resumed == NUM_VIDEOS + 1


def poison_with(content):
    return lambda path: path.write_bytes(content)


def change(**values):
    def poison(path):
        path.write_text(json.dumps({**json.loads(path.read_text()), **values}))

    return poison


def replace_by(make):
    def poison(path):
        path.unlink()
        make(path)

    return poison


@pytest.mark.slow
@pytest.mark.parametrize(
    "poison",
    [
        poison_with(b"[" * 200_000),
        poison_with(b'{"schema": "vswin.batch-entry/1", "attempts": 1' + b"0" * 5000 + b"}"),
        poison_with(b"\xff\xfe\x00"),
        replace_by(Path.mkdir),
        replace_by(os.mkfifo),
        replace_by(lambda path: path.symlink_to("/dev/zero")),
        replace_by(lambda path: path.symlink_to(path.name)),
        change(entry="../../elsewhere"),
        change(entry="../../elsewhere", uri="x"),
        change(timeline=None),
        change(timeline=[]),
        change(status="perfect"),
        change(duration={}, coverage=[1]),
    ],
)
def test_a_poisoned_entry_is_done_again_and_the_others_are_resumed(project, poison):
    project.run()
    tables = project.target.table.read_bytes(), project.target.files_table.read_bytes()
    poison(project.journal.entry_path(project.inputs()[1].entry))
    assert project.run().num_resumed == NUM_VIDEOS
    assert project.num_jobs == 1
    assert project.target.table.read_bytes() == tables[0]
    assert len(project.files()) == NUM_VIDEOS + 1
    assert project.run().num_resumed == NUM_VIDEOS + 1
    assert not list(project.journal.folder.parent.glob("elsewhere*"))


@pytest.mark.slow
def test_a_damaged_timeline_is_done_again_under_other_thresholds(project):
    project.run()
    path = project.journal.entry_path(project.inputs()[0].entry)
    change(timeline={"segments": "none"})(path)
    other = replace(project.task, segments=SegmentOptions(onset=0.6, offset=0.5), segmenting="x")
    assert project.run(task=other).num_resumed == NUM_VIDEOS
    assert {row["status"] for row in project.files()} == {"ok", "failed"}


@pytest.fixture
def folder_project(tmp_path, engine):
    return Project(tmp_path, engine, out=f"{tmp_path}/out/", format="srt")


@pytest.mark.slow
def test_files_per_video_are_kept_up_to_date_whatever_their_times(folder_project):
    folder_project.run()
    paths = sorted((folder_project.target.path).glob("*.srt"))
    assert len(paths) == NUM_VIDEOS
    fresh = {path: path.read_bytes() for path in paths}
    in_a_century = 2**32
    for path in paths:
        os.utime(path, (in_a_century, in_a_century))
    other = replace(folder_project.task, segments=SegmentOptions(onset=0.7), segmenting="other")
    folder_project.run(task=other)
    changed = [path for path in paths if path.read_bytes() != fresh[path]]
    assert changed
    assert all(path.stat().st_mtime < in_a_century for path in changed)
    folder_project.run()
    assert {path: path.read_bytes() for path in paths} == fresh


@pytest.mark.slow
def test_a_video_that_was_replaced_gets_a_new_file(folder_project):
    folder_project.run()
    (path,) = folder_project.target.path.glob("1.*")
    before = path.read_bytes()
    os.utime(path, (2**32, 2**32))
    make_video(folder_project.videos / "1.mp4", VideoRecipe(num_frames=150, first_index=7))
    folder_project.run()
    assert path.read_bytes() != before


@pytest.mark.slow
def test_an_edited_file_is_kept_and_a_missing_one_is_written_again(folder_project):
    folder_project.run()
    edited, missing, same = sorted((folder_project.target.path).glob("*.srt"))
    edited.write_text("corrected")
    missing.unlink()
    os.utime(same, (1, 1))
    assert folder_project.run().num_resumed == NUM_VIDEOS + 1
    assert edited.read_text() == "corrected"
    assert missing.is_file()
    (folder_project.journal.folder / "written.json").write_bytes(b"[" * 100_000)
    folder_project.run()  # without the record, contents decide
    assert edited.read_text() != "corrected"
    assert same.stat().st_mtime == 1

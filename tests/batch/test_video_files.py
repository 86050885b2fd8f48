"""A file per video is written once, and again only when its entry in the journal changes."""

import json
from dataclasses import replace

import pytest

from tests.support.timelines import timeline
from vswin_cli.batch.inputs import collect_inputs
from vswin_cli.batch.job import Job, Task
from vswin_cli.batch.journal import Journal
from vswin_cli.batch.target import choose_target
from vswin_cli.batch.video_files import VideoFiles, read_record, written_names
from vswin_cli.config import SamplingOptions, SegmentOptions


@pytest.fixture
def place(tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").write_bytes(b"frames")
    target = choose_target(f"{tmp_path}/results/", "srt")
    target.state.mkdir(parents=True)
    return target, Journal(target.state), collect_inputs([str(tmp_path / "videos")])


def write(place, **change):
    """Record a result in the journal and write its file; returns the outcome."""
    _, journal, inputs = place
    journal.create()
    task = Task(SamplingOptions(), SegmentOptions(), "s", "t", journal.folder, None)
    result = replace(timeline(), **change)
    outcome = Job.of(inputs[0]).blank(task).of_timeline(result)
    journal.record(outcome, result)
    return outcome


def test_a_file_that_was_edited_stays_until_its_entry_changes(place):
    target, journal, inputs = place
    files = VideoFiles(target, journal, inputs)
    (path,) = files.paths.values()
    outcome = write(place)
    files.write(outcome)
    written = path.read_text()
    path.write_text("edited")
    files.write(outcome)
    assert path.read_text() == "edited"
    files.write(write(place, segments=timeline().segments[:1]))
    assert path.read_text() not in ("edited", written)


def test_the_next_run_takes_over_what_was_written(place):
    target, journal, inputs = place
    files = VideoFiles(target, journal, inputs)
    outcome = write(place)
    files.write(outcome)
    files.save_record()
    assert written_names(target) == {"a.srt"}
    (path,) = files.paths.values()
    path.write_text("edited")
    VideoFiles(target, journal, inputs).write(outcome)
    assert path.read_text() == "edited"
    path.unlink()
    VideoFiles(target, journal, inputs).write(outcome)
    assert path.is_file()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 3}', "[" * 100_000])
def test_a_damaged_record_counts_as_empty(tmp_path, text):
    (tmp_path / "written.json").write_text(text)
    assert read_record(tmp_path / "written.json") == {}
    (tmp_path / "written.json").write_text(json.dumps({"a.srt": "1", "b.srt": None}))
    assert read_record(tmp_path / "written.json") == {"a.srt": "1"}

"""The tables of a running batch: the first at once, then at most so often, and all at the end."""

from dataclasses import replace

import pytest

from tests.support.timelines import timeline
from vswin_cli.batch import run_tables
from vswin_cli.batch.inputs import collect_inputs
from vswin_cli.batch.job import Job, Task
from vswin_cli.batch.journal import Journal
from vswin_cli.batch.run_tables import RunTables
from vswin_cli.batch.target import choose_target
from vswin_cli.batch.upload import Uploads
from vswin_cli.config import SamplingOptions, SegmentOptions


class Batch:
    """Two videos, and the parts of a batch that its tables need."""

    def __init__(self, folder):
        (folder / "videos").mkdir()
        for name in ("a.mp4", "b.mp4"):
            (folder / "videos" / name).write_bytes(name.encode())
        self.inputs = collect_inputs([str(folder / "videos")])
        self.target = choose_target(f"{folder}/results/", "srt")
        self.target.state.mkdir(parents=True)
        self.journal = Journal(self.target.state)
        self.journal.create()
        self.outcomes = {}
        uploads = Uploads(self.target, list)
        self.tables = RunTables(self.target, self.inputs, self.outcomes, self.journal, uploads)

    def take(self, index):
        """Finish a video: its entry in the journal, then its own file."""
        task = Task(SamplingOptions(), SegmentOptions(), "s", "t", self.journal.folder, None)
        result = replace(timeline(), status="ok")
        outcome = Job.of(self.inputs[index]).blank(task).of_timeline(result)
        self.journal.record(outcome, result)
        self.outcomes[outcome.entry] = self.tables.add(outcome)

    def written(self):
        return self.target.files_table.read_text().count(",ok,")


@pytest.fixture
def batch(tmp_path):
    return Batch(tmp_path)


def test_the_file_of_a_video_is_there_before_the_tables(batch, tmp_path):
    batch.tables.announce()
    batch.take(0)
    assert (tmp_path / "results" / "a.srt").is_file()
    assert batch.written() == 0


def test_the_first_refresh_writes_and_the_next_waits_for_its_time(batch):
    batch.tables.announce()
    batch.take(0)
    batch.tables.refresh()
    assert batch.written() == 1
    batch.take(1)
    batch.tables.refresh()
    assert batch.written() == 1
    batch.tables.finish()
    assert batch.written() == 2


def test_a_full_disk_during_the_run_waits_for_the_end(batch, monkeypatch):
    batch.tables.announce()
    batch.take(0)
    with monkeypatch.context() as full:
        full.setattr(run_tables, "write_files_table", _disk_is_full)
        batch.tables.refresh()
        with pytest.raises(run_tables.OutputError, match="full"):
            batch.tables.finish()
    batch.tables.finish()
    assert batch.written() == 1


def test_a_file_that_cannot_be_written_fails_its_video_alone(batch, monkeypatch):
    def refuse(_, outcome):
        raise run_tables.SourceError(f"{outcome.uri}: no room for it")

    with monkeypatch.context() as refused:
        refused.setattr(run_tables.VideoFiles, "write", refuse)
        batch.take(0)
    batch.take(1)
    assert [each.status for each in batch.outcomes.values()] == ["failed", "ok"]


def _disk_is_full(*_):
    raise run_tables.OutputError("the disk is full")

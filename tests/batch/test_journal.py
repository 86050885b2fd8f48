"""Entries and locks of the journal, and that journals of version 0.1.0 are resumed."""

import json

import pytest

from vswin_cli.batch.inputs import BatchInput, Shard
from vswin_cli.batch.job import Job, Task
from vswin_cli.batch.journal import Journal, fingerprint, lock_journal
from vswin_cli.config import SamplingOptions, SegmentOptions
from vswin_cli.errors import OutputError
from vswin_cli.storage.sources import VideoSource


def blank(name="a.mp4"):
    task = Task(SamplingOptions(), SegmentOptions(), "s", "g", None, None)
    return Job.of(BatchInput(VideoSource.of(name), "1:1", 1)).blank(task)


def test_the_journal_returns_what_was_recorded(tmp_path):
    journal = Journal(tmp_path)
    journal.create()
    outcome = blank().failed("X", "bad \udcff name", "look")
    assert journal.outcome(outcome.entry) is None
    journal.record(outcome)
    assert journal.outcome(outcome.entry) == outcome
    assert journal.timeline(outcome.entry) is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": "other"}', "\x00\xff"])
def test_a_damaged_entry_counts_as_missing(tmp_path, content):
    journal = Journal(tmp_path)
    journal.create()
    journal.entry_path("e").write_bytes(content.encode("latin-1"))
    assert journal.outcome("e") is None


def test_an_entry_with_an_unknown_status_counts_as_missing(tmp_path):
    journal = Journal(tmp_path)
    journal.create()
    journal.record(blank())
    path = journal.entry_path(blank().entry)
    path.write_text(json.dumps({**json.loads(path.read_text()), "status": "perfect"}))
    assert journal.outcome(blank().entry) is None


def test_one_run_at_a_time_but_shards_together(tmp_path):
    journal = Journal(tmp_path)
    with lock_journal(journal):
        with pytest.raises(OutputError, match="another vswin batch"), lock_journal(journal):
            pass
        with pytest.raises(OutputError), lock_journal(journal, Shard(1, 2)):
            pass
    with lock_journal(journal, Shard(1, 2)), lock_journal(journal, Shard(2, 2)):
        with pytest.raises(OutputError), lock_journal(journal, Shard(2, 2)):
            pass
        with pytest.raises(OutputError), lock_journal(journal):
            pass
    with lock_journal(journal):
        pass


def test_a_run_deletes_temporary_files_of_a_killed_one(tmp_path):
    journal = Journal(tmp_path)
    journal.create()
    left = tmp_path / "entries" / ".e.json.x1.tmp"
    left.touch()
    with lock_journal(journal):
        assert not left.exists()


def test_fingerprints_differ_with_the_settings():
    assert fingerprint("a", {"b": 1.0}) == fingerprint("a", {"b": 1.0})
    assert fingerprint("a", {"b": 1.0}) != fingerprint("a", {"b": 1.5})

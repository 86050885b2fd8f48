"""Jobs of inputs and of parts of long videos, as they go between processes."""

import pickle
from dataclasses import replace
from pathlib import Path

from vswin_cli.batch.inputs import BatchInput
from vswin_cli.batch.job import Fatal, Job, Part, Ready, Task
from vswin_cli.config import SamplingOptions, SegmentOptions
from vswin_cli.errors import DeviceError
from vswin_cli.storage.sources import VideoSource

ITEM = BatchInput(VideoSource.of("day1/a.mp4"), "6:1", 6)
TASK = Task(SamplingOptions(), SegmentOptions(), "scoring", "segmenting", Path("/j"), Path("/s"))


def test_a_job_has_the_full_path_of_its_input_but_the_name_that_was_given():
    job = Job.of(ITEM)
    assert job.source.uri == "day1/a.mp4"
    assert job.source.path == Path("day1/a.mp4").absolute()
    assert Job.of(BatchInput(VideoSource.of("s3://b/a.mp4"), None)).source.path is None


def test_parts_of_a_video_have_keys_of_their_own():
    job = Job.of(ITEM)
    part = replace(job, part=Part(1, 3, 10.0, 20.0, 11.0))
    assert job.key == job.entry == ITEM.entry
    assert part.key == f"{ITEM.entry}/1"
    assert part.again().attempt == 2
    assert part.again().key == part.key


def test_a_blank_outcome_holds_what_the_result_depends_on():
    blank = Job.of(ITEM).again().blank(TASK)
    assert (blank.scoring, blank.segmenting) == ("scoring", "segmenting")
    assert (blank.identity, blank.attempts) == ("6:1", 2)


def test_files_of_an_entry_are_named_after_it_or_not_kept():
    assert TASK.scores_path("e") == Path("/s/e.npz")
    assert TASK.features_path("e") is None
    assert replace(TASK, scores=None, features=Path("/f")).features_path("e") == Path("/f/e.npz")


def test_jobs_and_messages_survive_the_way_to_another_process():
    for one in (Job.of(ITEM), TASK, Ready("cuda:1@host", 4, 2)):
        assert pickle.loads(pickle.dumps(one)) == one
    fatal = pickle.loads(pickle.dumps(Fatal(DeviceError("out of memory", hint="less"))))
    assert (fatal.error.message, fatal.error.hint) == ("out of memory", "less")

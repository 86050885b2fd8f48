from dataclasses import replace

from vswin_cli.batch.events import BatchEvent
from vswin_cli.batch.inputs import BatchInput
from vswin_cli.batch.job import Job, Part
from vswin_cli.batch.outcome import Outcome
from vswin_cli.storage.sources import VideoSource

JOB = Job.of(BatchInput(VideoSource.of("a.mp4"), "6:1"))


def test_a_start_names_the_worker_and_the_part():
    whole = BatchEvent.of_start(JOB, 2, "cpu")
    assert (whole.event, whole.video, whole.worker, whole.part) == ("started", "a.mp4", 2, None)
    part = BatchEvent.of_start(replace(JOB, part=Part(1, 5, 0, None, 0)), 2, "cpu")
    assert part.part == "2/5"


def test_an_end_says_how_and_why():
    done = Outcome("a.mp4", JOB.entry, None, "s", "t", "ok", num_segments=3, elapsed_seconds=1 / 3)
    assert BatchEvent.of_outcome(done, 1).event == "finished"
    assert BatchEvent.of_outcome(done, 1).seconds == 0.333
    failed = BatchEvent.of_outcome(done.failed("DECODE", "damaged"), None)
    assert (failed.event, failed.code, failed.reason) == ("failed", "DECODE", "damaged")

"""What becomes of a video: the figures of its timeline, or the reason of its failure."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.timelines import timeline
from vswin_cli.batch.outcome import PARTIAL, Outcome
from vswin_cli.errors import DecodeError
from vswin_cli.timeline.record import Notice

BLANK = Outcome("a.mp4", "entry", "1:2", "scoring", "segmenting", "ok", hint="old")


def test_a_complete_timeline_gives_its_figures():
    whole = replace(timeline(), status="ok")
    outcome = BLANK.of_timeline(whole)
    assert (outcome.status, outcome.error, outcome.hint) == ("ok", None, None)
    assert outcome.num_segments == len(whole.segments)
    assert outcome.duration_seconds == whole.video.duration_seconds
    assert outcome.coverage == whole.coverage.fraction


def test_a_partial_timeline_gives_its_reason():
    notices = (Notice("OTHER", "something"), Notice(PARTIAL, "the end is missing"))
    outcome = BLANK.of_timeline(replace(timeline(), status="partial", warnings=notices))
    assert (outcome.status, outcome.error_code) == ("partial", PARTIAL)
    assert outcome.error == "the end is missing"
    without = BLANK.of_timeline(replace(timeline(), status="partial", warnings=()))
    assert without.error == "a part could not be analysed"


def test_a_failure_keeps_code_and_hint_and_hides_credentials():
    problem = DecodeError("https://me:secret@host/a.mp4 is damaged", hint="probe it")
    outcome = BLANK.of_problem(problem)
    assert (outcome.status, outcome.error_code) == ("failed", DecodeError.code)
    assert outcome.hint == "probe it"
    assert "secret" not in (outcome.error or "")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("a.mp4: no video stream", "no video stream"),
        (f"{Path('a.mp4').absolute()} is empty (0 bytes)", "is empty (0 bytes)"),
        ("no such file: a.mp4", "no such file"),
        ("a.mp4x holds nothing", "a.mp4x holds nothing"),
    ],
)
def test_the_reason_leaves_out_the_name_of_the_video(error, reason):
    assert BLANK.failed("CODE", error).reason == reason

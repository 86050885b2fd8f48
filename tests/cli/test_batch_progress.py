"""How the progress of a batch looks on terminals of different widths."""

import io
import json
import re
from dataclasses import replace

import pytest

from vswin_cli.batch.activity import Activity
from vswin_cli.batch.run import Progress
from vswin_cli.cli.batch_progress import ProgressDisplay, _render, describe

LONG = f"/archive/{'day/' * 40}recording-0001.mp4"
PROGRESS = Progress(
    num_inputs=1234,
    num_done=500,
    num_failed=7,
    num_resumed=100,
    video_seconds=7200.0,
    elapsed_seconds=600.0,
    left_seconds=3723.0,
    activities=(
        Activity(LONG, 61.0, "cuda:0"),
        Activity(None, 0.0, "cuda:1"),
        Activity(None, 0, ""),
    ),
)


def test_failures_are_not_counted_as_done():
    assert describe(PROGRESS) == (
        "500 of 1,234 files done, 7 failed, 2.00 h of video, 12.0x real time, about 1:02:03 left"
    )
    assert describe(replace(PROGRESS, left_seconds=None)).endswith("12.0x real time")
    assert "500 of 1,234 files done, 3 partial, 7 failed" in describe(
        replace(PROGRESS, num_partial=3)
    )


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_every_line_fits_the_terminal_and_shows_the_file_name(columns):
    from rich.console import Console

    text = io.StringIO()
    Console(file=text, width=columns, legacy_windows=False).print(_render(PROGRESS, columns))
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= columns
    assert sum("0001.mp4" in line for line in lines) == 1
    assert "waiting" in text.getvalue()
    assert "starting" in text.getvalue()


def test_control_characters_of_names_are_escaped():
    from rich.console import Console

    text = io.StringIO()
    bad = replace(PROGRESS, activities=(Activity("a\x1b]0;x\x07[b]c.mp4", 0.0, "cpu"),))
    Console(file=text, width=80).print(_render(bad, 80))
    assert r"a\x1b]0;x\x07[b]c.mp4" in text.getvalue()


def test_quiet_shows_nothing(capfd):
    with ProgressDisplay(quiet=True) as display:
        display._last = 0.0
        display(PROGRESS)
    with ProgressDisplay(quiet=False) as display:
        display._last = 0.0
        display(PROGRESS)
    line = capfd.readouterr().err
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d .*\n", line)
    assert line[20:] == f"{describe(PROGRESS)}; at recording-0001.mp4 1:01\n"


def test_a_line_of_a_log_names_some_of_many_videos(capfd):
    many = tuple(Activity(f"day/{i}.mp4", i, "cpu") for i in range(9))
    with ProgressDisplay(quiet=False) as display:
        display._last = 0.0
        display(replace(PROGRESS, activities=many))
    assert capfd.readouterr().err.endswith(
        "; at 0.mp4 0:00, 1.mp4 0:01, 2.mp4 0:02, 3.mp4 0:03 and 5 more\n"
    )


def test_progress_for_programs_is_an_event(capfd):
    with ProgressDisplay(quiet=False, log_json=True) as display:
        display._last = 0.0
        display(PROGRESS)
    event = json.loads(capfd.readouterr().err)
    assert (event["event"], event["done"], event["failed"]) == ("progress", 500, 7)
    assert event["left_seconds"] == 3723.0
    assert event["running"] == [{"video": LONG, "at_seconds": 61.0, "device": "cuda:0"}]

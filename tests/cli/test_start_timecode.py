from dataclasses import replace

import pytest

from tests.support.reports import make_report_video
from tests.support.timelines import timeline
from vswin_cli.cli.app import run
from vswin_cli.cli.start_timecode import parse_start, with_start
from vswin_cli.errors import OptionError
from vswin_cli.export import write_timeline


@pytest.fixture
def saved(tmp_path):
    one = replace(
        timeline(),
        video=replace(timeline().video, frame_rate_rational="25", start_timecode="10:00:00:00"),
    )
    write_timeline(one, "json", tmp_path / "a.json")
    return tmp_path / "a.json"


def test_export_counts_from_the_videos_timecode_or_the_given_one(saved, capsys):
    assert run(["export", str(saved), "-f", "edl", "-q"]) == 0
    assert "10:00:01:00 10:00:03:13" in capsys.readouterr().out
    assert run(["export", str(saved), "-f", "edl", "-q", "--timecode-start", "01:00:00:00"]) == 0
    assert "01:00:01:00 01:00:03:13" in capsys.readouterr().out


def test_segment_takes_a_start_timecode(tmp_path, capsys):
    made = make_report_video(tmp_path, with_video=False)
    out = tmp_path / "a.json"
    code = run(
        ["segment", str(made.scores), "-o", str(out), "-q", "--timecode-start", "02:00:00:00"]
    )
    assert code == 0
    assert '"start_timecode": "02:00:00:00"' in out.read_text()


@pytest.mark.parametrize(
    ("form", "is_unused"), [("csv", True), ("srt", True), ("edl", False), ("resolve", False)]
)
def test_a_format_without_timecode_is_noted(saved, capsys, form, is_unused):
    command = ["export", str(saved), "-f", form, "--timecode-start", "01:00:00:00"]
    note = "--timecode-start applies to edl, resolve, premiere, fcpxml and otio\n"
    assert run(command) == 0
    assert (note in capsys.readouterr().err) == is_unused
    assert run([*command, "-q"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("command", ["tag", "segment", "export"])
def test_what_is_no_timecode_is_refused_before_anything_is_read(command, capsys):
    code = run([command, __file__, "--timecode-start", "25:00:00:00"])
    assert code == OptionError.exit_code
    assert "HH:MM:SS:FF" in capsys.readouterr().err


def test_the_usual_form_is_kept_and_none_changes_nothing():
    assert parse_start("10:00:00.02") == "10:00:00;02"
    assert with_start(timeline(), None) == timeline()
    assert with_start(timeline(), "10:00:00;02").video.start_timecode == "10:00:00;02"

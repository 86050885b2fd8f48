"""`vswin export`, `vswin segment` and `vswin schema` as a user calls them."""

import io
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import typer

from tests.support.timelines import columns, of_two_models, timeline, track_of
from vswin_cli.cli.app import run
from vswin_cli.cli.export import export
from vswin_cli.cli.options import FormatOption
from vswin_cli.cli.report import report
from vswin_cli.cli.schema import schema
from vswin_cli.cli.segment import segment
from vswin_cli.errors import OptionError, OutputError, SourceError
from vswin_cli.export import FORMATS, write_timeline
from vswin_cli.storage.result_names import unique_names
from vswin_cli.timeline.files import read_timelines, schema_text
from vswin_cli.timeline.record import Notice
from vswin_cli.timeline.score_files import save_track


def call(command, *arguments):
    """Run one command by its words; what it raises comes through."""
    app = typer.Typer()
    app.callback()(lambda: None)
    app.command("it")(command)
    app(["it", *map(str, arguments)], standalone_mode=False)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "video.json"
    write_timeline(timeline(), "json", path)
    return path


@pytest.fixture
def scores(tmp_path):
    path = tmp_path / "video.npz"
    labels = ["archery", "playing tennis", "playing squash"]
    parts = [columns((20, 0.9)), np.tile([[0.1, 0.45, 0.45]], (20, 1))]
    with track_of(np.concatenate(parts), labels=labels) as track:
        save_track(track, timeline(), path)
    return path


def test_schema_is_printed_as_it_is(capsys):
    call(schema)
    assert capsys.readouterr().out == schema_text()


def test_export_leaves_labels_out_and_names_what_matches_none(saved, capsys):
    call(export, saved, "-f", "srt", "--exclude", "arch*", "--exclude", "static")
    printed = capsys.readouterr()
    assert "archery" not in printed.out
    assert "arm -> wrestling" in printed.out
    assert "no segment has a label that matches `static`" in printed.err
    call(export, saved, "-f", "csv", "--include", "archery", "-q")
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_export_prints_the_format_asked_for(saved, capsys):
    call(export, saved, "-f", "srt")
    assert capsys.readouterr().out.startswith("1\n00:00:01,000 --> ")


def test_export_takes_the_format_from_the_ending(saved, tmp_path):
    call(export, saved, "-o", tmp_path / "out.vtt")
    assert (tmp_path / "out.vtt").read_text().startswith("WEBVTT")


def test_a_caveat_names_the_video_once(tmp_path, capsys):
    video = replace(timeline().video, uri="odd.mp4", variable_frame_rate=True)
    write_timeline(timeline(video=video), "json", tmp_path / "odd.json")
    call(export, tmp_path / "odd.json", "-f", "edl")
    assert capsys.readouterr().err.startswith("warning: odd.mp4 has a variable frame rate")


def test_a_caveat_of_several_videos_is_one_line_at_the_end(tmp_path, capsys):
    for name in ("a", "b", "c"):
        video = replace(timeline().video, uri=f"{name}.mp4", duration_seconds=15.0)
        one = timeline(video=video, segments=timeline().segments[:1])
        write_timeline(one, "json", tmp_path / f"{name}.json")
    call(export, tmp_path, "-f", "youtube-chapters", "-o", f"{tmp_path}/chapters/")
    *wrote, last = capsys.readouterr().err.splitlines()
    assert len(wrote) == 3
    assert last.startswith("warning: YouTube shows chapters only where there are 3 or more; a.mp4")
    assert last.endswith("; likewise of b.mp4, c.mp4")


def test_of_many_files_only_the_number_is_noted(tmp_path, capsys):
    for number in range(11):
        one = timeline(video=replace(timeline().video, uri=f"{number}.mp4"))
        write_timeline(one, "json", tmp_path / f"{number}.json")
    call(export, tmp_path, "-f", "srt", "-o", f"{tmp_path}/srt/")
    assert capsys.readouterr().err == f"wrote 11 files in {tmp_path}/srt\n"


def test_export_reads_stdin(saved, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(saved.read_text()))
    call(export, "-", "-f", "csv")
    assert len(capsys.readouterr().out.splitlines()) == 4


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_stdin_is_utf8_whatever_the_locale(saved, encoding):
    text = saved.read_text(encoding="utf-8").replace("archery", "küche")
    done = subprocess.run(
        [sys.executable, "-m", "vswin_cli", "export", "-", "-f", "csv"],
        input=text.encode("utf-8-sig"),
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=True,
    )
    assert "küche" in done.stdout.decode("utf-8")


def test_stdin_that_is_no_utf8_is_an_error(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff{}")))
    with pytest.raises(SourceError, match="stdin is not a timeline: not UTF-8 text"):
        call(export, "-", "-f", "csv")


def test_export_joins_several_videos_where_the_format_can(saved, capsys):
    call(export, saved, saved, "-f", "csv")
    assert len(capsys.readouterr().out.splitlines()) == 7
    with pytest.raises(OptionError, match="one video per file"):
        call(export, saved, saved, "-f", "srt")


def test_export_into_a_folder_writes_one_file_per_video(saved, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    call(export, saved, saved, "-f", "srt", "-o", folder)
    assert len(list(folder.glob("*.srt"))) == 2


@pytest.mark.parametrize("exists", [True, False], ids=["there", "missing"])
@pytest.mark.parametrize("command", [export, segment, report])
def test_a_trailing_slash_means_a_folder(saved, scores, tmp_path, command, exists):
    folder = tmp_path / "out"
    if exists:
        folder.mkdir()
    source, options = (scores if command is segment else saved), ["-f", "srt"]
    if command is report:
        options = ["--no-thumbnails"]
    call(command, source, *options, "-o", f"{folder}/")
    ending = ".html" if command is report else ".srt"
    assert [path.name for path in folder.iterdir()] == [f"a b{ending}"]


@pytest.mark.parametrize("command", [export, segment, report])
def test_only_the_named_folder_is_made_and_a_file_is_none(saved, scores, tmp_path, command):
    source = scores if command is segment else saved
    for place in (f"{tmp_path}/none/out/", f"{source}/"):
        with pytest.raises(OutputError):
            call(command, source, "-o", place)
    assert not (tmp_path / "none").exists()
    for place in ("", "s3://bucket/out.csv"):
        with pytest.raises(OptionError):
            call(command, source, "-o", place)


def test_a_report_of_several_in_a_folder_begins_at_its_index(saved, tmp_path):
    call(report, saved, saved, "--no-thumbnails", "-o", f"{tmp_path}/pages/")
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("pages/**/*.html")}
    assert names == {
        "pages/index.html",
        "pages/index-videos/a b.html",
        "pages/index-videos/a b-2.html",
    }


def test_names_in_a_folder_differ_by_more_than_case():
    assert unique_names(["x/A.mp4", "y/a.mkv", "a-2.mp4"]) == ["A", "a-2", "a-2-2"]
    assert unique_names(["https://h/b.mp4?token=x/y.z", "what?.mp4"]) == ["b", "what?"]


def test_names_in_a_folder_leave_room_for_their_ending():
    long = "映" * 82
    names = unique_names([f"x/{long}.mkv", f"y/{long}.mp4"], ".labelstudio.json")
    assert names == [long[:79], f"{long[:78]}-2"]
    assert unique_names([f"{long}.mp4"], ".srt") == [long]


@pytest.fixture
def mixed(tmp_path):
    """Timelines of three videos; the second has a rate at which nothing is dropped."""
    return [save_at(tmp_path / f"{i}.json", rate) for i, rate in enumerate(RATES)]


RATES = ("30000/1001", "25", "60000/1001")


def save_at(path, rate):
    known = {"frame_rate_rational": rate} if rate else {"frame_rate_rational": None}
    video = replace(timeline().video, uri=f"{path.stem}.mp4", average_frame_rate=None, **known)
    write_timeline(timeline(video=video), "json", path)
    return path


@pytest.mark.parametrize("place", ["folder/", "with --json"])
def test_a_video_that_the_format_cannot_hold_does_not_keep_the_others(
    mixed, tmp_path, capsys, place
):
    options = ["-o", f"{tmp_path}/out/", *(["--json"] if place == "with --json" else [])]
    options += ["-f", "edl-df"] if place == "folder/" else ["-f", "jsonl"]
    (tmp_path / "out").mkdir()
    if place == "with --json":
        (tmp_path / "out" / "1.jsonl").mkdir()
    assert run(["export", *map(str, mixed), *options]) == 3
    out, err = capsys.readouterr()
    assert len([path for path in (tmp_path / "out").iterdir() if path.is_file()]) == 2
    assert len(out.splitlines()) == (3 if place == "with --json" else 0)
    assert "1.mp4 has 25" in err if place == "folder/" else "cannot write" in err
    assert "hint: " in err or '"hint": ' in err


def test_a_file_of_many_leaves_out_what_it_cannot_hold(mixed, tmp_path, capsys):
    unknown = save_at(tmp_path / "x.json", None)
    for options in (["-o", tmp_path / "all.json"], []):
        arguments = ["export", *mixed, unknown, "-f", "labelstudio", *options]
        assert run(list(map(str, arguments))) == 3
        out, err = capsys.readouterr()
        assert "x.mp4 has no frame rate" in err
        tasks = json.loads(out or (tmp_path / "all.json").read_text())
        assert [task["data"]["video"] for task in tasks] == ["0.mp4", "1.mp4", "2.mp4"]


def test_where_the_format_can_hold_none_the_error_is_the_end(mixed, tmp_path, capsys):
    one = ["export", str(mixed[1]), "-f", "edl-df"]
    for options in (["-o", str(tmp_path / "a.edl")], []):
        assert run([*one, *options]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert "1.mp4 has 25" in err
    assert not (tmp_path / "a.edl").exists()


def test_json_goes_to_stdout_beside_the_file(saved, scores, tmp_path, capsys):
    for command, source in ((export, saved), (segment, scores)):
        call(command, source, "--json", "-o", tmp_path / "out.srt")
        assert json.loads(capsys.readouterr().out)["schema"] == "vswin.timeline/1"
        assert (tmp_path / "out.srt").read_text().startswith("1\n")


def test_json_without_another_format_writes_json_into_a_folder(saved, tmp_path, capsys):
    call(export, saved, "--json", "-o", f"{tmp_path}/out/")
    printed = json.loads(capsys.readouterr().out)
    assert json.loads((tmp_path / "out" / "a b.json").read_text()) == printed


def test_json_and_another_format_for_stdout_are_refused(saved, capsys):
    with pytest.raises(OptionError, match="would both go to stdout"):
        call(export, saved, "--json", "-f", "csv")
    call(export, saved, saved, "--json", "-f", "jsonl")
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_json_of_several_is_refused_before_a_file_is_written(saved, tmp_path):
    with pytest.raises(OptionError, match="one video per file") as raised:
        call(export, saved, saved, "--json", "-o", tmp_path / "all.csv")
    assert "jsonl" in raised.value.hint
    assert not (tmp_path / "all.csv").exists()


def test_quiet_says_nothing_of_what_was_written(saved, scores, tmp_path, capsys):
    for command, source in ((export, saved), (segment, scores)):
        call(command, source, "-q", "-o", tmp_path / "out.csv")
        assert capsys.readouterr().err == ""


def test_a_saved_file_is_not_overwritten_inside_a_folder(saved, tmp_path):
    mine = tmp_path / "a b.json"
    saved.rename(mine)
    with pytest.raises(OptionError, match="would destroy it"):
        call(export, mine, "-f", "json", "-o", tmp_path)


def test_help_names_every_format():
    help_text = get_args(FormatOption)[1].help
    for name in FORMATS:
        assert re.search(rf"\b{name}\b(?!-)", help_text), name


def test_export_of_what_is_no_timeline_fails(tmp_path):
    path = tmp_path / "other.json"
    path.write_text("{}")
    with pytest.raises(SourceError, match=r"other\.json"):
        call(export, path, "-f", "srt")


def test_export_fails_before_reading_when_the_folder_is_missing(tmp_path):
    with pytest.raises(OutputError):
        call(export, tmp_path / "none.json", "-o", tmp_path / "none" / "a.srt")


def test_segment_cuts_saved_scores_anew(scores, tmp_path):
    out = tmp_path / "again.json"
    call(segment, scores, "--onset", "0.6", "--offset", "0.5", "-o", out)
    (one,) = read_timelines(out)
    assert [found.label for found in one.segments] == ["archery"]
    assert one.postprocess.onset == 0.6
    assert one.video == timeline().video


def test_segment_groups_labels(scores, tmp_path):
    out = tmp_path / "again.json"
    call(segment, scores, "--group", "racket=playing *", "--min-margin", "0.3", "-o", out)
    (one,) = read_timelines(out)
    assert [found.label for found in one.segments] == ["archery", "racket"]
    assert one.postprocess.groups[0].members == ("playing *",)


def test_segment_reports_that_gating_applied(scores, capsys):
    call(segment, scores, "--min-margin", "0.2", "--json")
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    assert document["postprocess"]["gated"] == 2.5
    assert "no label stood out" in printed.err


def test_segment_repeats_no_warning_of_the_first_run(tmp_path, capsys):
    said, path = Notice("PARTIAL", "half of it is missing"), tmp_path / "video.npz"
    with track_of(columns((20, 0.9)), labels=["archery", "bowling", "curling"]) as track:
        save_track(track, timeline(warnings=(said,)), path)
    call(segment, path, "-o", tmp_path / "video.json")
    assert "warning" not in capsys.readouterr().err
    (again,) = read_timelines(tmp_path / "video.json")
    assert said in again.warnings
    call(segment, path, "--onset", "0.99")
    assert capsys.readouterr().err.count("warning: ") == 1


def test_segment_refuses_an_unknown_label(scores):
    with pytest.raises(OptionError, match="archary"):
        call(segment, scores, "--include", "archary")


def test_segment_refuses_thresholds_the_wrong_way_round(scores):
    with pytest.raises(OptionError, match="onset"):
        call(segment, scores, "--onset", "0.2", "--offset", "0.5")


def test_a_saved_file_is_not_overwritten_by_what_is_made_of_it(saved, scores):
    for command, path in ((export, saved), (segment, scores)):
        before = path.read_bytes()
        roundabout = path.parent / ".." / path.parent.name / path.name
        with pytest.raises(OptionError, match="would destroy it"):
            call(command, path, "-f", "csv", "-o", roundabout)
        assert path.read_bytes() == before


def test_one_of_several_models_can_be_chosen(tmp_path, capsys):
    both = tmp_path / "both.json"
    write_timeline(of_two_models(), "json", both)
    call(export, both, "--model", "moves", "-o", tmp_path / "moves.srt")
    assert "pan" in (tmp_path / "moves.srt").read_text()
    assert "left out" not in capsys.readouterr().err
    call(export, both, "-o", tmp_path / "first.srt")
    assert "archery" in (tmp_path / "first.srt").read_text()
    assert "moves is left out" in capsys.readouterr().err
    call(export, both, "-m", "swin-t-k400", "-o", tmp_path / "one.json")
    assert read_timelines(tmp_path / "one.json") == [timeline()]
    with pytest.raises(OptionError, match="no result of the model nothing"):
        call(export, both, "-m", "nothing", "-o", tmp_path / "none.srt")

"""`vswin export`, `vswin segment` and `vswin schema` as a user calls them."""

import io
import json
import sys

import numpy as np
import pytest
import typer

from tests.timelines import columns, timeline, track_of
from vswin_cli.cli.export import export
from vswin_cli.cli.schema import schema
from vswin_cli.cli.segment import segment
from vswin_cli.errors import OptionError, OutputError, SourceError
from vswin_cli.export import write_timeline
from vswin_cli.timeline.files import read_timelines, schema_text
from vswin_cli.timeline.score_files import save_track


def call(command, *arguments):
    """Run one command by its words; what it raises comes through."""
    app = typer.Typer()
    app.callback()(lambda: None)
    app.command("it")(command)
    app(["it", *map(str, arguments)], standalone_mode=False)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "film.json"
    write_timeline(timeline(), "json", path)
    return path


@pytest.fixture
def scores(tmp_path):
    path = tmp_path / "film.npz"
    labels = ["archery", "playing tennis", "playing squash"]
    parts = [columns((20, 0.9)), np.tile([[0.1, 0.45, 0.45]], (20, 1))]
    with track_of(np.concatenate(parts), labels=labels) as track:
        save_track(track, timeline(), path)
    return path


def test_schema_is_printed_as_it_is(capsys):
    call(schema)
    assert capsys.readouterr().out == schema_text()


def test_export_prints_the_format_asked_for(saved, capsys):
    call(export, saved, "-f", "srt")
    assert capsys.readouterr().out.startswith("1\n00:00:01,000 --> ")


def test_export_takes_the_format_from_the_ending(saved, tmp_path):
    call(export, saved, "-o", tmp_path / "out.vtt")
    assert (tmp_path / "out.vtt").read_text().startswith("WEBVTT")


def test_export_reads_stdin(saved, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(saved.read_text()))
    call(export, "-", "-f", "csv")
    assert len(capsys.readouterr().out.splitlines()) == 4


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


def test_segment_tells_when_gating_applied(scores, capsys):
    call(segment, scores, "--min-margin", "0.2", "--json")
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    assert document["postprocess"]["gated"] == 2.5
    assert "no label stood out" in printed.err


def test_segment_refuses_a_label_it_does_not_know(scores):
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

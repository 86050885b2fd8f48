"""The table of clips: rows of earlier runs stay while their clips are there."""

import csv

import pytest

from vswin_cli.cutting.records import Clip
from vswin_cli.cutting.table import CLIPS_COLUMNS, ends_of, read_rows_by_name, write_table
from vswin_cli.errors import OutputError


def clip(path, **fields):
    values = {
        "label": "=pan\nleft",
        "start_seconds": 0.5,
        "end_seconds": 2.0,
        "score": None,
        "video": "a.mp4",
        "source_start_seconds": 10.5,
        "source_end_seconds": 12.0,
        "mode": "copy",
        "early_seconds": 0.5,
    }
    return Clip(path, **{**values, **fields})


def test_a_table_is_read_back_by_names_of_clips_that_are_there(tmp_path):
    table = tmp_path / "clips.csv"
    (tmp_path / "one.mp4").write_bytes(b"frames")
    clips = [clip(tmp_path / "one.mp4", score=0.75), clip(tmp_path / "gone.mp4")]
    write_table(table, clips, [])
    rows = read_rows_by_name(table, force=False)
    assert list(rows) == ["one.mp4"]
    assert ends_of(rows) == {"one.mp4": 2.0}
    with table.open(newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["label"], first["score"], second["score"]) == ("'=pan left", "0.7500", "")
    assert (first["start"], first["source_start"]) == ("0.5", "10.5")


def test_rows_of_earlier_runs_come_first(tmp_path):
    table = tmp_path / "clips.csv"
    earlier = ["old.mp4", *[""] * (len(CLIPS_COLUMNS) - 1)]
    (tmp_path / "old.mp4").touch()
    write_table(table, [clip(tmp_path / "new.mp4")], [earlier])
    with table.open(newline="") as file:
        assert [row[0] for row in csv.reader(file)] == ["path", "old.mp4", "new.mp4"]
    assert ends_of(read_rows_by_name(table, force=False)) == {}  # its end is not stated


def test_a_table_of_somebody_else_is_kept_unless_forced(tmp_path):
    table = tmp_path / "clips.csv"
    assert read_rows_by_name(table, force=False) == {}
    table.write_text("path,label\nx.mp4,cat\n")
    with pytest.raises(OutputError, match="was not written by vswin"):
        read_rows_by_name(table, force=False)
    assert read_rows_by_name(table, force=True) == {}

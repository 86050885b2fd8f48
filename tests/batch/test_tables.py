import csv

from vswin_cli.batch.inputs import BatchInput
from vswin_cli.batch.outcome import Outcome
from vswin_cli.batch.tables import FILES_COLUMNS, write_files_table
from vswin_cli.storage.sources import VideoSource


def item(uri):
    return BatchInput(VideoSource.of(uri), "1")


def outcome(of, **fields):
    return Outcome(of.source.uri, of.entry, "1", "s", "t", **fields)


def table(tmp_path, inputs, outcomes):
    path = tmp_path / "files.csv"
    write_files_table(path, inputs, {one.entry: one for one in outcomes})
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_input_has_a_row_in_its_order_done_or_not(tmp_path):
    done, waiting = item("b.mp4"), item("a.mp4")
    result = outcome(done, status="ok", duration_seconds=12.5, coverage=1.0, num_segments=0)
    rows = table(tmp_path, [done, waiting], [result])
    assert list(rows[0]) == list(FILES_COLUMNS)
    assert [(row["video"], row["status"]) for row in rows] == [
        ("b.mp4", "ok"),
        ("a.mp4", "pending"),
    ]
    assert [rows[0][name] for name in ("duration", "coverage", "segments")] == ["12.5", "1", "0"]
    assert not any(list(rows[1].values())[2:])


def test_a_failed_input_says_why_and_has_no_figures(tmp_path):
    one = item("a.mp4")
    failed = outcome(one, status="failed", error_code="DECODE", error="damaged, at\nonce")
    (row,) = table(tmp_path, [one], [failed])
    assert row["error_code"] == "DECODE"
    assert "\n" not in row["error"]
    assert (row["duration"], row["segments"]) == ("", "")


def test_names_that_a_spreadsheet_would_compute_are_text(tmp_path):
    (row,) = table(tmp_path, [item("=1+1.mp4")], [])
    assert row["video"].endswith("=1+1.mp4")
    assert not row["video"].startswith("=")


def test_no_number_is_a_negative_zero(tmp_path):
    one = item("a.mp4")
    (row,) = table(tmp_path, [one], [outcome(one, status="ok", duration_seconds=-0.0)])
    assert row["duration"] == "0"

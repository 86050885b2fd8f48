"""The workbook as openpyxl and pandas read it."""

import io
from datetime import timedelta

import pytest

from tests.support.timelines import named, segment, timeline
from vswin_cli.cli.output import choose_output
from vswin_cli.errors import OptionError
from vswin_cli.export import render_timelines
from vswin_cli.export.formats import get_format

pytest.importorskip("xlsxwriter")


def read(*timelines):
    openpyxl = pytest.importorskip("openpyxl")
    return openpyxl.load_workbook(io.BytesIO(render_timelines(timelines, "xlsx")))


def rows(sheet):
    header, *others = sheet.iter_rows(values_only=True)
    return [dict(zip(header, row, strict=True)) for row in others]


def test_sheets_hold_segments_files_and_summary_of_all_videos():
    book = read(timeline(), named("b.mp4"))
    assert book.sheetnames == ["segments", "files", "summary"]
    assert [len(rows(sheet)) for sheet in book] == [6, 2, 6]
    assert {sheet.freeze_panes for sheet in book} == {"A2"}
    file = rows(book["files"])[0]
    assert (file["status"], file["segments"], file["warnings"]) == (
        "partial", 3, "10.0 s could not be decoded",
    )  # fmt: skip
    assert rows(book["summary"])[0]["label"] == "schöne Grüße"


def test_times_are_durations_and_scores_numbers():
    last = rows(read(timeline())["segments"])[2]
    # A workbook counts days in floating point: microseconds are lost.
    assert abs(last["end"] - timedelta(seconds=3661.033)) < timedelta(milliseconds=1)
    assert abs(last["duration"] - timedelta(seconds=61.033)) < timedelta(milliseconds=1)
    assert last["score"] == pytest.approx(0.8341)


def test_what_looks_like_a_formula_is_text():
    sheet = read(timeline(segments=(segment(0.0, 1.0, "=1+1"), segment(1.0, 2.0, "@SUM(A1)"))))
    cells = [cell for row in sheet["segments"].iter_rows() for cell in row]
    assert "=1+1" in [cell.value for cell in cells]
    # openpyxl takes a text with `=` ahead for a formula only if the file says that it is one.
    assert b"<f>" not in render_timelines([timeline()], "xlsx")
    assert {cell.data_type for cell in cells if cell.value == "=1+1"} == {"s"}


def test_the_same_timelines_give_the_same_bytes():
    assert render_timelines([timeline()], "xlsx") == render_timelines([timeline()], "xlsx")


@pytest.mark.slow
def test_pandas_reads_times_and_labels():
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("openpyxl")
    frame = pandas.read_excel(io.BytesIO(render_timelines([timeline()], "xlsx")))
    assert frame["label"].tolist()[0] == "archery"
    assert frame["class_id"].tolist() == [5, 7, 9]


def test_a_workbook_is_not_printed():
    with pytest.raises(OptionError, match="cannot be printed") as caught:
        choose_output(None, "xlsx")
    assert "FILE.xlsx" in (caught.value.hint or "")


def test_a_missing_package_is_named_before_the_work(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(OptionError, match="needs xlsxwriter") as caught:
        get_format("xlsx")
    assert "vswin[xlsx]" in (caught.value.hint or "")

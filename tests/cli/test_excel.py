"""`--excel`: the kind of CSV follows the locale."""

import io
import locale

import pytest

from tests.support.timelines import timeline, written
from tests.support.videos import VideoRecipe, make_video
from vswin_cli.cli.app import run
from vswin_cli.cli.excel import csv_for_excel
from vswin_cli.errors import OptionError
from vswin_cli.export import write_timeline

DECIMAL_COMMA = ("de_DE.UTF-8", "fr_FR.UTF-8", "pl_PL.UTF-8", "German_Germany.1252")


def test_a_locale_with_a_point_gets_commas_and_xlsx_is_refused(monkeypatch):
    monkeypatch.setenv("LC_ALL", "C")
    assert csv_for_excel("csv") == "csv-bom"
    assert csv_for_excel("csv-semicolon") == "csv-semicolon"
    with pytest.raises(OptionError, match="is for CSV") as caught:
        csv_for_excel("srt")
    assert ".xlsx" in (caught.value.hint or "")


def test_a_locale_with_a_decimal_comma_gets_semicolons(monkeypatch):
    before = locale.setlocale(locale.LC_NUMERIC)
    for name in DECIMAL_COMMA:
        monkeypatch.setenv("LC_ALL", name)
        try:
            locale.setlocale(locale.LC_NUMERIC, name)
        except locale.Error:
            continue
        locale.setlocale(locale.LC_NUMERIC, before)
        assert csv_for_excel("csv") == "csv-semicolon"
        assert locale.setlocale(locale.LC_NUMERIC) == before
        return
    pytest.skip("no locale with a decimal comma is installed")


def test_an_unknown_locale_counts_as_one_with_a_point(monkeypatch):
    monkeypatch.setenv("LC_ALL", "xx_XX")
    assert csv_for_excel("csv") == "csv-bom"


def test_pandas_reads_numbers_with_decimal_commas():
    pandas = pytest.importorskip("pandas")
    text = written("csv-semicolon").removeprefix("\ufeff")
    table = pandas.read_csv(io.StringIO(text), sep=";", decimal=",")
    plain = pandas.read_csv(io.StringIO(written("csv")))
    assert list(table["end"]) == [3.5, 5.0, 3661.033]
    assert list(table["start_tc"]) == ["00:00:01,000", "00:00:03,000", "01:00:00,000"]
    pandas.testing.assert_frame_equal(
        table.drop(columns=["start_tc", "end_tc"]), plain.drop(columns=["start_tc", "end_tc"])
    )


def test_export_writes_csv_with_a_byte_order_mark(tmp_path, monkeypatch):
    monkeypatch.setenv("LC_ALL", "C")
    write_timeline(timeline(), "json", tmp_path / "a.json")
    command = ["export", str(tmp_path / "a.json"), "--excel", "-o", str(tmp_path / "a.csv")]
    assert run(command) == 0
    assert (tmp_path / "a.csv").read_bytes() == written("csv-bom").encode()
    assert run([*command[:-1], str(tmp_path / "a.srt")]) == 2


@pytest.mark.slow
def test_a_batch_writes_it_and_goes_on_as_plain_csv(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LC_ALL", "C")
    make_video(tmp_path / "a.mp4", VideoRecipe(num_frames=20, width=96))
    command = ["batch", str(tmp_path / "a.mp4"), "--out", str(tmp_path / "r.csv"), "--device=cpu"]
    assert run([*command, "--excel", "-q"]) == 0
    table = (tmp_path / "r.csv").read_bytes()
    assert table.startswith(b"\xef\xbb\xbfvideo,start,")
    assert run([*command, "--json", "-q"]) == 0
    assert '"resumed":1' in capsys.readouterr().out
    assert (tmp_path / "r.csv").read_bytes() == table.removeprefix(b"\xef\xbb\xbf")
    assert run([*command[:3], str(tmp_path / "r.jsonl"), "--excel"]) == 2

"""Names and labels from strangers in every format: nothing runs, nothing is obeyed."""

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from tests.support.timelines import segment, timeline, written
from vswin_cli.export import FORMATS
from vswin_cli.export.naming import from_spreadsheet

FORMULA = "=cmd|' /C calc'!A0"
HTML = '<img src=x onerror="alert(1)"> & </script>'
TERMINAL = "\x1b[2J\x1b]0;owned\x07\x9b31mred\x1b[0m"
OVERRIDE = "safe\u202egpj.exe\u2066\u200f"
ARROW = "a --> b"
NASTY = (
    FORMULA,
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\uff1d1",
    HTML,
    TERMINAL,
    OVERRIDE,
    ARROW,
    "a\r\nb",
)
OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
TABLES = {"csv": ",", "csv-bom": ",", "csv-semicolon": ";", "tsv": "\t", "premiere": "\t"}
JSON = [name for name, form in FORMATS.items() if form.suffix.endswith(("json", "otio"))]


def named(text):
    """A timeline that holds a text wherever a stranger may put one."""
    one = timeline()
    return replace(
        one,
        video=replace(one.video, uri=f"{text}.mp4"),
        model=replace(one.model, id=text, dataset=text),
        segments=(segment(1.0, 2.0, text), segment(3.0, 4.0, "plain")),
    )


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("fmt", FORMATS)
def test_no_output_has_terminal_control_characters(fmt, text):
    assert OBEYED.findall(written(fmt, named(text))) == []


@pytest.mark.parametrize("fmt", TABLES)
@pytest.mark.parametrize("text", NASTY)
def test_no_cell_of_a_table_is_a_formula(fmt, text):
    lines = io.StringIO(written(fmt, named(text)).removeprefix("\ufeff"), newline="")
    rows = list(csv.reader(lines, delimiter=TABLES[fmt]))
    assert len(rows) == 3
    assert {len(row) for row in rows} == {len(rows[0])}
    for cell in (cell for row in rows for cell in row):
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b"))


def test_a_marked_cell_differs_from_the_text_by_an_apostrophe_only():
    assert from_spreadsheet(f"'{FORMULA}") == FORMULA
    assert from_spreadsheet("'tis") == "'tis"
    (row, _) = csv.DictReader(io.StringIO(written("csv", named(FORMULA))))
    assert row["label"] == row["model"] == f"'{FORMULA}"
    assert row["video"] == f"'{FORMULA}.mp4"


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("fmt", JSON)
def test_json_stays_json_and_keeps_the_label(fmt, text):
    document = json.loads(written(fmt, named(text)))
    strings = []

    def collect(value):
        if isinstance(value, dict):
            for inner in value.values():
                collect(inner)
        elif isinstance(value, list):
            for inner in value:
                collect(inner)
        elif isinstance(value, str):
            strings.append(value)

    collect(document)
    if fmt in ("json", "otio", "activitynet", "fiftyone"):
        assert text in strings


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("fmt", ["elan", "fcpxml"])
def test_xml_has_the_elements_of_a_harmless_name(fmt, text):
    tags = [one.tag for one in ET.fromstring(written(fmt, named(text))).iter()]
    assert tags == [one.tag for one in ET.fromstring(written(fmt, named("harmless"))).iter()]


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("fmt", ["srt", "vtt", "vtt-metadata"])
def test_subtitles_have_two_cues_and_webvtt_no_tags(fmt, text):
    found = written(fmt, named(text))
    assert found.count("-->") == 2
    if fmt == "vtt":
        assert "<" not in found


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize(
    "fmt", ["edl", "edl-df", "resolve", "premiere", "youtube-chapters", "audacity", "table"]
)
def test_lines_stay_lines(fmt, text):
    harmless = written(fmt, named("harmless")).splitlines()
    assert len(written(fmt, named(text)).splitlines()) == len(harmless)

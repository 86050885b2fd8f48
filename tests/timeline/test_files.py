"""Timelines from strangers: whatever the data, a timeline or the one documented error."""

import json
import sys

import pytest

from tests.support.timelines import of_two_models, timeline
from vswin_cli.errors import OptionError, SourceError
from vswin_cli.export import FORMATS, write_timelines
from vswin_cli.timeline.files import (
    check_one_model,
    decode_timelines,
    load_timelines,
    parse_timelines,
)

NESTED = 200_000


def changed(path, value):
    """JSON of a timeline with another value at a place."""
    document = timeline().to_json()
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return json.dumps(document)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[" * NESTED, id="nested"),
        pytest.param('{"a":' * NESTED + "1" + "}" * NESTED, id="nested objects"),
        pytest.param(
            f'{{"schema": "vswin.timeline/1", "created": {"[" * NESTED}', id="nested value"
        ),
        pytest.param("1" * 100_000, id="long number"),
        pytest.param('{"a": 1}\n' + "9" * 100_000 + "\n", id="long number in a line"),
        pytest.param('{"a": 1}\n' + "[" * NESTED + "\n", id="nested line"),
        pytest.param("1e999999999", id="large exponent"),
        pytest.param('{"schema": {"schema": {}}}', id="schema is an object"),
        pytest.param('["vswin.timeline/1"]', id="list"),
    ],
)
def test_data_made_to_break_a_reader_ends_as_a_source_error(text):
    with pytest.raises(SourceError, match=r"x\.json"):
        parse_timelines(text, "x.json")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("video", "fps_rational"), "1e99999999"),
        (("video", "fps_rational"), "1/" + "0" * 50),
        (("video", "fps_rational"), "9" * 5000),
        (("video", "fps_rational"), "-25"),
        (("video", "fps_rational"), "25/-1"),
        (("video", "start_timecode"), "\x1b[2J"),
        (("video", "duration"), 1e300),
        (("video", "duration"), -1.0),
        (("video", "lead"), 1e300),
        (("segments", 0, "end"), 1e300),
        (("segments", 0, "peak"), 1e300),
        (("segments", 0, "score"), 10**400),
        (("segments", 0, "class_id"), 1.5),
        (("coverage", "gaps", 0, "end"), 1e300),
        (("segments",), {"0": {}}),
        (("segments",), "x" * 1000),
        (("warnings",), [[]]),
        (("tool",), []),
    ],
)
def test_impossible_values_in_a_timeline_are_rejected(path, value):
    with pytest.raises(SourceError, match=r"x\.json"):
        parse_timelines(changed(path, value), "x.json")


@pytest.mark.parametrize("data", [b"\xff\xfe", b"\x00" * 10, b"", b"\xef\xbb\xbf{", b"PK\x03\x04"])
def test_bytes_that_are_not_text_are_rejected(data):
    with pytest.raises(SourceError, match=r"x\.json"):
        decode_timelines(data, "x.json")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("video", "fps"), -5.0),
        (("video", "fps"), 5e-324),
        (("video", "fps_rational"), "1/999999999999999999"),
        (("video", "fps_rational"), "999999999999999999"),
        (("video", "width"), 10**100),
        (("video", "rotation"), 10**30),
        (("video", "uri"), ""),
        (("created",), ""),
        (("model", "id"), ""),
    ],
)
def test_extreme_values_are_written_in_every_format_or_rejected(path, value):
    (one,) = parse_timelines(changed(path, value), "x.json")
    for fmt in FORMATS:
        try:
            write_timelines([one], fmt, sys.stdout)
        except Exception as error:
            assert type(error).__name__ == "OptionError"  # noqa: PT017


def test_timelines_are_loaded_from_files_and_folders(tmp_path):
    (tmp_path / "b.json").write_text(timeline().to_json_text())
    (tmp_path / "a.jsonl").write_text(f"{timeline().to_json_text()}\n" * 2)
    (tmp_path / "empty").mkdir()
    assert load_timelines(str(tmp_path / "b.json")) == [timeline()]
    assert len(load_timelines(tmp_path)) == 3
    assert len(load_timelines([tmp_path / "b.json", tmp_path])) == 4
    with pytest.raises(SourceError, match=r"no \.json or"):
        load_timelines(tmp_path / "empty")
    with pytest.raises(OptionError, match="takes a path, got 3"):
        load_timelines([3])


def test_results_of_several_models_are_refused_where_one_is_needed():
    check_one_model([timeline()], "x.json")
    with pytest.raises(SourceError, match="has results of 2 models: swin-t-k400, moves") as e:
        check_one_model([timeline(), of_two_models()], "x.json")
    assert "`vswin export FILE --model swin-t-k400" in e.value.hint


def test_the_result_of_one_model_is_a_timeline_of_its_own():
    both = of_two_models()
    assert both.of_model("swin-t-k400") == timeline()
    assert both.of_model("moves").segments == both.tracks[0].segments
    assert both.of_model("moves").tracks == ()
    with pytest.raises(OptionError, match="no result of the model pans") as error:
        both.of_model("pans")
    assert error.value.hint == "there is one of swin-t-k400, moves"

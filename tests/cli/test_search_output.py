"""Where the moments of a search go: a table, JSON, a page or a file, chosen before any work."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.features import feature_file, feature_record, smooth_rows
from vswin_cli.cli.search_output import SCHEMA, SearchOutput
from vswin_cli.errors import OptionError, OutputError
from vswin_cli.search.query import Query
from vswin_cli.search.search import Match

QUERY = Query(np.eye(1, 16, dtype=np.float32), 0.25, 1.0, 2.0, feature_record("q.mp4"))


def choose(out=None, format=None, *, json=False, force=False):
    return SearchOutput.choose(out, format, json=json, force=force)


def matches(*uris):
    return [
        Match(feature_file(smooth_rows(40), uri=uri), 1.0 + i, 3.0 + i, 0.9 - i / 10)
        for i, uri in enumerate(uris)
    ]


def test_without_a_format_a_table_goes_to_stdout(capfd):
    found = matches("a.mp4", "long\x1bname.mp4")
    assert choose().write(QUERY, found, "moment", 0.5, quiet=True) == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].split() == ["similarity", "start", "end", "video"]
    assert lines[1].split()[0] == "0.900"
    assert lines[1].index("a.mp4") == lines[0].index("video")
    assert "\x1b" not in lines[2]


def test_json_says_what_was_asked_and_what_was_found(capfd):
    choose(json=True).write(QUERY, matches("a.mp4"), "moment", 0.5, quiet=True)
    body = json.loads(capfd.readouterr().out)
    assert body["schema"] == SCHEMA
    assert body["query"] == {"video": "q.mp4", "start": 1.0, "end": 2.0, "model": "m"}
    (match,) = body["matches"]
    assert (match["video"], match["start"], match["similarity"]) == ("a.mp4", 1.0, 0.9)


def test_a_file_gets_the_moments_and_stdout_nothing(tmp_path, capfd):
    path = tmp_path / "a.csv"
    output = choose(str(path))
    assert output.write(QUERY, matches("a.mp4"), "moment", 0.5, quiet=True) == 0
    assert "moment" in path.read_text()
    assert capfd.readouterr().out == ""


def test_a_name_of_a_page_gives_a_page():
    output = choose("found.html")
    assert (output.page, output.output) == (Path("found.html"), None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"out": "a.html", "format": "csv"}, "exclude each other"),
        ({"format": "csv", "json": True}, "both go to stdout"),
        ({"out": "-", "format": "csv", "json": True}, "both go to stdout"),
    ],
)
def test_two_formats_for_one_place_are_refused(arguments, message):
    with pytest.raises(OptionError, match=message):
        choose(**arguments)


def test_a_file_of_others_and_an_input_are_spared(tmp_path):
    theirs = tmp_path / "a.csv"
    theirs.write_text("not from vswin\n")
    with pytest.raises(OutputError):
        choose(str(theirs)).check([])
    choose(str(theirs), force=True).check([])
    with pytest.raises(OptionError):
        choose(str(theirs), force=True).check([theirs])

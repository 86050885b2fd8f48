from dataclasses import dataclass, field
from typing import Literal

import pytest

from vswin_cli.errors import SourceError
from vswin_cli.storage.json_records import from_json, json_text, named, to_json


@dataclass(frozen=True)
class Inner:
    start: float = field(metadata=named("from", digits=2))
    kind: Literal["a", "b"] = "a"


@dataclass(frozen=True)
class Outer:
    name: str
    parts: tuple[Inner, ...] = ()
    limit: int | None = None


RECORD = Outer("x", (Inner(1.234567), Inner(2.0, "b")), 3)
DATA = {"name": "x", "parts": [{"from": 1.23, "kind": "a"}, {"from": 2.0, "kind": "b"}], "limit": 3}


def test_records_become_plain_values_under_their_json_names():
    assert to_json(RECORD) == DATA
    assert list(to_json(RECORD)) == ["name", "parts", "limit"]


def test_values_become_records_again():
    assert from_json(Outer, DATA) == Outer("x", (Inner(1.23), Inner(2.0, "b")), 3)
    assert from_json(Outer, {"name": "x", "unknown": 1}) == Outer("x")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ([], "`the document` must be an object"),
        ({}, "`name` is missing"),
        ({"name": 3}, "`name` must be text, got 3"),
        ({"name": "x", "limit": True}, "`limit` must be a whole number"),
        ({"name": "x", "parts": [{"from": "1"}]}, r"`parts\[0\].from` must be a number"),
        ({"name": "x", "parts": [{"from": 1.0, "kind": "c"}]}, "must be one of a, b"),
        ({"name": "x", "parts": "no list"}, "`parts` must be a list"),
    ],
)
def test_wrong_values_are_named_by_their_place(data, problem):
    with pytest.raises(SourceError, match=problem):
        from_json(Outer, data)


def test_names_that_are_no_utf_8_survive_as_escapes():
    assert json_text({"name": "a\udcff"}) == '{"name":"a\\udcff"}'

import pytest

from vswin_cli.storage.measurements import (
    keep_measurement,
    measurement_path,
    read_measurement,
)


def test_numbers_come_back_under_the_same_conditions_only():
    path = measurement_path("speed", "card", 2, (1, 2))
    keep_measurement(path, {"a": 1.5, "b": 2})
    assert read_measurement(measurement_path("speed", "card", 2, (1, 2)), ("b", "a")) == (2.0, 1.5)
    assert read_measurement(measurement_path("speed", "card", 3, (1, 2)), ("a",)) is None
    assert read_measurement(measurement_path("size", "card", 2, (1, 2)), ("a",)) is None


@pytest.mark.parametrize("content", ["", "[]", '{"a": 0}', '{"a": 1e999}', '{"b": 1}', '{"a": ""}'])
def test_a_damaged_file_counts_as_missing(content):
    path = measurement_path("speed", "card")
    keep_measurement(path, {"a": 1})
    assert read_measurement(path, ("a",)) == (1.0,)
    path.write_text(content)
    assert read_measurement(path, ("a",)) is None


def test_a_file_that_others_may_write_does_not_count():
    path = measurement_path("speed", "card")
    keep_measurement(path, {"a": 1})
    path.chmod(0o666)
    assert read_measurement(path, ("a",)) is None


def test_a_cache_that_cannot_be_written_is_no_error(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("VSWIN_CACHE", str(tmp_path / "file"))
    path = measurement_path("speed", "card")
    keep_measurement(path, {"a": 1})
    assert read_measurement(path, ("a",)) is None

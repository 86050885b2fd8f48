"""How many of what, and when, in words."""

import pytest

from vswin_cli.storage.humanize import clock_text, counted


@pytest.mark.parametrize(
    ("number", "thing", "expected"),
    [
        (0, "file", "0 files"),
        (1, "file", "1 file"),
        (2, "damaged packet", "2 damaged packets"),
        (12_345, "frame", "12,345 frames"),
        (3, "class", "3 classes"),
        (1, "pass", "1 pass"),
        (5, "pass", "5 passes"),
    ],
)
def test_things_are_counted_in_singular_and_plural(number, thing, expected):
    assert counted(number, thing) == expected


@pytest.mark.parametrize(
    ("seconds", "digits", "text"),
    [
        (0, 0, "0:00"),
        (59.6, 0, "1:00"),
        (3599.4, 0, "59:59"),
        (3599.5, 0, "1:00:00"),
        (7384, 0, "2:03:04"),
        (3.44, 1, "0:03.4"),
        (59.96, 1, "1:00.0"),
        (3723.4, 1, "1:02:03.4"),
        (1.6664, 3, "0:01.666"),
        (360000, 3, "100:00:00.000"),
    ],
)
def test_a_time_has_as_many_places_as_it_needs(seconds, digits, text):
    assert clock_text(seconds, digits) == text

"""How many of what, in words."""

import pytest

from vswin_cli.counting import counted


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

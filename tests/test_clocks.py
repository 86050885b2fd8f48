"""Times as people read them."""

import pytest

from vswin_cli.clocks import clock_text


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

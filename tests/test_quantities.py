"""Times, frame rates and strides as users write them, and plain values of options."""

import math

import pytest

from vswin_cli.errors import OptionError
from vswin_cli.quantities import (
    Stride,
    as_several,
    as_stride,
    as_texts,
    check_numbers,
    is_length,
    parse_frame_rate,
    parse_seconds,
    wrong_type,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), (" 1:30 ", 90), ("00:01:30.5", 90.5), (".5", 0.5), ("90:00", 5400), ("0", 0)],
)
def test_times_are_read_as_on_a_clock(text, seconds):
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "1:60", "1:60:00", "-1", "1e3", "inf", "nan", "9" * 400])
def test_texts_that_are_no_time_are_refused(text):
    with pytest.raises(OptionError, match="cannot read the time"):
        parse_seconds(text)


def test_frame_rates_may_be_fractions():
    assert parse_frame_rate("30000/1001") == pytest.approx(29.97003)
    assert parse_frame_rate("29.97") == 29.97
    for text in ("30/0", "0x10", "", "1/2/3"):
        with pytest.raises(OptionError, match="cannot read the frame rate"):
            parse_frame_rate(text)


@pytest.mark.parametrize(
    ("text", "frames"), [("1.5", 22), ("1.5s", 22), ("50%", 16), ("16f", 16), ("0.001s", 1)]
)
def test_a_stride_in_any_unit_is_a_number_of_sampled_frames(text, frames):
    # 32 frames per clip at 15 frames per second; half frames are rounded to even.
    assert Stride.parse(text).frames(32, 15.0) == frames


def test_a_stride_prints_as_it_is_read():
    for text in ("1.5s", "50%", "16f"):
        assert str(Stride.parse(text)) == text
    assert as_stride(0.5) == as_stride("50%") == Stride(50)


@pytest.mark.parametrize("value", [0, 1.5, True, None, "5 s", "0%", "-1s"])
def test_values_that_are_no_stride_are_refused(value):
    with pytest.raises(OptionError, match="stride"):
        as_stride(value)


def test_a_text_alone_is_a_list_of_one_label():
    assert as_texts("include", "archery") == ("archery",)
    assert as_texts("include", ["a", "b"]) == ("a", "b")
    assert as_several("inputs", (1, 2)) == (1, 2)
    for values in (3, [3]):
        with pytest.raises(OptionError, match="include takes"):
            as_texts("include", values)
    with pytest.raises(OptionError, match="inputs takes a list"):
        as_several("inputs", "a text")


def test_a_truth_value_is_not_a_number():
    class Record:
        onset: object = None

    record = Record()
    check_numbers(record, "onset")
    record.onset = True
    with pytest.raises(OptionError, match="onset takes a number, got True"):
        check_numbers(record, "onset")


def test_long_values_are_named_by_their_type():
    assert "got 'x'" in wrong_type("path", "a path", "x").message
    assert "got list" in wrong_type("path", "a path", [0] * 1000).message


def test_lengths_are_finite_and_not_negative():
    assert [is_length(value) for value in (0.0, 5.0, -1.0, math.inf, math.nan)] == [
        True,
        True,
        False,
        False,
        False,
    ]

"""Options refuse what makes no sense where it is written, not deep inside the analysis."""

import pytest

from vswin_cli.config import SamplingOptions, Stride, parse_frame_rate
from vswin_cli.errors import OptionError


@pytest.mark.parametrize("crops", [0, 2, "3"])
def test_crops_are_one_or_three(crops):
    with pytest.raises(OptionError, match=r"^crops takes 1 or 3, got ") as caught:
        SamplingOptions(crops=crops)
    assert caught.value.message.endswith(repr(crops))


@pytest.mark.parametrize("crops", [None, 1, 3])
def test_crops_that_exist_are_taken(crops):
    assert SamplingOptions(crops=crops).crops == crops


@pytest.mark.parametrize("stride", ["50%", "1.5s", 1.5])
def test_stride_that_is_not_parsed_is_refused_with_what_to_write(stride):
    with pytest.raises(OptionError, match="stride takes a Stride, got ") as caught:
        SamplingOptions(stride=stride)
    assert caught.value.hint == f'write Stride.parse("{stride}")'
    assert SamplingOptions(stride=Stride.parse(str(stride))).stride is not None


@pytest.mark.parametrize(
    ("text", "rate"), [("40", 40.0), ("29.97", 29.97), ("30000/1001", 30000 / 1001)]
)
def test_frame_rates_are_numbers_or_ratios(text, rate):
    assert parse_frame_rate(text) == rate


@pytest.mark.parametrize("text", ["", "-1", "25fps", "1/0", "nan", "30:1"])
def test_other_frame_rates_are_refused(text):
    with pytest.raises(OptionError, match="cannot read the frame rate"):
        parse_frame_rate(text)


def test_frame_rate_of_the_input_is_positive():
    with pytest.raises(OptionError, match="the input's frames per second"):
        SamplingOptions(input_frame_rate=0.0)

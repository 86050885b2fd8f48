"""Options refuse what makes no sense where it is written, not deep inside the analysis."""

import copy
import pickle
from dataclasses import replace

import pytest

from vswin_cli.config import (
    LabelOnset,
    SamplingOptions,
    SegmentOptions,
    Stride,
    parse_frame_rate,
)
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


ADVISED = SegmentOptions(
    onset=0.5,
    offset=0.3,
    min_duration_seconds=0.25,
    max_labels=0,
    boundaries=("cut",),
    onsets=(LabelOnset("cut", 0.2),),
)


def test_a_value_that_is_given_overrides_only_itself():
    assert SegmentOptions().over(ADVISED) == ADVISED
    chosen = SegmentOptions(max_labels=2).over(ADVISED)
    assert chosen == replace(ADVISED, max_labels=2)
    assert SegmentOptions(0.6).over(ADVISED) == replace(ADVISED, onset=0.6, onsets=())
    assert chosen.over(ADVISED) == chosen  # a whole record stays what it is


def test_a_value_that_equals_the_default_counts_as_given():
    default = SegmentOptions().min_duration_seconds
    chosen = SegmentOptions(min_duration_seconds=default, boundaries=()).over(ADVISED)
    assert chosen == replace(ADVISED, min_duration_seconds=default, boundaries=())


@pytest.mark.parametrize(
    ("given", "onset", "offset"),
    [
        ({"onset": 0.1}, 0.1, 0.1),
        ({"onset": 0.4}, 0.4, 0.3),
        ({"offset": 0.7}, 0.7, 0.7),
        ({"offset": 0.1}, 0.5, 0.1),
        ({"onset": 0.9, "offset": 0.0}, 0.9, 0.0),
        ({"onset": 0.6, "onsets": (LabelOnset("cut", 0.4),)}, 0.6, 0.3),
    ],
)
def test_a_lone_threshold_moves_the_other_along(given, onset, offset):
    chosen = SegmentOptions(**given).over(ADVISED)
    assert (chosen.onset, chosen.offset) == (onset, offset)
    expected = given.get("onsets", () if "onset" in given else ADVISED.onsets)
    assert chosen.onsets == expected


@pytest.mark.parametrize(
    "given",
    [{"onset": 0.1, "offset": 0.2}, {"onset": -0.1}, {"offset": 1.1}, {"onset": float("nan")}],
)
def test_thresholds_that_cannot_be_are_refused(given):
    with pytest.raises(OptionError, match="0 <= offset <= onset <= 1"):
        SegmentOptions(**given)


def pickled(record):
    return pickle.loads(pickle.dumps(record))


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, pickled])
@pytest.mark.parametrize(
    "options",
    [SegmentOptions(), SegmentOptions(onset=0.4), SegmentOptions(onset=0.1), ADVISED],
    ids=["nothing", "default", "moved", "all"],
)
def test_copies_know_what_was_given(again, options):
    assert again(options) == options
    assert again(options).given == options.given
    assert again(options).over(ADVISED) == options.over(ADVISED)

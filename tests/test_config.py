"""Options refuse what makes no sense where it is written, not deep inside the analysis."""

import copy
import pickle
from dataclasses import replace

import pytest

from vswin_cli.config import (
    LabelDuration,
    LabelGroup,
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


@pytest.mark.parametrize(
    ("given", "meant"),
    [("50%", Stride(50, "%")), ("1.5s", Stride(1.5, "s")), (0.5, Stride(50)), (1, Stride(100))],
)
def test_a_stride_is_a_record_a_text_or_a_share_of_a_clip(given, meant):
    options = SamplingOptions(stride=given)
    assert options.stride == options.clip_stride == meant
    assert options == SamplingOptions(stride=meant)


@pytest.mark.parametrize("stride", [0, 1.5, 16, -0.5, True, ["50%"]])
def test_another_stride_is_refused_with_what_to_write(stride):
    with pytest.raises(OptionError, match="stride takes a share of a clip") as caught:
        SamplingOptions(stride=stride)
    assert '"1.5s"' in (caught.value.hint or "")


def test_numbers_that_are_text_are_refused_by_name():
    with pytest.raises(OptionError, match="onset takes a number"):
        SegmentOptions(onset="0.3")
    with pytest.raises(OptionError, match="frame_rate takes a number"):
        SamplingOptions(frame_rate="15")


def test_times_may_be_text():
    options = SamplingOptions(start_seconds="0:05", end_seconds="1:30.5")
    assert (options.start_seconds, options.end_seconds) == (5.0, 90.5)
    with pytest.raises(OptionError, match="cannot read the time"):
        SamplingOptions(start_seconds="five")


def test_labels_may_be_a_list_or_one_text():
    assert SegmentOptions(include="static").include == ("static",)
    assert SegmentOptions(exclude=["a", "b"]).exclude == ("a", "b")
    with pytest.raises(OptionError, match="include takes labels as text"):
        SegmentOptions(include=[1])
    with pytest.raises(OptionError, match="exclude takes a list, got 3"):
        SegmentOptions(exclude=3)


def test_groups_and_onsets_may_be_mappings():
    options = SegmentOptions(groups={"moves": ["pan-*", "tilt-*"]}, onsets={"cut": 0.3})
    assert options.groups == (LabelGroup("moves", ("pan-*", "tilt-*")),)
    assert options.onsets == (LabelOnset("cut", 0.3),)
    assert SegmentOptions(groups="moves=pan-*").groups == (LabelGroup("moves", ("pan-*",)),)
    for wrong in ({"groups": [3]}, {"onsets": ["cut"]}, {"onsets": {"cut": "high"}}):
        with pytest.raises(OptionError):
            SegmentOptions(**wrong)


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
    min_durations=(LabelDuration("pan", 1.0),),
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
    assert chosen == replace(ADVISED, min_duration_seconds=default, min_durations=(), boundaries=())


def test_a_minimum_duration_holds_for_all_labels_unless_single_ones_are_given_with_it():
    assert SegmentOptions(onset=0.4).over(ADVISED).min_duration_of("pan") == 1.0
    assert ADVISED.min_duration_of("tilt") == 0.25
    assert SegmentOptions(min_duration_seconds=0.5).over(ADVISED).min_duration_of("pan") == 0.5
    both = SegmentOptions(min_duration_seconds=0.5, min_durations={"pan": 0}).over(ADVISED)
    assert (both.min_duration_of("pan"), both.min_duration_of("tilt")) == (0, 0.5)


@pytest.mark.parametrize(
    "wrong", [["pan"], {"pan": -1}, {"pan": "long"}, {"pan": float("inf")}, 3, "pan"]
)
def test_minimum_durations_of_labels_are_lengths_of_time(wrong):
    with pytest.raises(OptionError, match=r"minimum duration|min_duration"):
        SegmentOptions(min_durations=wrong)


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

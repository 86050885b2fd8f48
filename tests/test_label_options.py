"""Groups, onsets and minimum durations of single labels, as records, texts or mappings."""

import pytest

from vswin_cli.errors import OptionError
from vswin_cli.label_options import (
    LabelDuration,
    LabelGroup,
    LabelOnset,
    as_durations,
    as_groups,
    as_onsets,
)


def test_a_group_is_read_from_its_text():
    group = LabelGroup.parse("racket sports = playing tennis, playing squash or racquetball,")
    assert group == LabelGroup("racket sports", ("playing tennis", "playing squash or racquetball"))


@pytest.mark.parametrize("text", ["=a,b", "sport", "sport=", "sport= , "])
def test_a_group_without_name_or_members_is_refused(text):
    with pytest.raises(OptionError, match="the label group"):
        LabelGroup.parse(text)


def test_groups_are_taken_in_every_usual_form():
    group = LabelGroup("ball", ("golf", "tennis"))
    for given in (group, [group], "ball=golf,tennis", ["ball=golf,tennis"]):
        assert as_groups(given) == (group,)
    assert as_groups({"ball": ["golf", "tennis"]}) == (group,)
    assert as_groups({"ball": "golf"}) == (LabelGroup("ball", ("golf",)),)


def test_onsets_and_durations_are_taken_in_every_usual_form():
    onset, duration = LabelOnset("cut", 0.3), LabelDuration("pan", 1.0)
    assert as_onsets(onset) == as_onsets([onset]) == as_onsets({"cut": 0.3}) == (onset,)
    assert as_durations(duration) == as_durations({"pan": 1.0}) == (duration,)


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (as_groups, [3]),
        (as_onsets, ["cut"]),
        (as_onsets, {"cut": 1.5}),
        (as_onsets, {"cut": "high"}),
        (as_durations, [LabelOnset("cut", 0.3)]),
        (as_durations, {"pan": float("inf")}),
        (as_durations, {"pan": -1}),
    ],
)
def test_other_values_are_refused(read, value):
    with pytest.raises(OptionError):
        read(value)

import numpy as np
import pytest

from tests.support.timelines import columns, track_of
from vswin_cli.config import LabelGroup, SegmentOptions
from vswin_cli.errors import OptionError
from vswin_cli.timeline.selection import (
    LabelView,
    check_selection,
    match_labels,
    normalised_entropy,
    top_margin,
    undecided,
)

LABELS = ("archery", "arm wrestling", "bowling", "a*")


def view(activation="softmax", **options):
    return LabelView.of(LABELS, activation, SegmentOptions(**options))


def test_patterns_match_by_name_first_then_by_wildcard_without_case():
    assert match_labels(["AR*"], LABELS) == [0, 1]
    assert match_labels(["a*"], LABELS) == [3]  # a label of that name
    assert match_labels(["bowling", "archery"], LABELS) == [0, 2]


def test_a_pattern_without_a_match_fails_and_names_near_labels():
    with pytest.raises(OptionError, match="no label matches `bowlin`") as caught:
        match_labels(["bowlin"], LABELS)
    assert "`bowling`" in (caught.value.hint or "")


def test_groups_come_after_the_labels_that_remain():
    found = view(groups=(LabelGroup("arms", ("archery", "arm wrestling")),))
    assert found.names == ("bowling", "a*", "arms")
    assert found.class_ids == (2, 3, None)
    assert found.num_columns == 3


def test_include_and_exclude_decide_what_is_reported():
    assert view(include=("ar*",), exclude=("archery",)).reported.tolist() == [
        False,
        True,
        False,
        False,
    ]
    with pytest.raises(OptionError, match="leave no label"):
        view(include=("archery",), exclude=("ar*",))


def test_background_competes_and_is_reported_only_by_name():
    assert view(background=("bowling",)).reported.tolist() == [True, True, False, True]
    named = view(background=("bowling",), include=("bowling", "archery"))
    assert named.reported.tolist() == [True, False, True, False]
    assert view(background=("bowling",), exclude=("arm*",)).reported.tolist() == [
        True, False, False, True,
    ]  # fmt: skip


@pytest.mark.parametrize(("activation", "combined"), [("softmax", 0.75), ("sigmoid", 0.5)])
def test_members_add_up_where_scores_compete_else_the_largest_counts(activation, combined):
    arms = view(activation, groups=(LabelGroup("arms", ("archery", "arm wrestling")),))
    rows = np.array([[0.5, 0.25, 0.125, 0.125]], np.float32)
    assert arms.apply(rows).tolist() == [[0.125, 0.125, combined]]
    assert arms.apply(rows, np.array([0, 2])).tolist() == [[0.125, combined]]


def test_the_sum_of_a_group_never_exceeds_one():
    both = view(groups=(LabelGroup("arms", ("archery", "arm wrestling")),))
    assert both.apply(np.array([[0.7, 0.7, 0, 0]], np.float32))[0, 2] == 1.0


def test_margin_is_the_lead_over_the_second_and_entropy_the_spread():
    scores = np.array([[0.7, 0.2, 0.1], [1 / 3] * 3, [1, 0, 0]], np.float32)
    assert top_margin(scores) == pytest.approx([0.5, 0, 1])
    assert normalised_entropy(scores)[1:] == pytest.approx([1, 0], abs=1e-6)
    single = np.array([[0.3]], np.float32)
    assert top_margin(single) == pytest.approx([0.3])
    assert normalised_entropy(single) == [0]


def test_gating_excludes_valid_cells_below_the_margin_or_above_the_entropy():
    scores = np.concatenate([columns((3, 0.9)), np.tile([[0.5, 0.48, 0.02]], (3, 1))])
    with track_of(scores) as track:
        every = LabelView.of(track.labels, "softmax", SegmentOptions())
        low = undecided(track, every, SegmentOptions(min_margin=0.1))
        spread = undecided(track, every, SegmentOptions(max_entropy=0.5))
        assert not undecided(track, every, SegmentOptions()).any()
    assert low.tolist() == spread.tolist() == [False] * 3 + [True] * 3


def test_options_are_checked_before_the_work():
    check_selection(LABELS, "softmax", SegmentOptions(include=("bowl*",), min_margin=0.1))
    with pytest.raises(OptionError, match="no label matches"):
        check_selection(LABELS, "softmax", SegmentOptions(include=("golf",)))
    with pytest.raises(OptionError, match="use sigmoid"):
        check_selection(LABELS, "sigmoid", SegmentOptions(max_entropy=0.5))

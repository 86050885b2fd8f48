import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.timelines import STEP, columns, segment, track_of
from vswin_cli.config import LabelDuration, LabelGroup, LabelOnset, SegmentOptions
from vswin_cli.errors import OptionError
from vswin_cli.timeline.scores import Gap
from vswin_cli.timeline.segments import find_segments, number_frames, segment_track

PLAIN = {"smooth_seconds": 0.0, "min_duration_seconds": 0.0, "merge_gap_seconds": 0.0}


def spans(track, **options):
    """(start cell, stop cell, label) of the segments found."""
    with track:
        return [
            (one.start_seconds / STEP, one.end_seconds / STEP, one.label)
            for one in find_segments(track, SegmentOptions(**(PLAIN | options)))
        ]


def test_an_event_becomes_a_segment_at_its_own_times():
    scores = columns((10, 0.05), (20, 0.9), (10, 0.05))
    with track_of(scores, labels=["archery", "b", "c"]) as track:
        (one,) = find_segments(track, SegmentOptions(include=("archery",), **PLAIN))
    assert (one.start_seconds, one.end_seconds) == (10 * STEP, 30 * STEP)
    assert one.label == "archery"
    assert one.class_id == 0
    assert one.score == pytest.approx(0.9, abs=2e-3)
    assert one.score_max == pytest.approx(0.9, abs=2e-3)
    assert one.num_clips == 20
    assert [other.label for other in one.alternatives] == ["b", "c"]
    assert one.alternatives[0].score == pytest.approx(0.05, abs=2e-3)


def test_peak_is_the_middle_of_the_best_cell():
    with track_of(columns((4, 0.5), (1, 0.8), (4, 0.5))) as track:
        (one,) = find_segments(track, SegmentOptions(**PLAIN))
    assert one.peak_seconds == 4.5 * STEP
    assert one.score < one.score_max


def test_short_holes_are_merged_and_short_runs_dropped():
    scores = columns((8, 0.9), (2, 0.05), (8, 0.9), (10, 0.05), (2, 0.9), (10, 0.05))
    found = spans(
        track_of(scores),
        include=("label 0",),
        merge_gap_seconds=2 * STEP,
        min_duration_seconds=3 * STEP,
    )
    assert found == [(0, 18, "label 0")]


def test_smoothing_removes_a_spike():
    scores = columns((10, 0.05), (1, 0.6), (10, 0.05))
    assert spans(track_of(scores), include=("label 0",)) != []
    assert spans(track_of(scores), include=("label 0",), smooth_seconds=5 * STEP) == []


def test_instants_are_kept_as_they_are_beside_a_state():
    cut = columns((10, 0.01), (1, 0.9), (3, 0.01), (1, 0.9), (10, 0.01))[:, 0]
    scores = np.column_stack([np.full(25, 0.8), cut])
    options = {
        "smooth_seconds": 5 * STEP,
        "min_duration_seconds": 10 * STEP,
        "merge_gap_seconds": 10 * STEP,
        "max_labels": 1,
    }

    def find(**more):
        track = track_of(scores, labels=["pan", "cut"], activation="sigmoid")
        return spans(track, **options, **more)

    assert find() == [(0, 25, "pan")]
    assert find(instants=("cut",)) == [(0, 25, "pan"), (10, 11, "cut"), (14, 15, "cut")]


def test_nothing_lasts_beyond_a_boundary():
    cut = columns((10, 0.01), (1, 0.9), (9, 0.01), (1, 0.3), (9, 0.01))[:, 0]
    pan = columns((8, 0.8), (4, 0.1), (18, 0.8))[:, 0]
    scores = np.column_stack([np.full(30, 0.8), pan, cut])

    def find(**more):
        track = track_of(scores, labels=["static", "pan", "cut"], activation="sigmoid")
        options = {"instants": ("cut",), "merge_gap_seconds": 4 * STEP, "max_labels": 0}
        return spans(track, **(options | more))

    whole = [(0, 30, "pan"), (0, 30, "static"), (10, 11, "cut")]
    at_the_cut = [(0, 8, "pan"), (0, 10, "static"), (10, 11, "cut"), (10, 30, "static"),
                  (12, 30, "pan")]  # fmt: skip
    assert find() == find(boundaries=("no label",)) == whole
    assert find(boundaries=("cut",)) == at_the_cut
    # left out of the list or in a group, it still is a cut
    without = [one for one in at_the_cut if one[2] != "cut"]
    assert find(boundaries=("cut",), exclude=("cut",)) == without
    grouped = find(boundaries=("cut",), groups=(LabelGroup("jump", ("cut",)),))
    assert [one for one in grouped if one[2] != "jump"] == without
    # at its own onset, and of what is too short on one side the rest stays
    lower = find(boundaries=("cut",), onsets=(LabelOnset("cut", 0.2),), include=("static",))
    assert lower == [(0, 10, "static"), (10, 20, "static"), (20, 30, "static")]
    short = find(boundaries=("cut",), min_duration_seconds=11 * STEP, include=("static",))
    assert short == [(10, 30, "static")]


def test_one_label_at_a_time_is_settled_between_boundaries():
    cut = columns((10, 0.01), (1, 0.9), (9, 0.01))[:, 0]
    scores = np.column_stack([np.full(20, 0.8), np.full(20, 0.7), cut])
    track = track_of(scores, labels=["a", "b", "cut"], activation="sigmoid")
    found = spans(track, max_labels=1, instants=("cut",), boundaries=("cut",))
    assert found == [(0, 10, "a"), (10, 20, "a"), (10, 11, "cut")]


def test_an_instant_is_the_peak_of_its_score_alone():
    cut = np.array([0.1, 0.5, 0.9, 0.6, 0.1, 0.5, 0.4, 0.7, 0.1])
    track = track_of(np.column_stack([cut, 0 * cut]), labels=["cut", "b"], activation="sigmoid")
    found = spans(track, onset=0.45, offset=0.1, instants=("cut",))
    assert found == [(2, 3, "cut"), (5, 6, "cut"), (7, 8, "cut")]


def test_a_label_may_have_an_onset_of_its_own():
    scores = np.column_stack([columns((5, 0.02), (10, 0.35), (5, 0.02))[:, 0]] * 2)
    options = {"max_labels": 0, "onset": 0.4, "offset": 0.2}

    def find(**more):
        return spans(track_of(scores, labels=["a", "b"], activation="sigmoid"), **options, **more)

    assert find() == []
    assert find(onsets=(LabelOnset("a", 0.3),)) == [(5, 15, "a")]
    # an onset below the offset takes it along: the faint ends belong to the segment
    assert find(onsets=(LabelOnset("b", 0.01),)) == [(0, 20, "b")]


def test_a_label_may_have_a_minimum_duration_of_its_own():
    scores = np.column_stack([columns((5, 0.02), (6, 0.9), (9, 0.02))[:, 0]] * 2)
    options = {"max_labels": 0, "min_duration_seconds": 4 * STEP}

    def find(**durations):
        track = track_of(scores, labels=["pan", "fade"], activation="sigmoid")
        return spans(track, **options, min_durations=durations)

    both = [(5, 11, "fade"), (5, 11, "pan")]
    assert find() == both
    assert find(pan=6 * STEP) == both
    assert find(pan=7 * STEP) == [(5, 11, "fade")]
    assert find(pan=7 * STEP, fade=7 * STEP) == []


def test_labels_that_share_an_instant_are_held_to_their_own_minimum_durations():
    """What is too short beside a stronger label gives way, and the other one takes its time."""
    short = LabelDuration("label 0", 21 * STEP)
    first = np.concatenate([np.full(20, 0.5), np.full(6, 0.1), np.full(20, 0.5)])
    second = np.where(first < 0.2, 0.85, 0.45)
    scores = np.stack([first, second, 1 - first - second], axis=1)
    plain = {"merge_gap_seconds": 0.0, "offset": 0.3}
    assert spans(track_of(scores), **plain) == [
        (0, 20, "label 0"), (20, 26, "label 1"), (26, 46, "label 0"),
    ]  # fmt: skip
    assert spans(track_of(scores), **plain, min_durations=(short,)) == [(0, 46, "label 1")]


def test_labels_that_share_an_instant_are_held_to_their_own_onsets():
    scores = np.tile([[0.5, 0.45, 0.05]], (20, 1))
    own = (LabelOnset("label 0", 0.6),)
    assert spans(track_of(scores), onsets=own) == [(0, 20, "label 1")]


def test_segments_end_at_a_gap_and_are_not_merged_across_it():
    scores = columns((30, 0.9))
    gap = Gap(10 * STEP, 12 * STEP)
    found = spans(track_of(scores, gaps=[gap]), merge_gap_seconds=100.0, smooth_seconds=1.0)
    assert found == [(0, 10, "label 0"), (12, 30, "label 0")]


def test_gap_between_cells_that_touch_still_divides():
    """A gap shorter than a cell invalidates none of them, and is still a gap."""
    with track_of(columns((20, 0.9))) as track:
        from dataclasses import replace

        cut = replace(track, gaps=(Gap(10.25 * STEP, 10.75 * STEP),))
        found = find_segments(cut, SegmentOptions(**(PLAIN | {"merge_gap_seconds": 9.0})))
    assert [one.end_seconds for one in found] == [10.25 * STEP, 20 * STEP]
    assert found[1].start_seconds == 10.75 * STEP


def test_times_are_clamped_to_the_video():
    track = track_of(columns((20, 0.9)), end=19.4 * STEP)
    assert spans(track) == [(0, 19.4, "label 0")]


def test_unsampled_time_does_not_count_against_merging():
    """Sparse sampling: three clips a while apart, all saying the same."""
    from tests.support.timelines import clip
    from vswin_cli.timeline.track_builder import TrackBuilder

    builder = TrackBuilder(("a", "b"), "softmax", STEP)
    for index in range(3):
        builder.add(clip(np.tile([[0.9, 0.1]], (8, 1)), index * 5.0, index=index))
    with builder.finish(20.0) as track:
        (one,) = find_segments(track, SegmentOptions())
    assert (one.start_seconds, one.end_seconds) == (0.0, 11.0)
    assert one.score == pytest.approx(0.9, abs=2e-3)


def test_video_shorter_than_the_minimum_may_hold_one_segment():
    assert spans(track_of(columns((4, 0.9))), min_duration_seconds=1.0) == [(0, 4, "label 0")]


def test_only_one_label_holds_at_a_time_unless_more_are_allowed():
    scores = np.tile([[0.5, 0.45, 0.05]], (20, 1))
    assert spans(track_of(scores)) == [(0, 20, "label 0")]
    assert len(spans(track_of(scores), max_labels=2)) == 2
    assert len(spans(track_of(scores), max_labels=0, onset=0.01, offset=0.01)) == 3


def test_outranked_label_is_kept_as_alternative():
    with track_of(np.tile([[0.5, 0.45, 0.05]], (20, 1))) as track:
        (one,) = find_segments(track, SegmentOptions(max_alternatives=1))
    assert [(other.label, other.class_id) for other in one.alternatives] == [("label 1", 1)]


def test_what_becomes_too_short_gives_way_to_the_other_label():
    first = np.concatenate([np.full(20, 0.5), np.full(2, 0.1), np.full(20, 0.5)])
    second = np.where(first < 0.2, 0.85, 0.45)
    scores = np.stack([first, second, 1 - first - second], axis=1)
    found = spans(track_of(scores), min_duration_seconds=8 * STEP, merge_gap_seconds=3 * STEP)
    assert [label for *_, label in found] == ["label 0"]


def test_groups_sum_softmax_scores():
    scores = np.tile([[0.3, 0.3, 0.4]], (20, 1))
    labels = ["playing tennis", "playing squash", "other"]
    group = LabelGroup("racket sports", ("playing *",))
    with track_of(scores, labels=labels) as track:
        (one,) = find_segments(track, SegmentOptions(groups=(group,)))
    assert one.label == "racket sports"
    assert one.class_id is None
    assert one.score == pytest.approx(0.6, abs=2e-3)
    assert [other.label for other in one.alternatives] == ["other"]


def test_groups_take_the_largest_sigmoid_score():
    scores = np.tile([[0.9, 0.8, 0.1]], (20, 1))
    group = LabelGroup("ab", ("label 0", "label 1"))
    with track_of(scores, activation="sigmoid") as track:
        (one,) = find_segments(track, SegmentOptions(groups=(group,)))
    assert one.score == pytest.approx(0.9, abs=2e-3)


def test_include_and_exclude_by_name_pattern_and_case():
    scores = np.tile([[0.3, 0.3, 0.4]], (20, 1))
    labels = ["playing tennis", "playing squash", "other"]
    low = {"onset": 0.2, "offset": 0.1, "max_labels": 0}
    names = [label for *_, label in spans(track_of(scores, labels=labels), **low)]
    assert sorted(names) == sorted(labels)
    picked = spans(track_of(scores, labels=labels), include=("PLAYING*",), **low)
    assert {label for *_, label in picked} == {"playing tennis", "playing squash"}
    rest = spans(track_of(scores, labels=labels), exclude=("*squash", "other"), **low)
    assert {label for *_, label in rest} == {"playing tennis"}


def test_excluding_a_label_does_not_promote_another():
    scores = np.tile([[0.7, 0.3]], (20, 1))
    assert spans(track_of(scores), exclude=("label 0",)) == []


def test_label_that_does_not_exist_fails_with_the_nearest():
    with (
        track_of(columns((4, 0.9)), labels=["archery", "b", "c"]) as track,
        pytest.raises(OptionError, match="archary") as caught,
    ):
        find_segments(track, SegmentOptions(include=("archary",)))
    assert "`archery`" in (caught.value.hint or "")


def test_label_with_a_star_in_its_name_matches_itself():
    scores = np.tile([[0.9, 0.1]], (20, 1))
    found = spans(track_of(scores, labels=["a*c", "abc"]), include=("a*c",))
    assert {label for *_, label in found} == {"a*c"}


def test_leaving_no_label_fails():
    with track_of(columns((4, 0.9))) as track, pytest.raises(OptionError, match="no label"):
        find_segments(track, SegmentOptions(exclude=("*",)))


def test_margin_gates_cells_where_two_labels_tie():
    scores = np.concatenate([np.tile([[0.5, 0.48, 0.02]], (10, 1)), columns((10, 0.9))])
    with track_of(scores) as track:
        result = segment_track(track, SegmentOptions(min_margin=0.1, **PLAIN))
    assert [(one.start_seconds, one.end_seconds) for one in result.segments] == [
        (10 * STEP, 20 * STEP)
    ]
    assert result.gated_seconds == 10 * STEP


def test_gated_cells_hold_no_segment_even_with_an_offset_of_zero():
    scores = np.concatenate([columns((10, 0.9)), np.tile([[0.5, 0.48, 0.02]], (10, 1))])
    found = spans(track_of(scores), min_margin=0.1, offset=0.0, include=("label 0",))
    assert found == [(0, 10, "label 0")]


def test_entropy_gates_cells_where_scores_spread():
    spread = np.tile([[0.42] + [0.58 / 99] * 99], (10, 1))
    sure = np.tile([[0.9] + [0.1 / 99] * 99], (10, 1))
    with track_of(np.concatenate([spread, sure])) as track:
        result = segment_track(track, SegmentOptions(max_entropy=0.6, **PLAIN))
        (one,) = result.segments
        assert one.start_seconds == 10 * STEP
        assert result.gated_seconds == 10 * STEP
        assert segment_track(track, SegmentOptions(**PLAIN)).gated_seconds == 0


def test_members_of_a_group_do_not_compete_in_the_margin():
    scores = np.tile([[0.45, 0.45, 0.1]], (20, 1))
    group = LabelGroup("ab", ("label 0", "label 1"))
    with track_of(scores) as track:
        result = segment_track(track, SegmentOptions(min_margin=0.2, groups=(group,)))
    assert [one.label for one in result.segments] == ["ab"]


def test_gating_where_scores_do_not_compete_fails():
    with (
        track_of(columns((4, 0.9)), activation="sigmoid") as track,
        pytest.raises(OptionError, match="softmax"),
    ):
        find_segments(track, SegmentOptions(min_margin=0.1))


def test_nothing_found_is_an_empty_list():
    assert spans(track_of(columns((10, 0.05), rest=20))) == []


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_segments_are_sorted_disjoint_inside_and_never_across_a_gap(data):
    """For any scores, gaps and options."""
    cells = data.draw(st.integers(1, 60))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    walk = np.cumsum(rng.normal(0, 0.8, (cells, 4)), axis=0)
    scores = np.exp(walk) / np.exp(walk).sum(axis=1, keepdims=True)
    edge = st.floats(0, cells * STEP)
    gaps = [
        Gap(*sorted(pair))
        for pair in data.draw(st.lists(st.tuples(edge, edge), max_size=2))
        if pair[0] != pair[1]
    ]
    low, high = sorted((data.draw(st.floats(0, 1)), data.draw(st.floats(0, 1))))
    options = SegmentOptions(
        onset=high,
        offset=low,
        min_duration_seconds=data.draw(st.sampled_from([0.0, 0.3, 1.0])),
        merge_gap_seconds=data.draw(st.sampled_from([0.0, 0.3, 1.0, 50.0])),
        max_labels=data.draw(st.integers(0, 3)),
        smooth_seconds=data.draw(st.sampled_from([0.0, 0.5, 2.0])),
        min_margin=data.draw(st.sampled_from([0.0, 0.1])),
    )
    end = cells * STEP - data.draw(st.floats(0, STEP / 2))
    with track_of(scores, gaps=gaps, end=end) as track:
        found = find_segments(track, options)
        seen = track.spans
    assert found == sorted(found, key=lambda one: (one.start_seconds, one.label))
    for one in found:
        assert 0 <= one.start_seconds < one.end_seconds <= end + 1e-6
        assert one.start_seconds <= one.peak_seconds <= one.end_seconds
        assert one.score <= one.score_max + 1e-6
        assert one.score_max >= options.onset - 1e-6 or options.smooth_seconds
        for gap in gaps:
            assert one.end_seconds <= gap.start_seconds + 1e-6 or (
                one.start_seconds >= gap.end_seconds - 1e-6
            )
        assert any(a - 1e-6 <= one.start_seconds and one.end_seconds <= b + 1e-6 for a, b in seen)
    by_label = itertools.groupby(sorted(found, key=lambda one: one.label), lambda one: one.label)
    for _, group in by_label:
        for one, two in itertools.pairwise(sorted(group, key=lambda one: one.start_seconds)):
            assert one.end_seconds <= two.start_seconds
    if options.max_labels:
        for one in found:
            at = (one.start_seconds + one.end_seconds) / 2
            holding = sum(other.start_seconds <= at < other.end_seconds for other in found)
            assert holding <= options.max_labels


def test_frames_are_those_first_shown_inside_at_a_constant_rate():
    (one,) = number_frames([segment(1.0, 2.0, "a")], Fraction(30000, 1001))
    # frame 30 is shown at 1.001 s, frame 60 at 2.002 s
    assert (one.start_frame, one.end_frame) == (30, 60)
    (exact,) = number_frames([segment(1.0, 2.0, "a")], Fraction(25))
    assert (exact.start_frame, exact.end_frame) == (25, 50)


def test_frames_stay_unknown_without_a_rate():
    (one,) = number_frames([segment(0.5, 1.5, "a")], None)
    assert one.start_frame is None

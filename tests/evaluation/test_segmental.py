"""Segmental F1, edit score and accuracy against the frame-by-frame definition."""

from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vswin_cli.evaluation.intervals import AnnotatedVideo, Annotations, Interval
from vswin_cli.evaluation.segmental import Counts, edit_similarity, segmental_report

BACKGROUND = "-"
RATE = 4  # frames per second of the drawn videos

Frames = str


def annotations(videos: dict[str, Frames]) -> Annotations:
    found = {}
    for name, frames in videos.items():
        intervals = [
            Interval(start / RATE, end / RATE, label)
            for label, start, end in segments_of(frames)
            if label != BACKGROUND
        ]
        found[name] = AnnotatedVideo(name, tuple(intervals), len(frames) / RATE)
    return Annotations("test", found)


def segments_of(frames: Frames) -> list[tuple[str, int, int]]:
    found, start = [], 0
    for label, group in groupby(frames):
        end = start + len(list(group))
        found.append((label, start, end))
        start = end
    return found


def counts_by_frame(predicted: Frames, true: Frames, least: float) -> Counts:
    """F1's counts as MS-TCN describes them, on sets of frames."""
    mine = [one for one in segments_of(predicted) if one[0] != BACKGROUND]
    theirs = [one for one in segments_of(true) if one[0] != BACKGROUND]
    matched: set[int] = set()
    for label, start, end in mine:
        shares = []
        for other, left, right in theirs:
            one, two = set(range(start, end)), set(range(left, right))
            shares.append(len(one & two) / len(one | two) if label == other else 0.0)
        best = shares.index(max(shares)) if shares else None
        if best is not None and shares[best] >= least:
            matched.add(best)
    right_ones = len(matched)
    return Counts(right_ones, len(mine) - right_ones, len(theirs) - right_ones)


def distance(one: str, other: str) -> int:
    """Levenshtein distance by its recursive definition."""
    if not one or not other:
        return len(one) + len(other)
    if one[0] == other[0]:
        return distance(one[1:], other[1:])
    return 1 + min(distance(one[1:], other), distance(one, other[1:]), distance(one[1:], other[1:]))


drawn = st.text("-ab", min_size=1, max_size=30)


@pytest.mark.slow
@settings(deadline=None, max_examples=80)
@given(
    st.lists(
        drawn.flatmap(
            lambda t: st.tuples(st.just(t), st.text("-ab", min_size=len(t), max_size=len(t)))
        ),
        min_size=1,
        max_size=4,
    )
)
def test_measures_are_those_of_the_frame_by_frame_definition(pairs):
    true = {str(i): pair[0] for i, pair in enumerate(pairs)}
    predicted = {str(i): pair[1] for i, pair in enumerate(pairs)}
    if not any(label != BACKGROUND for frames in true.values() for label in frames):
        return
    report = segmental_report(annotations(predicted), annotations(true))
    for row in report.f1:
        counts = [counts_by_frame(p, t, row.group) for t, p in pairs]
        total = sum(counts, Counts())
        assert (row.true_positives, row.false_positives, row.false_negatives) == (
            total.true_positives,
            total.false_positives,
            total.false_negatives,
        )
    right = sum(a == b for t, p in pairs for a, b in zip(t, p, strict=True))
    assert report.accuracy == pytest.approx(right / sum(len(t) for t, _ in pairs))


@settings(deadline=None, max_examples=80)
@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_edit_similarity_is_one_minus_the_normalised_distance(one, other):
    longest = max(len(one), len(other))
    expected = 1 - distance(one, other) / longest if longest else 1.0
    assert edit_similarity(list(one), list(other)) == pytest.approx(expected)


def test_the_truth_itself_is_perfect():
    truth = annotations({"u": "--aab-", "v": "bbb"})
    report = segmental_report(truth, truth, (0.5, 1.0))
    assert [row.f1 for row in report.f1] == [1.0, 1.0]
    assert (report.edit, report.accuracy) == (1.0, 1.0)


def test_a_video_that_was_never_predicted_counts_as_empty():
    truth = annotations({"u": "aaaa", "v": "bb--"})
    report = segmental_report(annotations({"u": "aaaa"}), truth)
    assert report.f1[0].recall == 0.5
    assert report.edit == 0.5
    assert report.accuracy == pytest.approx(0.75)


def test_predictions_for_other_videos_are_wrong():
    report = segmental_report(annotations({"u": "aa", "x": "a-a"}), annotations({"u": "aa"}))
    assert report.f1[0].false_positives == 2
    assert report.accuracy == 1.0


def test_touching_segments_of_one_label_are_one():
    halves = (Interval(0, 1, "a"), Interval(1, 2, "a"))
    split = Annotations("test", {"u": AnnotatedVideo("u", halves, 2.0)})
    whole = annotations({"u": "a" * 8})
    assert segmental_report(split, whole, [1.0]).f1[0].f1 == 1.0


def test_an_instant_is_right_only_if_all_its_labels_are():
    both = (Interval(0, 2, "a"), Interval(1, 2, "b"))
    truth = Annotations("test", {"u": AnnotatedVideo("u", both, 4.0)})
    only = Annotations("test", {"u": AnnotatedVideo("u", both[:1], 4.0)})
    assert segmental_report(only, truth).accuracy == pytest.approx(0.75)

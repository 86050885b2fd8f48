"""Comparison of two results, against dense sampling."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vswin_cli.errors import SourceError
from vswin_cli.evaluation.comparison import compare_annotations, compare_videos
from vswin_cli.evaluation.intervals import AnnotatedVideo, Annotations, Interval

STEP = 0.5  # all drawn times are multiples of it

spans = st.tuples(st.integers(0, 18), st.integers(1, 8), st.sampled_from("ab")).map(
    lambda drawn: Interval(drawn[0] * STEP, (drawn[0] + drawn[1]) * STEP, drawn[2])
)
sides = st.lists(spans, max_size=5)


def video(intervals, *, end: float | None = 10.0, gaps=()) -> AnnotatedVideo:
    return AnnotatedVideo("u", tuple(intervals), end, tuple(gaps))


def labels_at(intervals, time: float) -> set[str]:
    return {one.label for one in intervals if one.start_seconds <= time < one.end_seconds}


@settings(deadline=None, max_examples=80)
@given(sides, sides, st.lists(st.tuples(st.integers(0, 15), st.integers(1, 5)), max_size=2))
def test_agreement_is_that_of_dense_sampling(a, b, drawn_gaps):
    gaps = [(start * STEP, (start + length) * STEP) for start, length in drawn_gaps]
    times = [
        (i + 0.5) * STEP
        for i in range(20)
        if not any(start <= (i + 0.5) * STEP < end for start, end in gaps)
    ]
    same = [labels_at(a, time) == labels_at(b, time) for time in times]
    found = compare_videos(video(a, gaps=gaps), video(b), parts=20)
    assert found.seconds == pytest.approx(len(times) * STEP)
    assert found.agreement == pytest.approx(sum(same) / len(same) if same else 1.0)
    assert [one for one in found.over_time if one is not None] == pytest.approx(
        [float(one) for one in same]
    )
    wrong = sum(one.end_seconds - one.start_seconds for one in found.differences)
    assert wrong == pytest.approx(found.seconds * (1 - found.agreement))


@settings(deadline=None, max_examples=80)
@given(sides, sides)
def test_swapping_the_sides_changes_nothing_but_names(a, b):
    one, other = compare_videos(video(a), video(b)), compare_videos(video(b), video(a))
    assert (one.agreement, one.over_time) == (other.agreement, other.over_time)
    assert [(d.only_a, d.only_b) for d in one.differences] == [
        (d.only_b, d.only_a) for d in other.differences
    ]


@settings(deadline=None, max_examples=80)
@given(sides)
def test_a_result_agrees_with_itself(a):
    found = compare_videos(video(a), video(a))
    assert (found.agreement, found.differences) == (1.0, ())
    assert all(one.agreement == pytest.approx(1.0) for one in found.labels)


def test_differences_list_the_labels_of_each_side():
    a = [Interval(0, 4, "run"), Interval(2, 6, "talk")]
    b = [Interval(0, 4, "run"), Interval(5, 6, "talk")]
    (found,) = compare_videos(video(a), video(b)).differences[:1]
    assert (found.start_seconds, found.end_seconds) == (2, 4)
    assert (found.only_a, found.only_b, found.both) == (("talk",), (), ("run",))


def test_times_rounded_to_milliseconds_are_no_difference():
    a = video([Interval(1.333333, 3.666667, "run")])
    b = video([Interval(1.333, 3.667, "run")])
    assert compare_videos(a, b).differences == ()
    c = video([Interval(1.331, 3.667, "run")])
    assert len(compare_videos(a, c).differences) == 1


def test_without_a_duration_the_last_interval_ends_the_video():
    found = compare_videos(video([Interval(0, 4, "a")], end=None), video([], end=None))
    assert (found.seconds, found.agreement) == (4.0, 0.0)
    assert compare_videos(video([], end=None), video([], end=None)).agreement == 1.0


def annotations(*names: str) -> Annotations:
    return Annotations(
        f"file {names}", {name: AnnotatedVideo(name, (Interval(0, 1, "a"),), 2.0) for name in names}
    )


def test_videos_are_paired_by_name_and_the_rest_is_listed():
    found = compare_annotations(annotations("x", "y"), annotations("y", "z"))
    assert [one.video for one in found.videos] == ["y"]
    assert (found.only_in_a, found.only_in_b) == (("x",), ("z",))


def test_single_videos_are_compared_whatever_their_names():
    found = compare_annotations(annotations("x"), annotations("y"))
    assert (found.agreement, found.only_in_a) == (1.0, ())


def test_files_without_a_common_video_are_refused():
    with pytest.raises(SourceError, match="no video in common"):
        compare_annotations(annotations("x", "y"), annotations("z"))


def whole(name="u", seconds=None, size=None) -> AnnotatedVideo:
    return AnnotatedVideo(name, (Interval(0, 5, "run"),), seconds, size_bytes=size)


@pytest.mark.parametrize(
    ("a", "b", "signs"),
    [
        (whole(), whole(), []),
        (whole(seconds=20.0, size=9), whole(seconds=20.9, size=9), []),
        (whole(seconds=20.0, size=9), whole(), []),
        (whole(seconds=20.0), whole(seconds=21.1), ["lengths differ, 20.0 and 21.1 s"]),
        (whole(size=9), whole(size=1234), ["sizes differ, 9 and 1,234 bytes"]),
        (whole("a", 5.0, 1), whole("b", 9.0, 2), ["names differ, a and b", "lengths", "sizes"]),
    ],
)
def test_signs_that_two_results_are_for_different_videos_are_named(a, b, signs):
    found = compare_videos(a, b).warnings
    assert len(found) == len(signs)
    assert all(sign in sentence for sign, sentence in zip(signs, found, strict=True))

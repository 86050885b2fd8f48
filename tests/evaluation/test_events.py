"""Events with a collar, matched as well as can be."""

from itertools import combinations, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vswin_cli.errors import OptionError
from vswin_cli.evaluation.events import Collar, SpecialLabels, event_report, most_matches
from vswin_cli.evaluation.intervals import AnnotatedVideo, Annotations, Interval

COLLAR = Collar(1.0, 0.5)


def events(*spans: tuple[float, float], label: str = "a") -> list[Interval]:
    return [Interval(start, end, label) for start, end in spans]


def annotations(*intervals: Interval) -> Annotations:
    return Annotations("test", {"u": AnnotatedVideo("u", tuple(intervals))})


def most_by_trying(predicted, true) -> int:
    """The largest matching, by trying all of them."""
    for size in range(min(len(predicted), len(true)), 0, -1):
        for some in combinations(predicted, size):
            for others in permutations(true, size):
                if all(COLLAR.allows(p, t) for p, t in zip(some, others, strict=True)):
                    return size
    return 0


spans = st.tuples(st.integers(0, 6), st.integers(1, 4)).map(
    lambda pair: Interval(pair[0] / 2, (pair[0] + pair[1]) / 2, "a")
)


@settings(deadline=None, max_examples=80)
@given(st.lists(spans, max_size=5), st.lists(spans, max_size=5))
def test_as_many_events_are_matched_as_possible(predicted, true):
    assert most_matches(predicted, true, COLLAR) == most_by_trying(predicted, true)
    assert most_matches(true, true, COLLAR) == len(true)


def test_a_chain_of_second_choices_is_followed():
    true = events((0, 10), (1, 11), (2, 12), (3, 13))
    predicted = events((1, 11), (2, 12), (3, 13), (1, 11))
    assert most_matches(predicted, true, COLLAR) == 4


@pytest.mark.parametrize(
    ("predicted", "fits"),
    [
        ((11.0, 20.0), True),
        ((11.1, 20.0), False),
        ((9.0, 25.0), True),  # half of ten seconds may be missing at the end
        ((10.0, 25.1), False),
        ((10.0, 15.0), True),
    ],
)
def test_start_keeps_to_the_collar_and_end_to_the_larger_limit(predicted, fits):
    (true,), (one,) = events((10.0, 20.0)), events(predicted)
    assert COLLAR.allows(one, true) is fits


def test_short_events_still_have_the_collar_at_their_end():
    (true,), (one,) = events((10.0, 10.5)), events((10.0, 11.5))
    assert COLLAR.allows(one, true)


def test_labels_and_videos_do_not_mix():
    truth = annotations(*events((0, 2)), *events((5, 6), label="b"))
    found = annotations(*events((0, 2), label="b"), *events((5, 6), label="b"))
    report = event_report(found, truth, COLLAR)
    assert [(one.group, one.f1) for one in report.labels] == [
        ("a", 0.0),
        ("b", pytest.approx(2 / 3)),
    ]
    assert report.overall.f1 == pytest.approx(0.5)
    elsewhere = Annotations("test", {"v": AnnotatedVideo("v", tuple(events((0, 2))))})
    assert event_report(elsewhere, annotations(*events((0, 2))), COLLAR).overall.true_positives == 0


@settings(deadline=None, max_examples=80)
@given(st.lists(spans, max_size=5), st.lists(spans, max_size=5))
def test_swapping_the_sides_swaps_precision_and_recall_when_ends_are_strict(predicted, true):
    strict = Collar(0.5, 0.0)
    one = event_report(annotations(*predicted), annotations(*true), strict).overall
    other = event_report(annotations(*true), annotations(*predicted), strict).overall
    assert (one.precision, one.recall, one.f1) == (other.recall, other.precision, other.f1)


@pytest.mark.parametrize(
    ("seconds", "share"),
    [(-1, 0.5), (1, -0.1), (1, 1.5), (float("nan"), 0), (float("inf"), 0)],
)
def test_a_collar_without_sense_is_refused(seconds, share):
    with pytest.raises(OptionError):
        Collar(seconds, share)


def test_of_moments_only_the_starts_are_compared():
    truth = annotations(*events((2, 2), (5, 5), label="cut"))
    found = annotations(*events((2.1, 9), (5.3, 5.4), label="cut"))
    collar = Collar(0.2, 0.0)
    assert event_report(found, truth, collar).overall.true_positives == 0
    report = event_report(found, truth, collar, SpecialLabels(frozenset({"cut"})))
    assert (report.overall.true_positives, report.overall.false_positives) == (1, 1)


def test_a_prediction_in_an_uncertain_part_is_right_or_not_counted():
    doubtful = Interval(4.0, 6.0, "doubtful")
    truth = annotations(*events((5, 7)), doubtful)
    special = SpecialLabels(ignored="doubtful")

    def counts(*predicted):
        one = event_report(annotations(*events(*predicted)), truth, Collar(0.5), special).overall
        return one.true_positives, one.false_positives, one.false_negatives

    assert counts((5, 7)) == (1, 0, 0)
    assert counts((5, 7), (4.6, 7)) == (1, 0, 0)  # the other of two that fit
    assert counts((4, 5), (6, 7)) == (0, 1, 1)
    labels = event_report(annotations(), truth, Collar(0.5), special).labels
    assert [one.group for one in labels] == ["a"]


def test_videos_are_counted_apart():
    truth = Annotations("t", {n: AnnotatedVideo(n, tuple(events((0, 2)))) for n in ("u", "v")})
    report = event_report(annotations(*events((0, 2))), truth, COLLAR)
    assert [(one.group, one.recall) for one in report.videos] == [("u", 1.0), ("v", 0.0)]

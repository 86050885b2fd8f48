"""Segments left out by their labels."""

from tests.support.timelines import of_two_models, segment, timeline
from vswin_cli.timeline.filtering import with_labels

ONE = timeline(segments=(segment(0, 1, "pan-left"), segment(1, 2, "static")))
TWO = timeline(segments=(segment(0, 1, "Zoom"),))


def labels(timelines):
    return [[part.label for part in one.segments] for one in timelines]


def test_patterns_choose_labels_of_any_timeline_and_ignore_case():
    chosen, unmatched = with_labels([ONE, TWO], ["pan-*", "zoom"])
    assert labels(chosen) == [["pan-left"], ["Zoom"]]
    assert unmatched == []
    assert labels(with_labels([ONE, TWO], exclude=["STATIC"])[0]) == [["pan-left"], ["Zoom"]]


def test_what_is_both_included_and_excluded_is_left_out():
    assert labels(with_labels([ONE], ["*"], ["pan-*"])[0]) == [["static"]]


def test_patterns_without_a_label_are_returned():
    chosen, unmatched = with_labels([ONE], ["tilt-*", "static"], ["walk"])
    assert labels(chosen) == [["static"]]
    assert unmatched == ["tilt-*", "walk"]


def test_segments_of_every_model_are_chosen():
    chosen, unmatched = with_labels([of_two_models()], exclude=["arch*", "pan"])
    first, second = chosen[0].each_model()
    assert "archery" not in {one.label for one in first.segments}
    assert (second.model.id, second.segments, unmatched) == ("moves", (), [])

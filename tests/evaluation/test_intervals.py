"""Labelled intervals: ids of videos, and copies with other labels."""

import pytest

from vswin_cli.evaluation.intervals import AnnotatedVideo, Annotations, Interval, video_id


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("/x/v_abc.mp4", "abc"),
        ("C:\\videos\\a.MKV", "a"),
        ("https://h/a.mp4?token=1", "a"),
        ("videos/what?.mp4", "what?"),
        ("-1.5x", "-1.5x"),
        ("a.b.mov", "a.b"),
    ],
)
def test_videos_are_matched_by_bare_name(name, expected):
    assert video_id(name) == expected


TWO = Annotations(
    "a.csv", {"a": AnnotatedVideo("a", (Interval(0.0, 2.0, "run"), Interval(0.0, 2.0, "walk")))}
)


def test_renamed_intervals_are_sorted_again():
    renamed = TWO.renamed({"run": "z", "unknown": "y"})
    assert [interval.label for interval in renamed.videos["a"].intervals] == ["walk", "z"]
    assert TWO.labels == ("run", "walk")


def test_a_video_without_its_labels_stays_without_intervals():
    left = TWO.without(["run", "walk"])
    assert left.labels == ()
    assert left.videos["a"].intervals == ()

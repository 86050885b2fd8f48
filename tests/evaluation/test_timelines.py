"""Timelines compared with ground truth in one call."""

from dataclasses import replace

import pytest

from tests.support.timelines import segment, timeline
from vswin_cli.errors import OptionError, SourceError
from vswin_cli.evaluation.timelines import evaluate_timelines
from vswin_cli.export import export_timelines

TRUTH = timeline(segments=(segment(1, 3, "a"), segment(5, 9, "b"), segment(9, 9.1, "cut")))
FOUND = timeline(segments=(segment(1, 3, "a"), segment(5, 6, "b"), segment(9, 9.1, "cut")))


def test_a_timeline_agrees_with_itself():
    report = evaluate_timelines(TRUTH, [TRUTH])
    assert report.detection.average == pytest.approx(1)
    assert report.segments.accuracy == report.events.overall.f1 == 1
    assert report.warnings == ()


def test_what_is_missing_counts_and_moments_count_by_their_start(tmp_path):
    export_timelines(TRUTH, tmp_path / "truth.csv")
    report = evaluate_timelines(FOUND, str(tmp_path / "truth.csv"), moments="cut", tiou=[0.5])
    assert report.detection.by_threshold == pytest.approx([2 / 3])
    assert report.events.overall.f1 == pytest.approx(2 / 3)
    assert report.segments.f1[0].f1 == 1  # a quarter of b is enough at 0.1
    assert "mAP 0.6667" in repr(report)


def test_the_truth_may_be_a_data_frame():
    pandas = pytest.importorskip("pandas")
    rows = {"video": ["a b.mp4"] * 2, "start": [1, 5], "end": [3, 9.0], "label": ["a", "b"]}
    report = evaluate_timelines(FOUND, pandas.DataFrame(rows))
    assert report.events.labels[0].f1 == 1
    with pytest.raises(SourceError, match="truth"):
        evaluate_timelines(FOUND, pandas.DataFrame({"when": [1]}))


def test_wrong_arguments_are_refused():
    with pytest.raises(OptionError, match=r"tiou takes numbers in \(0, 1\]"):
        evaluate_timelines(FOUND, TRUTH, tiou=[50])
    with pytest.raises(OptionError, match="`predictions` takes Timelines, got dict"):
        evaluate_timelines([{}], TRUTH)
    with pytest.raises(SourceError):
        evaluate_timelines(FOUND, timeline(segments=()))


def test_videos_without_truth_are_left_out_of_f1_and_named():
    other = replace(FOUND, video=replace(FOUND.video, uri="other.mp4"))
    report = evaluate_timelines([TRUTH, other], TRUTH)
    assert report.events.overall.f1 == report.segments.f1[0].f1 == 1
    assert report.detection.labels[0].num_predictions == 2
    assert "left out of F1: 'other'" in report.warnings[0]

"""Reports of `vswin evaluate` as text."""

from vswin_cli.cli.evaluation_text import comparison_text, detection_text
from vswin_cli.evaluation.comparison import ComparisonReport, VideoComparison
from vswin_cli.evaluation.detection import DetectionReport, LabelPrecision


def test_a_long_table_is_cut_and_says_how_much_is_missing():
    labels = tuple(LabelPrecision(f"label {i}", 1, 2, i / 100, (i / 100,)) for i in range(25))
    report = DetectionReport((0.5,), (0.12,), 0.12, 1, 25, 50, labels)
    lines = detection_text(report).splitlines()
    assert lines[0] == "1 video, 25 true and 50 predicted segments"
    assert lines[2] == "mAP @ tIoU 0.5     12.00 %"
    assert lines[6] == "   24.00 %  label 24 (1 true, 2 predicted)"
    assert lines[-2] == "    5.00 %  label 5 (1 true, 2 predicted)"
    assert lines[-1] == "  and 5 more; --json has all"


def test_an_empty_table_has_no_title():
    video = VideoComparison("a", 4.0, 1.0, (1.0, 0.0, None), 2.0, (), ())
    report = ComparisonReport("x.json", "y.json", 1.0, 4.0, (video,), ("b",), ())
    assert comparison_text(report).splitlines() == [
        "A  x.json",
        "B  y.json",
        "the same on 100.0 % of 4.0 s",
        "only in A: b",
        "",
        "a: the same on 100.0 % of 4.0 s",
        "  █▁·  2.0 s each; █ agree, ▁ differ, · not analysed",
    ]

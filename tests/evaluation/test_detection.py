"""Mean average precision against the benchmark's own numbers and a naive second opinion."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vswin_cli.errors import OptionError, SourceError
from vswin_cli.evaluation.detection import (
    detection_map,
    interpolated_area,
    parse_thresholds,
    temporal_iou,
)
from vswin_cli.evaluation.intervals import AnnotatedVideo, Annotations, Interval

# Random intervals with what ActivityNet's own evaluation code gave for them.
GOLDEN = json.loads((Path(__file__).parents[1] / "data/evaluation/detection_map.json").read_text())
THRESHOLDS = (0.3, 0.5, 0.7)

Row = tuple[str, float, float, str, float | None]


def annotations(rows: Iterable[Row], videos: Sequence[str] = ()) -> Annotations:
    by_video: dict[str, list[Interval]] = {name: [] for name in videos}
    for video, start, end, label, score in rows:
        by_video.setdefault(video, []).append(Interval(start, end, label, score))
    found = {name: AnnotatedVideo(name, tuple(group)) for name, group in by_video.items()}
    return Annotations("test", found)


def golden(key: str) -> Annotations:
    return annotations(
        (one["video"], one["start"], one["end"], one["label"], one.get("score"))
        for one in GOLDEN[key]
    )


def test_precision_is_the_benchmarks_to_a_millionth():
    thresholds = parse_thresholds("0.5:0.95:0.05")
    assert thresholds == tuple(GOLDEN["tiou_thresholds"])
    report = detection_map(golden("predictions"), golden("ground_truth"), thresholds)
    assert report.by_threshold == pytest.approx(GOLDEN["map_by_threshold"], abs=1e-6)
    assert report.average == pytest.approx(GOLDEN["average_map"], abs=1e-6)
    for row in report.labels:
        assert row.by_threshold == pytest.approx(GOLDEN["ap_by_label"][row.label], abs=1e-6)


def naive_precision(predictions, truth, threshold: float) -> float:
    """Average precision of one label, one step after the other."""
    taken: set[int] = set()
    hits = []
    for video, start, end, _, _ in sorted(predictions, key=lambda row: -row[4]):
        best, best_share = None, threshold
        for i, (other, left, right, _, _) in enumerate(truth):
            shared = max(0.0, min(end, right) - max(start, left))
            share = shared / (end - start + right - left - shared)
            if other == video and i not in taken and share >= best_share:
                best, best_share = i, np.nextafter(share, 2)
        hits.append(best is not None)
        if best is not None:
            taken.add(best)
    area, found = 0.0, 0
    precisions = [sum(hits[: i + 1]) / (i + 1) for i in range(len(hits))]
    for i, hit in enumerate(hits):
        found += hit
        area += hit * max(precisions[i:]) / len(truth)
    return area


@st.composite
def random_rows(draw, scored: bool):
    count = draw(st.integers(0 if scored else 1, 14))
    scores = draw(st.permutations(range(count)))
    rows = []
    for i in range(count):
        start = draw(st.floats(0, 20))
        length = draw(st.floats(0.5, 10))
        video, label = draw(st.sampled_from("uvw")), draw(st.sampled_from("ab"))
        rows.append((video, start, start + length, label, (scores[i] + 1) / 20 if scored else None))
    return rows


@pytest.mark.slow
@settings(deadline=None, max_examples=80)
@given(predicted=random_rows(True), true=random_rows(False))
def test_precision_is_that_of_the_naive_computation(predicted, true):
    report = detection_map(annotations(predicted), annotations(true), THRESHOLDS)
    assert [row.label for row in report.labels] == sorted({row[3] for row in true})
    for row in report.labels:
        mine = [one for one in predicted if one[3] == row.label]
        theirs = [one for one in true if one[3] == row.label]
        expected = [naive_precision(mine, theirs, limit) for limit in THRESHOLDS]
        assert row.by_threshold == pytest.approx(expected, abs=1e-9)


@settings(deadline=None, max_examples=80)
@given(true=random_rows(False))
def test_the_truth_itself_is_perfect(true):
    predicted = [(*row[:4], 0.9) for row in true]
    report = detection_map(annotations(predicted), annotations(true), (0.5, 1.0))
    assert report.by_threshold == pytest.approx((1.0, 1.0))


@pytest.mark.slow
@settings(deadline=None, max_examples=80)
@given(predicted=random_rows(True), true=random_rows(False))
def test_only_the_order_of_scores_matters(predicted, true):
    squared = [(*row[:4], row[4] ** 2) for row in predicted]
    one = detection_map(annotations(predicted), annotations(true), THRESHOLDS)
    other = detection_map(annotations(squared), annotations(true), THRESHOLDS)
    assert one.by_threshold == other.by_threshold


@pytest.mark.slow
@settings(deadline=None, max_examples=80)
@given(predicted=random_rows(True), true=random_rows(False))
def test_a_stricter_overlap_never_raises_precision(predicted, true):
    report = detection_map(annotations(predicted), annotations(true), (0.5, 0.999999))
    assert report.by_threshold[1] <= report.by_threshold[0] + 1e-12


def test_a_second_hit_on_the_same_event_is_wrong():
    true = [("u", 0.0, 10.0, "a", None)]
    twice = [("u", 0.0, 10.0, "a", 0.9), ("u", 0.0, 9.0, "a", 0.8), ("u", 20.0, 21.0, "a", 0.7)]
    assert detection_map(annotations(twice), annotations(true), [0.5]).average == 1.0
    late = [(*twice[2][:4], 0.95), *twice]
    assert detection_map(annotations(late), annotations(true), [0.5]).average == 0.5


def test_unpredicted_labels_count_and_unknown_ones_do_not():
    true = [("u", 0.0, 1.0, "a", None), ("u", 2.0, 3.0, "b", None)]
    predicted = [("u", 0.0, 1.0, "a", 0.5), ("u", 5.0, 6.0, "c", 0.9)]
    assert detection_map(annotations(predicted), annotations(true), [0.5]).average == 0.5


def test_a_prediction_without_score_is_refused():
    rows: list[Row] = [("u", 0.0, 1.0, "a", None)]
    with pytest.raises(SourceError, match="has no score"):
        detection_map(annotations(rows), annotations(rows), [0.5])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.5", (0.5,)),
        ("0.3,0.5", (0.3, 0.5)),
        ("0.1:0.5:0.1", (0.1, 0.2, 0.3, 0.4, 0.5)),
        ("0.5:0.9:0.25", (0.5, 0.75)),
    ],
)
def test_thresholds_are_read(text, expected):
    assert parse_thresholds(text) == expected


@pytest.mark.parametrize(
    "text", ["", "half", "0.5:0.9", "0:1:0.5", "1.5", "0.9:0.5:0.1", "0.1:0.9:0", "nan", "1:2:1e-9"]
)
def test_thresholds_without_sense_are_refused(text):
    with pytest.raises(OptionError):
        parse_thresholds(text)


def test_overlap_is_shared_over_joint_length():
    spans = np.array([[0.0, 10.0], [5.0, 15.0], [10.0, 20.0], [30.0, 30.0]])
    assert temporal_iou(0.0, 10.0, spans).tolist() == [1.0, pytest.approx(1 / 3), 0.0, 0.0]
    assert temporal_iou(3.0, 3.0, np.array([[3.0, 3.0]])).tolist() == [0.0]


def test_area_takes_the_best_precision_at_no_less_recall():
    precision, recall = np.array([1.0, 0.5, 2 / 3]), np.array([0.25, 0.25, 0.5])
    assert interpolated_area(precision, recall) == pytest.approx(0.25 + 0.25 * 2 / 3)

"""Compute mean average precision of scored intervals, as the ActivityNet benchmark does.

Heilbron et al., "ActivityNet", CVPR 2015, and the benchmark's `eval_detection`: per label and
per threshold of temporal overlap (tIoU), predictions are taken by falling score; each takes the
best true interval of its video that is still free. Average precision is the area under the
precision-recall curve made non-increasing; the mean is over the labels of the ground truth.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vswin_cli.errors import OptionError, SourceError
from vswin_cli.evaluation.intervals import Annotations, Interval
from vswin_cli.storage.json_records import named

__all__ = [
    "DetectionReport",
    "LabelPrecision",
    "average_precision",
    "detection_map",
    "interpolated_area",
    "parse_thresholds",
    "temporal_iou",
]

Floats = NDArray[np.float64]
_THRESHOLDS_HINT = "give first:last:step (0.5:0.95:0.05) or a list (0.3,0.5,0.7)"
_MOST_THRESHOLDS = 1000


@dataclass(frozen=True, slots=True)
class LabelPrecision:
    """Average precision of one label."""

    label: str
    num_truth: int = field(metadata=named("truth"))
    num_predictions: int = field(metadata=named("predictions"))
    average: float = field(metadata=named(digits=8))
    """Mean over the thresholds."""
    by_threshold: tuple[float, ...] = field(metadata=named(digits=8))


@dataclass(frozen=True, slots=True)
class DetectionReport:
    """Mean average precision, by threshold and by label."""

    thresholds: tuple[float, ...] = field(metadata=named("tiou"))
    by_threshold: tuple[float, ...] = field(metadata=named("map_by_tiou", digits=8))
    average: float = field(metadata=named("average_map", digits=8))
    num_videos: int = field(metadata=named("videos"))
    """Of the ground truth."""
    num_truth: int = field(metadata=named("truth"))
    num_predictions: int = field(metadata=named("predictions"))
    labels: tuple[LabelPrecision, ...]


def parse_thresholds(text: str) -> tuple[float, ...]:
    """Read `0.5:0.95:0.05` (both ends included), `0.3,0.5,0.7` or `0.5`.

    Raises:
        OptionError: none of these, or not within (0, 1].
    """
    try:
        if ":" in text:
            first, last, step = (float(part) for part in text.split(":"))
            if not step > 0 or (last - first) / step > _MOST_THRESHOLDS:
                raise ValueError
            # The quotient of decimals may fall below a whole number: (0.95 - 0.5) / 0.05 < 9.
            count = int((last - first) / step + 1e-6) + 1
            values = [round(first + i * step, 10) for i in range(count)]
        else:
            values = [float(part) for part in text.split(",")]
    except (ValueError, OverflowError) as error:
        raise OptionError(f"cannot read the thresholds {text!r}", hint=_THRESHOLDS_HINT) from error
    if not values or not all(0 < value <= 1 for value in values):
        raise OptionError(
            f"tIoU thresholds must lie in (0, 1], got {text!r}", hint=_THRESHOLDS_HINT
        )
    return tuple(values)


def detection_map(
    prediction: Annotations, truth: Annotations, thresholds: Sequence[float]
) -> DetectionReport:
    """Compute mean average precision over the labels of the ground truth.

    Predictions for videos without ground truth count as wrong, as in the benchmark. Labels that
    the ground truth does not have are ignored.

    Raises:
        SourceError: a prediction has no score.
    """
    true_by_label = _spans_by_label(truth)
    found_by_label = _predictions_by_label(prediction)
    rows = []
    for label, spans in sorted(true_by_label.items()):
        found = found_by_label.get(label, [])
        values = average_precision(found, spans, thresholds)
        rows.append(
            LabelPrecision(
                label=label,
                num_truth=sum(len(group) for group in spans.values()),
                num_predictions=len(found),
                average=float(values.mean()),
                by_threshold=tuple(values.tolist()),
            )
        )
    means = np.mean([row.by_threshold for row in rows], axis=0)
    return DetectionReport(
        thresholds=tuple(thresholds),
        by_threshold=tuple(means.tolist()),
        average=float(means.mean()),
        num_videos=len(truth.videos),
        num_truth=sum(row.num_truth for row in rows),
        num_predictions=sum(len(video.intervals) for video in prediction.videos.values()),
        labels=tuple(rows),
    )


def average_precision(
    predictions: Sequence[tuple[str, Interval]],
    truth: Mapping[str, Floats],
    thresholds: Sequence[float],
) -> Floats:
    """Compute the average precision of one label.

    Args:
        predictions: video id and interval with its score; of equal scores the earlier one in
            the list comes first.
        truth: start and end (n, 2) of the true intervals, by video.
        thresholds: tIoU that a match must reach.

    Returns:
        (len(thresholds),) in 0..1.
    """
    limits = np.asarray(thresholds, np.float64)
    total = sum(len(spans) for spans in truth.values())
    if not predictions or not total:
        return np.zeros(len(limits))
    # Stable, so that the result does not depend on how the sort treats equal scores.
    order = np.argsort([-(interval.score or 0.0) for _, interval in predictions], kind="stable")
    hits = np.zeros((len(predictions), len(limits)), np.bool_)
    free = {name: np.ones((len(spans), len(limits)), np.bool_) for name, spans in truth.items()}
    for rank, i in enumerate(order):
        name, interval = predictions[i]
        if name in truth:
            hits[rank] = _match(interval, truth[name], free[name], limits)
    counts = np.cumsum(hits, axis=0)  # (P, thresholds)
    precision = counts / np.arange(1, len(predictions) + 1)[:, None]
    recall = counts / total
    areas = [interpolated_area(precision[:, t], recall[:, t]) for t in range(len(limits))]
    return np.array(areas)


def _match(
    interval: Interval, spans: Floats, free: NDArray[np.bool_], limits: Floats
) -> NDArray[np.bool_]:
    """Match a prediction, per threshold, to the free true interval that it overlaps most."""
    overlaps = temporal_iou(interval.start_seconds, interval.end_seconds, spans)
    hits = np.zeros(len(limits), np.bool_)
    # As in the benchmark: a prediction whose best interval is taken may still have the next best
    # that reaches the threshold. It never takes one from a prediction with a higher score.
    for i in np.argsort(-overlaps, kind="stable"):
        matched = ~hits & free[i] & (overlaps[i] >= limits)
        hits |= matched
        free[i] &= ~matched
    return hits


def temporal_iou(start: float, end: float, spans: Floats) -> Floats:
    """Compute the tIoU of an interval with each of `spans` (n, 2)."""
    shared = np.clip(np.minimum(end, spans[:, 1]) - np.maximum(start, spans[:, 0]), 0.0, None)
    joint = (end - start) + (spans[:, 1] - spans[:, 0]) - shared
    share: Floats = np.divide(shared, joint, out=np.zeros_like(shared), where=joint > 0)
    return share


def interpolated_area(precision: Floats, recall: Floats) -> float:
    """Compute the area under the interpolated precision-recall curve.

    Args:
        precision: (P,) after each prediction.
        recall: (P,) after each prediction, not falling.
    """
    # Interpolation: the precision at a recall is the best at that or any higher recall, so that
    # the curve falls and a lucky order of single predictions does not count (PASCAL VOC 2010, and
    # ActivityNet). Every step of recall counts, not only eleven points.
    ceiling = np.maximum.accumulate(precision[::-1])[::-1]
    gained = np.diff(recall, prepend=0.0)
    return float((gained * ceiling).sum())


def _spans_by_label(truth: Annotations) -> dict[str, dict[str, Floats]]:
    lists: dict[str, dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for name, video in truth.videos.items():
        for interval in video.intervals:
            lists[interval.label][name].append((interval.start_seconds, interval.end_seconds))
    return {
        label: {name: np.array(spans) for name, spans in videos.items()}
        for label, videos in lists.items()
    }


def _predictions_by_label(prediction: Annotations) -> dict[str, list[tuple[str, Interval]]]:
    found: dict[str, list[tuple[str, Interval]]] = defaultdict(list)
    for name, video in prediction.videos.items():
        for interval in video.intervals:
            if interval.score is None:
                raise SourceError(
                    f"{prediction.source}: {interval.label!r} in {name!r} at "
                    f"{interval.start_seconds:g} s has no score",
                    hint="mAP ranks predictions by score; add a column `score`, or use "
                    "`vswin evaluate f1`",
                )
            found[interval.label].append((name, interval))
    return found

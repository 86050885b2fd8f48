"""Compute segmental F1@k, edit score and accuracy over time of a prediction.

Follows MS-TCN (Abu Farha and Gall, CVPR 2019) and Lea et al. (CVPR 2017), on exact times in
place of frames: time without a label is background and no segment of its own, and neighbouring
segments of one label are one. Where several labels hold at once, which those measures do not
have, segments may overlap and an instant is right only if all its labels are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from vswin_cli.evaluation.alignment import align, common_end, merge_touching
from vswin_cli.evaluation.intervals import AnnotatedVideo, Annotations, Interval
from vswin_cli.storage.json_records import named

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "Counts",
    "F1Figures",
    "OverlapF1",
    "SegmentalReport",
    "count_matches",
    "edit_similarity",
    "segmental_report",
]


Group = TypeVar("Group")


@dataclass(frozen=True, slots=True)
class Counts:
    """True positives, false positives and false negatives, with their ratios."""

    true_positives: int = 0
    false_positives: int = 0
    false_negatives: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.true_positives + other.true_positives,
            self.false_positives + other.false_positives,
            self.false_negatives + other.false_negatives,
        )

    @property
    def precision(self) -> float:
        """Share of the predictions that are right; 0 without any."""
        return self.true_positives / max(1, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """Share of the truth that was found; 0 without any."""
        return self.true_positives / max(1, self.true_positives + self.false_negatives)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        wrong = self.false_positives + self.false_negatives
        return 2 * self.true_positives / max(1, 2 * self.true_positives + wrong)


@dataclass(frozen=True, slots=True)
class F1Figures(Generic[Group]):
    """F1 of a group of segments or events, with the figures behind it."""

    group: Group
    """What the figures are of; each subclass names it in JSON."""
    f1: float = field(metadata=named(digits=6))
    precision: float = field(metadata=named(digits=6))
    recall: float = field(metadata=named(digits=6))
    true_positives: int
    false_positives: int
    false_negatives: int

    @classmethod
    def of(cls, group: Group, counts: Counts) -> Self:
        """Compute F1 from counts."""
        return cls(
            group,
            counts.f1,
            counts.precision,
            counts.recall,
            counts.true_positives,
            counts.false_positives,
            counts.false_negatives,
        )


@dataclass(frozen=True, slots=True)
class OverlapF1(F1Figures[float]):
    """F1 of segments that overlap enough."""

    group: float = field(metadata=named("overlap"))
    """Least shared over joint length."""


@dataclass(frozen=True, slots=True)
class SegmentalReport:
    """The measures over all videos of the ground truth."""

    num_videos: int = field(metadata=named("videos"))
    f1: tuple[OverlapF1, ...]
    edit: float = field(metadata=named(digits=6))
    """Mean over videos of how alike the orders of labels are, in 0..1."""
    accuracy: float = field(metadata=named(digits=6))
    """Share of all time with the right label, background included (frame accuracy)."""
    seconds: float = field(metadata=named(digits=3))
    """Time that the accuracy is about."""


def segmental_report(
    prediction: Annotations, truth: Annotations, overlaps: Sequence[float] = (0.1, 0.25, 0.5)
) -> SegmentalReport:
    """Compare video by video; a video without predictions counts as one without segments.

    Counts are summed over videos before F1 is taken, edit scores are averaged over videos, and
    accuracy is over the time of all videos, as the reference implementation does. Predictions
    for videos without ground truth are wrong in F1 and do not count in the others.
    """
    counts = [Counts()] * len(overlaps)
    edits, right, total = [], 0.0, 0.0
    for name, true in truth.videos.items():
        found = prediction.videos.get(name, AnnotatedVideo(name))
        predicted, wanted = merge_touching(found.intervals), merge_touching(true.intervals)
        counts = [
            sum_ + count_matches(predicted, wanted, least)
            for sum_, least in zip(counts, overlaps, strict=True)
        ]
        edits.append(edit_similarity(_order(predicted), _order(wanted)))
        for span in align(predicted, wanted, common_end(found, true)):
            total += span.seconds
            right += span.seconds * span.agrees
    stray = sum(
        len(merge_touching(video.intervals))
        for name, video in prediction.videos.items()
        if name not in truth.videos
    )
    return SegmentalReport(
        num_videos=len(truth.videos),
        f1=tuple(
            OverlapF1.of(least, sum_ + Counts(false_positives=stray))
            for least, sum_ in zip(overlaps, counts, strict=True)
        ),
        edit=float(np.mean(edits)) if edits else 0.0,
        accuracy=right / total if total else 0.0,
        seconds=total,
    )


def count_matches(
    predicted: Sequence[Interval], truth: Sequence[Interval], least_overlap: float
) -> Counts:
    """Match the segments of one video greedily in the order of time, as MS-TCN does.

    Each prediction is compared with the true segment of its label that it overlaps most; it is
    right if that overlap is enough and the segment was not matched before.
    """
    # Greedy as in the reference, for comparable numbers: a prediction whose best segment is taken
    # is wrong even where another one would reach the threshold.
    hit = [False] * len(truth)
    for segment in predicted:
        shares = [
            _share(segment, other) if segment.label == other.label else 0.0 for other in truth
        ]
        best = int(np.argmax(shares)) if shares else -1
        if best >= 0 and shares[best] >= least_overlap and not hit[best]:
            hit[best] = True
    right = sum(hit)
    return Counts(right, len(predicted) - right, len(truth) - right)


def _share(segment: Interval, other: Interval) -> float:
    shared = min(segment.end_seconds, other.end_seconds) - max(
        segment.start_seconds, other.start_seconds
    )
    joint = segment.seconds + other.seconds - shared
    return max(0.0, shared) / joint if joint > 0 else 0.0


def _order(segments: Iterable[Interval]) -> list[str]:
    return [segment.label for segment in segments]


def edit_similarity(predicted: Sequence[str], truth: Sequence[str]) -> float:
    """Compute 1 - Levenshtein distance / longer length; 1 where both are empty."""
    if not predicted and not truth:
        return 1.0
    row = list(range(len(truth) + 1))  # of the matrix of distances; only the last one is kept
    for i, label in enumerate(predicted, 1):
        previous, row = row, [i]
        for j, other in enumerate(truth, 1):
            change = previous[j - 1] + (label != other)
            row.append(min(previous[j] + 1, row[j - 1] + 1, change))
    return 1.0 - row[-1] / max(len(predicted), len(truth))

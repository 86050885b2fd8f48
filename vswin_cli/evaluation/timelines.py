"""Compare timelines with ground truth from Python: `vswin evaluate map` and `f1` in one call."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from vswin_cli.errors import OptionError
from vswin_cli.evaluation.annotations import annotations_of, read_annotations, table_intervals
from vswin_cli.evaluation.detection import DetectionReport, detection_map
from vswin_cli.evaluation.events import Collar, EventReport, SpecialLabels, event_report
from vswin_cli.evaluation.intervals import (
    AnnotatedVideo,
    Annotations,
    Interval,
    sorted_intervals,
    video_id,
)
from vswin_cli.evaluation.matching import check_comparable, check_labels_known
from vswin_cli.evaluation.segmental import SegmentalReport, segmental_report
from vswin_cli.quantities import as_several, as_texts
from vswin_cli.storage.files import as_path
from vswin_cli.storage.humanize import counted
from vswin_cli.timeline.files import as_timelines
from vswin_cli.timeline.record import Timeline

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Evaluation", "evaluate_timelines"]

_TIOU = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)  # ActivityNet's


Labelled: TypeAlias = "Timeline | Iterable[Timeline] | str | os.PathLike[str] | DataFrame"
"""Segments of videos: timelines, a file of them or of a table, or a DataFrame."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How well timelines agree with ground truth; all figures lie in 0..1."""

    detection: DetectionReport
    """Mean average precision over thresholds of temporal IoU, as ActivityNet computes it:
    `detection.average`, `detection.by_threshold`, `detection.labels`."""
    segments: SegmentalReport | None
    """Segmental F1, edit score and accuracy over time; `None` where all labels are moments."""
    events: EventReport
    """F1, precision and recall of events whose start and end may be off by a collar:
    `events.overall.f1`, `events.labels`."""
    warnings: tuple[str, ...]
    """Videos and labels that only one side has."""

    def __repr__(self) -> str:
        return (
            f"Evaluation(average mAP {self.detection.average:.4f}, "
            f"F1 of events {self.events.overall.f1:.4f}, "
            f"{counted(len(self.warnings), 'warning')})"
        )


def evaluate_timelines(
    predictions: Labelled,
    truth: Labelled,
    *,
    tiou: Sequence[float] = _TIOU,
    overlaps: Sequence[float] = (0.1, 0.25, 0.5),
    collar_seconds: float = 1.0,
    collar_share: float = 0.5,
    moments: str | Sequence[str] = (),
    ignore: str | None = None,
    subset: str | None = None,
) -> Evaluation:
    """Compare timelines with ground truth. Videos are matched by the stem of their file name.

    Predictions for videos without ground truth are wrong in mAP, as in ActivityNet's benchmark, and
    left out of F1.

    Args:
        predictions: timelines, or a file: our JSON, JSON Lines or CSV, ActivityNet results.
        truth: timelines, such as corrected ones; a pandas DataFrame, or a file of a table, with the
            columns `video`, `start`, `end` (seconds) and `label`; ActivityNet JSON, or our own.
        tiou: thresholds of temporal IoU for mean average precision, in (0, 1].
        overlaps: thresholds of temporal IoU for segmental F1.
        collar_seconds: tolerance for starts, and for ends at least.
        collar_share: tolerance for ends, as a share of the true event's length.
        moments: labels without duration, such as `cut`: only their starts are compared.
        ignore: label of uncertain parts of the ground truth.
        subset: of an ActivityNet ground truth.

    Raises:
        SourceError: a file cannot be read, or the two have no video or no label in common.
        OptionError: a value is out of its range or of another type.
    """
    _check_shares("tiou", tiou)
    _check_shares("overlaps", overlaps)
    special = SpecialLabels(frozenset(as_texts("moments", moments)), ignore)
    wanted, found = _annotations("truth", truth, subset), _annotations("predictions", predictions)
    without = {*special.moments, *([ignore] if ignore is not None else [])}
    certain = wanted if ignore is None else wanted.without({ignore})
    warnings = check_comparable(
        found, certain, others="where every prediction is wrong in mAP, and left out of F1"
    )
    check_labels_known(without, found, wanted)
    common = found.only(wanted.videos)
    states, true_states = common.without(without), wanted.without(without)
    return Evaluation(
        detection_map(found, certain, tiou),
        segmental_report(states, true_states, overlaps) if true_states.labels else None,
        event_report(common, wanted, Collar(collar_seconds, collar_share), special),
        tuple(warnings),
    )


def _annotations(name: str, given: object, subset: str | None = None) -> Annotations:
    if hasattr(given, "to_csv"):  # a DataFrame of pandas, or of what resembles it
        return _of_table(given.to_csv(index=False), name)
    if isinstance(given, (str, os.PathLike)):
        return read_annotations(as_path(given, name), subset=subset)
    return annotations_of(as_timelines(given, name), name)


def _of_table(text: str, name: str) -> Annotations:
    """Read a table; rows of one video may name it by different paths."""
    by_id: dict[str, list[Interval]] = {}
    for video, intervals in table_intervals(text, name).items():
        by_id.setdefault(video_id(video), []).extend(intervals)
    videos = {id: AnnotatedVideo(id, sorted_intervals(one)) for id, one in by_id.items()}
    return Annotations(name, videos)


def _check_shares(name: str, values: object) -> None:
    shares = as_several(name, values)
    if not shares or not all(isinstance(one, (int, float)) and 0 < one <= 1 for one in shares):
        raise OptionError(
            f"{name} takes numbers in (0, 1], got {values!r}", hint="write (0.5, 0.7)"
        )

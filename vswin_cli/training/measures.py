"""Measure scores of held-out examples: accuracy by class with intervals, and confusion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vswin_cli.evaluation.accuracy import INTERVAL, Rate, confusions
from vswin_cli.storage.json_records import named
from vswin_cli.training.records import BACKGROUND

__all__ = ["ClassRates", "Measures", "advise_onset", "measure"]

_ONSETS = np.arange(0.2, 0.951, 0.025)
_MOST_CONFUSIONS = 5  # in a note


@dataclass(frozen=True, slots=True)
class ClassRates:
    """How often one class is found, and how often it is right where it is reported."""

    label: str
    recall: Rate
    """Of the examples of this class, those for which it is reported."""
    precision: Rate
    """Of the examples for which it is reported, those of this class."""


@dataclass(frozen=True, slots=True)
class Measures:
    """Accuracy on examples of videos that the weights were not fitted to."""

    method: str
    """How the examples were held out."""
    accuracy: Rate
    """Examples for which exactly the right labels are reported."""
    chance: float = field(metadata=named(digits=6))
    """Accuracy of always reporting the commonest labels."""
    classes: tuple[ClassRates, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Examples by true class (row) and reported class (column), in the order of `classes`; empty
    where an example may have several labels."""
    calibration_error: float = field(metadata=named(digits=6))
    """Mean distance between the score of the reported class and how often it is right."""

    def notes(self) -> tuple[str, ...]:
        """Describe the measures for a model card."""
        by_class = ", ".join(
            f"{each.label} {each.recall.hits} of {each.recall.total} = {_percent(each.recall)}"
            for each in self.classes
            if each.recall.total
        )
        notes = (
            f"Held out: {self.method}.",
            f"Accuracy on {self.accuracy.total} held-out examples: {self.accuracy}; always the "
            f"commonest answer: {self.chance:.1%}.",
            f"By class ({INTERVAL}): {by_class}.",
            f"Calibration error of the scores: {self.calibration_error:.3f}.",
        )
        return notes if not self.confusion else (*notes, self._confusion_note())

    def _confusion_note(self) -> str:
        labels = [each.label for each in self.classes]
        pairs = (
            (truth, labels[column])
            for truth, row in zip(labels, self.confusion, strict=True)
            for column, count in enumerate(row)
            for _ in range(count)
        )
        found = confusions(pairs, _MOST_CONFUSIONS)
        text = ", ".join(f"{c.truth} taken for {c.predicted}: {c.count} of {c.of}" for c in found)
        return f"Commonest confusions: {text or 'none'}."


def _percent(rate: Rate) -> str:
    return f"{rate.share:.1%} ({rate.low:.1%} to {rate.high:.1%})"


def measure(
    scores: NDArray[np.floating],
    targets: NDArray[np.bool_],
    labels: Sequence[str],
    *,
    one_label: bool,
    method: str,
) -> Measures:
    """Measure scores (n, K) against the classes that hold (n, K).

    Args:
        scores: of held-out examples.
        targets: true where a class holds.
        labels: names of the K classes.
        one_label: each example has exactly one class, and the highest score is reported; otherwise
            every class of 0.5 or more.
        method: how the examples were held out.
    """
    found = _highest(scores) if one_label else scores >= 0.5
    right = (found == targets).all(axis=1)
    classes = tuple(
        ClassRates(
            label,
            Rate.of(int((found & targets)[:, k].sum()), int(targets[:, k].sum())),
            Rate.of(int((found & targets)[:, k].sum()), int(found[:, k].sum())),
        )
        for k, label in enumerate(labels)
    )
    _, counts = np.unique(targets, axis=0, return_counts=True)
    confusion = targets.astype(int).T @ found.astype(int) if one_label else np.zeros((0, 0), int)
    return Measures(
        method=method,
        accuracy=Rate.of(int(right.sum()), len(right)),
        chance=float(counts.max() / len(right)),
        classes=classes,
        confusion=tuple(tuple(map(int, row)) for row in confusion),
        calibration_error=_calibration_error(scores, targets, one_label=one_label),
    )


def _highest(scores: NDArray[np.floating]) -> NDArray[np.bool_]:
    found = np.zeros(scores.shape, np.bool_)
    found[np.arange(len(scores)), scores.argmax(axis=1)] = True
    return found


def _calibration_error(
    scores: NDArray[np.floating], targets: NDArray[np.bool_], *, one_label: bool
) -> float:
    """Compute the expected calibration error in ten bins of equal width."""
    if one_label:
        best = _highest(scores)
        scores, targets = scores[best], targets[best]
    scores, hits = scores.ravel(), targets.ravel()
    bins = np.minimum((scores * 10).astype(int), 9)
    distances = (abs(float((scores[bins == i] - hits[bins == i]).sum())) for i in range(10))
    return sum(distances) / max(1, len(scores))


def advise_onset(
    scores: NDArray[np.floating], targets: NDArray[np.bool_], labels: Sequence[str]
) -> float:
    """Choose the threshold with the best F1 of reported labels on held-out examples (n, K).

    Background is never reported, so that it can only be missed by a false report.
    """
    shown = np.array([label != BACKGROUND for label in labels])
    scores, targets = scores[:, shown], targets[:, shown]
    values = []
    for onset in _ONSETS:
        found = scores >= onset
        hits = int((found & targets).sum())
        values.append(2 * hits / max(1, int(found.sum()) + int(targets.sum())))
    best = np.flatnonzero(np.array(values) >= max(values) - 1e-9)
    return round(float(_ONSETS[best[len(best) // 2]]), 3)

"""Choose the classes of a training run, and describe its result as a model card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from vswin_cli._version import __version__
from vswin_cli.config import SegmentOptions
from vswin_cli.errors import OptionError
from vswin_cli.models.architecture import Activation
from vswin_cli.models.card import ModelCard, Provenance
from vswin_cli.storage.humanize import counted
from vswin_cli.training.record import TrainingRecord
from vswin_cli.training.records import BACKGROUND, Example, ExampleSet

__all__ = ["UNMEASURED", "classes_of", "trained_card", "usable_examples"]

UNMEASURED = (
    "no video could be held out, so that neither accuracy nor calibration is known; "
    "examples of every class from several videos are needed for that"
)
_OFFSET_SHARE = 0.6  # of the onset: scores fall at the edges, where clips straddle two labels
_WHAT = {"head": "A linear head on the features of", "full": "All weights fine-tuned from"}


def usable_examples(
    found: ExampleSet, *, multi_label: bool
) -> tuple[tuple[Example, ...], tuple[str, ...]]:
    """Leave out parts with several labels where only one may hold.

    Returns:
        The examples, and remarks on what was left out.

    Raises:
        OptionError: every example has several labels.
    """
    if multi_label:
        return found.examples, ()
    usable = tuple(each for each in found.examples if len(each.labels) < 2)
    several = len(found.examples) - len(usable)
    if several and not any(each.labels for each in usable):
        raise OptionError(
            "every example has several labels at once", hint="`--multi-label` allows that"
        )
    note = f"{counted(several, 'part')} with several labels at once left out; `--multi-label`"
    return usable, (f"{note} uses them",) if several else ()


def classes_of(
    labels: tuple[str, ...], examples: Sequence[Example], *, multi_label: bool
) -> tuple[str, ...]:
    """Return the classes of the head: with softmax, background is one of them."""
    has_background = any(not each.labels for each in examples)
    return (*labels, BACKGROUND) if has_background and not multi_label else labels


def trained_card(
    base: ModelCard,
    record: TrainingRecord,
    examples: Sequence[Example],
    name: str,
    activation: Activation,
    onset: float | None,
) -> ModelCard:
    """Describe a trained network.

    Args:
        base: card of the weights that training began with.
        record: of the run.
        examples: all that were used.
        name: id of the new model.
        activation: how its logits become scores.
        onset: threshold that held-out examples advise; `None` without any.
    """
    videos = len({each.video for each in examples})
    data = f"{counted(len(examples), 'example')} of {counted(videos, 'video')}"
    notes = (
        f"{_WHAT[record.method]} {base.id}, trained on {data}: {_counts(examples)}.",
        *(() if record.measures is None else record.measures.notes()),
        *(() if onset is None else (_on_onset(onset, record.method),)),
        *(f"{note[0].upper()}{note[1:]}." for note in record.notes),
    )
    return replace(
        base,
        id=name,
        num_classes=len(record.labels),
        labels=record.labels,
        activation=activation,
        dataset=data,
        provenance=Provenance(
            f"vswin train --{record.method} on {base.id}",
            record.model_sha256,
            converted_by=f"vswin {__version__}",
        ),
        segments=_advice(examples, record.labels, activation, onset),
        notes=notes,
        features_sha256=(base.features_sha256 or record.model_sha256)
        if record.method == "head"
        else None,
    )


def _on_onset(onset: float, method: Literal["head", "full"]) -> str:
    """Say on which examples the threshold was chosen."""
    where = {"head": "the examples of training, each scored in cross-validation"}.get(
        method, "the held-out examples"
    )
    return (
        f"The advised onset {onset:g} has the best F1 on {where}; the accuracy above does not "
        "depend on it."
    )


def _counts(examples: Sequence[Example]) -> str:
    """Count the examples of each class."""
    found = Counter(label for each in examples for label in each.labels or (BACKGROUND,))
    return ", ".join(f"{count} {label}" for label, count in sorted(found.items()))


def _advice(
    examples: Sequence[Example], labels: Sequence[str], activation: Activation, onset: float | None
) -> SegmentOptions:
    """Choose segment options: the onset from held-out scores, the shortest segment from examples.

    Without a measure, the default onset stays.
    """
    lengths = [
        each.end_seconds - (each.start_seconds or 0.0)
        for each in examples
        if each.labels and each.end_seconds is not None
    ]
    default = SegmentOptions()
    onset = default.onset if onset is None else onset
    shortest = float(np.quantile(lengths, 0.1)) / 2 if lengths else default.min_duration_seconds
    return SegmentOptions(
        onset=onset,
        offset=round(onset * _OFFSET_SHARE, 3),
        min_duration_seconds=round(min(default.min_duration_seconds, shortest), 2),
        max_labels=0 if activation == "sigmoid" else 1,
        background=(BACKGROUND,) if BACKGROUND in labels else (),
    )

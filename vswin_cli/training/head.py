"""Train a linear head on a model's features, from a user's own examples.

examples → features (cached) → penalty and temperature by cross-validation → head → model folder.
The network's other weights stay as they are, so that minutes on a CPU are enough.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from vswin_cli._version import __version__
from vswin_cli.config import SegmentOptions
from vswin_cli.errors import OptionError
from vswin_cli.inference.engine import Engine
from vswin_cli.models.card import ModelCard, Provenance
from vswin_cli.storage.humanize import counted
from vswin_cli.training.example_features import compute_features
from vswin_cli.training.head_fit import FittedHead, HeadOptions, fit_measured
from vswin_cli.training.progress import OnTraining, no_progress
from vswin_cli.training.record import ExampleRecord, OptionRecord, TrainingRecord
from vswin_cli.training.records import (
    BACKGROUND,
    Example,
    ExampleSet,
    check_labels,
    joined_by_content,
    notes_on_counts,
)
from vswin_cli.training.trained import TrainedModel

__all__ = ["HeadOptions", "train_head"]

_OFFSET_SHARE = 0.6  # of the onset: scores fall at the edges, where clips straddle two labels
_UNMEASURED = (
    "no video could be held out, so that neither accuracy nor calibration is known; "
    "examples of every class from several videos are needed for that"
)


def train_head(
    found: ExampleSet,
    engine: Engine,
    options: HeadOptions = HeadOptions(),  # noqa: B008  # it is frozen
    *,
    on_progress: OnTraining = no_progress,
) -> TrainedModel:
    """Train a linear head on the features of a model.

    Args:
        found: labelled examples, from `read_examples` and `add_background`.
        engine: the model whose features are used, in float32.
        options: how.
        on_progress: called as features and fits proceed.

    Returns:
        The same network with the new head, its card with what was measured on held-out videos,
        and a record of the run.

    Raises:
        SourceError: no examples, one class only, labels that differ only in spelling, or not one
            example can be read.
        OptionError: several labels at once without `multi_label`, or the engine rounds weights.
    """
    if engine.dtype != torch.float32:
        raise OptionError(
            f"a head cannot be trained in {engine.precision}: the weights would be rounded",
            hint="use `--precision float32`",
        )
    usable, notes = _usable(found, options)
    check_labels(usable)
    features = compute_features(usable, engine, on_progress=on_progress)
    positions = np.unique(features.example_of)
    digests = [features.content_sha256[i] for i in positions]
    read = joined_by_content([usable[i] for i in positions], digests)
    fitted = fit_measured(read, features, options, on_progress=on_progress)
    record = replace(
        _record(fitted, digests, engine, options),
        left_out=(*found.problems, *features.problems),
        notes=(
            *found.notes,
            *notes,
            *notes_on_counts(read),
            *(() if fitted.measures else (_UNMEASURED,)),
        ),
    )
    head = fitted.chosen.head
    state = {
        **{name: tensor.cpu() for name, tensor in engine.model.network.state_dict().items()},
        "head.weight": head.weight.float(),
        "head.bias": head.bias.float(),
    }
    return TrainedModel(state, _card(fitted, engine.model.card, options, record), record)


def _usable(found: ExampleSet, options: HeadOptions) -> tuple[tuple[Example, ...], tuple[str, ...]]:
    """Leave out parts with several labels where only one may hold.

    Raises:
        OptionError: every example has several labels.
    """
    if options.multi_label:
        return found.examples, ()
    usable = tuple(each for each in found.examples if len(each.labels) < 2)
    several = len(found.examples) - len(usable)
    if several and not any(each.labels for each in usable):
        raise OptionError(
            "every example has several labels at once", hint="`--multi-label` allows that"
        )
    note = f"{counted(several, 'part')} with several labels at once left out; `--multi-label`"
    return usable, (f"{note} uses them",) if several else ()


def _record(
    fitted: FittedHead, digests: Sequence[str | None], engine: Engine, options: HeadOptions
) -> TrainingRecord:
    given = {
        "multi_label": options.multi_label,
        "folds": fitted.sides.num_folds,
        "precision": engine.precision,
        "device": engine.device,
        "crops": engine.crops,
        "penalty": fitted.chosen.strength,
        "temperature": f"{fitted.chosen.temperature:.6g}",
    }
    return TrainingRecord(
        method="head",
        model=engine.model.card.id,
        model_sha256=engine.model.weights_sha256,
        labels=fitted.labels,
        seed=options.seed,
        options=tuple(OptionRecord(name, str(value)) for name, value in given.items()),
        examples=tuple(
            ExampleRecord.of(each, digest, fitted.sides.name_of(i))
            for i, (each, digest) in enumerate(zip(fitted.examples, digests, strict=True))
        ),
        measures=fitted.measures,
    )


def _card(
    fitted: FittedHead, base: ModelCard, options: HeadOptions, record: TrainingRecord
) -> ModelCard:
    videos = len({each.video for each in fitted.examples})
    data = f"{counted(len(fitted.examples), 'example')} of {counted(videos, 'video')}"
    measures = fitted.measures
    notes = (
        f"A linear head on the features of {base.id}, trained on {data}: {_counts(fitted)}.",
        *(() if measures is None else measures.notes()),
        *(f"{note[0].upper()}{note[1:]}." for note in record.notes),
    )
    return replace(
        base,
        id=options.name,
        num_classes=len(fitted.labels),
        labels=fitted.labels,
        activation=options.activation,
        dataset=data,
        provenance=Provenance(
            f"vswin train --head on {base.id}",
            record.model_sha256,
            converted_by=f"vswin {__version__}",
        ),
        segments=_advice(fitted, options),
        notes=notes,
    )


def _counts(fitted: FittedHead) -> str:
    """Count the examples of each class."""
    found = Counter(label for each in fitted.examples for label in each.labels or (BACKGROUND,))
    return ", ".join(f"{count} {label}" for label, count in sorted(found.items()))


def _advice(fitted: FittedHead, options: HeadOptions) -> SegmentOptions:
    """Choose segment options: the onset from held-out scores, the shortest segment from examples.

    Without a measure, the default onset stays.
    """
    lengths = [
        each.end_seconds - (each.start_seconds or 0.0)
        for each in fitted.examples
        if each.labels and each.end_seconds is not None
    ]
    default = SegmentOptions()
    onset = default.onset if fitted.onset is None else fitted.onset
    shortest = float(np.quantile(lengths, 0.1)) / 2 if lengths else default.min_duration_seconds
    return SegmentOptions(
        onset=onset,
        offset=round(onset * _OFFSET_SHARE, 3),
        min_duration_seconds=round(min(default.min_duration_seconds, shortest), 2),
        max_labels=0 if options.multi_label else 1,
        background=(BACKGROUND,) if BACKGROUND in fitted.labels else (),
    )

"""Train a linear head on a model's features, from a user's own examples.

examples → features (cached) → penalty and temperature by cross-validation → head → model folder.
The network's other weights stay as they are, so that minutes on a CPU are enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from vswin_cli.errors import OptionError
from vswin_cli.inference.engine import Engine
from vswin_cli.training.example_features import compute_features
from vswin_cli.training.head_fit import FittedHead, HeadOptions, fit_measured
from vswin_cli.training.progress import OnTraining, no_progress
from vswin_cli.training.record import ExampleRecord, OptionRecord, TrainingRecord
from vswin_cli.training.records import (
    ExampleSet,
    check_examples,
    check_labels,
    joined_by_content,
    notes_on_counts,
)
from vswin_cli.training.trained import TrainedModel
from vswin_cli.training.trained_card import UNMEASURED, trained_card, usable_examples

__all__ = ["HeadOptions", "train_head"]


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
    check_examples(found)
    if engine.dtype != torch.float32:
        raise OptionError(
            f"a head cannot be trained in {engine.precision}: the weights would be rounded",
            hint="use `--precision float32`",
        )
    usable, notes = usable_examples(found, multi_label=options.multi_label)
    check_labels(usable)
    features = compute_features(usable, engine, on_progress=on_progress)
    positions = np.unique(features.example_of)
    digests = [features.content_sha256[i] for i in positions]
    read = joined_by_content([usable[i] for i in positions], digests)
    check_labels(read, (*found.problems, *features.problems))
    fitted = fit_measured(read, features, options, on_progress=on_progress)
    record = replace(
        _record(fitted, digests, engine, options),
        left_out=(*found.problems, *features.problems),
        notes=(
            *found.notes,
            *notes,
            *notes_on_counts(read),
            *(() if fitted.measures else (UNMEASURED,)),
        ),
    )
    head = fitted.chosen.head
    state = {
        **{name: tensor.cpu() for name, tensor in engine.model.network.state_dict().items()},
        "head.weight": head.weight.float(),
        "head.bias": head.bias.float(),
    }
    card = trained_card(
        engine.model.card, record, fitted.examples, options.name, options.activation, fitted.onset
    )
    return TrainedModel(state, card, record)


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

"""Train a linear head on a model's features, from a user's own examples.

examples → features (cached) → penalty and temperature by cross-validation → head → model folder.
The network's other weights stay as they are, so that minutes on a CPU are enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vswin_cli._version import __version__
from vswin_cli.config import SegmentOptions
from vswin_cli.errors import OptionError, SourceError
from vswin_cli.inference.engine import Engine
from vswin_cli.models.architecture import Activation
from vswin_cli.models.card import ModelCard, Provenance
from vswin_cli.storage.humanize import counted
from vswin_cli.training.example_features import ExampleFeatures, compute_features
from vswin_cli.training.linear_head import HeadRows
from vswin_cli.training.measures import Measures, advise_onset, measure
from vswin_cli.training.progress import OnTraining, TrainingProgress, no_progress
from vswin_cli.training.record import ExampleRecord, OptionRecord, TrainingRecord
from vswin_cli.training.records import (
    BACKGROUND,
    Example,
    ExampleSet,
    check_labels,
    joined_by_content,
    notes_on_counts,
)
from vswin_cli.training.selection import ChosenHead, choose_head, count_fits, usual_head
from vswin_cli.training.split import given_split, make_folds
from vswin_cli.training.trained import TrainedModel

__all__ = ["HeadOptions", "train_head"]

_OFFSET_SHARE = 0.6  # of the onset: scores fall at the edges, where clips straddle two labels
_UNMEASURED = (
    "no video could be held out, so that neither accuracy nor calibration is known; "
    "examples of every class from several videos are needed for that"
)
_HEAD = ("head.weight", "head.bias")


@dataclass(frozen=True, slots=True)
class HeadOptions:
    """How a head is trained.

    Raises:
        OptionError: a value is out of its range.
    """

    name: str = "own-labels"
    """Id of the new model in results."""
    multi_label: bool = False
    """Several labels may hold at once: one sigmoid each, instead of a softmax over all."""
    num_folds: int = 5
    """Parts of the cross-validation."""
    seed: int = 0
    """Of the folds."""

    def __post_init__(self) -> None:
        if self.num_folds < 2:
            raise OptionError(f"cross-validation takes 2 folds or more, got {self.num_folds}")

    @property
    def activation(self) -> Activation:
        """How the head's logits become scores."""
        return "sigmoid" if self.multi_label else "softmax"


def train_head(
    found: ExampleSet,
    engine: Engine,
    options: HeadOptions = HeadOptions(),
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
    labels = _classes(check_labels(read), read, options)
    sides = _Sides.of(read, options)
    rows = _rows(read, labels, features, options.activation)
    chosen = _choose(rows, sides, features, on_progress)
    measured = _measure(chosen, rows, sides, features, labels, options)
    notes = (*found.notes, *notes, *notes_on_counts(read))
    if measured is None:
        notes = (*notes, _UNMEASURED)
    record = _record(read, sides, features, engine, labels, options, chosen)
    record = replace(
        record,
        left_out=(*found.problems, *features.problems),
        measures=None if measured is None else measured[0],
        notes=notes,
    )
    card = _card(read, engine.model.card, labels, options, record, measured)
    state = {
        **{name: tensor.cpu() for name, tensor in engine.model.network.state_dict().items()},
        "head.weight": chosen.head.weight.float(),
        "head.bias": chosen.head.bias.float(),
    }
    return TrainedModel(state, card, record)


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


def _classes(
    labels: tuple[str, ...], examples: Sequence[Example], options: HeadOptions
) -> tuple[str, ...]:
    """Return the classes of the head: with softmax, background is one of them."""
    has_background = any(not each.labels for each in examples)
    return (*labels, BACKGROUND) if has_background and not options.multi_label else labels


@dataclass(frozen=True, slots=True, eq=False)
class _Sides:
    """Fold of each example that is fitted to, and which are held out from all fits."""

    fold_of: NDArray[np.intp]
    """(N,) from 0; -1 for examples that are held out."""
    is_given: bool
    """Whether the examples state the split."""
    num_folds: int
    """Below 2, nothing can be chosen or measured by cross-validation."""

    @classmethod
    def of(cls, examples: Sequence[Example], options: HeadOptions) -> _Sides:
        given = given_split(examples)
        train = range(len(examples)) if given is None else given.train
        fold_of = np.full(len(examples), -1)
        fitted = [examples[i] for i in train]
        try:
            fold_of[list(train)] = make_folds(fitted, options.num_folds, seed=options.seed)
        except SourceError:  # there is one video only
            fold_of[list(train)] = 0
        count = int(fold_of.max()) + 1
        return cls(fold_of, given is not None, count if _can_be_held_out(fitted) else 1)

    def describe(self) -> str:
        """Say how examples were held out."""
        if self.is_given:
            return "the examples that the given split holds out; the head is fitted to the others"
        return (
            f"each example in turn, by video, in {self.num_folds} folds, the regularisation "
            "chosen without it; the final head is fitted to all"
        )

    def name_of(self, position: int) -> str:
        """Name the side of an example."""
        fold = int(self.fold_of[position])
        if fold < 0:
            return "held-out"
        return "train" if self.is_given else f"fold {fold + 1}"


def _can_be_held_out(examples: Sequence[Example]) -> bool:
    """Return whether at least two classes have examples of several videos."""
    videos: dict[str, set[str]] = {}
    for example in examples:
        for label in example.labels or (BACKGROUND,):
            videos.setdefault(label, set()).add(example.video)
    return sum(len(each) > 1 for each in videos.values()) >= 2


def _rows(
    examples: Sequence[Example],
    labels: Sequence[str],
    features: ExampleFeatures,
    activation: Activation,
) -> HeadRows:
    """Make the rows to fit to; each example weighs 1."""
    targets = np.zeros((len(examples), len(labels)))
    for i, example in enumerate(examples):
        names = example.labels or (BACKGROUND,)
        targets[i, [labels.index(name) for name in names if name in labels]] = 1
    example_of = _positions(features)
    counts = np.bincount(example_of)
    return HeadRows(
        torch.from_numpy(features.rows.astype(np.float64)),
        torch.from_numpy(targets[example_of]),
        torch.from_numpy(1 / counts[example_of]),
        activation,
    )


def _positions(features: ExampleFeatures) -> NDArray[np.intp]:
    """Return the position (R,) of each row's example among those that could be read."""
    return np.unique(features.example_of, return_inverse=True)[1].astype(np.intp)


def _choose(
    rows: HeadRows, sides: _Sides, features: ExampleFeatures, on_progress: OnTraining
) -> ChosenHead:
    fold_of = torch.from_numpy(sides.fold_of[_positions(features)])
    fitted = fold_of >= 0
    if sides.num_folds < 2:
        return usual_head(rows.part(fitted))
    total = count_fits(sides.num_folds)
    done = 0

    def on_fit(loss: float) -> None:
        nonlocal done
        done += 1
        on_progress(TrainingProgress("cross-validation", done, total, "fits", loss))

    return choose_head(rows.part(fitted), fold_of[fitted], on_fit)


def _measure(
    chosen: ChosenHead,
    rows: HeadRows,
    sides: _Sides,
    features: ExampleFeatures,
    labels: Sequence[str],
    options: HeadOptions,
) -> tuple[Measures, float] | None:
    """Measure held-out examples, and choose the onset on them."""
    positions = _positions(features)
    if sides.is_given:
        held = sides.fold_of[positions] < 0
        logits: Tensor | None = chosen.head.logits(rows.features[torch.from_numpy(held)])
    else:
        held, logits = np.ones(len(positions), np.bool_), chosen.logits
    if logits is None:
        return None
    scores = (logits.softmax(1) if options.activation == "softmax" else logits.sigmoid()).numpy()
    examples, inverse = np.unique(positions[held], return_inverse=True)
    means = np.zeros((len(examples), len(labels)))
    np.add.at(means, inverse, scores)
    means /= np.bincount(inverse)[:, None]
    firsts = np.searchsorted(positions, examples)
    targets = rows.targets.numpy()[firsts] > 0
    one = not options.multi_label
    found = measure(means, targets, labels, one_label=one, method=sides.describe())
    return found, advise_onset(means, targets, labels)


def _record(
    examples: Sequence[Example],
    sides: _Sides,
    features: ExampleFeatures,
    engine: Engine,
    labels: tuple[str, ...],
    options: HeadOptions,
    chosen: ChosenHead,
) -> TrainingRecord:
    digests = [features.content_sha256[i] for i in np.unique(features.example_of)]
    given = {
        "multi_label": options.multi_label,
        "folds": sides.num_folds,
        "precision": engine.precision,
        "device": engine.device,
        "crops": engine.crops,
        "penalty": chosen.strength,
        "temperature": f"{chosen.temperature:.6g}",
    }
    return TrainingRecord(
        method="head",
        model=engine.model.card.id,
        model_sha256=engine.model.weights_sha256,
        labels=labels,
        seed=options.seed,
        options=tuple(OptionRecord(name, str(value)) for name, value in given.items()),
        examples=tuple(
            ExampleRecord.of(each, digest, sides.name_of(i))
            for i, (each, digest) in enumerate(zip(examples, digests, strict=True))
        ),
    )


def _card(
    examples: Sequence[Example],
    base: ModelCard,
    labels: tuple[str, ...],
    options: HeadOptions,
    record: TrainingRecord,
    measured: tuple[Measures, float] | None,
) -> ModelCard:
    videos = len({each.video for each in examples})
    data = f"{counted(len(examples), 'example')} of {counted(videos, 'video')}"
    notes = (
        f"A linear head on the features of {base.id}, trained on {data}: "
        f"{_counts(examples, labels)}.",
        *(() if measured is None else measured[0].notes()),
        *(f"{note[0].upper()}{note[1:]}." for note in record.notes),
    )
    return replace(
        base,
        id=options.name,
        num_classes=len(labels),
        labels=labels,
        activation=options.activation,
        dataset=data,
        provenance=Provenance(
            f"vswin train --head on {base.id}",
            record.model_sha256,
            converted_by=f"vswin {__version__}",
        ),
        segments=_advice(examples, labels, options, None if measured is None else measured[1]),
        notes=notes,
    )


def _counts(examples: Sequence[Example], labels: Sequence[str]) -> str:
    counts = {
        label: sum(label in (each.labels or (BACKGROUND,)) for each in examples) for label in labels
    }
    return ", ".join(f"{count} {label}" for label, count in counts.items())


def _advice(
    examples: Sequence[Example], labels: Sequence[str], options: HeadOptions, onset: float | None
) -> SegmentOptions:
    """Choose segment options: the onset from calibration, the shortest segment from the examples.

    Without a measure, the defaults stay.
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
        max_labels=0 if options.multi_label else 1,
        background=(BACKGROUND,) if BACKGROUND in labels else (),
    )

"""Fit a head to the features of examples, and measure it on videos that it was not fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vswin_cli.errors import OptionError, SourceError
from vswin_cli.models.architecture import Activation
from vswin_cli.training.example_features import ExampleFeatures
from vswin_cli.training.linear_head import HeadRows
from vswin_cli.training.measures import Measures, advise_onset, measure
from vswin_cli.training.progress import OnTraining, TrainingProgress, no_progress
from vswin_cli.training.records import BACKGROUND, Example, check_labels
from vswin_cli.training.selection import ChosenHead, choose_head, count_fits, usual_head
from vswin_cli.training.split import given_split, make_folds
from vswin_cli.training.trained_card import classes_of

__all__ = ["FittedHead", "HeadOptions", "Sides", "fit_measured"]


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
            raise OptionError(
                f"cross-validation takes 2 folds or more, got {self.num_folds}", hint="5 is usual"
            )

    @property
    def activation(self) -> Activation:
        """How the head's logits become scores."""
        return "sigmoid" if self.multi_label else "softmax"


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """Fold of each example that is fitted to, and which are held out from all fits."""

    fold_of: NDArray[np.intp]
    """(N,) from 0; -1 for examples that are held out."""
    is_given: bool
    """Whether the examples state the split."""
    num_folds: int
    """Below 2, nothing can be chosen or measured by cross-validation."""

    @classmethod
    def of(cls, examples: Sequence[Example], options: HeadOptions) -> Sides:
        """Take the split that the examples state, and make folds of what is fitted to."""
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
            "chosen without it, the temperature on the other folds; the final head is fitted to all"
        )

    def name_of(self, position: int) -> str:
        """Name the side of an example."""
        fold = int(self.fold_of[position])
        if fold < 0:
            return "held-out"
        return "train" if self.is_given else f"fold {fold + 1}"


@dataclass(frozen=True, slots=True, eq=False)
class FittedHead:
    """A head for the classes of examples, with its measures."""

    examples: tuple[Example, ...]
    labels: tuple[str, ...]
    """Names of the head's classes."""
    sides: Sides
    """Split of the examples."""
    chosen: ChosenHead
    measures: Measures | None
    """`None` if no example could be held out."""
    onset: float | None
    """Threshold with the best F1 in cross-validation; `None` without one."""


def fit_measured(
    examples: Sequence[Example],
    features: ExampleFeatures,
    options: HeadOptions,
    *,
    on_progress: OnTraining = no_progress,
) -> FittedHead:
    """Choose and fit a head, and measure it on held-out videos.

    Args:
        examples: those that have features, in their order.
        features: any features of these examples.
        options: how.
        on_progress: called after each fit.

    Raises:
        SourceError: one class only, or labels that differ only in spelling.
    """
    labels = classes_of(check_labels(examples), examples, multi_label=options.multi_label)
    sides = Sides.of(examples, options)
    rows = _rows(examples, labels, features, options.activation)
    chosen = _choose(rows, sides, on_progress)
    tried = _cross_validated(chosen, rows, sides)
    held = _given_held_out(chosen, rows, sides) if sides.is_given else tried
    onset = None if tried is None else advise_onset(*tried, labels)
    measures = None
    if held is not None:
        one, method = not options.multi_label, sides.describe()
        measures = measure(*held, labels, one_label=one, method=method)
    return FittedHead(tuple(examples), labels, sides, chosen, measures, onset)


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
    example_of = np.unique(features.example_of, return_inverse=True)[1]  # of those with rows
    counts = np.bincount(example_of)
    return HeadRows(
        torch.from_numpy(features.rows.astype(np.float64)),
        torch.from_numpy(targets[example_of]),
        torch.from_numpy(1 / counts[example_of]),
        activation,
        torch.from_numpy(example_of),
    )


def _choose(rows: HeadRows, sides: Sides, on_progress: OnTraining) -> ChosenHead:
    fold_of = torch.from_numpy(sides.fold_of)[rows.example_of]
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


def _given_held_out(
    chosen: ChosenHead, rows: HeadRows, sides: Sides
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return scores and targets (n, K) of the examples that a given split holds out."""
    held = rows.part(torch.from_numpy(sides.fold_of)[rows.example_of] < 0)
    return _scores_of(held, chosen.head.logits(held.features))


def _cross_validated(
    chosen: ChosenHead, rows: HeadRows, sides: Sides
) -> tuple[NDArray[np.float64], NDArray[np.bool_]] | None:
    """Return scores and targets (n, K) of the examples that the head is fitted to."""
    if chosen.logits is None or chosen.known is None or not chosen.known.any():
        return None
    fitted = rows.part(torch.from_numpy(sides.fold_of)[rows.example_of] >= 0)
    return _scores_of(fitted.part(chosen.known), chosen.logits[chosen.known])


def _scores_of(rows: HeadRows, logits: Tensor) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    return rows.mean_scores(logits).numpy(), rows.mean(rows.targets).numpy() > 0

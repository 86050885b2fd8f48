"""Calibrate and measure the head of a trained network on examples that were held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vswin_cli.errors import SourceError
from vswin_cli.training.example_features import ExampleFeatures
from vswin_cli.training.linear_head import HeadRows, LinearHead
from vswin_cli.training.measures import Measures, advise_onset, measure
from vswin_cli.training.records import Example
from vswin_cli.training.selection import choose_temperature, cooled_by_fold
from vswin_cli.training.split import make_folds
from vswin_cli.training.training_clips import TrainingData

__all__ = ["Calibrated", "calibrate"]

_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What held-out examples say about a head."""

    temperature: float
    """By which its logits are to be divided."""
    measures: Measures
    onset: float
    """Threshold with the best F1."""


def calibrate(
    features: ExampleFeatures, head: tuple[Tensor, Tensor], data: TrainingData, *, method: str
) -> Calibrated:
    """Choose the temperature of a head, and measure its scores.

    Args:
        features: of the held-out examples, by the trained network.
        head: its weight (K, C) and bias (K,).
        data: the examples.
        method: how they were held out.
    """
    examples, position = np.unique(features.example_of, return_inverse=True)
    targets = torch.stack([data.target_of(data.held_out[i]) for i in examples]).double()
    counts = np.bincount(position)
    rows = HeadRows(
        torch.from_numpy(features.rows.astype(np.float64)),
        targets[position],
        torch.from_numpy(1 / counts[position]),
        data.activation,
        torch.from_numpy(position),
    )
    logits = LinearHead(head[0].double(), head[1].double()).logits(rows.features)
    temperature = choose_temperature(logits, rows)
    fold_of = _folds([data.held_out[i] for i in examples])
    if fold_of is None:
        cooled, how = logits / temperature, "on the same examples"
    else:
        everywhere = torch.ones(len(logits), dtype=torch.bool)
        cooled = cooled_by_fold(logits, rows, fold_of[position], everywhere)
        how = "of each video on the others"
    scores, held = rows.mean_scores(cooled).numpy(), targets.numpy() > 0
    one_label = data.activation == "softmax"
    method = f"{method}, the temperature chosen {how}"
    return Calibrated(
        temperature,
        measure(scores, held, data.labels, one_label=one_label, method=method),
        advise_onset(scores, held, data.labels),
    )


def _folds(examples: Sequence[Example]) -> Tensor | None:
    """Return the fold of each example (n,), by video; `None` if there is one video only."""
    try:
        return torch.tensor(make_folds(examples, _FOLDS))
    except SourceError:
        return None

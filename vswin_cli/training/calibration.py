"""Calibrate and measure the head of a trained network on examples that were held out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vswin_cli.training.example_features import ExampleFeatures
from vswin_cli.training.linear_head import HeadRows, LinearHead
from vswin_cli.training.measures import Measures, advise_onset, measure
from vswin_cli.training.selection import choose_temperature
from vswin_cli.training.training_clips import TrainingData

__all__ = ["Calibrated", "calibrate"]


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
    cooled = logits / temperature
    scores = cooled.softmax(1) if data.activation == "softmax" else cooled.sigmoid()
    means = np.zeros(targets.shape)
    np.add.at(means, position, scores.numpy())
    means /= counts[:, None]
    held = targets.numpy() > 0
    one_label = data.activation == "softmax"
    return Calibrated(
        temperature,
        measure(means, held, data.labels, one_label=one_label, method=method),
        advise_onset(means, held, data.labels),
    )

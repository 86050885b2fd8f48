"""Fit a linear head on features: logistic regression with an L2 penalty, by L-BFGS.

The loss is convex, so that the same rows give the same head whatever the start. Features are
standardised for the fit, so that the penalty treats all alike; the head that comes out takes them
as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vswin_cli.models.architecture import Activation

__all__ = ["STRENGTHS", "HeadRows", "LinearHead", "fit_heads", "log_loss", "row_losses"]

STRENGTHS = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003)
"""Penalties to choose from, strong to weak: factors of half the squared weights, beside the mean
loss of a row."""

_MOST_ITERATIONS = 100
_TOLERANCE = 1e-4  # of the gradient of the mean loss
_SMALLEST_SPREAD = 1e-6  # of a feature that never changes


@dataclass(frozen=True, slots=True, eq=False)
class HeadRows:
    """Rows to fit a head to."""

    features: Tensor
    """(R, C) float64."""
    targets: Tensor
    """(R, K) float64, 1 where a class holds; with softmax each row has one 1."""
    weights: Tensor
    """(R,) float64, all rows of an example together weigh 1."""
    activation: Activation
    example_of: Tensor
    """(R,) int64, the example of each row."""

    def part(self, chosen: Tensor) -> HeadRows:
        """Return the rows where a mask (R,) is true."""
        return HeadRows(
            self.features[chosen],
            self.targets[chosen],
            self.weights[chosen],
            self.activation,
            self.example_of[chosen],
        )

    def mean_scores(self, logits: Tensor) -> Tensor:
        """Compute the scores of each example, the mean over its rows: (R, K) -> (n, K).

        A segment's score is the same kind of mean.
        """
        scores = logits.softmax(1) if self.activation == "softmax" else logits.sigmoid()
        return self.mean(scores)

    def mean(self, values: Tensor) -> Tensor:
        """Average values over the rows of each example: (R, K) -> (n, K), in the order of rows."""
        _, place = torch.unique(self.example_of, return_inverse=True)
        count = torch.bincount(place)
        sums = torch.zeros(len(count), values.shape[1], dtype=values.dtype)
        return sums.index_add(0, place, values) / count[:, None]

    def balanced(self) -> Tensor:
        """Compute weights (R, K) under which classes count alike; they sum to 1 per class column.

        With softmax each class has the same total, with sigmoid each label's presence and absence.
        """
        held = self.weights[:, None] * self.targets
        if self.activation == "softmax":
            totals = held.sum(0)
            each = held / torch.where(totals > 0, totals, torch.ones_like(totals))
            return each.sum(1, keepdim=True) / max(1, int((totals > 0).sum()))  # (R, 1)
        missing = self.weights[:, None] * (1 - self.targets)
        sides = [side / side.sum(0).clamp(min=1e-12) / 2 for side in (held, missing)]
        return (sides[0] + sides[1]) / self.targets.shape[1]  # (R, K)


@dataclass(frozen=True, slots=True, eq=False)
class LinearHead:
    """Weights (K, C) and bias (K,) of a head."""

    weight: Tensor
    bias: Tensor

    def logits(self, features: Tensor) -> Tensor:
        """Compute logits: (R, C) -> (R, K)."""
        return features @ self.weight.T + self.bias

    def cooled(self, temperature: float) -> LinearHead:
        """Return the head whose logits are divided by a temperature."""
        return LinearHead(self.weight / temperature, self.bias / temperature)


def fit_heads(rows: HeadRows, strengths: Sequence[float] = STRENGTHS) -> list[LinearHead]:
    """Fit a head for each penalty, strong to weak; each fit starts from the one before."""
    mean = rows.features.mean(0)
    spread = rows.features.std(0, correction=0).clamp(min=_SMALLEST_SPREAD)
    inputs = (rows.features - mean) / spread
    weights = rows.balanced()
    count, width = rows.targets.shape[1], inputs.shape[1]
    values = torch.zeros(count, width + 1, dtype=torch.float64)
    heads = []
    for strength in strengths:
        values = _minimise(inputs, rows, weights, values, strength)
        weight = values[:, :-1] / spread
        heads.append(LinearHead(weight, values[:, -1] - weight @ mean))
    return heads


def _minimise(
    inputs: Tensor, rows: HeadRows, weights: Tensor, start: Tensor, strength: float
) -> Tensor:
    """Find the weights and bias (K, C+1) of the smallest penalised loss."""
    values = start.clone().requires_grad_()
    optimiser = torch.optim.LBFGS(
        [values],
        max_iter=_MOST_ITERATIONS,
        tolerance_grad=_TOLERANCE,
        tolerance_change=1e-7,
        history_size=20,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        plain = values.detach()
        logits = inputs @ plain[:, :-1].T + plain[:, -1]
        losses = row_losses(logits, rows.targets, rows.activation)
        shares = logits.softmax(1) if rows.activation == "softmax" else logits.sigmoid()
        errors = (shares - rows.targets) * weights  # (R, K)
        gradient = torch.cat([errors.T @ inputs, errors.sum(0)[:, None]], 1)
        gradient[:, :-1] += strength * plain[:, :-1]
        values.grad = gradient
        return (losses * weights).sum() + strength / 2 * plain[:, :-1].square().sum()

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return values.detach()


def row_losses(logits: Tensor, targets: Tensor, activation: Activation) -> Tensor:
    """Compute the loss of each row: (R, 1) with softmax, (R, K) with sigmoid."""
    if activation == "softmax":
        return -(targets * logits.log_softmax(1)).sum(1, keepdim=True)
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")


def log_loss(logits: Tensor, rows: HeadRows) -> float:
    """Compute the mean loss of rows, classes counting alike."""
    losses = row_losses(logits, rows.targets, rows.activation)
    return float((losses * rows.balanced()).sum())

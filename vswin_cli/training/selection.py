"""Choose the penalty and the temperature of a head by cross-validation, and measure it.

The folds are those of `split.make_folds`: no video is on both sides of any fit. Heads that leave
out two folds choose the penalty of the head that leaves out one, which then scores that fold: what
is measured was used neither to fit nor to choose (nested cross-validation, S. Varma and R. Simon,
BMC Bioinformatics 7:91, 2006). Leaving out folds i and j serves i as well as j. The temperature of
a fold's scores is chosen on the scores of the other folds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor

from vswin_cli.training.linear_head import (
    STRENGTHS,
    HeadRows,
    LinearHead,
    fit_heads,
    log_loss,
)

__all__ = [
    "ChosenHead",
    "choose_head",
    "choose_temperature",
    "cooled_by_fold",
    "count_fits",
    "usual_head",
]

_UNMEASURED_STRENGTH = 0.03  # where no video can be held out
_SMALLEST = 1e-9  # score in a logarithm
_LOWEST, _HIGHEST, _STEPS = 0.25, 8.0, 121  # temperatures to choose from

OnFit = Callable[[float], None]
"""Called after each fit with its held-out loss."""


@dataclass(frozen=True, slots=True, eq=False)
class ChosenHead:
    """A head with what was chosen for it."""

    head: LinearHead
    """Of all rows, its logits divided by the temperature."""
    strength: float
    temperature: float
    logits: Tensor | None
    """(R, K) of each row, by a head that was not fitted to its video, divided by a temperature
    chosen on other folds; `None` if there was none."""
    known: Tensor | None
    """(R,) rows whose classes that head was fitted to."""


def usual_head(rows: HeadRows) -> ChosenHead:
    """Fit a head with the usual penalty, where nothing can be held out to choose one."""
    head = fit_heads(rows, [_UNMEASURED_STRENGTH])[0]
    return ChosenHead(head, _UNMEASURED_STRENGTH, 1.0, None, None)


def count_fits(num_folds: int) -> int:
    """Return the number of calls of `on_fit`."""
    pairs = num_folds * (num_folds - 1) // 2
    return num_folds + (pairs if num_folds > 2 else 0)


def choose_head(rows: HeadRows, fold_of: Tensor, on_fit: OnFit) -> ChosenHead:
    """Choose the penalty and the temperature, and fit all rows.

    Args:
        rows: of all examples.
        fold_of: (R,) fold of each row, from 0; two or more folds.
        on_fit: progress.
    """
    num_folds = int(fold_of.max()) + 1
    singles, known = _score_folds(rows, fold_of, num_folds, on_fit)
    nested = _score_nested(rows, fold_of, singles, on_fit)
    held = rows.part(known)
    strength = _best([log_loss(logits[known], held) for logits in singles])
    temperature = choose_temperature(singles[strength][known], held)
    path = fit_heads(rows, STRENGTHS[: strength + 1])
    scored = cooled_by_fold(nested, rows, fold_of, known)
    return ChosenHead(path[-1].cooled(temperature), STRENGTHS[strength], temperature, scored, known)


def _known(fitted: HeadRows, targets: Tensor) -> Tensor:
    """Return which rows (R,) have only classes that a head was fitted to.

    Where all videos of a class are held out at once, its examples say nothing about the head: they
    would only make it unsure of everything.
    """
    return ~(targets * (fitted.targets.sum(0) == 0)).any(1)


def _score_folds(
    rows: HeadRows, fold_of: Tensor, num_folds: int, on_fit: OnFit
) -> tuple[Tensor, Tensor]:
    """Score each fold by heads fitted to the others.

    Returns:
        Logits (S, R, K) for each penalty, and the rows (R,) whose classes were fitted to.
    """
    scored = torch.zeros(len(STRENGTHS), *rows.targets.shape, dtype=torch.float64)
    known = torch.zeros(len(fold_of), dtype=torch.bool)
    for fold in range(num_folds):
        held, fitted = fold_of == fold, rows.part(fold_of != fold)
        known |= held & _known(fitted, rows.targets)
        for i, head in enumerate(fit_heads(fitted)):
            scored[i, held] = head.logits(rows.features[held])
        losses = [log_loss(scored[i, held], rows.part(held)) for i in range(len(STRENGTHS))]
        on_fit(min(losses))
    return scored, known


def _score_nested(rows: HeadRows, fold_of: Tensor, singles: Tensor, on_fit: OnFit) -> Tensor:
    """Score each fold by the head whose penalty was chosen without that fold: (R, K)."""
    num_folds = int(fold_of.max()) + 1
    inner = torch.zeros(num_folds, len(STRENGTHS))
    # Of two folds nothing would be left to fit to: the penalty is then the middle one.
    for left, right in combinations(range(num_folds if num_folds > 2 else 0), 2):
        fitted = rows.part((fold_of != left) & (fold_of != right))
        heads, known = fit_heads(fitted), _known(fitted, rows.targets)
        for outer, other in ((left, right), (right, left)):
            part = rows.part((fold_of == other) & known)
            losses = [log_loss(head.logits(part.features), part) for head in heads]
            inner[outer] += torch.tensor(losses)
        on_fit(min(losses))
    chosen = [len(STRENGTHS) // 2 if num_folds == 2 else _best(row.tolist()) for row in inner]
    scored = torch.zeros_like(rows.targets)
    for fold, strength in enumerate(chosen):
        held = fold_of == fold
        scored[held] = singles[strength, held]
    return scored


def _best(losses: Sequence[float]) -> int:
    """Return the position of the smallest loss, of equal ones the strongest penalty."""
    return min(range(len(losses)), key=lambda i: (losses[i], i))


def choose_temperature(logits: Tensor, rows: HeadRows) -> float:
    """Choose the temperature under which held-out logits (R, K) give the likeliest scores.

    A head that is fitted to few examples is too sure of itself elsewhere (C. Guo et al., ICML
    2017); divided by the temperature, its scores are shares that are right so often. The scores
    meant are those of whole examples. With softmax each example counts alike; with sigmoid,
    presence and absence of each label do.
    """
    targets = rows.mean(rows.targets)
    weights = (
        torch.ones_like(targets[:, :1])
        if rows.activation == "softmax"
        else (rows.mean(rows.balanced()))
    )
    exponents = torch.linspace(0, 1, _STEPS, dtype=torch.float64)
    candidates = (_LOWEST * (_HIGHEST / _LOWEST) ** exponents).tolist()
    losses = []
    for each in candidates:
        scores = rows.mean_scores(logits / each).clamp(_SMALLEST, 1 - _SMALLEST)
        right = targets * scores.log()
        if rows.activation == "sigmoid":
            right = right + (1 - targets) * (1 - scores).log()
        losses.append(-float((right * weights).sum()))
    return float(candidates[_best(losses)])


def cooled_by_fold(logits: Tensor, rows: HeadRows, fold_of: Tensor, known: Tensor) -> Tensor:
    """Divide the logits (R, K) of each fold by the temperature that the other folds choose.

    Args:
        logits: of heads that were not fitted to the row.
        rows: what they are of.
        fold_of: (R,) fold of each row.
        known: (R,) rows to choose by.
    """
    cooled = logits.clone()
    for fold in range(int(fold_of.max()) + 1):
        others = (fold_of != fold) & known
        if others.any():
            cooled[fold_of == fold] /= choose_temperature(logits[others], rows.part(others))
    return cooled

"""The penalty and the temperature of a head are chosen on folds that it was not fitted to."""

import pytest
import torch

from vswin_cli.training.linear_head import STRENGTHS, HeadRows
from vswin_cli.training.selection import (
    choose_head,
    choose_temperature,
    cooled_by_fold,
    count_fits,
    usual_head,
)


def rows_of(count, *, noise):
    """Rows of two classes, one row per example; the first feature tells them apart."""
    draw = torch.Generator().manual_seed(0)
    targets = torch.nn.functional.one_hot(torch.arange(count) % 2, 2).double()
    features = torch.randn(count, 3, generator=draw, dtype=torch.float64) * noise
    features[:, 0] += targets[:, 0] * 2 - 1
    return HeadRows(
        features, targets, torch.ones(count, dtype=torch.float64), "softmax", torch.arange(count)
    )


@pytest.mark.parametrize("num_folds", [2, 3, 4])
def test_every_fit_is_reported_and_every_row_scored_by_a_head_that_did_not_see_it(num_folds):
    rows, losses = rows_of(24, noise=0.3), []
    chosen = choose_head(rows, torch.arange(24) // 2 % num_folds, losses.append)
    assert len(losses) == count_fits(num_folds)
    assert chosen.strength in STRENGTHS
    assert chosen.known is not None
    assert chosen.known.all()
    assert chosen.logits is not None
    assert (chosen.logits.argmax(1) == rows.targets.argmax(1)).double().mean() > 0.9


def test_classes_that_a_fold_holds_alone_are_not_judged():
    rows = rows_of(8, noise=0.1)
    fold_of = torch.tensor([0, 1, 0, 1, 0, 1, 0, 1])  # each fold has one class only
    chosen = choose_head(rows, fold_of, lambda loss: None)
    assert chosen.known is not None
    assert not chosen.known.any()


def test_logits_that_are_too_sure_are_cooled():
    rows = rows_of(200, noise=1.0)
    logits = usual_head(rows).head.logits(rows.features)
    assert choose_temperature(8 * logits, rows) > choose_temperature(logits, rows)


def test_the_temperature_of_a_fold_does_not_depend_on_its_own_logits():
    rows = rows_of(40, noise=1.0)
    logits = usual_head(rows).head.logits(rows.features)
    fold_of, known = torch.arange(40) // 2 % 2, torch.ones(40, dtype=torch.bool)
    before = cooled_by_fold(logits, rows, fold_of, known)
    scaled = torch.where((fold_of == 0)[:, None], 5 * logits, logits)
    after = cooled_by_fold(scaled, rows, fold_of, known)
    assert torch.allclose(after[fold_of == 0], 5 * before[fold_of == 0])

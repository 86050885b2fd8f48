from dataclasses import replace

import numpy as np
import pytest
import torch

from vswin_cli.training.linear_head import HeadRows, fit_heads, log_loss
from vswin_cli.training.selection import (
    choose_head,
    choose_temperature,
    cooled_by_fold,
    count_fits,
    usual_head,
)

NUM_CLASSES = 3


def make_rows(activation="softmax", count=60, width=8, noise=0.6, seed=0) -> HeadRows:
    """Two rows of each example, features around a centre of its class."""
    random = np.random.default_rng(seed)
    centres = random.normal(0, 1, (NUM_CLASSES, width))
    classes = np.arange(count) % NUM_CLASSES
    features = centres[classes] + random.normal(0, noise, (count, width))
    targets = np.eye(NUM_CLASSES)[classes]
    return HeadRows(
        torch.from_numpy(features.repeat(2, 0)),
        torch.from_numpy(targets.repeat(2, 0)),
        torch.full((2 * count,), 0.5, dtype=torch.float64),
        activation,
        torch.arange(count).repeat_interleave(2),
    )


def folds_of(rows: HeadRows, count: int) -> torch.Tensor:
    return (torch.arange(len(rows.features)) // 2) % count


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_the_gradient_vanishes_at_the_fit(activation):
    """Differentiated by torch, with the penalty on standardised features."""
    rows = make_rows(activation)
    strength = 0.1
    head = fit_heads(rows, [strength])[0]
    spread = rows.features.std(0, correction=0)
    weight = head.weight.clone().requires_grad_()
    bias = head.bias.clone().requires_grad_()
    loss = torch.nn.functional.cross_entropy if activation == "softmax" else None
    logits = rows.features @ weight.T + bias
    if loss is not None:
        mean = loss(logits, rows.targets)  # classes are of equal size
    else:
        each = torch.nn.functional.binary_cross_entropy_with_logits(
            logits, rows.targets, reduction="none"
        )
        held = rows.targets > 0
        mean = (each[held].mean() + each[~held].mean()) / 2
    (mean + strength / 2 * (weight * spread).square().sum()).backward()
    assert (weight.grad / spread).abs().max() < 1e-4
    assert bias.grad.abs().max() < 1e-4


def test_the_fit_does_not_depend_on_the_unit_of_a_feature():
    rows = make_rows()
    scaled = replace(rows, features=rows.features * 1000)
    first, second = fit_heads(rows, [0.1])[0], fit_heads(scaled, [0.1])[0]
    torch.testing.assert_close(
        first.logits(rows.features), second.logits(scaled.features), atol=1e-3, rtol=1e-3
    )


def test_a_rare_class_weighs_as_much_as_a_frequent_one():
    rows = make_rows()
    rare = (rows.targets[:, 0] > 0) & (torch.arange(len(rows.features)) > 20)
    part = rows.part(~rare)
    totals = (part.balanced() * part.targets).sum(0)
    assert totals.tolist() == pytest.approx([1 / 3] * 3)


def test_the_temperature_undoes_a_factor_of_calibrated_logits():
    random = np.random.default_rng(0)
    logits = torch.from_numpy(random.normal(0, 1.5, (6000, NUM_CLASSES)))
    drawn = torch.multinomial(logits.softmax(1), 1, generator=torch.manual_seed(0))[:, 0]
    targets = torch.nn.functional.one_hot(drawn, NUM_CLASSES).double()
    rows = HeadRows(
        logits, targets, torch.ones(6000, dtype=torch.float64), "softmax", torch.arange(6000)
    )
    assert choose_temperature(3 * logits, rows) == pytest.approx(3, rel=0.1)
    assert choose_temperature(logits / 2, rows) == pytest.approx(0.5, rel=0.1)


def test_the_temperature_of_a_fold_is_chosen_on_the_others():
    rows = make_rows()
    folds = folds_of(rows, 3)
    draw = torch.manual_seed(0)
    noise = torch.randn(rows.targets.shape, dtype=torch.float64, generator=draw)
    logits = 4 * noise + 6 * rows.targets
    known = torch.ones(len(logits), dtype=torch.bool)
    cooled = cooled_by_fold(logits, rows, folds, known)
    others = folds != 0
    own = choose_temperature(logits[others], rows.part(others))
    torch.testing.assert_close(cooled[~others], logits[~others] / own)
    wrong = torch.where((folds == 0)[:, None], rows.targets.roll(1, 1), rows.targets)
    spoilt = cooled_by_fold(logits, replace(rows, targets=wrong), folds, known)
    assert torch.equal(spoilt[~others], cooled[~others])
    assert not torch.equal(spoilt[others], cooled[others])


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
@pytest.mark.parametrize("num_folds", [2, 4])
def test_a_choice_is_repeatable_and_scores_held_out_rows(activation, num_folds):
    rows = make_rows(activation)
    losses: list[float] = []
    first = choose_head(rows, folds_of(rows, num_folds), losses.append)
    again = choose_head(rows, folds_of(rows, num_folds), lambda _: None)
    assert torch.equal(first.head.weight, again.head.weight)
    assert len(losses) == count_fits(num_folds)
    assert first.logits is not None
    right = (first.logits.argmax(1) == rows.targets.argmax(1)).double().mean()
    assert right > 0.8
    assert log_loss(first.logits, rows) < log_loss(torch.zeros_like(first.logits), rows)


def test_labels_at_random_are_not_learned():
    """Nested folds: choosing the penalty must not leak the held-out labels."""
    rows = make_rows(noise=1.0, count=90, seed=3)
    order = np.random.default_rng(1).permutation(90)
    shuffled = rows.targets[::2][torch.from_numpy(order)].repeat_interleave(2, 0)
    rows = replace(rows, targets=shuffled)
    found = choose_head(rows, folds_of(rows, 5), lambda _: None)
    assert found.logits is not None
    assert float((found.logits.argmax(1) == shuffled.argmax(1)).double().mean()) < 0.5


def test_without_folds_the_usual_penalty_is_taken():
    found = usual_head(make_rows())
    assert found.logits is None
    assert found.temperature == 1.0


def test_a_class_of_one_video_does_not_make_the_head_unsure():
    rows = make_rows(noise=0.2)
    odd = torch.zeros(len(rows.features), 1, dtype=torch.float64)
    targets = torch.cat([rows.targets, odd], 1)
    targets[:2] = torch.tensor([0.0, 0, 0, 1])  # both rows of the first example
    found = choose_head(
        replace(rows, targets=targets),
        folds_of(rows, 4),
        lambda _: None,
    )
    assert found.temperature < 1.5
    assert found.known is not None
    assert found.known.tolist() == [False] * 2 + [True] * (len(targets) - 2)


def test_scores_of_an_example_are_the_mean_of_its_rows():
    rows = make_rows(count=3)
    logits = torch.randn(6, NUM_CLASSES, dtype=torch.float64, generator=torch.manual_seed(0))
    expected = logits.softmax(1).reshape(3, 2, NUM_CLASSES).mean(1)
    torch.testing.assert_close(rows.mean_scores(logits), expected)

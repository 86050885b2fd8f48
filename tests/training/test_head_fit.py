"""Sides of a cross-validation, and heads that are measured on what they were not fitted to."""

import numpy as np
import pytest

from vswin_cli.errors import OptionError
from vswin_cli.storage.sources import VideoSource
from vswin_cli.training.example_features import ExampleFeatures
from vswin_cli.training.head_fit import HeadOptions, Sides, fit_measured
from vswin_cli.training.records import Example


def examples_of(count, *, labels=("cat", "dog"), part=None):
    return [
        Example(VideoSource.of(f"{part}{i}.mp4"), (labels[i % len(labels)],), part=part)
        for i in range(count)
    ]


def features_of(examples, *, noise=0.1):
    """Two rows per example; the first value tells cats from dogs."""
    draw = np.random.default_rng(0)
    owner = np.repeat(np.arange(len(examples)), 2)
    rows = draw.normal(0, noise, (len(owner), 4)).astype(np.float32)
    rows[:, 0] += [1.0 if examples[i].labels == ("cat",) else -1.0 for i in owner]
    return ExampleFeatures(rows, owner, (None,) * len(examples), ())


def test_a_head_is_measured_in_cross_validation():
    examples = examples_of(12)
    fitted = fit_measured(examples, features_of(examples), HeadOptions(num_folds=3))
    assert fitted.labels == ("cat", "dog")
    assert fitted.measures is not None
    assert fitted.measures.accuracy.hits == 12
    assert "3 folds" in fitted.measures.method
    assert {fitted.sides.name_of(i) for i in range(12)} == {"fold 1", "fold 2", "fold 3"}


def test_a_given_split_is_measured_on_its_held_out_side():
    examples = examples_of(8, part="train") + examples_of(4, part="held-out")
    fitted = fit_measured(examples, features_of(examples), HeadOptions(num_folds=2))
    assert fitted.measures is not None
    assert fitted.measures.accuracy.total == 4
    assert [fitted.sides.name_of(i) for i in (0, 8)] == ["train", "held-out"]
    assert "the given split" in fitted.measures.method


def test_nothing_is_measured_where_each_class_has_one_video():
    examples = examples_of(2)
    fitted = fit_measured(examples, features_of(examples), HeadOptions())
    assert (fitted.measures, fitted.onset) == (None, None)
    assert Sides.of(examples, HeadOptions()).num_folds == 1


def test_one_fold_is_no_cross_validation():
    with pytest.raises(OptionError, match="2 folds or more, got 1"):
        HeadOptions(num_folds=1)

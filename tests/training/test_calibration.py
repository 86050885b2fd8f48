"""The temperature and the measures of a head on examples that were held out."""

import numpy as np
import pytest
import torch

from vswin_cli.storage.sources import VideoSource
from vswin_cli.training.calibration import calibrate
from vswin_cli.training.example_features import ExampleFeatures
from vswin_cli.training.records import Example
from vswin_cli.training.training_clips import TrainingData

LABELS = ("cat", "dog")
HEAD = (torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), torch.zeros(2))


def held_out(count, *, videos):
    return [
        Example(
            VideoSource.of(f"{i % videos}.mp4"),
            (LABELS[i % 2],),
            start_seconds=float(i),
            end_seconds=i + 1.0,
        )
        for i in range(count)
    ]


def features_of(examples, *, wrong=()):
    """Two rows per example; the head is right but for the numbers in `wrong`."""
    owner = np.repeat(np.arange(len(examples)), 2)
    sign = [1.0 if examples[i].labels == ("cat",) else -1.0 for i in range(len(examples))]
    for i in wrong:
        sign[i] *= -1
    rows = np.zeros((len(owner), 2), np.float32)
    rows[:, 0] = np.array(sign)[owner]
    return ExampleFeatures(rows, owner, (None,) * len(examples), ())


def test_a_head_is_measured_on_what_was_held_out():
    examples = held_out(20, videos=10)
    data = TrainingData((), examples, LABELS, "softmax")
    found = calibrate(features_of(examples, wrong=(0, 5)), HEAD, data, method="held out")
    assert (found.measures.accuracy.hits, found.measures.accuracy.total) == (18, 20)
    assert found.measures.method == "held out, the temperature chosen of each video on the others"
    assert 0 < found.onset < 1


def test_a_head_that_is_too_sure_gets_a_higher_temperature():
    examples = held_out(20, videos=10)
    data = TrainingData((), examples, LABELS, "softmax")
    sure = (HEAD[0] * 4, HEAD[1])
    features = features_of(examples, wrong=(0, 5, 9))
    plain = calibrate(features, HEAD, data, method="m").temperature
    assert calibrate(features, sure, data, method="m").temperature == pytest.approx(
        4 * plain, rel=0.1
    )


def test_one_video_cannot_be_divided():
    examples = held_out(6, videos=1)
    data = TrainingData((), examples, LABELS, "softmax")
    found = calibrate(features_of(examples, wrong=(1,)), HEAD, data, method="held out")
    assert found.measures.method.endswith("on the same examples")


def test_examples_without_features_are_left_out():
    examples = held_out(8, videos=8)
    data = TrainingData((), examples, LABELS, "softmax")
    all_of = features_of(examples)
    some = ExampleFeatures(all_of.rows[:8], all_of.example_of[:8], all_of.content_sha256, ())
    assert calibrate(some, HEAD, data, method="m").measures.accuracy.total == 4

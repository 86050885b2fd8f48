"""Which clips a training step takes, and what they are made of."""

from collections import Counter
from dataclasses import replace

import pytest
import torch

from tests.support.videos import VideoRecipe, make_video
from vswin_cli.models.architecture import Architecture, InputSpec
from vswin_cli.storage.sources import VideoSource
from vswin_cli.training.full_options import FullOptions
from vswin_cli.training.records import BACKGROUND, Example
from vswin_cli.training.training_clips import BatchPlan, ClipMaker, TrainingData, stack_clips
from vswin_cli.video.decoder_pool import DecoderPool

TINY = Architecture("tiny", 8, (2, 2), (1, 2), (2, 2, 2))
SPEC = InputSpec(num_frames=4, frame_rate=10.0, resize_short_side=32, crop_size=32)
LABELS = ("cat", "dog", BACKGROUND)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("videos") / "a.mp4"
    source = VideoSource.of(make_video(path, VideoRecipe(num_frames=50)))
    examples = [Example(source, ("dog",), end_seconds=1.0), Example(source, ())]
    return TrainingData(examples, (), LABELS, "softmax")


def maker(data, pool, *, drop_path=0.0, **options):
    return ClipMaker(data, SPEC, TINY, FullOptions(**options), drop_path=drop_path, pool=pool)


def test_an_epoch_takes_every_example_once_but_the_last_few():
    plan = BatchPlan(num_examples=7, batch_size=3, seed=1)
    assert plan.steps_per_epoch == 2
    steps = [plan.batch(step) for step in range(4)]
    assert [{epoch for epoch, _ in step} for step in steps] == [{0}, {0}, {1}, {1}]
    for epoch in (steps[:2], steps[2:]):
        counts = Counter(example for step in epoch for _, example in step)
        assert len(counts) == 6
        assert set(counts.values()) == {1}
    assert steps[:2] != steps[2:]


def test_a_step_does_not_depend_on_those_before():
    plan = BatchPlan(5, 2, seed=3)
    later = plan.batch(17)
    assert BatchPlan(5, 2, seed=3).batch(17) == later


def test_an_example_without_labels_is_background(data):
    assert [data.target_of(example).tolist() for example in data.train] == [[0, 1, 0], [0, 0, 1]]


def test_a_random_clip_is_the_same_in_every_run(data):
    with DecoderPool() as pool:
        first = maker(data, pool, drop_path=0.5).random_clip((2, 0))
        again = maker(data, pool, drop_path=0.5).random_clip((2, 0))
        other = maker(data, pool, drop_path=0.5).random_clip((3, 0))
    assert first.pixels.shape == (3, 4, 32, 32)
    assert torch.equal(first.pixels, again.pixels)
    assert torch.equal(first.branch_scales, again.branch_scales)
    assert not torch.equal(first.pixels, other.pixels)


def test_branches_are_left_out_more_often_the_deeper_their_block(data):
    with DecoderPool() as pool:
        make = maker(data, pool, drop_path=0.9, dropout=0.5)
        clip = make.random_clip((0, 0))
    assert clip.branch_scales.shape == (4, 2)
    assert clip.branch_scales[0].tolist() == [1, 1]
    assert set(clip.branch_scales[3].round().tolist()) <= {0, 10}
    assert set(clip.feature_scales.tolist()) == {0, 2}
    assert clip.feature_scales.shape == (TINY.num_features,)


def test_the_middle_clip_does_not_vary(data):
    with DecoderPool() as pool:
        one = maker(data, pool, seed=1).middle_clip(data.train[0])
        two = maker(data, pool, seed=2).middle_clip(data.train[0])
    assert torch.equal(one, two)
    assert one.shape == (3, 4, 32, 32)


def test_clips_are_stacked_as_the_network_takes_them(data):
    with DecoderPool() as pool:
        make = maker(data, pool)
        clips = [make.random_clip((0, number)) for number in (0, 1)]
    shapes = [tuple(one.shape) for one in stack_clips(clips, torch.device("cpu"))]
    assert shapes == [(2, 3, 4, 32, 32), (2, 3), (4, 2, 2), (2, TINY.num_features)]


def test_a_label_that_tells_left_from_right_is_never_mirrored(data):
    left = replace(data.train[0], labels=("pan left",))
    turned = TrainingData([left], (), ("pan left", "pan right"), "softmax")
    with DecoderPool() as pool:
        for epoch in range(6):
            with_flip = maker(turned, pool, flip=True).random_clip((epoch, 0))
            without = maker(turned, pool, flip=False).random_clip((epoch, 0))
            assert torch.equal(with_flip.pixels, without.pixels)

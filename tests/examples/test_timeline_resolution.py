"""The claim behind the default stride, kept true: see examples/timeline_resolution.py."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from vswin_cli.config import SegmentOptions

PATH = Path(__file__).parents[2] / "examples" / "timeline_resolution.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("timeline_resolution", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [2.0, 4.0, 10.0])
def test_steps_of_clips_that_do_not_overlap_beat_clips_that_half_overlap(example, seconds):
    """Half the forward passes, and a better timeline, for a middling network."""
    video = example.make_video(seconds, 40, np.random.default_rng(5))

    def iou(stride, **options):
        method = example.Method("", stride, **options)
        found = example.segments_of(video, method, example.World(), SegmentOptions(), 5)
        return example.judge(video, found)[0]

    steps = iou(16, smooth_seconds=SegmentOptions().smooth_seconds)
    assert steps > iou(8, per_step=False)


@pytest.mark.parametrize("seconds", [2.0, 4.0])
def test_a_quarter_of_overlap_holds_up_when_attention_mixes_over_most_of_the_clip(example, seconds):
    """Two thirds of the forward passes; the default stride."""
    video = example.make_video(seconds, 40, np.random.default_rng(5))
    world = example.World(blur=4.0, leak=0.5)

    def iou(method):
        found = example.segments_of(video, method, world, SegmentOptions(), 5)
        return example.judge(video, found)[0]

    assert iou(example.CONTENDERS[1]) > iou(example.BASELINE)


def test_perfect_network_is_cut_to_the_step(example):
    video = example.make_video(4.0, 20, np.random.default_rng(5))
    world = example.World(blur=0.0, leak=0.0, noise=0.0)
    found = example.segments_of(video, example.Method("", 16), world, SegmentOptions(), 5)
    iou, false = example.judge(video, found)
    assert iou > 0.97
    assert false == 0

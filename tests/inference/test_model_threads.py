"""Models that score in threads of their own: bounded, and stopped together."""

import threading
import time
from itertools import count

import numpy as np
import pytest
import torch

from vswin_cli.errors import DeviceError
from vswin_cli.inference.model_threads import score_with_models
from vswin_cli.timeline.scores import ClipLogits
from vswin_cli.timeline.track_builder import TrackBuilder
from vswin_cli.video.clips import Clip, PlannedClip

IMAGE = np.zeros((4, 4, 3), np.uint8)


class Scorer:
    """What `score_with_models` needs of an engine, with logits that are the clip's index."""

    device = torch.device("cpu")

    def __init__(self, seconds=0.0, fails_at=None):
        self.seconds = seconds
        self.fails_at = fails_at
        self.taken = []
        self.has_ended = threading.Event()

    def score(self, clips):
        try:
            for clip in clips:
                self.taken.append(clip.index)
                time.sleep(self.seconds)
                if clip.index == self.fails_at:
                    raise DeviceError("out of memory")
                logits = np.full((1, 1, 2), clip.index, np.float32)
                yield ClipLogits(clip.index, clip.step_edges_seconds, logits, 1)
        finally:
            self.has_ended.set()


def clip(index):
    return Clip(index, [IMAGE, IMAGE], np.array([index, index + 1.0]), 1)


def in_turns(numbers, num_models=2):
    """The same number of clips for each model."""
    for index in numbers:
        for plan in range(num_models):
            yield PlannedClip(plan, clip(index))


def tracks(number=2):
    return [TrackBuilder(("a", "b"), "sigmoid", 1.0) for _ in range(number)]


def test_each_model_scores_its_own_clips_in_order():
    engines, built = [Scorer(), Scorer(0.002), Scorer()], tracks(3)
    score_with_models(in_turns(range(50), 3), engines, built)
    for engine, track in zip(engines, built, strict=True):
        assert engine.taken == list(range(50))
        with track.finish(50.0) as finished:
            assert finished.valid.all()


def test_a_slow_model_holds_the_decoder_back():
    ahead = []
    slow, fast = Scorer(0.005), Scorer()

    def watched():
        for planned in in_turns(range(60)):
            ahead.append(planned.clip.index - len(slow.taken))
            yield planned

    score_with_models(watched(), [slow, fast], tracks())
    assert max(ahead) <= 8  # clips that wait in memory
    assert len(fast.taken) == 60


def test_clips_of_one_model_alone_do_not_block():
    """As where one model's clips are so long that another's come first."""
    engines = [Scorer(), Scorer()]
    planned = [*(PlannedClip(0, clip(i)) for i in range(40)), PlannedClip(1, clip(0))]
    score_with_models(planned, engines, tracks())
    assert (len(engines[0].taken), len(engines[1].taken)) == (40, 1)


@pytest.mark.parametrize("failing", [0, 1])
def test_an_error_of_one_model_stops_the_others(failing):
    engines = [Scorer(0.001), Scorer(0.001)]
    engines[failing].fails_at = 5
    taken = []

    def watched():
        for planned in in_turns(count()):  # without an end
            taken.append(planned)
            yield planned

    with pytest.raises(DeviceError, match="out of memory"):
        score_with_models(watched(), engines, tracks())
    assert all(engine.has_ended.wait(5) for engine in engines)
    assert len(taken) < 100


def test_an_error_at_the_last_clip_is_raised():
    engines = [Scorer(0.01, fails_at=3), Scorer()]
    with pytest.raises(DeviceError):
        score_with_models(in_turns(range(4)), engines, tracks())


def test_an_error_is_raised_while_another_model_still_has_clips():
    engines = [Scorer(0.2), Scorer(fails_at=3)]
    with pytest.raises(DeviceError):
        score_with_models(in_turns(range(4)), engines, tracks())
    assert len(engines[0].taken) < 4


def test_after_an_error_no_pass_runs_on():
    """As the next video may be scored with the same engines."""
    slow, failing = Scorer(0.7), Scorer(fails_at=0)
    with pytest.raises(DeviceError):
        score_with_models(in_turns(count()), [slow, failing], tracks())
    assert slow.has_ended.is_set()


def test_no_clips_are_no_error():
    engines = [Scorer(), Scorer()]
    score_with_models([], engines, tracks())
    assert all(engine.has_ended.is_set() for engine in engines)


def test_a_model_that_stops_early_does_not_block_the_decoder():
    """A scorer that takes no more clips, although there are some."""
    early = Scorer()
    early.score = lambda clips: iter(())
    score_with_models(in_turns(range(20)), [early, Scorer()], tracks())


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interrupt_or_an_error_of_the_decoder_ends_all_threads(error):
    engines = [Scorer(), Scorer()]

    def interrupted():
        yield from in_turns(range(10))
        raise error

    with pytest.raises(error):
        score_with_models(interrupted(), engines, tracks())
    assert all(engine.has_ended.wait(5) for engine in engines)
    names = [thread.name for thread in threading.enumerate()]
    assert "vswin-model" not in names


def test_an_interrupt_does_not_wait_for_a_pass():
    slow, may_end = Scorer(), threading.Event()

    def long_pass(clips):
        for one in clips:
            slow.taken.append(one.index)
            may_end.wait(60)
            slow.has_ended.set()
            yield ClipLogits(one.index, one.step_edges_seconds, np.zeros((1, 1, 2), np.float32), 1)

    def interrupted():
        yield PlannedClip(0, clip(0))
        while not slow.taken:
            time.sleep(0.001)
        raise KeyboardInterrupt

    slow.score = long_pass
    with pytest.raises(KeyboardInterrupt):
        score_with_models(interrupted(), [slow], tracks(1))
    assert not slow.has_ended.is_set()
    may_end.set()
    assert slow.has_ended.wait(5)

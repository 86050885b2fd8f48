"""Samples begin and end exactly with a part of the video; what is missing is silent."""

from contextlib import closing
from fractions import Fraction

import numpy as np
import pytest

from tests.support.videos import VideoRecipe, make_video, make_with_sound
from vswin_cli.cutting.sound import SoundReader

RECIPE = VideoRecipe(num_frames=30, rate=Fraction(10))


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "v.mp4"
    return make_with_sound(path, RECIPE, sound_seconds=2.0)


@pytest.mark.parametrize(("start", "end"), [(0.0, 0.5), (0.3337, 1.1113), (1.0, 1.001)])
def test_a_part_has_as_many_samples_as_its_length(video, start, end):
    with closing(SoundReader(video, 0.0)) as sound:
        blocks = list(sound.samples(start, end))
    assert (sound.rate, sound.layout) == (16_000, "mono")
    assert sum(block.shape[1] for block in blocks) == round((end - start) * 16_000)
    assert all(len(block) == 1 for block in blocks)


def test_before_the_sound_begins_there_is_silence(video):
    # The video's first frame is counted from 1 s before the sound.
    with closing(SoundReader(video, -1.0)) as sound:
        samples = np.concatenate(list(sound.samples(0.0, 1.5)), axis=1)
    assert samples.shape == (1, 24_000)
    assert not samples[:, :16_000].any()


def test_after_the_sound_ends_there_are_no_samples(video):
    with closing(SoundReader(video, 0.0)) as sound:
        assert sum(block.shape[1] for block in sound.samples(1.9, 3.0)) < 0.4 * 16_000
        assert list(sound.samples(2.9, 3.0)) == []


def test_a_video_without_sound_has_no_samples(tmp_path):
    with closing(SoundReader(make_video(tmp_path / "v.mp4", RECIPE), 0.0)) as sound:
        assert list(sound.samples(0.0, 1.0)) == []

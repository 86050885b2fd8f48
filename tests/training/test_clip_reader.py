from fractions import Fraction

import pytest

from tests.support.videos import VideoRecipe, make_video, read_indices
from vswin_cli.errors import OptionError
from vswin_cli.models.architecture import InputSpec
from vswin_cli.storage.sources import VideoSource
from vswin_cli.training.clip_reader import ClipReader
from vswin_cli.training.records import Example
from vswin_cli.video.decoder_pool import DecoderPool

SPEC = InputSpec(num_frames=8, frame_rate=10.0, resize_short_side=64, crop_size=64)


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "v.mp4"
    make_video(path, VideoRecipe(num_frames=40, rate=Fraction(10)))
    return VideoSource(str(path), path)


@pytest.fixture(scope="module")
def pool():
    with DecoderPool() as pool:
        yield pool


@pytest.mark.slow
@pytest.mark.parametrize(
    ("span", "start", "first"),
    [
        ((None, None), 0.0, 0),
        ((None, None), 1.0, 32),
        ((1.0, 3.0), 0.0, 10),
        ((1.0, 3.0), 0.5, 16),
        ((1.0, 3.0), 1.0, 22),
    ],
)
def test_clips_lie_anywhere_within_an_example(video, pool, span, start, first):
    frames = ClipReader(SPEC, pool).read(Example(video, ("a",), *span), start)
    assert read_indices(frames) == list(range(first, first + 8))


@pytest.mark.slow
def test_one_decoder_process_serves_all_examples(video):
    with DecoderPool() as pool:
        reader = ClipReader(SPEC, pool)
        for start in (0.0, 0.5, 1.0):
            reader.read(Example(video, ("a",)), start)
        (process,) = pool._idle
        assert process.num_served == 4  # the first time also for the length of the video


def test_an_example_shorter_than_a_clip_is_repeated(video, pool):
    frames = ClipReader(SPEC, pool).read(Example(video, ("a",), 1.0, 1.5), 0.7)
    assert read_indices(frames) == [10, 11, 12, 13, 14, 10, 11, 12]


def test_images_have_the_wanted_size(video, pool):
    assert ClipReader(SPEC, pool, 40).read(Example(video)).shape == (8, 40, 40, 3)


@pytest.mark.slow
def test_a_part_past_the_end_is_named(video, pool):
    with pytest.raises(OptionError, match="ends at 4"):
        ClipReader(SPEC, pool).read(Example(video, ("a",), 90.0, 95.0))


def test_weights_that_sample_uniformly_see_four_seconds(video, pool):
    spec = InputSpec(8, 10.0, sampling="uniform", resize_short_side=64, crop_size=64)
    frames = ClipReader(spec, pool).read(Example(video), 0.9)
    assert read_indices(frames) == [2, 7, 12, 17, 22, 27, 32, 37]

"""A video that is decoded once before it is measured."""

import pytest

from tests.support.videos import VideoRecipe, make_video
from vswin_cli.bench.videos import decode_once
from vswin_cli.errors import SourceError
from vswin_cli.models.weights.loading import load_model
from vswin_cli.storage.sources import VideoSource


def test_a_video_decoded_once_gives_its_clips(bench_video):
    assert bench_video.seconds == pytest.approx(2.5)
    assert bench_video.report.frames_decoded == 75
    assert bench_video.clips == len(bench_video.first_clips) > 2


@pytest.mark.slow
def test_a_video_without_frames_is_refused(tiny_model, tmp_path):
    path = make_video(tmp_path / "a.mp4", VideoRecipe())
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(SourceError):
        decode_once(VideoSource.of(str(path)), load_model(tiny_model).card.input)

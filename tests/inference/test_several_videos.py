"""Several videos in one call."""

import pytest

from tests.support.videos import VideoRecipe, make_video
from vswin_cli.config import EngineOptions
from vswin_cli.errors import OptionError, SourceError
from vswin_cli.inference.engine import Engine
from vswin_cli.inference.several_videos import analyze_videos
from vswin_cli.storage.sources import VideoSource
from vswin_cli.timeline.score_files import load_scores

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    for name in ("a.mp4", "b.mp4"):
        make_video(folder / name, VideoRecipe(num_frames=20, width=96))
    return folder


@pytest.fixture(scope="module")
def engine(tiny_model):
    return Engine(tiny_model, EngineOptions("cpu", "float32"))


def test_a_folder_gives_a_timeline_per_video_and_files_of_scores(folder, engine, tmp_path):
    found = list(analyze_videos(folder, engine, save_scores=str(tmp_path / "scores")))
    assert [one.video.uri for one in found] == [str(folder / "a.mp4"), str(folder / "b.mp4")]
    first = VideoSource.of(folder / "a.mp4")
    with load_scores(tmp_path / "scores" / f"{first.id}.npz") as track:
        assert track.scores.shape[1] == len(track.labels)


def test_a_failure_ends_the_run_or_is_reported(folder, engine, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    both = [broken, VideoSource.of(folder / "a.mp4")]
    with pytest.raises(SourceError):
        list(analyze_videos(both, engine))
    failed = []
    found = list(analyze_videos(both, engine, on_failure=lambda *one: failed.append(one)))
    assert [one.video.uri for one in found] == [str(folder / "a.mp4")]
    assert failed[0][0].path == broken


def test_what_is_no_source_is_refused(engine):
    with pytest.raises(OptionError, match="sources takes a list, got 3"):
        analyze_videos(3, engine)
    with pytest.raises(OptionError, match="a source is a path or an address, got 3"):
        analyze_videos([[3]], engine)

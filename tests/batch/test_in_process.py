"""A batch from Python, which the command takes over."""

import csv

import pytest

from tests.support.videos import VideoRecipe, make_video
from vswin_cli.batch.in_process import tag_batch
from vswin_cli.cli.app import run
from vswin_cli.config import EngineOptions, SegmentOptions
from vswin_cli.errors import OptionError, SourceError
from vswin_cli.inference.engine import Engine

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def engine(tiny_model):
    return Engine(tiny_model, EngineOptions("cpu", "float32", batch_size=1))


@pytest.fixture
def videos(tmp_path):
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in ("a.mp4", "b.mp4"):
        make_video(folder / name, VideoRecipe(num_frames=20, width=96))
    (folder / "broken.mp4").write_bytes(b"nothing")
    return folder


def test_the_command_takes_over_what_python_has_tagged(
    tmp_path, videos, engine, tiny_model, capsys
):
    out = tmp_path / "results.csv"
    progress = []
    report = tag_batch(videos, out, engine, on_progress=progress.append)
    assert [one.status for one in report.outcomes.values()].count("ok") == 2
    assert [one.uri for one in report.failures] == [str(videos / "broken.mp4")]
    with (tmp_path / "results.files.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 3
    again = tag_batch([str(videos)], str(out), engine)
    assert again.num_resumed == 3
    command = ["batch", str(videos), "--out", str(out), "--weights", str(tiny_model)]
    assert run([*command, "--device=cpu", "--precision=float32", "--json", "-q"]) == 3
    assert '"resumed":3' in capsys.readouterr().out


def test_a_folder_gets_a_file_per_video_in_any_format(tmp_path, videos, engine):
    tag_batch(videos / "a.mp4", f"{tmp_path}/out/", engine, format="srt")
    assert [one.name for one in (tmp_path / "out").glob("*.srt")] == ["a.srt"]


def test_an_address_stays_as_it_is(tmp_path, engine):
    address = "http://127.0.0.1:9/video.mp4"  # nothing answers at this port
    report = tag_batch(address, tmp_path / "results.csv", engine)
    assert [(one.uri, one.error_code) for one in report.failures] == [(address, "SOURCE")]


def test_wrong_arguments_are_refused_before_the_work(tmp_path, videos, engine):
    out = tmp_path / "r.csv"
    with pytest.raises(OptionError, match="takes an Engine"):
        tag_batch(videos, out, "camera-motion")
    with pytest.raises(OptionError, match="takes a path, got 3"):
        tag_batch([3], out, engine)
    with pytest.raises(SourceError):
        tag_batch(tmp_path / "nothing", out, engine)
    with pytest.raises(OptionError, match="holds one video"):
        tag_batch(videos, tmp_path / "r.srt", engine)
    with pytest.raises(OptionError):
        tag_batch(videos, out, engine, segments=SegmentOptions(include="no such label"))
    assert not out.exists()

"""Pages from what a batch kept: a real small batch, then the command."""

import json
import shutil

import pytest

from tests.support.reports import content_of
from tests.support.videos import VideoRecipe, make_video
from vswin_cli.cli.app import run
from vswin_cli.errors import SourceError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Two videos and a broken one with their results, and no longer the third that was tagged."""
    folder = tmp_path_factory.mktemp("archive")
    videos = folder / "videos"
    videos.mkdir()
    for name in ("a", "b", "gone"):
        make_video(videos / f"{name}.mp4", VideoRecipe(num_frames=24))
    (videos / "broken.mp4").write_bytes(b"nothing")
    command = ["batch", str(videos), "-m", "camera-motion", "-q"]
    command += ["-o", str(folder / "results.csv")]
    assert run(command) == 3
    (videos / "gone.mp4").unlink()
    assert run(command) == 3
    return folder


@pytest.mark.parametrize("place", ["results.csv", "results.files.csv", "", ".results.vswin"])
def test_a_batch_becomes_pages_with_movable_thresholds(finished, tmp_path, capsys, place):
    out = tmp_path / "archive.html"
    capsys.readouterr()
    assert run(["report", str(finished / place), "-o", str(out), "--no-thumbnails"]) == 0
    assert "1 failed video left out" in capsys.readouterr().err
    pages = sorted((tmp_path / "archive-videos").iterdir())
    assert [page.name for page in pages] == ["a.html", "b.html"]
    for page in pages:
        content = content_of(page.read_text())
        assert content["track"] is not None
        assert content["video_url"].endswith(f"/{page.stem}.mp4")
    assert "2 videos" in out.read_text()


def test_pages_of_a_moved_batch_find_its_scores(finished, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(finished, moved)
    for entry in (moved / ".results.vswin" / "entries").iterdir():
        document = json.loads(entry.read_text())
        document["scores"] = document["scores"] and f"/no/such/{entry.stem}.npz"
        entry.write_text(json.dumps(document))
    out = tmp_path / "archive.html"
    assert run(["report", str(moved / "results.csv"), "-o", str(out), "--no-thumbnails"]) == 0
    page = (tmp_path / "archive-videos" / "a.html").read_text()
    assert content_of(page)["track"] is not None


def test_a_folder_of_timelines_becomes_pages(finished, tmp_path):
    folder = tmp_path / "timelines"
    (folder / "day2").mkdir(parents=True)
    scores = (finished / ".results.vswin" / "scores").glob("*.npz")
    for place, file in zip((folder / "x.npz", folder / "day2" / "y.npz"), scores, strict=False):
        shutil.copy(file, place)
    out = tmp_path / "pages.html"
    assert run(["report", str(folder), "-o", str(out), "--no-thumbnails"]) == 0
    assert len(list((tmp_path / "pages-videos").iterdir())) == 2


def test_a_table_without_its_journal_and_an_empty_folder_are_refused(finished, tmp_path, capsys):
    shutil.copy(finished / "results.csv", tmp_path)
    out = ["-o", str(tmp_path / "page.html")]
    assert run(["report", str(tmp_path / "results.csv"), *out]) == SourceError.exit_code
    assert "journal" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert run(["report", str(tmp_path / "empty"), *out]) == SourceError.exit_code
    assert "no timelines in" in capsys.readouterr().err
    assert not (tmp_path / "page.html").exists()

"""Pages that are made while a batch runs: real videos, the embedded model, the command."""

import json
import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.reports import content_of
from tests.support.videos import VideoRecipe, make_video
from vswin_cli.batch.inputs import collect_inputs
from vswin_cli.batch.journal import Journal
from vswin_cli.batch.outcome import Outcome
from vswin_cli.batch.pages import BatchPages
from vswin_cli.batch.run import Progress
from vswin_cli.cli.app import run
from vswin_cli.errors import OptionError, OutputError

pytestmark = pytest.mark.slow


@pytest.fixture
def videos(tmp_path):
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in ("a", "b"):
        make_video(folder / f"{name}.mp4", VideoRecipe(num_frames=24))
    (folder / "broken.mp4").write_bytes(b"nothing")
    return folder


def command(tmp_path, *more: str) -> list[str]:
    out = str(tmp_path / "results.csv")
    return ["batch", str(tmp_path / "videos"), "-m", "camera-motion", "-o", out, *more]


def archive_of(page: Path) -> Any:
    return content_of(page.read_text())


def test_a_batch_makes_its_pages_in_the_same_run(videos, tmp_path, capsys):
    pages = tmp_path / "pages"
    assert run(command(tmp_path, "--report", str(pages))) == 3
    assert f"open {pages / 'index.html'} to follow" in capsys.readouterr().err
    archive = archive_of(pages / "index.html")
    assert archive["progress"] is None
    rows = {row["name"]: row for row in archive["rows"]}
    assert list(rows) == ["a.mp4", "b.mp4", "broken.mp4"]
    assert rows["broken.mp4"]["status"] == "failed"
    assert rows["broken.mp4"]["reason"]
    assert rows["a.mp4"]["cover"].startswith("data:image/")
    for name in "ab":
        page = pages / "index-videos" / f"{name}.html"
        assert rows[f"{name}.mp4"]["url"] == f"./index-videos/{name}.html"
        assert content_of(page.read_text())["track"] is not None
        assert content_of(page.read_text())["thumbnails"]


def test_a_second_run_makes_only_pages_that_changed(videos, tmp_path):
    pages = tmp_path / "pages" / "index-videos"
    assert run(command(tmp_path, "-q", "--report", str(pages.parent))) == 3
    before = {page.name: page.stat().st_mtime_ns for page in pages.iterdir()}
    time.sleep(0.01)
    make_video(videos / "b.mp4", VideoRecipe(num_frames=30))
    assert run(command(tmp_path, "-q", "--report", str(pages.parent))) == 3
    after = {page.name: page.stat().st_mtime_ns for page in pages.iterdir()}
    assert after["a.html"] == before["a.html"]
    assert after["b.html"] > before["b.html"]


def test_pages_never_replace_videos_results_or_files_of_others(videos, tmp_path, capsys):
    mine = tmp_path / "index.html"
    mine.write_text("my own page")
    for place, error in (
        (str(tmp_path), OutputError),
        ("s3://bucket/pages", OptionError),
    ):
        assert run(command(tmp_path, "-q", "--report", place)) == error.exit_code
    assert mine.read_text() == "my own page"
    assert not (tmp_path / "results.csv").exists()


@pytest.fixture
def journal(videos, tmp_path):
    assert run(command(tmp_path, "-q")) == 3
    return Journal(tmp_path / ".results.vswin")


def progress(num_done: int = 0) -> Progress:
    return Progress(3, num_done, 0, 0, 90.0, 3.0, 60.0, ())


def until(condition) -> None:
    for _ in range(500):
        if condition():
            return
        time.sleep(0.02)
    pytest.fail("never came true")


def test_the_table_says_how_far_the_batch_is(videos, tmp_path, journal):
    inputs = collect_inputs([str(videos)])
    page = tmp_path / "follow.html"
    with BatchPages(inputs, journal, page) as pages:
        assert not page.exists()
        pages.show(progress(num_done=1))
        until(page.exists)
        archive = archive_of(page)
    assert archive["progress"]["done"] == 1
    assert archive["progress"]["rate"] == 30.0
    assert archive["progress"]["left"] == 60.0
    assert {row["status"] for row in archive["rows"]} == {"waiting"}
    assert archive_of(page)["progress"] is None


def test_the_table_of_a_watched_folder_waits_for_more(videos, tmp_path, journal):
    inputs = collect_inputs([str(videos)])
    page = tmp_path / "follow.html"
    with BatchPages(inputs, journal, page, goes_on=True) as pages:
        for item in inputs:
            outcome = journal.outcome(item.entry)
            assert outcome is not None
            pages.add(outcome)
    state = archive_of(page)["progress"]
    assert (state["what"], state["done"]) == ("arrivals", 3)


def test_pages_left_out_at_the_end_have_their_results_in_the_table(videos, tmp_path, journal):
    inputs = collect_inputs([str(videos)])
    outcomes = [journal.outcome(item.entry) for item in inputs]
    page = tmp_path / "follow.html"
    with BatchPages(inputs, journal, page, leaves_out_rest=lambda: True) as pages:
        for outcome in outcomes:
            assert isinstance(outcome, Outcome)
            pages.add(outcome)
    rows = archive_of(page)["rows"]
    assert [row["status"] for row in rows] == ["ok", "ok", "failed"]


def test_a_run_that_cannot_begin_keeps_the_pages_of_another(videos, tmp_path, journal):
    page = tmp_path / "follow.html"
    page.write_text("of the other run")
    with pytest.raises(OutputError), BatchPages(collect_inputs([str(videos)]), journal, page):
        raise OutputError("another run holds the journal")
    assert page.read_text() == "of the other run"


def test_a_page_that_cannot_be_written_is_an_error_at_the_end(videos, tmp_path, journal):
    page = tmp_path / "gone" / "follow.html"
    page.parent.mkdir()
    inputs = collect_inputs([str(videos)])
    pages = BatchPages(inputs, journal, page)
    for left in (page.parent / "follow-videos", page.parent):
        left.rmdir()
    with pytest.raises(OutputError), pages:
        pages.show(progress())
    assert threading.active_count() < 20


def test_names_in_the_table_hide_what_gives_access(tmp_path, journal):
    inputs = collect_inputs(["https://user:secret@host.example/a.mp4?token=abcdef"])
    page = tmp_path / "follow.html"
    with BatchPages(inputs, journal, page) as pages:
        pages.show(progress())
    text = json.dumps(archive_of(page))
    assert not re.search("secret|abcdef", text)

"""Pages from what a batch kept: a real small batch, then the command."""

import json
import os
import shutil

import pytest

from tests.support.reports import content_of
from tests.support.videos import VideoRecipe, make_video
from vswin_cli.cli.app import run
from vswin_cli.cli.saved_results import batch_results
from vswin_cli.errors import SourceError

pytestmark = pytest.mark.slow


LOWERED = ["--onset", "0.3"]  # so that something is found in the videos


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Two videos and a broken one with their results, and no longer the third that was tagged."""
    folder = tmp_path_factory.mktemp("archive")
    videos = folder / "videos"
    videos.mkdir()
    for name in ("a", "b", "gone"):
        make_video(videos / f"{name}.mp4", VideoRecipe(num_frames=24))
    (videos / "broken.mp4").write_bytes(b"nothing")
    command = ["batch", str(videos), "-m", "camera-motion", *LOWERED, "-q"]
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
    assert "1 video without a result: listed" in capsys.readouterr().err
    pages = sorted((tmp_path / "archive-videos").iterdir())
    assert [page.name for page in pages] == ["a.html", "b.html"]
    for page in pages:
        content = content_of(page.read_text())
        assert content["track"] is not None
        assert content["video_url"].endswith(f"/{page.stem}.mp4")
    rows = {row["name"]: row for row in content_of(out.read_text())["rows"]}
    assert {name: row["status"] for name, row in rows.items()} == {
        "a.mp4": "ok",
        "b.mp4": "ok",
        "broken.mp4": "failed",
    }
    assert rows["broken.mp4"]["reason"] == "is not a video that FFmpeg can open"
    assert "url" not in rows["broken.mp4"]


def test_pages_list_videos_that_are_missing_or_were_not_reached(finished, tmp_path):
    ended = tmp_path / "ended"
    shutil.copytree(finished, ended)
    with (ended / "results.files.csv").open("a") as file:
        file.write("'=later.mp4,pending,,,,,,,,\nno.mp4,failed,,,,NOT_FOUND,no such file,0,1,\n")
    out = tmp_path / "archive.html"
    assert run(["report", str(ended / "results.csv"), "-o", str(out), "--no-thumbnails"]) == 0
    rows = {row["name"]: row for row in content_of(out.read_text())["rows"]}
    assert rows["=later.mp4"]["status"] == "waiting"
    assert rows["no.mp4"]["status"] == "failed"
    assert rows["no.mp4"]["reason"] == "no such file"


def test_a_page_of_one_result_beside_a_failure_lists_both(finished, tmp_path):
    one = tmp_path / "one"
    shutil.copytree(finished, one)
    table = one / "results.files.csv"
    kept = [line for line in table.read_text().splitlines(True) if "b.mp4" not in line]
    table.write_text("".join(kept))
    out = tmp_path / "archive.html"
    assert run(["report", str(one / "results.csv"), "-o", str(out), "--no-thumbnails"]) == 0
    assert [row["status"] for row in content_of(out.read_text())["rows"]] == ["ok", "failed"]


@pytest.mark.parametrize("options", [[], ["-q"]])
def test_a_damaged_entry_is_left_out_and_named_unless_quiet(finished, tmp_path, capsys, options):
    damaged = tmp_path / "damaged"
    shutil.copytree(finished, damaged)
    for path in (damaged / ".results.vswin" / "entries").iterdir():
        document = json.loads(path.read_text())
        if document["uri"].endswith("b.mp4"):
            path.write_text(json.dumps({**document, "timeline": {"segments": "none"}}))
    capsys.readouterr()
    out = tmp_path / "archive.html"
    command = ["report", str(damaged / "results.csv"), "-o", str(out), "--no-thumbnails", *options]
    assert run(command) == 0
    row = next(row for row in content_of(out.read_text())["rows"] if row["name"] == "b.mp4")
    assert row["status"] == "failed"
    assert "vswin.timeline/1" in row["reason"]
    assert not options or capsys.readouterr().err == ""
    command = ["export", str(damaged / "results.csv"), "-o", str(tmp_path / "b.csv"), *options]
    assert run(command) == 0
    err = capsys.readouterr().err
    assert ("left out: " in err) == (not options)
    assert not options or err == ""


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


@pytest.mark.parametrize("place", ["results.csv", "", ".results.vswin"])
def test_export_and_segment_read_a_finished_batch(finished, tmp_path, capsys, place):
    source = str(finished / place)
    assert run(["export", source, "-f", "srt", "-o", f"{tmp_path}/srt/", "-q"]) == 0
    assert sorted(one.name for one in (tmp_path / "srt").iterdir()) == ["a.srt", "b.srt"]
    assert run(["segment", source, "--onset", "0.99", "-o", str(tmp_path / "high.csv"), "-q"]) == 0
    assert run(["export", source, "-o", str(tmp_path / "same.csv"), "-q"]) == 0
    assert (tmp_path / "same.csv").read_text() == (finished / "results.csv").read_text()
    assert (tmp_path / "high.csv").read_text() != (finished / "results.csv").read_text()


def test_segment_needs_scores(finished, tmp_path, capsys):
    bare = tmp_path / "bare"
    shutil.copytree(finished, bare)
    shutil.rmtree(bare / ".results.vswin" / "scores")
    for entry in (bare / ".results.vswin" / "entries").iterdir():
        document = json.loads(entry.read_text())
        document["scores"] = None
        entry.write_text(json.dumps(document))
    capsys.readouterr()
    assert run(["segment", str(bare / "results.csv"), "-q"]) == SourceError.exit_code
    assert "has no scores" in capsys.readouterr().err


def test_results_are_never_replaced_by_what_is_made_of_them(finished, tmp_path, capsys):
    folder = tmp_path / "timelines"
    folder.mkdir()
    assert run(["export", str(finished), "-f", "json", "-o", f"{folder}/", "-q"]) == 0
    before = {one: one.read_bytes() for one in folder.iterdir()}
    assert run(["export", str(folder), "-f", "json", "-o", f"{folder}/", "-q"]) == 2
    assert "is an input" in capsys.readouterr().err
    assert {one: one.read_bytes() for one in folder.iterdir()} == before


def test_a_folder_lists_a_video_once_however_often_it_was_saved(finished, tmp_path, capsys):
    folder = tmp_path / "saved"
    folder.mkdir()
    for place in ("first", "second"):
        run(["export", str(finished), "-f", "json", "-o", f"{folder}/{place}/", "-q"])
    # The scores of the third video are still there, though no longer its row in the table.
    shutil.copytree(finished / ".results.vswin" / "scores", folder / "scores")
    out = tmp_path / "page.html"
    assert run(["report", str(folder), "-o", str(out), "--no-thumbnails"]) == 0
    pages = sorted((tmp_path / "page-videos").iterdir())
    assert [page.name for page in pages] == ["a.html", "b.html", "gone.html"]
    assert all(content_of(page.read_text())["track"] for page in pages)
    assert run(["segment", str(folder), "-f", "csv", "-q"]) == 0
    assert {row.split(",")[0] for row in capsys.readouterr().out.splitlines()[1:]} == {
        str(finished / "videos" / f"{name}.mp4") for name in ("a", "b", "gone")
    }


def test_a_journal_without_tables_lists_a_moved_video_once(finished, tmp_path):
    folder = tmp_path / "moved"
    shutil.copytree(finished, folder)
    (folder / "results.files.csv").unlink()
    (folder / "results.csv").unlink()
    entries = folder / ".results.vswin" / "entries"
    document = next(
        one for one in map(json.loads, (path.read_text() for path in entries.iterdir()))
        if one["uri"].endswith("/a.mp4")
    )  # fmt: skip
    document |= {"uri": str(tmp_path / "before" / "a.mp4"), "entry": "0" * 24}
    document["timeline"]["video"]["uri"] = document["uri"]
    (entries / f"{document['entry']}.json").write_text(json.dumps(document))
    found = [one.timeline.video.uri for one in batch_results(folder / ".results.vswin", quiet=True)]
    assert sorted(found) == [
        str(finished / "videos" / f"{name}.mp4") for name in ("a", "b", "gone")
    ]


def test_another_format_elsewhere_takes_the_results_of_an_earlier_batch(finished, capsys):
    """Nothing is decoded: with every byte of the videos lost, the results are the same."""
    videos = finished / "videos"
    for name in ("a", "b"):
        path = videos / f"{name}.mp4"
        status, size = path.stat(), path.stat().st_size
        path.write_bytes(bytes(size))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    command = ["batch", str(videos), "-m", "camera-motion", *LOWERED, "-f", "srt"]
    capsys.readouterr()
    assert run([*command, "-o", f"{finished / 'subtitles'}/"]) == 3
    assert "2 results of an earlier batch taken from" in capsys.readouterr().err
    assert run(["export", str(finished), "-f", "srt", "-o", f"{finished / 'other'}/", "-q"]) == 0
    for name in ("a.srt", "b.srt"):
        made = (finished / "subtitles" / name).read_text()
        assert made == (finished / "other" / name).read_text()
    assert run([*command, "-o", f"{finished / 'again'}/", "--no-resume", "-q"]) == 4


def test_a_batch_with_pages_ends_with_the_one_to_open(finished, tmp_path, capsys):
    again = tmp_path / "again"
    shutil.copytree(finished, again)
    command = ["batch", str(again / "videos"), "-m", "camera-motion", *LOWERED]
    command += ["-o", str(again / "results.csv"), "--report", f"{again}/pages/"]
    assert run([*command, "--json"]) == 3
    page = str(again / "pages" / "index.html")
    assert json.loads(capsys.readouterr().out)["report"] == page
    assert run(command) == 3
    assert capsys.readouterr().err.splitlines()[-1] == f"open {page} in a browser"

"""`vswin cut` as a user calls it."""

import csv
import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import av
import pytest

from tests.cutting.test_run import tagged
from tests.support.videos import VideoRecipe, make_video
from vswin_cli.cli.app import run
from vswin_cli.export import write_timeline

pytestmark = pytest.mark.slow


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """A timeline in the current folder, whose video is beside it."""
    monkeypatch.chdir(tmp_path)
    make_video(tmp_path / "movie.mp4", VideoRecipe(options={"sc_threshold": "0"}))
    one = tagged("movie.mp4", (0.4, 0.8, "pan-left"), (0.9, 1.3, "zoom"))
    write_timeline(one, "json", tmp_path / "movie.json")
    return one


def table():
    with Path("clips/clips.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    "form", ["json", "jsonl", "csv", "tsv", "csv-bom", "csv-semicolon", "folder"]
)
def test_timelines_tables_and_folders_are_read(saved, tmp_path, form, capsys):
    folder = tmp_path / "tl"
    folder.mkdir()
    source = folder / ("a.json" if form == "folder" else f"a.{form}")
    write_timeline(saved, "json" if form == "folder" else form, source)
    shutil.move("movie.mp4", folder)  # found beside the timeline, wherever the command runs
    assert run(["cut", str(folder if form == "folder" else source), "-o", "clips"]) == 0
    assert [row["label"] for row in table()] == ["pan-left", "zoom"]
    err = capsys.readouterr().err
    assert "2 clips in clips: 2 copied, 0 encoded" in err
    assert "begin up to 0.1 s early" in err


def test_clips_are_not_put_among_the_videos_unless_forced(saved, capsys):
    before = sorted(Path().iterdir())
    assert run(["cut", "movie.json", "-o", "."]) == 8
    assert "holds movie.mp4, which clips are cut from" in capsys.readouterr().err
    assert sorted(Path().iterdir()) == before
    assert run(["cut", "movie.json", "-o", ".", "--force"]) == 0
    assert run(["cut", "movie.json", "-o", "."]) == 0  # the table says that it is meant


def test_json_says_what_was_cut(saved, capsys):
    assert run(["cut", "movie.json", "-o", "clips", "--include", "pan-*", "--exact", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    (clip,) = document["clips"]
    assert (clip["label"], clip["mode"], clip["early_seconds"]) == ("pan-left", "exact", 0)
    assert document["failures"] == 0


def test_exit_codes_say_what_failed(saved, tmp_path, capsys):
    gone = tagged("gone.mp4", (0, 1, "a"))
    write_timeline(gone, "json", tmp_path / "gone.json")
    assert run(["cut", "gone.json", "movie.json", "-o", "clips"]) == 3
    assert run(["cut", "gone.json", "-o", "none"]) == 4
    assert "the video gone.mp4 was not found" in capsys.readouterr().err
    assert not (tmp_path / "none" / "clips.csv").exists()
    shutil.copy("movie.mp4", "clips/movie_00000.400-00000.800_pan-left.mp4")
    assert run(["cut", "movie.json", "-o", "clips"]) == 8
    assert run(["cut", "movie.json", "-o", "clips", "--force"]) == 0
    assert run(["cut", "movie.json", "-o", "missing/clips"]) == 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["movie.json"], "nothing to write"),
        (["movie.json", "-o", "clips", "--copy", "--exact"], "exclude each other"),
        (["movie.json", "-o", "clips", "--label", "zom"], "did you mean `zoom`"),
        (["movie.json", "--list", "list.mp4"], "named like a media file"),
        (["movie.json", "-o", "s3://bucket/clips"], "is an address"),
        (["movie.json", "-o", "movie.json"], "cannot write"),
        (["movie.mp4", "-o", "clips"], "needs its timeline"),
        (["none.json", "-o", "clips"], "cannot read none.json"),
        (["empty", "-o", "clips"], "no timelines in empty"),
        (["bad.csv", "-o", "clips"], "bad.csv, line 2: the interval from 3.0 to 1.0 s ends"),
        (["short.csv", "-o", "clips"], "short.csv, line 1: got 2 columns"),
    ],
)
def test_bad_input_gives_one_error_and_nothing_else(saved, tmp_path, arguments, message, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.csv").write_text("video,start,end,label\nmovie.mp4,3,1,a\n")
    (tmp_path / "short.csv").write_text("a,b\n")
    assert run(["cut", *arguments]) in (2, 4, 8)
    err = capsys.readouterr().err
    assert message in err
    assert err.count("error: ") == 1
    assert not (tmp_path / "clips").exists()


def test_instants_are_left_out_with_a_word(saved, tmp_path, capsys):
    one = replace(saved, segments=tagged("", (0.5, 0.5, "cut")).segments)
    write_timeline(one, "json", tmp_path / "cuts.json")
    assert run(["cut", "cuts.json", "-o", "clips"]) == 0
    err = capsys.readouterr().err
    assert "1 segment without length left out; --pad SECONDS" in err
    assert run(["cut", "cuts.json", "-o", "clips", "--pad", "0.2"]) == 0
    assert len(table()) == 1


def test_a_list_names_parts_of_the_original(saved, tmp_path):
    shutil.move("movie.mp4", "it's.mkv")
    make_video(tmp_path / "it's.mkv", VideoRecipe(start=5.0))
    one = replace(saved, video=replace(saved.video, uri="it's.mkv"))
    write_timeline(one, "json", tmp_path / "movie.json")
    assert run(["cut", "movie.json", "--label", "zoom", "--list", "zoom.ffconcat"]) == 0
    assert (tmp_path / "zoom.ffconcat").read_text().splitlines() == [
        "ffconcat version 1.0",
        "# made by vswin",
        r"file 'it'\''s.mkv'",
        "inpoint 5.900000",
        "outpoint 6.300000",
    ]
    assert run(["cut", "movie.json", "--list", "zoom.ffconcat"]) == 0  # its own list
    (tmp_path / "zoom.ffconcat").write_text("ffconcat version 1.0\nfile mine.mp4\n")
    assert run(["cut", "movie.json", "--list", "zoom.ffconcat"]) == 8


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="needs ffprobe")
@pytest.mark.parametrize(
    ("mode", "first", "seconds"), [("--exact", 0.4, 0.4), ("--copy", 0.4, 0.4)]
)
def test_another_reader_finds_the_same_times(saved, mode, first, seconds):
    assert run(["cut", "movie.json", "-o", "clips", mode]) == 0
    path = f"clips/{table()[0]['path']}"
    command = ["ffprobe", "-v", "error", "-of", "json", "-show_format", "-show_frames", path]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    times = [float(frame["pts_time"]) for frame in found["frames"]]
    assert times == pytest.approx([i / 30 for i in range(12)], abs=0.001)
    assert float(found["format"]["duration"]) == pytest.approx(seconds, abs=0.001)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
def test_ffmpeg_reads_the_list(saved, tmp_path):
    make_video(tmp_path / "movie.mp4", VideoRecipe(gop=1))
    assert run(["cut", "movie.json", "--list", "all.ffconcat"]) == 0
    command = ["ffmpeg", "-v", "error", "-i", "all.ffconcat", "-c", "copy", "joined.mp4"]
    subprocess.run(command, check=True)
    with av.open("joined.mp4") as opened:
        assert opened.streams.video[0].frames == 24


def test_an_interrupted_run_keeps_what_it_made_and_goes_on(tmp_path):
    video = make_video(tmp_path / "movie.mp4", VideoRecipe(num_frames=450, width=320, height=240))
    spans = [(i * 0.5, i * 0.5 + 4, "a") for i in range(20)]
    write_timeline(tagged(video, *spans), "json", tmp_path / "movie.json")
    command = [sys.executable, "-m", "vswin_cli", "cut", "movie.json", "--exact", "-o", "clips"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE) as child:
        while len(list(tmp_path.glob("clips/*.mp4"))) < 2 and child.poll() is None:
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        child.communicate()
    assert child.returncode == 130
    table, *made = sorted(path.name for path in (tmp_path / "clips").iterdir())
    assert table == "clips.csv"
    assert all(name.endswith("_a.mp4") and name[0] != "." for name in made)  # nothing half done
    rows = (tmp_path / "clips" / table).read_text().splitlines()[1:]
    names = [row.partition(",")[0] for row in rows]
    assert names == made[: len(names)]
    assert len(made) - 1 <= len(names) < 20  # the newest may lack its row
    done = subprocess.run([*command, "--json"], cwd=tmp_path, capture_output=True, check=True)
    clips = json.loads(done.stdout)["clips"]
    assert [clip["new"] for clip in clips] == [False] * len(made) + [True] * (20 - len(made))

"""Results never replace files of the user: recognised by content, refused by name."""

import io
import zipfile
from pathlib import Path

import pytest

from tests.support.timelines import columns, timeline, track_of
from tests.support.videos import VideoRecipe, make_video
from vswin_cli.cli.app import run
from vswin_cli.cli.overwriting import is_own_file
from vswin_cli.export import FORMATS, write_timeline, write_timelines
from vswin_cli.report import ReportSource, write_report
from vswin_cli.timeline.provenance import VideoRecord
from vswin_cli.timeline.score_files import save_track

FOREIGN = {
    "subtitles.srt": "1\n00:00:01,000 --> 00:00:02,000\nHello there.\n",
    "mixed.srt": "1\n00:00:01,000 --> 00:00:02,000\nrun 0.93\n\n"
    "2\n00:00:03,000 --> 00:00:04,000\nBy hand\n",
    "captions.vtt": "WEBVTT\n\nNOTE made by hand\n",
    "cut.edl": "TITLE: mine\nFCM: NON-DROP FRAME\n\n"
    "001  BL       V     C        00:00:00:00 00:00:01:00 00:00:00:00 00:00:01:00\n",
    "notes.txt": "start of my notes\nend of them\n",
    "table.csv": "video,start,end,label\na.mp4,0,1,cat\n",
    "truth.json": '{"version": "VERSION 1.3", "database": {}}\n',
    "package.json": '{"name": "vswin-viewer"}\n',
    "page.html": "<!doctype html>\n<html><head><title>about vswin</title></head></html>\n",
    "binary.json": "\x00\x01\x02",
}


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "saved.json"
    write_timeline(timeline(), "json", path)
    return path


@pytest.fixture
def scores(tmp_path):
    path = tmp_path / "saved.npz"
    with track_of(columns((20, 0.9))) as track:
        save_track(track, timeline(), path)
    return path


@pytest.mark.parametrize("segments", [True, False], ids=["segments", "none"])
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_recognised(tmp_path, name, segments):
    made = timeline() if segments else timeline(segments=())
    path = tmp_path / f"result{FORMATS[name].suffix}"
    write_timeline(made, name, path)
    assert is_own_file(path)


@pytest.mark.parametrize("name", [name for name, one in FORMATS.items() if one.holds_many])
def test_a_file_of_several_videos_is_recognised(tmp_path, name):
    video = timeline().video
    others = [timeline(video=type(video)(uri=f"{i}.mp4", size_bytes=1)) for i in range(2)]
    path = tmp_path / "many"
    if name == "labelstudio":  # counts frames, and these videos have no rate
        others = [timeline()] * 2
    write_timelines(others, name, path)
    assert is_own_file(path)


def test_a_long_file_is_recognised_by_its_beginning(tmp_path):
    (one, *_), path = timeline().segments, tmp_path / "long.srt"
    text = io.StringIO()
    write_timeline(timeline(segments=(one,)), "srt", text)
    path.write_text((text.getvalue() + "\n") * 50_000)
    assert path.stat().st_size > 2 << 20
    assert is_own_file(path)


def test_scores_and_reports_are_recognised(tmp_path, scores, saved):
    page = tmp_path / "page.html"
    write_report([ReportSource(timeline())], page, thumbnails=False)
    assert is_own_file(scores)
    assert is_own_file(page)


@pytest.mark.parametrize("name", FOREIGN)
def test_what_others_wrote_is_not_taken_for_ours(tmp_path, name):
    path = tmp_path / name
    path.write_text(FOREIGN[name])
    assert not is_own_file(path)


@pytest.mark.parametrize("name", [name for name in FOREIGN if not name.endswith("html")])
def test_export_replaces_a_foreign_file_only_by_force(tmp_path, saved, capsys, name):
    path = tmp_path / name
    path.write_text(FOREIGN[name])
    command = ["export", str(saved), "-f", "csv", "-o", str(path)]
    assert run(command) == 8
    assert "was not written by vswin" in capsys.readouterr().err
    assert path.read_text() == FOREIGN[name]
    assert run([*command, "--force"]) == 0
    assert path.read_text() != FOREIGN[name]
    assert run(command) == 0  # now it is ours


@pytest.mark.parametrize("name", ["photo.png", "movie.mov", "song.mp3", "clip.TS", "picture.webp"])
@pytest.mark.parametrize("command", ["export", "segment", "report"])
def test_a_name_of_media_is_refused_for_any_result(tmp_path, saved, scores, capsys, name, command):
    path = tmp_path / name
    path.write_bytes(b"precious")
    given = scores if command == "segment" else saved
    form = [] if command == "report" else ["-f", "csv"]
    for force in ([], ["--force"]):
        assert run([command, str(given), *form, "-o", str(path), *force]) == 2
        err = capsys.readouterr().err
        assert "named like a media file" in err
        assert err.endswith(f"such as {path.stem}{'.html' if command == 'report' else '.csv'}\n")
    assert path.read_bytes() == b"precious"


def test_a_report_does_not_replace_another_page(tmp_path, saved, capsys):
    path = tmp_path / "page.html"
    path.write_text(FOREIGN["page.html"])
    command = ["report", str(saved), "-o", str(path), "--no-thumbnails"]
    assert run(command) == 8
    assert path.read_text() == FOREIGN["page.html"]
    assert run([*command, "--force"]) == 0
    assert run(command) == 0


@pytest.mark.parametrize(
    ("option", "name", "code"),
    [
        ("-o", "notes.txt", 8),
        ("--save-scores", "notes.txt", 8),
        ("--report", "page.html", 8),
        ("--save-scores", "photo.png", 2),
        ("--report", "photo.jpg", 2),
        ("-o", "photo.gif", 2),
    ],
)
def test_tag_refuses_before_any_work(tmp_path, capsys, monkeypatch, option, name, code):
    video = tmp_path / "video.mp4"
    make_video(video, VideoRecipe(num_frames=4))
    path = tmp_path / name
    path.write_text("precious")
    monkeypatch.setattr("vswin_cli.cli.tag.make_engine", None)  # would be called to work
    form = ["-f", "csv"] if option == "-o" else []
    assert run(["tag", str(video), option, str(path), *form]) == code
    assert Path(name).suffix in capsys.readouterr().err
    assert path.read_text() == "precious"


def test_a_folder_of_results_keeps_what_is_not_ours(tmp_path, saved, capsys):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "a b.json").write_text("{}")
    assert run(["export", str(saved), "-o", f"{folder}/"]) == 8
    assert (folder / "a b.json").read_text() == "{}"


def two_timelines(folder):
    paths = [folder / f"{name}.json" for name in ("one", "two")]
    for path in paths:
        record = VideoRecord(uri=f"/videos/{path.stem}.mp4", duration_seconds=20.0)
        write_timeline(timeline(video=record), "json", path)
    return [str(path) for path in paths]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["one.html", "two.html"])
@pytest.mark.parametrize("target", ["days.html", "pages/"])
def test_pages_of_several_videos_replace_no_other_page(tmp_path, capsys, name, target):
    saved = two_timelines(tmp_path)
    folder = tmp_path / target / "index-videos" if target[-1] == "/" else tmp_path / "days-videos"
    folder.mkdir(parents=True)
    path = folder / name
    path.write_text(FOREIGN["page.html"])
    command = ["report", *saved, "-o", f"{tmp_path}/{target}", "--no-thumbnails"]
    assert run(command) == 8
    assert f"{path} exists and was not written by vswin" in capsys.readouterr().err
    assert [one.name for one in folder.iterdir()] == [name]
    assert path.read_text() == FOREIGN["page.html"]
    assert run([*command, "--force"]) == 0
    assert run(command) == 0  # now all are ours
    assert sorted(one.name for one in folder.iterdir()) == ["one.html", "two.html"]


def test_a_file_in_place_of_the_folder_of_pages_is_refused_at_once(tmp_path, capsys):
    saved = two_timelines(tmp_path)
    (tmp_path / "days-videos").write_text("precious")
    assert run(["report", *saved, "-o", str(tmp_path / "days.html"), "--force"]) == 8
    assert "days-videos" in capsys.readouterr().err
    assert not (tmp_path / "days.html").exists()


def test_tag_checks_all_pages_of_its_report_before_any_work(tmp_path, capsys, monkeypatch):
    videos = [tmp_path / "one.mp4", tmp_path / "two.mp4"]
    for video in videos:
        make_video(video, VideoRecipe(num_frames=4))
    page = tmp_path / "days-videos" / "two.html"
    page.parent.mkdir()
    page.write_text(FOREIGN["page.html"])
    monkeypatch.setattr("vswin_cli.cli.tag.make_engine", None)  # would be called to work
    assert run(["tag", *map(str, videos), "--report", str(tmp_path / "days.html")]) == 8
    assert str(page) in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("labels.csv", "path,label\na.mp4,cat\n", 8),
        ("table.csv", FOREIGN["table.csv"], 8),
        ("ours.csv", "path,label,rank,predicted,score,problem\n", 4),
        ("empty.csv", "", 4),
        ("photo.jpg", "precious", 2),
    ],
)
def test_predictions_replace_only_predictions(tmp_path, capsys, tiny_model, name, content, code):
    listed, path = tmp_path / "list.csv", tmp_path / name
    listed.write_text("path,label\ngone.mp4,label a\n")  # all videos fail, after the check
    path.write_text(content)
    command = ["evaluate", "topk", str(listed), "--weights", str(tiny_model)]
    command += ["--predictions", str(path), "--device", "cpu", "-q"]
    assert run(command) == code
    assert (path.read_text() == content) == (code != 4)
    if code == 8:
        assert "--force" in capsys.readouterr().err
        assert run([*command, "--force"]) == 4


def test_a_letter_on_the_edge_of_what_is_read_does_not_disown_a_file(tmp_path):
    path = tmp_path / "long.srt"
    one = "1\n00:00:01,000 --> 00:00:02,000\n{} 0.93\n\n"
    for shift in range(3):
        text = one.format("a" * shift + "字") * (1 << 15)
        assert len(text.encode()) > 1 << 20
        path.write_text(text[:-1])
        assert is_own_file(path)


@pytest.mark.parametrize("kind", ["deflate", "encrypted", "method", "cut"])
def test_a_damaged_archive_is_not_ours_and_no_fault(tmp_path, kind):
    path = tmp_path / "other.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("meta.json", '{"schema": "vswin.scores/1"}' * 9)
    data = bytearray(path.read_bytes())
    central = data.index(b"PK\x01\x02")
    if kind == "deflate":
        data[39:44] = b"\xff" * 5
    elif kind == "encrypted":
        data[6] |= 1
        data[central + 8] |= 1
    elif kind == "method":
        data[8] = data[central + 10] = 99
    else:
        del data[20:30]
    path.write_bytes(data)
    assert not is_own_file(path)


def test_a_picture_may_be_named_like_an_image_and_nothing_else_may(tmp_path, saved, capsys):
    for name in ("a.svg", "a.png"):
        assert run(["export", str(saved), "-o", str(tmp_path / name)]) == 0
        assert run(["export", str(saved), "-o", str(tmp_path / name)]) == 0
        assert run(["export", str(saved), "-f", "csv", "-o", str(tmp_path / name)]) == 2
    (tmp_path / "mine.png").write_bytes(b"\x89PNG\r\n\x1a\nmine")
    assert run(["export", str(saved), "-o", str(tmp_path / "mine.png")]) == 8
    assert "was not written by vswin" in capsys.readouterr().err

import shutil
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from tests.support.reports import content_of, make_report_video
from vswin_cli.cli.app import app, run
from vswin_cli.errors import OptionError, OutputError, SourceError
from vswin_cli.export import write_timeline
from vswin_cli.timeline.record import ModelRecord
from vswin_cli.timeline.score_files import load_track, save_track


@pytest.fixture(scope="module")
def tagged(tmp_path_factory):
    return make_report_video(tmp_path_factory.mktemp("video"))


@pytest.mark.slow
def test_command_reads_scores_and_finds_the_video(tagged, tmp_path):
    out = tmp_path / "page.html"
    result = CliRunner().invoke(app, ["report", str(tagged.scores), "-o", str(out)])
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "wrote" in result.stderr
    content = content_of(out.read_text())
    assert content["track"] is not None
    assert content["thumbnails"]
    assert content["video_url"].endswith("/video.webm")


def test_command_joins_timelines_with_their_scores_and_finds_moved_videos(tagged, tmp_path):
    (tmp_path / "video.webm").write_bytes(tagged.video.read_bytes())
    moved = replace(
        tagged.timeline, video=replace(tagged.timeline.video, uri="elsewhere/video.webm")
    )
    write_timeline(moved, "json", tmp_path / "video.json")
    out = tmp_path / "page.html"
    arguments = ["--scores", str(tagged.scores), "-o", str(out), "--no-thumbnails", "-q"]
    assert run(["report", str(tmp_path / "video.json"), *arguments]) == 0
    content = content_of(out.read_text())
    assert content["video_url"] == "./video.webm"
    assert content["thumbnails"] == []
    assert content["track"] is not None


@pytest.mark.slow
def test_command_refuses_what_does_not_fit(tagged, tmp_path, capsys):
    out = ["-o", str(tmp_path / "page.html")]
    two = [str(tagged.scores), str(tagged.scores)]
    assert run(["report", *two, "--video", str(tagged.video), *out]) == OptionError.exit_code
    assert "2 timelines, but 1 time --video" in capsys.readouterr().err
    assert run(["report", two[0], "--video", "nowhere.mp4", *out]) == OptionError.exit_code
    assert run(["report", str(tmp_path / "none.json"), *out]) == SourceError.exit_code
    capsys.readouterr()
    assert run(["report", str(tagged.video), *out]) == SourceError.exit_code
    assert f"`vswin tag {tagged.video} --report" in capsys.readouterr().err
    assert (
        run(["report", two[0], "-o", str(tmp_path / "no" / "page.html")]) == OutputError.exit_code
    )
    assert list(tmp_path.iterdir()) == []


def test_command_never_overwrites_what_the_page_is_made_of(tagged, tmp_path, capsys):
    (tmp_path / "video.webm").write_bytes(tagged.video.read_bytes())
    (tmp_path / "video.npz").write_bytes(tagged.scores.read_bytes())
    moved = replace(tagged.timeline, video=replace(tagged.timeline.video, uri="video.webm"))
    write_timeline(moved, "json", tmp_path / "video.json")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for place in before:
        scores = ["--scores", str(tmp_path / "video.npz")]
        code = run(["report", str(tmp_path / "video.json"), *scores, "-o", str(place)])
        assert code == OptionError.exit_code
        assert f"{place} is an input" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("name", ["page.txt", "page"])
def test_a_page_without_an_html_ending_is_refused(tagged, tmp_path, capsys, name):
    code = run(["report", str(tagged.scores), "-o", str(tmp_path / name)])
    assert code == OptionError.exit_code
    error, hint = capsys.readouterr().err.splitlines()
    assert error.endswith(f"{name} must end with .html, as the report is an HTML page")
    assert hint == "hint: use page.html, or end the name with a / for a folder"
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_score_file_is_named(tagged, tmp_path, capsys):
    bad = tmp_path / "bad.npz"
    bad.write_bytes(tagged.scores.read_bytes()[:500])
    assert run(["report", str(bad), "-o", str(tmp_path / "page.html")]) == SourceError.exit_code
    assert "bad.npz" in capsys.readouterr().err


@pytest.fixture
def of_models(tagged, tmp_path):
    """A folder with a timeline of two models and the scores of each."""
    folder = tmp_path / "results"
    folder.mkdir()
    other = make_report_video(folder, "video.webm", seed=4, with_video=False, labels=("a", "b"))
    video = replace(tagged.timeline.video, size_bytes=None)
    moves = replace(other.timeline, model=ModelRecord(id="moves"), video=video)
    track, _ = load_track(other.scores)
    with track:
        save_track(track, moves, folder / "s.moves.npz")
    other.scores.unlink()
    shutil.copy(tagged.scores, folder / "s.first.npz")
    write_timeline(tagged.timeline.with_tracks([moves]), "json", folder / "both.json")
    return folder


def test_a_folder_with_scores_of_several_models_becomes_one_page(of_models, tmp_path):
    out = tmp_path / "page.html"
    assert run(["report", str(of_models), "-o", str(out), "--no-thumbnails"]) == 0
    content = content_of(out.read_text())
    assert content["track"] is not None
    (moves,) = content["models"]
    assert moves["track"]["labels"] == ["a", "b"]


def test_scores_are_given_for_each_model_or_for_the_first(of_models, tmp_path, capsys):
    out = tmp_path / "page.html"
    words = ["report", str(of_models / "both.json"), "-o", str(out), "--no-thumbnails"]
    scores = [["--scores", str(of_models / f"s.{name}.npz")] for name in ("first", "moves")]
    assert run([*words, *scores[0], *scores[1]]) == 0
    assert content_of(out.read_text())["models"][0]["track"] is not None
    assert run([*words, *scores[0]]) == 0
    content = content_of(out.read_text())
    assert content["track"] is not None
    assert content["models"][0]["track"] is None
    assert run([*words, *scores[0] * 3]) == OptionError.exit_code
    assert "1 timeline, but 3 times --scores" in capsys.readouterr().err


def test_a_newer_result_of_one_model_does_not_replace_that_of_several(of_models, tagged, tmp_path):
    newer = replace(tagged.timeline, created="2100-01-01T00:00:00Z")
    write_timeline(newer, "json", of_models / "later.json")
    out = tmp_path / "page.html"
    assert run(["report", str(of_models), "-o", str(out), "--no-thumbnails"]) == 0
    content = content_of(out.read_text())
    assert [one["record"]["model"]["id"] for one in content["models"]] == ["moves"]

"""`vswin probe` and what stands behind it."""

import json

import pytest
import typer
from typer.testing import CliRunner

from tests.videos import VideoRecipe, cut_short, drop_packets, make_audio, make_video
from vswin_cli.cli.probe import probe
from vswin_cli.errors import NoVideoStreamError, SourceNotFoundError
from vswin_cli.inspection import inspect
from vswin_cli.sources import VideoSource

runner = CliRunner()
app = typer.Typer()
app.command()(probe)


def run(*arguments):
    return runner.invoke(app, [str(argument) for argument in arguments])


def run_json(*arguments):
    result = run(*arguments, "--json")
    body = json.loads(result.stdout)
    assert body["schema"] == "vswin.probe/1"
    return result, body["videos"]


def test_text_tells_format_rate_and_duration(tmp_path):
    result = run(make_video(tmp_path / "a.mkv", VideoRecipe(rotation=90, width=96)))
    assert result.exit_code == 0
    assert "h264 96×64, yuv420p 8 bit, turned by 90° to 64×96" in result.stdout
    assert "30 declared, 29.99 measured" in result.stdout
    assert "00:02.000 declared" in result.stdout
    assert "status" not in result.stdout


def test_scan_tells_what_is_missing(tmp_path):
    whole = make_video(tmp_path / "whole.mkv", VideoRecipe(num_frames=150, gop=10))
    result = run(drop_packets(whole, tmp_path / "a.mkv", range(50, 90)), "--scan")
    assert "status      partial" in result.stdout
    assert "00:05.000, 110 frames" in result.stdout
    assert "00:01.666 to 00:03.000, missing frames" in result.stdout


def test_json_holds_the_same(tmp_path):
    path = make_video(tmp_path / "a.mkv", VideoRecipe(num_frames=300))
    result, (video,) = run_json(cut_short(path, 0.5), "--scan")
    assert result.exit_code == 0
    assert video["uri"] == str(path)
    assert video["status"] == "partial"
    assert video["video"]["cut_off"] is True
    assert video["video"]["fps_rational"] == "30"
    assert video["scan"]["end"] == "truncated"
    assert video["scan"]["gaps"][0]["reason"] == "truncated"


def test_without_scan_nothing_is_claimed_about_the_rest(tmp_path):
    _, (video,) = run_json(make_video(tmp_path / "a.mp4"))
    assert video["scan"] is None
    assert video["status"] is None


def test_warnings_are_shown(tmp_path):
    result = run(make_video(tmp_path / "a.h264"))
    assert "NO_TIMESTAMPS" in result.stdout


def test_one_bad_file_does_not_hide_the_others(tmp_path):
    good = make_video(tmp_path / "a.mp4")
    bad = make_audio(tmp_path / "b.mp4")
    result, (first, second) = run_json(good, bad)
    assert result.exit_code == 3
    assert first["video"]["codec"] == "h264"
    assert second["status"] == "failed"
    assert second["error"]["code"] == "NO_VIDEO_STREAM"
    text = run(good, bad)
    assert text.exit_code == 3
    assert "h264" in text.stdout


def test_single_bad_file_is_an_error(tmp_path):
    result = run(make_audio(tmp_path / "b.mp4"))
    assert isinstance(result.exception, NoVideoStreamError)
    assert isinstance(run(tmp_path / "none.mp4").exception, SourceNotFoundError)


def test_folder_is_probed_file_by_file(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        make_video(tmp_path / name)
    _, videos = run_json(tmp_path)
    assert len(videos) == 2


def test_inspection_reports_progress_while_scanning(tmp_path):
    path = make_video(tmp_path / "a.mp4")
    seen = []
    found = inspect(
        VideoSource.of(str(path)), scan=True, on_progress=lambda done, total: seen.append(total)
    )
    assert found.report is not None
    assert found.report.frames_decoded == 60
    assert seen[0] == pytest.approx(2.0)

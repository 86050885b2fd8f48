"""`vswin probe` and what it is made of."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction

import av
import pytest
import typer
from typer.testing import CliRunner

from tests.support.videos import VideoRecipe, cut_short, drop_packets, make_audio, make_video
from vswin_cli.cli.probe import _rate_at_a_glance, _rate_found, probe
from vswin_cli.errors import NoVideoStreamError, OptionError, SourceNotFoundError
from vswin_cli.storage.sources import VideoSource
from vswin_cli.video.info import DecodeReport, VideoInfo
from vswin_cli.video.probe import inspect

pytestmark = pytest.mark.slow

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


def test_text_shows_format_rate_and_duration(tmp_path):
    result = run(make_video(tmp_path / "a.mkv", VideoRecipe(rotation=90, width=96)))
    assert result.exit_code == 0
    turned = "rotated 90° counter-clockwise, shown as 64×96"
    assert f"h264 96×64, yuv420p 8 bit, {turned}" in result.stdout
    assert "frame rate  30 per second\n" in result.stdout
    assert " 0:02.000 declared" in result.stdout
    assert "status" not in result.stdout


def test_a_start_timecode_is_shown(tmp_path):
    path = make_video(tmp_path / "a.mp4", VideoRecipe(rate=Fraction(25)))
    with av.open(str(path)) as source, av.open(str(tmp_path / "b.mkv"), "w") as output:
        output.metadata["timecode"] = "10:00:00:00"
        stream = output.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                output.mux(packet)
    assert "timecode    starts at 10:00:00:00" in run(tmp_path / "b.mkv").stdout
    assert "starts at" not in run(path).stdout


def test_scan_shows_what_is_missing(tmp_path):
    whole = make_video(tmp_path / "whole.mkv", VideoRecipe(num_frames=150, gop=10))
    result = run(drop_packets(whole, tmp_path / "a.mkv", range(50, 90)), "--scan")
    assert "status      partial" in result.stdout
    assert " 0:05.000, 110 frames" in result.stdout
    assert " 0:01.666 to 0:03.000, missing frames" in result.stdout


INFO = VideoInfo(
    size_bytes=1,
    container="mp4",
    codec="h264",
    width=64,
    height=64,
    rotation_degrees=0,
    sample_aspect_ratio="1:1",
    pixel_format="yuv420p",
    bit_depth=8,
    time_base_seconds=1e-3,
    start_seconds=0.0,
    declared_frame_rate=None,
    measured_frame_rate=None,
    declared_duration_seconds=None,
    duration_source=None,
    seekable=True,
    cut_off=False,
)


@pytest.mark.parametrize(
    ("declared", "first", "expected"),
    [
        ("30000/1001", 29.94, "29.97 per second"),
        ("2009/100", 30.0, "20.09 per second by the container, 30 by the first frames; --scan"),
        (None, 25.0, "25 per second"),
        ("25", None, "25 per second"),
        (None, None, "unknown"),
    ],
)
def test_without_scan_one_frame_rate_is_shown_if_there_is_one(declared, first, expected):
    info = replace(INFO, declared_frame_rate=declared, measured_frame_rate=first)
    assert _rate_at_a_glance(info).startswith(expected)


@pytest.mark.parametrize(
    ("declared", "variable", "interval", "expected"),
    [
        ("30", False, 1 / 30, "30 per second"),
        ("60", False, 1 / 30, "30 per second; the container states 60"),
        ("20", True, 1 / 30, "variable, 20 per second on average, mostly 30"),
        (
            "25",
            True,
            1 / 30,
            "variable, 20 per second on average, mostly 30; the container states 25",
        ),
        ("20", True, 1 / 20, "variable, 20 per second on average"),
        ("20", True, None, "20 per second"),
        ("1/512", False, 1 / 30, "30 per second"),
    ],
)
def test_a_scan_shows_the_frame_rate(declared, variable, interval, expected):
    report = DecodeReport(
        "end",
        0.0,
        10.0,
        10.0,
        200,
        usual_interval_seconds=interval,
        variable_frame_rate=variable,
    )
    assert _rate_found(replace(INFO, declared_frame_rate=declared), report) == expected


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


def test_raw_stream_is_counted_at_the_given_rate(tmp_path):
    _, (video,) = run_json("--scan", "--input-fps=40", make_video(tmp_path / "a.h264"))
    assert video["scan"]["duration"] == pytest.approx(1.5)


def test_rate_for_a_file_with_timestamps_is_refused(tmp_path):
    result = run(make_video(tmp_path / "a.mp4"), "--input-fps=40")
    assert isinstance(result.exception, OptionError)


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


def test_a_file_that_is_not_there_does_not_hide_the_others(tmp_path):
    good = make_video(tmp_path / "a.mp4")
    result, (first, second) = run_json(tmp_path / "gone.mp4", good)
    assert result.exit_code == 3
    assert first["video"]["codec"] == "h264"
    assert second["error"]["code"] == "SOURCE_NOT_FOUND"
    assert second["uri"].endswith("gone.mp4")


def test_where_nothing_could_be_processed_the_exit_code_says_so(tmp_path):
    gone = [tmp_path / "x1.mp4", tmp_path / "x2.mp4"]
    result, videos = run_json(*gone)
    assert result.exit_code == 4
    assert [video["status"] for video in videos] == ["failed", "failed"]
    assert isinstance(run(*gone).exception, SourceNotFoundError)


def test_names_that_are_no_utf8_do_not_spoil_the_json(tmp_path):
    strange = tmp_path / os.fsdecode(b"caf\xe9.mp4")
    make_video(tmp_path / "a.mp4").rename(strange)
    done = subprocess.run(
        [sys.executable, "-m", "vswin_cli", "probe", "--json", str(strange)],
        capture_output=True,
        check=True,
    )
    (video,) = json.loads(done.stdout.decode("utf-8"))["videos"]
    assert os.fsencode(video["uri"]) == os.fsencode(strange)


def test_single_bad_file_is_an_error(tmp_path):
    result = run(make_audio(tmp_path / "b.mp4"))
    assert isinstance(result.exception, NoVideoStreamError)
    assert isinstance(run(tmp_path / "none.mp4").exception, SourceNotFoundError)


def test_folder_is_probed_file_by_file(tmp_path):
    (tmp_path / "day1").mkdir()
    for name in ("a.mp4", "b.mp4", "day1/c.mp4"):
        make_video(tmp_path / name)
    _, videos = run_json(tmp_path)
    assert len(videos) == 3


def test_inspection_reports_progress_while_scanning(tmp_path):
    path = make_video(tmp_path / "a.mp4")
    seen = []
    found = inspect(
        VideoSource.of(str(path)), scan=True, on_progress=lambda done, total: seen.append(total)
    )
    assert found.report is not None
    assert found.report.frames_decoded == 60
    assert seen[0] == pytest.approx(2.0)

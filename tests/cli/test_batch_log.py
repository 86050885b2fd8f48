"""Logs of `vswin batch` for programs: every line on stderr is a JSON object."""

import json
from typing import Any

import pytest

from tests.support.videos import VideoRecipe, make_video
from vswin_cli.cli.app import run
from vswin_cli.storage.user_config import write_setting

pytestmark = pytest.mark.slow


def log_of(capfd) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert all(line["time"].endswith("+00:00") for line in lines)
    return lines


def test_every_line_is_an_event(tiny_model, tmp_path, capfd):
    (tmp_path / "videos").mkdir()
    make_video(tmp_path / "videos" / "a.mp4", VideoRecipe(num_frames=20))
    (tmp_path / "videos" / "b.mp4").write_bytes(b"")
    command = ["batch", str(tmp_path / "videos"), "-o", str(tmp_path / "r.csv")]
    command += ["--weights", str(tiny_model), "--log-json"]
    assert run(command) == 3
    *events, ended = log_of(capfd)
    assert {event["event"] for event in events} == {"started", "finished", "failed"}
    failed = next(event for event in events if event["event"] == "failed")
    assert failed["video"].endswith("b.mp4")
    assert failed["code"] == "NOT_A_VIDEO"
    assert "empty" in failed["reason"]
    assert failed["seconds"] >= 0
    assert ended["event"] == "ended"
    assert (ended["ok"], ended["partial"], ended["failed"], ended["pending"]) == (1, 0, 1, 0)
    assert ended["problems"][0]["video"] == failed["video"]


def test_notes_and_errors_are_events_too(tiny_model, tmp_path, capfd):
    write_setting("log-json", True)
    video = make_video(tmp_path / "a.mp4", VideoRecipe(num_frames=20))
    command = ["batch", str(video), "-o", str(tmp_path / "r.csv"), "--weights", str(tiny_model)]
    (tmp_path / "elsewhere").touch()
    (tmp_path / "r.csv").symlink_to(tmp_path / "elsewhere")
    assert run(command) == 0
    assert "symbolic link" in log_of(capfd)[0]["message"]
    assert run([*command, "--device", "gpu"]) == 2
    assert log_of(capfd)[-1]["error"]["code"] == "USAGE"
    assert run(["tag", "missing.mp4", "--quiet"]) == 4
    assert capfd.readouterr().err.startswith("error: ")

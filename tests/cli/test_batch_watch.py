"""A batch that tags videos as they arrive, in a process of its own."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.videos import VideoRecipe, make_video
from vswin_cli.cli.app import run

pytestmark = pytest.mark.slow


def statuses(path: Path) -> dict[str, str]:
    try:
        with path.open(newline="") as file:
            return {Path(row["video"]).name: row["status"] for row in csv.DictReader(file)}
    except FileNotFoundError:
        return {}


def wait_for(condition) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_videos_are_tagged_as_they_arrive_until_ctrl_c(tiny_model, tmp_path):
    incoming = tmp_path / "incoming"
    incoming.mkdir()

    def arrive(name: str) -> None:
        made = make_video(tmp_path / name, VideoRecipe(num_frames=20))
        os.utime(made, (1e9, 1e9))
        made.rename(incoming / name)

    out = tmp_path / "r.csv"
    files = tmp_path / "r.files.csv"
    command = [sys.executable, "-m", "vswin_cli", "batch", "--watch", str(incoming)]
    options = ["--weights", str(tiny_model), "--out", str(out), "--log-json"]
    with subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True) as process:
        arrive("b.mp4")
        wait_for(lambda: statuses(files) == {"b.mp4": "ok"})
        (incoming / "b.mp4").unlink()
        arrive("a.mp4")
        wait_for(lambda: statuses(files) == {"b.mp4": "ok", "a.mp4": "ok"})
        (incoming / "growing.mp4").touch()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 0, err
    events = [json.loads(line) for line in err.splitlines()]
    assert [Path(e["video"]).name for e in events if e["event"] == "finished"] == ["b.mp4", "a.mp4"]
    assert (events[-1]["event"], events[-1]["ok"]) == ("ended", 2)
    assert out.read_text().startswith("video,")


def test_what_is_no_folder_is_refused(tmp_path, capfd):
    assert run(["batch", "--watch", str(tmp_path / "none"), "-o", str(tmp_path / "r.csv")]) == 2
    assert "--watch takes folders" in capfd.readouterr().err

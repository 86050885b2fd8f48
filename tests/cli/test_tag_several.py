"""`vswin tag` with several videos prints each result as soon as it is ready."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.videos import VideoRecipe, make_video
from vswin_cli.cli.app import run
from vswin_cli.export import write_timelines
from vswin_cli.timeline.files import read_timelines

pytestmark = pytest.mark.slow

SCRIPT = "import sys; from vswin_cli.cli.app import run; sys.exit(run(sys.argv[1:]))"
SURE = ["--onset", "0", "--offset", "0"]


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("videos")
    names = ("a.mp4", "b.mp4", "c.mp4")
    return [make_video(folder / name, VideoRecipe(num_frames=60)) for name in names]


def command(tiny_model, *arguments):
    words = ["tag", "--weights", tiny_model, *SURE, *arguments]
    return [sys.executable, "-c", SCRIPT, *map(str, words)]


@pytest.mark.parametrize("form", ["table", "jsonl"])
def test_a_result_is_printed_before_the_next_video_fails(tiny_model, videos, tmp_path, form):
    broken = tmp_path / "broken.mp4"
    broken.write_text("not a video at all")
    first, _, last = videos
    done = subprocess.run(
        command(tiny_model, first, broken, last, "-f", form),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    places = [done.stdout.index(str(path)) for path in (first, broken, last)]
    assert places == sorted(places)


def test_what_is_printed_one_by_one_is_what_is_printed_together(
    tiny_model, videos, tmp_path, capfd
):
    lines = tmp_path / "all.jsonl"
    words = ["tag", "--weights", str(tiny_model), *SURE, *map(str, videos)]
    assert run([*words, "-o", str(lines)]) == 0
    capfd.readouterr()
    for form in ("table", "csv"):
        assert run([*words, "-f", form]) == 0
        together = tmp_path / form
        write_timelines(read_timelines(lines), form, together)
        assert capfd.readouterr().out == together.read_text()
    assert run([*words, "-f", "jsonl"]) == 0
    printed = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    kept = [json.loads(line) for line in lines.read_text().splitlines()]
    for one in (*printed, *kept):
        one.pop("created")
    assert printed == kept


def test_an_interrupt_ends_the_run_and_keeps_what_is_printed(tiny_model, videos, tmp_path):
    others = [shutil.copy(videos[0], tmp_path / f"{number}.mp4") for number in range(100)]
    process = subprocess.Popen(
        command(tiny_model, videos[0], *others, "-f", "jsonl"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()  # the others take seconds
    process.send_signal(signal.SIGINT)
    rest, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "interrupted" in err
    assert json.loads(line)["video"]["uri"] == str(videos[0])
    assert len([json.loads(text) for text in rest.splitlines()]) < len(others)

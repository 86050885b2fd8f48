"""The one boundary where every error becomes a sentence, a hint and an exit code."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.videos import VideoRecipe, make_video
from vswin_cli.cli.app import run


@pytest.mark.parametrize(
    ("arguments", "message", "command"),
    [
        (["tagg"], "no such command 'tagg'", "vswin"),
        (["tag", "--bogus"], "no such option: --bogus", "vswin tag"),
        (["tag"], "missing argument 'VIDEO'", "vswin tag"),
        (["tag", "a.mp4", "--batch-size", "0"], "invalid value for '--batch-size'", "vswin tag"),
        (["evaluate", "topk"], "missing argument 'LIST'", "vswin evaluate topk"),
    ],
)
def test_wrong_usage_looks_like_every_other_error(capsys, arguments, message, command):
    assert run(arguments) == 2
    said = capsys.readouterr()
    error, hint = said.err.splitlines()
    assert error.startswith(f"error: {message}")
    assert hint == f"hint: `{command} --help` lists what there is"
    assert said.out == ""
    assert run([*arguments, "--json"]) == 2
    document = json.loads(capsys.readouterr().err)
    assert document["error"]["code"] == "USAGE"
    assert document["error"]["message"].startswith(message)


@pytest.mark.parametrize("arguments", [[], ["evaluate"]])
def test_without_anything_the_help_is_printed_once(capsys, arguments):
    assert run(arguments) == 2
    said = capsys.readouterr()
    assert said.out.count("Usage: ") == 1
    assert said.err == ""


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["tag", "-h"], ["models", "-h"]])
def test_what_is_asked_for_ends_well(capsys, arguments):
    assert run(arguments) == 0
    assert capsys.readouterr().out


def test_an_interrupt_ends_with_a_word_and_its_own_code(tmp_path):
    make_video(tmp_path / "film.mp4", VideoRecipe(num_frames=3000))
    script = "import sys; from vswin_cli.cli.app import run; sys.exit(run(sys.argv[1:]))"
    command = [sys.executable, "-c", script, "tag", str(tmp_path / "film.mp4"), "--stride", "1f"]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as child:
        time.sleep(3)
        os.killpg(child.pid, signal.SIGINT)
        out, err = child.communicate(timeout=30)
    assert child.returncode == 130
    assert err.splitlines()[-1] == "interrupted"
    assert out == ""

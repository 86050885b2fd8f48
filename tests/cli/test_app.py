"""The one boundary where every error becomes a sentence, a hint and an exit code."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.videos import VideoRecipe, make_video
from vswin_cli._version import __version__
from vswin_cli.cli.app import run

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("arguments", "message", "command"),
    [
        (["tagg"], "no such command 'tagg'", "vswin"),
        (["models", "shw"], "no such command 'shw'", "vswin models"),
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
    listed = "commands and options" if command in ("vswin", "vswin models") else "options"
    assert hint.startswith("hint: ")
    assert hint.endswith(f"`{command} --help` lists the {listed}")
    assert said.out == ""
    assert run([*arguments, "--json"]) == 2
    document = json.loads(capsys.readouterr().err)
    assert document["error"]["code"] == "USAGE"
    assert document["error"]["message"].startswith(message)


@pytest.mark.parametrize(
    ("arguments", "suggestion"),
    [
        (["tagg"], "`tag`"),
        (["bach"], "`batch`"),
        (["models", "shw"], "`show`"),
        (["evaluate", "f2"], "`f1`"),
        (["tag", "--treshold", "0.3"], "`--onset`"),
        (["segment", "--onst=0.3"], "`--onset`"),
        (["export", "--output", "x"], "`--out`"),
        (["evaluate", "f1", "--momnt", "cut"], "`--moment`"),
        (["batch", "--no-reume"], "`--no-resume`"),
    ],
)
def test_misspelt_options_and_commands_get_a_suggestion(capsys, arguments, suggestion):
    assert run(arguments) == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert hint.startswith(f"hint: did you mean {suggestion}")
    assert "ossible" not in error
    assert "id you" not in error


def test_what_is_near_to_nothing_gets_none(capsys):
    assert run(["tag", "--xyzzy"]) == 2
    assert capsys.readouterr().err.endswith("hint: `vswin tag --help` lists the options\n")


@pytest.mark.parametrize(
    ("arguments", "format"),
    [
        (["-f", "excel"], "xlsx"),
        (["-f", "srtt"], "srt"),
        (["-o", "a.xls"], "xlsx"),
        (["-o", "a.xslx"], "xlsx"),
        (["-o", "a.jsno"], "json"),
    ],
)
@pytest.mark.parametrize("command", ["tag", "batch", "export"])
def test_misspelt_formats_and_endings_get_a_suggestion(
    capsys, tmp_path, command, arguments, format
):
    video = make_video(tmp_path / "a.mp4", VideoRecipe(num_frames=2))
    if command == "batch" and arguments[0] == "-f":
        arguments = [*arguments, "-o", str(tmp_path / "results.csv")]
    assert run([command, str(video), *arguments]) == 2
    assert f"\nhint: did you mean `{format}`? " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "wrong"),
    [
        ("--onset", "0,9", "not a number such as 0.5"),
        ("--max-labels", "1.5", "not a whole number such as 5"),
        ("--batch-size", "0", "must be at least 1"),
        ("--min-coverage", "9", "must be at most 1"),
    ],
)
def test_values_that_are_no_numbers_are_refused_in_usual_words(capsys, option, value, wrong):
    assert run(["tag", "a.mp4", option, value]) == 2
    assert capsys.readouterr().err.startswith(f"error: invalid value for '{option}': {wrong}\n")


def test_an_option_without_its_value_leads_to_the_help_of_its_command(capsys):
    assert run(["tag", "a.mp4", "--report"]) == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert error == "error: option '--report' requires an argument"
    assert hint == "hint: `vswin tag --help` lists the options"


@pytest.mark.parametrize("arguments", [[], ["evaluate"]])
def test_without_anything_the_help_is_printed_once(capsys, arguments):
    assert run(arguments) == 2
    said = capsys.readouterr()
    assert said.out.count("Usage: ") == 1
    assert said.err == ""


@pytest.mark.parametrize("option", ["--version", "-V", "-v"])
def test_the_version_has_short_names(capsys, option):
    assert run([option]) == 0
    assert capsys.readouterr().out == f"vswin {__version__}\n"


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["tag", "-h"], ["models", "-h"]])
def test_what_is_asked_for_ends_well(capsys, arguments):
    assert run(arguments) == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["labels", ""],
        ["convert", "", ""],
        ["convert", "in.pth", ""],
        ["download", ""],
        ["models", "show", ""],
        ["export", ""],
        ["segment", "video.npz", ""],
        ["report", "", "-o", "page.html"],
        ["evaluate", "f1", "found.csv", ""],
        ["evaluate", "compare", "a.json", ""],
        ["bench", "--video", ""],
        ["tag", "video.mp4", "--weights="],
        ["tag", "video.mp4", "--labels", ""],
        ["tag", "video.mp4", "-m", ""],
        ["batch", "videos", "-o", "r.csv", "--save-scores", ""],
    ],
    ids=" ".join,
)
def test_an_empty_name_is_refused_and_means_neither_this_folder_nor_the_default(capsys, arguments):
    assert run(arguments) == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert error.endswith(" is empty")
    assert hint == "hint: check that the shell variable in it is set"


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        (["tag", "a.mp4"], "save JSON once, then `vswin export` it in every other format"),
        (["report", "a.json"], "give it once"),
    ],
)
def test_several_outputs_are_refused(capsys, command, hint):
    assert run([*command, "-o", "a.json", "--out=a.srt", "-o", "a.csv"]) == 2
    assert capsys.readouterr().err == f"error: --out given 3 times\nhint: {hint}\n"


def test_an_empty_text_that_is_no_name_is_let_through(capsys):
    assert run(["labels", "kinetics-400", "--grep", ""]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 400


def test_a_file_that_looks_like_an_option_is_explained(capsys):
    assert run(["tag", "-dash.webm"]) == 2
    hint = capsys.readouterr().err.splitlines()[-1]
    assert hint == "hint: a file whose name begins with a dash is written ./-dash.webm"
    for wrong in (["--bogus", "--", "-dash.webm"], ["a.mp4", "--crop", "--out=-a.mp4"]):
        assert run(["tag", *wrong]) == 2
        assert "`vswin tag --help` lists the options" in capsys.readouterr().err


def test_help_describes_json_in_each_command(capsys):
    said = {}
    for command in ("probe", "tag", "batch"):
        run([command, "--help"])
        said[command] = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "--out" not in said["probe"]
    assert "add -f jsonl for several videos" in said["tag"]
    assert "a summary as JSON" in said["batch"]


SCRIPT = "import sys; from vswin_cli.cli.app import run; sys.exit(run(sys.argv[1:]))"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
@pytest.mark.parametrize("arguments", [["schema"], ["models"], ["--help"], ["tag", "-h"]])
def test_a_full_disk_behind_stdout_is_reported_as_for_any_result(arguments):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 8
    assert done.stderr.splitlines()[0] == "error: cannot write stdout: No space left on device"
    assert len(done.stderr.splitlines()) == 2


@pytest.mark.parametrize("arguments", [["schema"], ["--help"], ["models", "-h"]])
def test_a_reader_that_went_away_ends_every_command_alike(arguments):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")


def test_an_interrupt_ends_with_a_word_and_its_own_code(tmp_path):
    make_video(tmp_path / "video.mp4", VideoRecipe(num_frames=3000))
    command = [sys.executable, "-c", SCRIPT, "tag", str(tmp_path / "video.mp4"), "--stride", "1f"]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as child:
        time.sleep(3)
        os.killpg(child.pid, signal.SIGINT)
        out, err = child.communicate(timeout=30)
    assert child.returncode == 130
    assert err.splitlines()[-1] == "interrupted"
    assert out == ""


def test_an_interruption_while_the_commands_load_is_no_traceback():
    interrupting = (
        "import sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'vswin_cli.cli.app': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "from vswin_cli.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", interrupting], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


@pytest.mark.parametrize(
    ("redirect", "words", "code"),
    [
        (">&-", "--version", 8),
        (">&-", "models", 8),
        (">&-", "tag nope.mp4", 4),
        ("2>&-", "tag nope.mp4", 4),
        ("<&-", "--version", 0),
        ("<&-", "export -", 4),
        ("<&- >&- 2>&-", "models", 8),
        ("<&- >&- 2>&-", "tag nope.mp4", 4),
    ],
)
def test_closed_descriptors_give_a_result_or_one_clear_error(redirect, words, code):
    start = "from vswin_cli.cli.app import main; main()"
    line = f'exec "$0" -c "{start}" {words} {redirect}'
    done = subprocess.run(
        ["sh", "-c", line, sys.executable], capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    assert done.stderr.count("error:") == ("2>&-" not in redirect and code != 0)
    assert "bug in vswin" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["tag", "batch", "segment", "export", "cut"])
def test_one_option_chooses_labels_in_every_command(capsys, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "200")
    assert run([command, "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "--include,--label LABEL Only segments of this label; " in shown
    assert "--exclude LABEL No segments of this label; " in shown

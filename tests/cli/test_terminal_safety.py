"""Names of files and labels never reach a terminal as control sequences, in any output."""

import io
import json
import re
import shutil

import pytest
from rich.console import Console

from tests.support.timelines import segment, timeline
from tests.support.videos import VideoRecipe, make_video
from vswin_cli.cli import console
from vswin_cli.cli.app import run
from vswin_cli.cli.terminal_timeline import TerminalTimeline
from vswin_cli.export import FORMATS, write_timeline
from vswin_cli.timeline.provenance import VideoRecord

EVIL = "ev\x1b[31mil\x1b]0;title\x07\x9b1m\u202egpj"
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
READ_ON_TERMINALS = ("table", "csv", "tsv", "srt", "vtt", "edl", "audacity")


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    plain = make_video(folder / "plain.mp4", VideoRecipe(num_frames=30))
    return shutil.copy(plain, folder / f"{EVIL}.mp4")


@pytest.fixture
def evil():
    record = VideoRecord(uri=f"/videos/{EVIL}.mp4", size_bytes=1, duration_seconds=5.0)
    return timeline(video=record, segments=(segment(1.0, 2.0, f"label {EVIL}"),))


def check(*texts):
    for text in texts:
        assert not UNSAFE.search(text), ascii(text)


def test_progress_titles_and_messages(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "dumb")  # rich itself then writes no escapes
    with console.progress(EVIL) as on_progress:
        on_progress(1.0, 2.0)
    console.note(EVIL)
    console.warn(EVIL)
    err = capsys.readouterr().err
    assert "ev\\x1b[31mil" in err
    check(err.replace("\r", "").replace("\x1b[2K", ""))


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("command", ["tag", "probe", "export", "report", "segment"])
def test_error_lines(capsys, tmp_path, command, as_json):
    name = str(tmp_path / f"{EVIL}.mp4")
    target = ["-o", str(tmp_path / "x.html")] if command == "report" else []
    json = ["--json"] if as_json and command != "report" else []
    assert run([command, name, *target, *json]) != 0
    said = capsys.readouterr()
    assert "31mil" in said.err
    check(said.out, said.err)


@pytest.mark.slow
@pytest.mark.parametrize("scan", [[], ["--scan"]])
def test_what_probe_prints(capsys, video, scan):
    assert run(["probe", str(video), *scan]) == 0
    said = capsys.readouterr()
    assert "ev\\x1b[31mil" in said.out
    check(said.out, said.err)


def test_the_table_and_the_messages_of_tag(capsys, video, tiny_model):
    words = ["tag", "--weights", str(tiny_model), str(video), str(video) + ".gone"]
    assert run([*words, "--onset", "0", "--offset", "0"]) == 3
    said = capsys.readouterr()
    check(said.out, said.err)


def test_the_timeline_on_a_terminal(evil):
    text = io.StringIO()
    Console(file=text, width=80).print(TerminalTimeline(evil))
    assert "31mil" in text.getvalue()
    check(text.getvalue())


@pytest.mark.parametrize("name", READ_ON_TERMINALS)
def test_formats_of_lines(evil, name):
    text = io.StringIO()
    if FORMATS[name].rate_of is not None:
        record = timeline().video
        evil = timeline(video=record, segments=evil.segments)
    write_timeline(evil, name, text)
    assert "31mil" in text.getvalue()
    check(text.getvalue())


def test_data_is_made_safe_only_for_a_terminal(capfdbinary, monkeypatch):
    console.write(f"0\t{EVIL}")
    assert capfdbinary.readouterr().out == f"0\t{EVIL}\n".encode()
    monkeypatch.setattr(console, "stdout_is_terminal", lambda: True)
    console.write(f"0\t{EVIL}\n1\tb")
    lines = capfdbinary.readouterr().out.decode()
    check(lines)
    assert [line.split("\t")[0] for line in lines.splitlines()] == ["0", "1"]


def test_the_list_of_models(monkeypatch, capsys, tmp_path, tiny_model):
    monkeypatch.setenv("VSWIN_CACHE", str(tmp_path))
    shutil.copytree(tiny_model, tmp_path / "models" / "evil")
    card = tmp_path / "models" / "evil" / "config.json"
    card.write_text(
        card.read_text().replace(
            '"tiny"', f'"{EVIL}"'.encode("unicode_escape").decode().replace("\\x", "\\u00")
        )
    )
    assert run(["models"]) == 0
    out = capsys.readouterr().out
    assert "31mil" in out
    check(out)


def spoken(command, capsys, monkeypatch):
    """Run a command whose stdout is a terminal, then whose stdout is a pipe: both as JSON."""
    found = []
    for is_terminal in (True, False):
        monkeypatch.setattr(console, "stdout_is_terminal", lambda value=is_terminal: value)
        run(command)
        out = capsys.readouterr().out
        check(out)
        found.append(json.loads(out))
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ["probe", "{video}", "--json"],
        ["probe", "{video}", "{video}.gone", "--scan", "--json"],
        ["export", "{saved}", "--json"],
        ["export", "{saved}", "-f", "jsonl"],
        ["export", "{saved}", "-f", "activitynet"],
        ["evaluate", "map", "{saved}", "{saved}", "--json"],
        ["evaluate", "compare", "{saved}", "{saved}", "--json"],
        ["labels", "{labels}", "--json"],
        ["models", "list", "--json"],
        ["models", "show", "{folder}", "--json"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_json_on_a_terminal_stays_json(
    command, capsys, monkeypatch, tmp_path, video, evil, tiny_model
):
    monkeypatch.setenv("VSWIN_CACHE", str(tmp_path))
    folder = tmp_path / "models" / "evil"
    shutil.copytree(tiny_model, folder)
    card = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**card, "id": EVIL}))
    saved, labels = tmp_path / "saved.json", tmp_path / "labels.txt"
    write_timeline(evil, "json", saved)
    labels.write_text(EVIL + "\n")
    named = {"video": video, "saved": saved, "labels": labels, "folder": folder}
    words = [word.format(**named) for word in command]
    drawn, piped = spoken(words, capsys, monkeypatch)
    assert drawn == piped
    assert json.dumps(EVIL)[1:-1] in json.dumps(drawn)  # with nothing replaced


def test_errors_as_json_stay_json(capsys):
    name = f"{EVIL}\x7f.mp4"
    assert run(["probe", name, "--json"]) == 4
    err = capsys.readouterr().err
    check(err)
    assert name in json.loads(err)["error"]["message"]


def test_warnings_of_our_code_are_sentences_and_those_of_others_name_their_place(capsys):
    console.show_warning("no kernels", RuntimeWarning, console.__file__, 7)
    console.show_warning("old call", DeprecationWarning, "/lib/other.py", 12)
    ours, *others = capsys.readouterr().err.splitlines()
    assert ours == "warning: no kernels"
    assert others == ["/lib/other.py:12: DeprecationWarning: old call"]


def test_halves_of_characters_are_written_as_a_replacement(capfdbinary):
    console.write("a \ud800 b \udcff")
    assert capfdbinary.readouterr().out == "a \ufffd b ".encode() + b"\xff\n"

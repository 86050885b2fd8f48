"""What the README says is what happens."""

import json
import re
import shlex
from pathlib import Path

import pytest

from vswin_cli.cli.app import app, run

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    shlex.split(line, comments=True)[1:]
    for block in re.findall(r"```sh\n(.*?)```", README, re.S)
    for line in block.splitlines()
    if line.startswith("vswin ")
]


def block_after(marker: str) -> str:
    found = re.search(rf"<!-- {marker} -->\n```\w*\n(.*?)```", README, re.S)
    assert found, marker
    return found[1]


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def test_the_first_command_prints_what_the_readme_shows(capfd):
    command = block_after("main-command").strip().rpartition("&& .venv/bin/vswin ")[2]
    assert run(shlex.split(command)) == 0
    assert capfd.readouterr().out.rstrip() == block_after("main-output").rstrip()


@pytest.mark.slow
def test_the_python_lines_run(capfd):
    exec(re.search(r"```python\n(.*?)```", README, re.S)[1], {})
    assert "(6.0, 9.0, 'tilt-up')" in capfd.readouterr().out


@pytest.mark.slow
def test_the_example_agrees_with_its_true_timeline(capfd):
    truth = json.loads((ROOT / "examples" / "camera.truth.json").read_text())
    assert run(["tag", "examples/camera.mp4", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)["segments"]
    moves = [one for one in found if one["label"] != "cut"]
    expected = [one for one in truth if one["label"] != "cut"]
    assert [one["label"] for one in moves] == [one["label"] for one in expected]
    for got, want in zip(moves, expected, strict=True):
        assert got["start"] == pytest.approx(want["start"], abs=0.25)
        assert got["end"] == pytest.approx(want["end"], abs=0.25)
    cuts = [one["start"] for one in found if one["label"] == "cut"]
    true_cuts = [one["start"] for one in truth if one["label"] == "cut"]
    assert cuts == pytest.approx(true_cuts, abs=1 / 12)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_in_the_readme_exists_with_its_options(words, capfd):
    words = words[: words.index("|")] if "|" in words else words
    group = words[:2] if words[0] in ("models", "evaluate") else words[:1]
    assert run([*group, "--help"]) == 0
    out = re.sub(r"\x1b\[[0-9;]*m", "", capfd.readouterr().out)
    for option in (word for word in words if word.startswith("-")):
        assert option in out


def test_every_command_is_in_the_readme():
    names = {command.name or command.callback.__name__ for command in app.registered_commands}
    names |= {group.name for group in app.registered_groups}
    missing = [
        name
        for name in sorted(names)
        if f"`{name}`" not in README and f"vswin {name}" not in README
    ]
    assert missing == []

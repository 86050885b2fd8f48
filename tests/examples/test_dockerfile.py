"""The example of a container: what it copies is there, and what it runs are commands of vswin."""

import json
import re
import shlex
from importlib.metadata import metadata
from pathlib import Path

from vswin_cli.cli.app import app

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "examples" / "Dockerfile").read_text()


def test_everything_that_is_copied_from_the_repository_is_there():
    copied = [line.split()[1:-1] for line in TEXT.splitlines() if line.startswith("COPY ")]
    names = [name for words in copied for name in words if not words[0].startswith("--from")]
    assert len(names) > 3
    assert all((ROOT / name).exists() for name in names)


def test_torch_is_the_version_of_the_readme_and_extras_exist():
    pinned = re.search(r'ARG TORCH="(torch==[\d.]+)"', TEXT)
    assert pinned
    assert pinned[1] in (ROOT / "README.md").read_text()
    extras = re.search(r'ARG EXTRAS="([\w,]+)"', TEXT)
    assert extras
    assert set(extras[1].split(",")) <= set(metadata("vswin").get_all("Provides-Extra") or ())


def test_the_image_runs_commands_of_vswin(capfd):
    entry = re.search(r"^ENTRYPOINT (.*)$", TEXT, re.MULTILINE)
    assert entry
    assert json.loads(entry[1]) == ["vswin"]
    usage = TEXT.replace("#", "").replace("\\\n", " ").partition("docker run")[2].splitlines()[0]
    words = shlex.split(usage)
    command = words[words.index("vswin") + 1]
    assert command in [item.callback.__name__ for item in app.registered_commands if item.callback]

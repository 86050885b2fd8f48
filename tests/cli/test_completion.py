import os
import subprocess
import sys

import pytest

from vswin_cli.export.formats import FORMATS

pytestmark = pytest.mark.slow

SCRIPT = """
import sys
from vswin_cli.cli.app import main
try:
    main()
finally:
    heavy = {"torch", "av", "ray", "huggingface_hub", "fsspec", "safetensors"} & set(sys.modules)
    print(*sorted(heavy), file=sys.stderr)
"""


def complete(*words: str, shell: str = "bash") -> list[str]:
    """What a shell offers for the last word; fails if anything heavy was imported."""
    line = " ".join(words)
    environment = {
        **os.environ,
        "_VSWIN_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "_TYPER_COMPLETE_ARGS": line,
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stderr == "\n"
    return done.stdout.splitlines()


def test_names_of_models_are_offered():
    assert complete("vswin", "tag", "--model", "swin-b-k4") == ["swin-b-k400", "swin-b-k400-in1k"]
    assert complete("vswin", "labels", "cam") == ["camera-motion"]


def test_formats_are_offered():
    expected = [name for name in FORMATS if name.startswith("vtt")]
    assert complete("vswin", "batch", "x", "--format", "vtt") == expected
    assert len(expected) > 1


def test_labels_of_the_named_model_are_offered():
    assert complete("vswin", "tag", "x", "--exclude", "zoom-") == ["zoom-in", "zoom-out"]
    offered = complete("vswin", "tag", "x", "-m", "swin-t-k400", "--include", "playing\\ gu")
    assert offered == ["playing\\ guitar"]
    zsh = complete("vswin tag x -m swin-t-k400 --include 'playing gui", shell="zsh")
    assert '"playing guitar"' in "".join(zsh)


def test_keys_of_the_configuration_are_offered():
    assert complete("vswin", "config", "set", "min-") == [
        "min-duration",
        "min-margin",
        "min-coverage",
    ]

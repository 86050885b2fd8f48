"""The journal of version 0.1.0, which later versions must read without doing anything again."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from vswin_cli.cli.app import run

DATA = Path(__file__).parents[1] / "data" / "batch" / "journal-0.1.0"
THRESHOLDS = ("--onset", "0.2", "--offset", "0.1")
SIZES = {"half.mp4": 700, "test_yuv422p.mp4": 30557, "video_90.mov": 15442}
MODIFIED_NS = 1714564800 * 10**9


def entry_name(path: Path) -> str:
    """The name that version 0.1.0 gave to the entry of a file."""
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:24]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder in which version 0.1.0 has tagged three videos, with nothing in them to decode."""
    directory = tmp_path.resolve()
    monkeypatch.chdir(directory)
    for kind in ("entries", "scores"):
        shutil.copytree(DATA / kind, directory / ".r.vswin" / kind)
    (directory / "videos").mkdir()
    for name, size in SIZES.items():
        video = directory / "videos" / name
        video.write_bytes(bytes(size))
        os.utime(video, ns=(MODIFIED_NS, MODIFIED_NS))
    for entry in (directory / ".r.vswin" / "entries").iterdir():
        document = json.loads(entry.read_text())
        new = document["entry"] = entry_name(directory / document["uri"])
        entry.write_text(json.dumps(document))
        entry.rename(entry.with_stem(new))
        for scores in (directory / ".r.vswin" / "scores").glob(f"{entry.stem}.npz"):
            scores.rename(scores.with_stem(new))
    return directory


@pytest.fixture
def batch(tiny_model, capfd):
    """Run `vswin batch` on the project; returns the summary."""

    def call(*options: str) -> dict[str, object]:
        command = ["batch", "videos", "--out", "r.csv", "--weights", str(tiny_model), "--json"]
        assert run([*command, "--precision", "float32", *options]) == 3
        return json.loads(capfd.readouterr().out)

    return call


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_journal_of_version_0_1_0_is_resumed_without_any_work(project, batch):
    before = contents(project / ".r.vswin" / "entries")
    summary = batch(*THRESHOLDS)
    assert (summary["resumed"], summary["ok"], summary["failed"]) == (3, 2, 1)
    assert contents(project / ".r.vswin" / "entries") == before
    for name in ("r.csv", "r.files.csv"):
        assert (project / name).read_bytes() == (DATA / name).read_bytes()


def test_scores_of_version_0_1_0_give_segments_for_other_thresholds(project, batch):
    summary = batch("--onset", "0.1", "--offset", "0.1", "--max-labels", "0")
    assert (summary["resumed"], summary["ok"]) == (3, 2)
    assert len((project / "r.csv").read_text().splitlines()) > 3


def test_other_sampling_makes_entries_of_version_0_1_0_invalid(project, tiny_model, capfd):
    command = ["batch", "videos", "--out", "r.csv", "--weights", str(tiny_model), "--json"]
    assert run([*command, "--precision", "float32", *THRESHOLDS, "--stride", "50%"]) == 4
    summary = json.loads(capfd.readouterr().out)
    assert (summary["resumed"], summary["failed"]) == (0, 3)  # there is nothing to decode

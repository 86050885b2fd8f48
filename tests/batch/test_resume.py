"""Resume from journals: of version 0.1.0, of moved folders, and of files that changed."""

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
def moved_project(tmp_path, monkeypatch):
    """A folder in which version 0.1.0 has tagged three videos, moved to where it is now.

    The videos have their sizes and times, but nothing in them to decode.
    """
    directory = tmp_path.resolve() / "project"
    for kind in ("entries", "scores"):
        shutil.copytree(DATA / kind, directory / ".r.vswin" / kind)
    (directory / "videos").mkdir()
    for name, size in SIZES.items():
        video = directory / "videos" / name
        video.write_bytes(bytes(size))
        os.utime(video, ns=(MODIFIED_NS, MODIFIED_NS))
    monkeypatch.chdir(directory)
    return directory


@pytest.fixture
def project(moved_project):
    """The same, as if it had always been there."""
    for entry in (moved_project / ".r.vswin" / "entries").iterdir():
        document = json.loads(entry.read_text())
        new = document["entry"] = entry_name(moved_project / document["uri"])
        entry.write_text(json.dumps(document))
        entry.rename(entry.with_stem(new))
        for scores in (moved_project / ".r.vswin" / "scores").glob(f"{entry.stem}.npz"):
            scores.rename(scores.with_stem(new))
    return moved_project


@pytest.fixture
def batch(tiny_model, capfd):
    """Run `vswin batch` on the project; returns the summary, with what stderr says as `notes`."""

    def call(*options: str, code: int = 3) -> dict[str, object]:
        command = ["batch", "videos", "--out", "r.csv", "--weights", str(tiny_model), "--json"]
        assert run([*command, "--precision", "float32", *options]) == code
        captured = capfd.readouterr()
        return {**json.loads(captured.out), "notes": captured.err}

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


@pytest.mark.slow
def test_other_sampling_makes_entries_of_version_0_1_0_invalid(project, batch):
    summary = batch(*THRESHOLDS, "--stride", "50%", code=4)
    assert (summary["resumed"], summary["failed"]) == (0, 3)  # there is nothing to decode


def test_a_project_of_version_0_1_0_that_was_moved_is_resumed(moved_project, batch):
    summary = batch(*THRESHOLDS)
    assert (summary["resumed"], summary["ok"], summary["failed"]) == (3, 2, 1)
    assert "3 results found by the paths before a move" in summary["notes"]
    for name in ("r.csv", "r.files.csv"):
        assert (moved_project / name).read_bytes() == (DATA / name).read_bytes()
    summary = batch("--onset", "0.1", "--offset", "0.1")
    assert (summary["resumed"], summary["notes"]) == (3, "")


@pytest.mark.slow
def test_a_project_is_resumed_after_every_move_also_without_scores(
    moved_project, batch, monkeypatch, tmp_path
):
    batch(*THRESHOLDS, "--no-scores")
    shutil.rmtree(moved_project / ".r.vswin" / "scores")
    for number in range(3):
        moved_project = moved_project.rename(tmp_path / f"moved-{number}")
        monkeypatch.chdir(moved_project)
        summary = batch(*THRESHOLDS, "--no-scores")
        assert summary["resumed"] == 3
        assert (moved_project / "r.csv").read_bytes() == (DATA / "r.csv").read_bytes()


@pytest.mark.slow
def test_files_whose_times_changed_in_a_move_are_done_again_and_counted(moved_project, batch):
    for video in (moved_project / "videos").iterdir():
        os.utime(video)
    summary = batch(*THRESHOLDS, code=4)
    assert summary["resumed"] == 0
    assert "3 files changed size or time in a move and will be done again" in summary["notes"]
    assert "`cp -p`" in summary["notes"]


@pytest.mark.slow
def test_videos_that_moved_without_their_table_are_done_again_with_a_note(moved_project, batch):
    for video in list((moved_project / "videos").iterdir()):
        (moved_project / "videos" / "day1").mkdir(exist_ok=True)
        video.rename(moved_project / "videos" / "day1" / video.name)
    summary = batch(*THRESHOLDS, code=4)
    assert summary["resumed"] == 0
    assert "none of the inputs has a result in" in summary["notes"]
    assert "such as videos/" in summary["notes"]


@pytest.mark.slow
def test_a_file_that_took_the_place_of_another_is_not_taken_for_it(moved_project, batch):
    one, other = (moved_project / "videos" / n for n in ("test_yuv422p.mp4", "video_90.mov"))
    other.write_bytes(bytes(one.stat().st_size))
    os.utime(other, ns=(MODIFIED_NS, MODIFIED_NS))
    assert batch(*THRESHOLDS)["resumed"] == 2


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[" * 100_000,
        b'{"folders": 7}',
        b'{"folders": [7, null, "/nowhere"]}',
        b'{"folders": ["/\\u0000", "/\\ud800"]}',
        b'{"folders": ["/' + b"a" * 5000 + b'"]}',
    ],
)
def test_a_damaged_record_of_former_folders_is_ignored(project, batch, content):
    (project / ".r.vswin" / "locations.json").write_bytes(content)
    assert batch(*THRESHOLDS)["resumed"] == 3

"""`vswin batch --save-features`: a features file per video, in this process and in others."""

import json
import os
import shutil

import numpy as np
import pytest

from tests.support.videos import VideoRecipe, make_video
from vswin_cli.cli.app import run
from vswin_cli.timeline.feature_files import load_features

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path):
    """Two videos and a file that is none."""
    directory = tmp_path / "recordings"
    directory.mkdir()
    for i in range(2):
        make_video(directory / f"clip{i}.mp4", VideoRecipe(num_frames=40, first_index=100 * i))
    (directory / "broken.mp4").write_bytes(b"nothing")
    return directory


@pytest.fixture
def batch(tiny_model, folder, tmp_path, capfd):
    """Run `vswin batch` on the folder; returns exit code, summary and stderr."""

    def call(*arguments: object, out: str = "results.csv") -> tuple[int, dict, str]:
        command = ["batch", folder, "--out", tmp_path / out, "--weights", tiny_model, "--json"]
        code = run([*map(str, command), *map(str, arguments)])
        captured = capfd.readouterr()
        return code, json.loads(captured.out or "{}"), captured.err

    return call


def saved(path):
    """Features of each video in a folder, by its file name."""
    files = [load_features(file) for file in path.glob("*.npz")]
    return {file.record.video.uri.rpartition("/")[2]: file for file in files}


@pytest.mark.parametrize("workers", ["auto", "2"])
def test_features_are_those_of_one_video_alone(batch, folder, tiny_model, tmp_path, workers):
    code, _, err = batch("--save-features", tmp_path / "index", "--workers", workers)
    assert code == 3, err
    found = saved(tmp_path / "index")
    assert set(found) == {"clip0.mp4", "clip1.mp4"}
    alone = tmp_path / "alone.npz"
    assert (
        run(["features", f"{folder}/clip1.mp4", "-o", f"{alone}", "--weights", f"{tiny_model}"])
        == 0
    )
    expected = load_features(alone)
    np.testing.assert_allclose(found["clip1.mp4"].features, expected.features, atol=2e-2)
    np.testing.assert_array_equal(found["clip1.mp4"].start_seconds, expected.start_seconds)
    assert found["clip1.mp4"].record.identity == expected.record.identity


def test_what_is_saved_is_not_computed_again(batch, folder, tmp_path):
    index = tmp_path / "index"
    batch("--save-features", index)
    times = {path: path.stat().st_mtime_ns for path in index.iterdir()}
    _, summary, _ = batch("--save-features", index)
    assert summary["resumed"] == 3
    assert {path: path.stat().st_mtime_ns for path in index.iterdir()} == times
    os.utime(folder / "clip0.mp4", ns=(1, 1))
    _, summary, _ = batch("--save-features", index)
    assert summary["resumed"] == 2


def test_results_without_features_are_done_again_with_them(batch, tmp_path):
    batch()
    _, summary, _ = batch("--save-features", tmp_path / "index")
    assert summary["resumed"] == 1  # the broken file, which has none
    assert len(saved(tmp_path / "index")) == 2
    assert batch()[1]["resumed"] == 3


def test_features_in_another_folder_are_copied(batch, tmp_path):
    batch("--save-features", tmp_path / "index")
    _, summary, _ = batch("--save-features", tmp_path / "other")
    assert summary["resumed"] == 3
    assert set(saved(tmp_path / "other")) == {"clip0.mp4", "clip1.mp4"}


@pytest.mark.parametrize("damage", ["gone", "cut", "other settings"])
def test_features_that_are_not_of_this_result_do_not_count(batch, tmp_path, damage):
    index = tmp_path / "index"
    batch("--save-features", index)
    for path in index.iterdir():
        if damage == "gone":
            path.unlink()
        elif damage == "cut":
            path.write_bytes(path.read_bytes()[:-100])
    if damage == "other settings":
        batch("--save-features", index, "--stride", "25%", out="other.csv")
    _, summary, _ = batch("--save-features", index)
    assert summary["resumed"] == 1
    assert len(saved(index)) == 2


def test_features_of_a_moved_folder_are_found_and_kept_once(folder, tmp_path, tiny_model, capfd):
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    shutil.move(folder, before / "recordings")
    for place in (before, after):
        if place is after:
            before.rename(after)
        capfd.readouterr()
        names = [f"{place}/{name}" for name in ("recordings", "r.csv", "index")]
        options = ["-o", names[1], "--save-features", names[2], "--json"]
        assert run(["batch", names[0], "--weights", str(tiny_model), *options]) == 3
    assert json.loads(capfd.readouterr().out)["resumed"] == 3
    assert len(list((after / "index").iterdir())) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--save-features", "s", "--save-scores", "s"), "would both write"),
        (("--save-features", "s3://bucket/f"), "is an address; features are kept"),
    ],
)
def test_a_place_that_cannot_hold_features_is_refused(
    batch, arguments, message, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    code, _, err = batch(*arguments)
    assert code == 2
    assert message in err

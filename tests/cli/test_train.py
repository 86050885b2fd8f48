import json
import re
import shutil
from pathlib import Path

import pytest

from tests.support.shapes import shapes_script
from vswin_cli.cli.app import run
from vswin_cli.cli.training_progress import describe
from vswin_cli.timeline.files import read_timelines
from vswin_cli.training.progress import TrainingProgress

pytestmark = pytest.mark.slow  # networks are run or fitted in nearly every test


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return shapes_script().make_shapes(
        tmp_path_factory.mktemp("shapes"), 3, labels=("move left", "move right")
    )


def train(*arguments: object) -> int:
    return run(["train", *map(str, arguments)])


def test_a_model_is_trained_and_tags(shapes, tmp_path, capfd):
    model = tmp_path / "mine"
    assert train(shapes, "-o", model) == 0
    out, err = capfd.readouterr()
    assert out == f"{model}\n"
    assert re.search(r"Accuracy on 6 held-out examples: \d", err)
    assert "Classes with fewer than 12 examples: move left 3, move right 3." in err
    video = shapes.parent / "move-left-000.mp4"
    assert run(["tag", str(video), "--model", str(model), "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["model"]["id"] == "mine"
    assert train(shapes, "-o", model) == 8
    assert "exists" in capfd.readouterr().err
    assert train(shapes, "-o", model, "--force", "--quiet", "--json") == 0
    out, err = capfd.readouterr()
    assert json.loads(out)["labels"] == ["move left", "move right"]
    assert err == ""


def test_what_cannot_be_read_is_named_and_the_rest_is_trained_on(shapes, tmp_path, capfd):
    shutil.copytree(shapes.parent, tmp_path / "set")
    (tmp_path / "set" / "move-left-000.mp4").write_bytes(b"none")
    (tmp_path / "set" / "move-left-001.mp4").unlink()
    assert train(tmp_path / "set" / "train.csv", "-o", tmp_path / "mine") == 3
    err = capfd.readouterr().err
    assert "left out move-left-001.mp4: no such file" in err
    assert re.search(r"left out \S*move-left-000\.mp4: ", err)
    assert (tmp_path / "mine" / "training.json").exists()


@pytest.mark.parametrize(
    ("rows", "code", "message"),
    [
        ("a.mp4,run\n", 4, "all examples are of one class, 'run'"),
        ("a.mp4,run\nb.mp4,Run\n", 4, "differ only in upper case or spaces"),
        ("../a.mp4,run\n", 4, "is outside of the folder"),
        ("none.mp4,run\n", 4, "not one of 1 video can be used"),
        ("", 4, "no examples"),
    ],
)
def test_bad_examples_are_one_error_with_a_hint(rows, code, message, tmp_path, capfd):
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "list.csv").write_text(f"path,label\n{rows}")
    assert train(tmp_path / "list.csv", "-o", tmp_path / "mine") == code
    err = capfd.readouterr().err
    assert message in err
    assert len(err.strip().splitlines()) == 2  # with the hint
    assert not (tmp_path / "mine").exists()


def test_a_folder_of_others_is_not_replaced(tmp_path, capfd):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    (tmp_path / "list.csv").write_text("path,label\n")
    assert train(tmp_path / "list.csv", "-o", tmp_path / "mine", "--force") == 8
    assert "thesis.txt is in it" in capfd.readouterr().err


def test_a_model_trained_on_cut_clips_finds_the_segments_that_they_were_cut_from(
    tmp_path, monkeypatch, capfd
):
    video = Path(__file__).parents[2] / "examples" / "camera.mp4"
    shutil.copy(video, tmp_path)
    monkeypatch.chdir(tmp_path)
    assert run(["tag", "camera.mp4", "-o", "camera.json", "--exclude", "cut"]) == 0
    assert run(["cut", "camera.json", "-o", "clips"]) == 0
    assert train("clips", "-o", "mine") == 0
    assert run(["tag", "camera.mp4", "--model", "./mine", "-o", "again.json"]) == 0
    first, again = (
        [(s.label, s.start_seconds, s.end_seconds) for s in read_timelines(Path(name))[0].segments]
        for name in ("camera.json", "again.json")
    )
    assert len(first) == len(again) >= 6
    for (label, start, end), (found, own_start, own_end) in zip(first, again, strict=True):
        assert found == label
        assert abs(own_start - start) < 0.5
        assert abs(own_end - end) < 0.5
    assert "No video could be held out" in capfd.readouterr().err


def test_progress_shows_rate_loss_and_accuracy():
    progress = TrainingProgress("fitting", 3, 9, "steps", loss=0.25, accuracy=0.5)
    assert describe(progress, 2.0) == "2 steps/s, loss 0.250, held-out accuracy 50.0%"
    assert describe(TrainingProgress("fitting", 0, 9), None) == ""

"""`vswin tag` with several models on one timeline."""

import csv
import json
import shutil

import pytest

from tests.support.reports import content_of
from tests.support.videos import VideoRecipe, make_video
from vswin_cli.cli.app import run
from vswin_cli.cli.model_choice import ModelChoices
from vswin_cli.errors import OptionError
from vswin_cli.timeline.files import read_timelines

BOTH = ("-m", "camera-motion", "-m")
EASY = ("--onset", "0", "--offset", "0", "--min-duration", "0")


@pytest.fixture(scope="module")
def movie(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    return str(make_video(folder / "movie.mp4", VideoRecipe(num_frames=60, width=96)))


@pytest.fixture
def both(tiny_model):
    return [*BOTH, str(tiny_model)]


def tag_json(capfd, *words):
    assert run(["tag", *words, "--json"]) == 0
    return json.loads(capfd.readouterr().out) | {"created": None}


@pytest.mark.slow
def test_the_timeline_has_the_first_model_and_a_track_per_further_one(movie, both, capfd):
    together = tag_json(capfd, movie, *both, "--windows", "2")
    (track,) = together.pop("tracks")
    first = tag_json(capfd, movie, "-m", both[1], "--windows", "2")
    second = tag_json(capfd, movie, "-m", both[3], "--windows", "2")
    assert together == first
    assert track == {key: second[key] for key in track}
    assert track["model"]["id"] == "tiny"
    assert len(track["windows"]) == track["coverage"]["windows"]


@pytest.mark.slow
def test_scores_of_each_model_go_to_a_file_that_has_its_name(movie, both, tmp_path, capfd):
    words = ["tag", movie, *both, "--save-scores", str(tmp_path / "s.npz")]
    assert run([*words, "-o", str(tmp_path / "a.json")]) == 0
    shown = capfd.readouterr().err
    (timeline,) = read_timelines(tmp_path / "a.json")
    for name, found in zip(("camera-motion", "tiny"), timeline.each_model(), strict=True):
        path = tmp_path / f"s.{name}.npz"
        assert f"wrote {path}" in shown
        assert run(["segment", str(path), "--json"]) == 0
        again = json.loads(capfd.readouterr().out)
        assert again["model"]["id"] == name
        assert again["segments"] == found.to_dict()["segments"]
    assert not (tmp_path / "s.npz").exists()


@pytest.mark.slow
def test_several_videos_have_a_score_file_per_model_in_a_folder(movie, both, tmp_path):
    other = shutil.copy(movie, tmp_path / "other.mp4")
    scores = tmp_path / "scores"
    words = ["tag", movie, str(other), *both, "--save-scores", f"{scores}/"]
    assert run([*words, "-o", str(tmp_path / "a.csv")]) == 0
    names = sorted(path.name.partition(".")[2] for path in scores.iterdir())
    assert names == ["camera-motion.npz"] * 2 + ["tiny.npz"] * 2
    with (tmp_path / "a.csv").open(newline="") as file:
        models = {(row["video"], row["model"]) for row in csv.DictReader(file)}
    assert {(movie, "tiny"), (str(other), "tiny")} <= models


@pytest.mark.slow
def test_what_a_format_leaves_out_is_said(movie, both, tmp_path, capfd):
    assert run(["tag", movie, *both, *EASY, "-o", str(tmp_path / "a.srt")]) == 0
    assert "`srt` holds one model, camera-motion; tiny is left out" in capfd.readouterr().err
    assert run(["tag", movie, *both, *EASY]) == 0
    out, err = capfd.readouterr()
    assert "left out" not in err
    assert [line for line in out.splitlines() if "  " not in line] == ["camera-motion", "", "tiny"]


@pytest.mark.slow
def test_a_warning_about_one_model_names_it(movie, both, capfd):
    assert run(["tag", movie, *both, "--onset", "1", "--offset", "1"]) == 0
    warnings = [line for line in capfd.readouterr().err.splitlines() if "warning" in line]
    assert len(warnings) == 2
    assert ": camera-motion: " in warnings[0]
    assert ": tiny: " in warnings[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--live"], "--live takes one model, and --model names 2"),
        (["--evidence", "--json"], "--evidence takes one model"),
        (["--weights", "a.pth"], "--weights belongs to one model"),
        (["--labels", "a.txt"], "--labels belongs to one model"),
        (["--no-ema"], "--ema belongs to one model"),
        (["-m", "camera-motion"], "--model camera-motion is given twice"),
        (["--include", "pan-*"], "tiny has none of the labels to include"),
        (["--exclude", "stattic"], "no label matches `stattic`"),
    ],
)
def test_what_several_models_cannot_have_is_refused(movie, both, capfd, words, message):
    assert run(["tag", movie, *both, *words]) == 2
    out, err = capfd.readouterr()
    assert message in out + err
    assert "hint" in out + err


@pytest.mark.parametrize(
    "words",
    [
        ["batch", "videos/", "-o", "a.csv"],
        ["features", "a.mp4", "-o", "a.npz"],
        ["bench"],
        ["evaluate", "topk", "a.csv"],
    ],
)
def test_other_commands_take_one_model(words, capfd):
    assert run([*words, "-m", "camera-motion", "-m", "swin-t-k400"]) == 2
    err = capfd.readouterr().err
    assert f"{words[1] if words[0] == 'evaluate' else words[0]} takes one model" in err
    assert f"vswin {' '.join(words[: 1 + (words[0] == 'evaluate')])}` once for each" in err


@pytest.mark.slow
def test_the_environment_names_one_model_that_may_have_spaces(
    movie, tiny_model, tmp_path, capfd, monkeypatch
):
    folder = shutil.copytree(tiny_model, tmp_path / "my own model")
    monkeypatch.setenv("VSWIN_MODEL", str(folder))
    assert tag_json(capfd, movie)["model"]["id"] == "tiny"
    assert tag_json(capfd, movie, "-m", "camera-motion")["model"]["id"] == "camera-motion"


def test_one_model_is_chosen_as_ever():
    (choice,) = ModelChoices().each()
    assert choice.reference == "camera-motion"
    (choice,) = ModelChoices(["swin-t-k400"]).each()
    assert choice.reference == "swin-t-k400"
    assert not ModelChoices(["swin-t-k400"]).are_several
    with pytest.raises(OptionError, match="--model a and --weights b exclude each other"):
        ModelChoices(["a"], weights="b").each()


@pytest.mark.slow
def test_the_report_has_the_scores_of_each_model(movie, both, tmp_path):
    page = tmp_path / "page.html"
    assert run(["tag", movie, *both, "--report", str(page), "-o", str(tmp_path / "a.json")]) == 0
    content = content_of(page.read_text())
    found = [content, *content["models"]]
    assert [one["record"]["model"]["id"] for one in found] == ["camera-motion", "tiny"]
    assert all(one["track"]["scores"] for one in found)
    assert found[1]["label_names"][0] == "label a"

"""Files that `vswin evaluate topk` writes on request."""

import csv
import json
import sys

import numpy as np
import pytest

from tests.support.videos import VideoRecipe, make_video
from vswin_cli.cli.app import run

LABELS = [f"label {letter}" for letter in "abcdefghij"]


@pytest.fixture(scope="module")
def listed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    for i in range(2):
        make_video(folder / f"{i}.mp4", VideoRecipe(num_frames=40, first_index=1000 * i))
    path = folder / "list.csv"
    path.write_text("path,label\n0.mp4,label a\ngone.mp4,label b\n1.mp4,label c\n")
    return path


def call(listed, tiny_model, *arguments: object) -> int:
    options = ["--weights", tiny_model, "--device", "cpu", *arguments]
    return run(["evaluate", "topk", *map(str, [listed, *options])])


@pytest.mark.slow
def test_tables_scores_and_figures_agree_with_the_report(listed, tiny_model, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    files = [tmp_path / name for name in ("p.csv", "c.csv", "s.npz")]
    predictions, confusion, scores = files
    options = ["--predictions", predictions, "--confusion", confusion, "--save-scores", scores]
    options += ["--plots", tmp_path / "plots", "--top", "3,1"]
    assert call(listed, tiny_model, *options, "--json") == 3
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert [one["k"] for one in report["top"]] == [1, 3]
    with np.load(scores) as found:
        ranked = np.argsort(-found["scores"], axis=1, kind="stable")
        assert (found["truth"].tolist(), found["labels"].tolist()) == ([0, 2], LABELS)
        ranks = [row.tolist().index(truth) + 1 for row, truth in zip(ranked, (0, 2), strict=True)]
        assert found["ranks"].tolist() == ranks
        assert report["top"][1]["rate"]["hits"] == sum(rank <= 3 for rank in ranks)
    rows = list(csv.reader(confusion.read_text().splitlines()))
    counts = np.array([row[1:] for row in rows[1:]], int)
    assert [row[0] for row in rows[1:]] == rows[0][1:] == LABELS
    expected = np.zeros((10, 10), int)
    np.add.at(expected, ([0, 2], ranked[:, 0]), 1)
    assert (counts == expected).all()
    assert len(list((tmp_path / "plots").iterdir())) == 8
    assert all(f"wrote {path}" in err for path in (*files, tmp_path / "plots"))
    # Again, from the log: all of it is ours and is replaced.
    table = ["--save-scores", tmp_path / "s.csv", "-q"]
    assert call(listed, tiny_model, *options, *table) == 3
    assert len((tmp_path / "s.csv").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--top", "0"], 2, "--top takes whole numbers from 1, got '0'"),
        (["--top", "1;5"], 2, "separate them by commas"),
        (["--confusion", "10"], 2, "--confusions COUNT"),
        (["--confusion", "c.png"], 2, "named like a media file"),
        (["--save-scores", "scores.json"], 2, "must end with .npz or .csv"),
        (["--save-scores", "missing/scores.npz"], 8, "no folder missing"),
        (["--save-scores", "folder.npz"], 8, "cannot write folder.npz"),
        (["--confusion", "one.csv", "--predictions", "one.csv"], 2, "would both write one.csv"),
        (["--confusion", "table.csv"], 8, "table.csv exists and was not written by vswin"),
        (["--plots", "plot.png"], 2, "give a folder, such as plot"),
        (["--plots", "mine"], 8, "classes.png exists and was not written by vswin"),
        (["--plots", "table.csv"], 8, "part of that path is a file"),
        (["--plots", "missing/plots"], 8, "no folder missing"),
    ],
)
def test_mistakes_are_found_before_any_work(
    tmp_path, capsys, monkeypatch, arguments, code, message
):
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.csv").write_text("path,label\n0.mp4,label a\n")
    (tmp_path / "table.csv").write_text("a,b\n")
    for folder in ("mine", "folder.npz"):
        (tmp_path / folder).mkdir()
    (tmp_path / "mine" / "classes.png").write_bytes(b"\x89PNG\r\n\x1a\nprecious")
    monkeypatch.setattr("vswin_cli.cli.topk.make_engine", None)  # would be called to work
    assert run(["evaluate", "topk", "list.csv", *arguments]) == code
    err = " ".join(capsys.readouterr().err.split())
    assert message in err


def test_without_matplotlib_nothing_is_begun(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    (tmp_path / "list.csv").write_text("path,label\n0.mp4,label a\n")
    plots = str(tmp_path / "plots")
    assert run(["evaluate", "topk", str(tmp_path / "list.csv"), "--plots", plots]) == 2
    assert 'pip install "vswin[plots]"' in capsys.readouterr().err


@pytest.mark.slow
def test_outcomes_of_a_log_without_all_scores_are_refused(listed, tiny_model, tmp_path, capsys):
    assert call(listed, tiny_model) == 3
    from vswin_cli.storage.user_config import cache_folder

    (log,) = (cache_folder() / "evaluations").glob("*.jsonl")
    head, *lines = log.read_text().splitlines()
    bare = [json.loads(line) for line in lines]
    for line in bare:
        del line["outcome"]["all_scores"]
    log.write_text("\n".join([head, *map(json.dumps, bare)]) + "\n")
    scores = tmp_path / "scores.npz"
    assert call(listed, tiny_model, "--save-scores", scores) == 2
    assert "add --fresh" in capsys.readouterr().err
    assert call(listed, tiny_model, "--save-scores", scores, "--fresh") == 3
    assert scores.exists()

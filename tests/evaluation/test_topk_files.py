"""Confusion matrix and scores as files."""

import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest

from vswin_cli.cli.overwriting import is_own_file
from vswin_cli.evaluation.topk import Outcome
from vswin_cli.evaluation.topk_files import write_confusion, write_scores

LABELS = ("run", "=SUM(A1)", 'say "no", then go')
REPORT = SimpleNamespace(
    model="small", weights_sha256="0" * 64, protocol="paper", description="x", precision="float32"
)
SCORED = [
    Outcome("a,b.mp4", 0, 1, (0, 2), (0.75, 0.25), (0.75, 0.0, 0.25)),
    Outcome("bad\udcff.mp4", 2, 3, (0, 1), (0.5, 0.3), (0.5, 0.3, 0.2)),
]


def test_confusions_as_a_table(tmp_path):
    path = tmp_path / "confusion.csv"
    write_confusion(path, np.array([[2, 1, 0], [0, 0, 0], [0, 0, 3]]), LABELS)
    rows = list(csv.reader(path.read_text().splitlines()))
    assert rows == [
        ["true \\ predicted", "run", "'=SUM(A1)", 'say "no", then go'],
        ["run", "2", "1", "0"],
        ["'=SUM(A1)", "0", "0", "0"],
        ['say "no", then go', "0", "0", "3"],
    ]
    assert is_own_file(path)


def test_scores_as_a_table(tmp_path):
    path = tmp_path / "scores.csv"
    write_scores(path, SCORED, LABELS, REPORT)
    head, *rows = csv.reader(path.read_text().splitlines())
    assert head[:4] == ["path", "label", "rank", "score of run"]
    assert rows[0] == ["a,b.mp4", "run", "1", "0.750000", "0.000000", "0.250000"]
    assert rows[1][:3] == ["bad\\xff.mp4", 'say "no", then go', "3"]
    assert is_own_file(path)


def test_scores_as_arrays_without_pickles(tmp_path):
    path = tmp_path / "scores.npz"
    write_scores(path, SCORED, LABELS, REPORT)
    with np.load(path, allow_pickle=False) as found:
        assert found["scores"].dtype == np.float32
        assert found["scores"] == pytest.approx(np.array([one.all_scores for one in SCORED]))
        assert found["truth"].tolist() == [0, 2]
        assert found["ranks"].tolist() == [1, 3]
        assert found["paths"].tolist() == ["a,b.mp4", "bad\\xff.mp4"]
        assert found["labels"].tolist() == list(LABELS)
        facts = json.loads(str(found["metadata"]))
    assert (facts["schema"], facts["model"]) == ("vswin.topk-scores/1", "small")
    assert is_own_file(path)

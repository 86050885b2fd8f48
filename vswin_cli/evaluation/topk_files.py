"""Write the confusion matrix of `vswin evaluate topk` and the scores of all classes."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vswin_cli._version import __version__
from vswin_cli.evaluation.topk import Outcome, TopkReport, all_scores
from vswin_cli.export.naming import escaped, one_line, spreadsheet_text
from vswin_cli.storage.array_archive import write_array
from vswin_cli.storage.files import replacing_binary, replacing_text
from vswin_cli.storage.json_records import json_text

__all__ = ["SCORES_SCHEMA", "write_confusion", "write_scores"]

SCORES_SCHEMA = "vswin.topk-scores/1"
_CORNER = "true \\ predicted"


def write_confusion(path: Path, matrix: NDArray[np.int64], labels: Sequence[str]) -> None:
    """Write a confusion matrix (K, K) as CSV: a row per true class, a column per predicted one.

    Raises:
        OutputError: it cannot be written.
    """
    names = [_cell(label) for label in labels]
    with replacing_text(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([_CORNER, *names])
        writer.writerows([name, *row] for name, row in zip(names, matrix.tolist(), strict=True))


def write_scores(
    path: Path, scored: Sequence[Outcome], labels: Sequence[str], report: TopkReport
) -> None:
    """Write the scores of all classes for every scored video, as `.npz` or else as CSV.

    An archive holds plain arrays that `numpy.load` reads without pickles: `scores` (N, K),
    `truth` (N,) class indices, `ranks` (N,) of the right class, `paths` (N,), `labels` (K,) and
    `metadata`, JSON that says which test it was. CSV holds a row per video: `path`, `label`,
    `rank` and a column per class.

    Args:
        path: file to write.
        scored: outcomes of the videos that could be decoded, with all scores.
        labels: K names.
        report: names the model and the protocol.

    Raises:
        OutputError: it cannot be written.
        ValueError: an outcome lacks scores.
    """
    scores = all_scores(scored)
    if scores is None:
        raise ValueError("outcomes without all scores")
    if path.suffix.lower() == ".npz":
        _write_archive(path, scored, scores, labels, report)
    else:
        _write_table(path, scored, labels)


def _write_archive(
    path: Path,
    scored: Sequence[Outcome],
    scores: NDArray[np.float32],
    labels: Sequence[str],
    report: TopkReport,
) -> None:
    facts = {
        "schema": SCORES_SCHEMA,
        "vswin": __version__,
        "model": report.model,
        "weights_sha256": report.weights_sha256,
        "protocol": report.protocol,
        "description": report.description,
        "precision": report.precision,
    }
    with replacing_binary(path) as file, zipfile.ZipFile(file, "w") as archive:
        write_array(archive, "metadata", np.array(json_text(facts)))
        write_array(archive, "scores", scores)
        write_array(archive, "truth", np.array([one.truth for one in scored], np.int64))
        write_array(archive, "ranks", np.array([one.rank for one in scored], np.int64))
        write_array(archive, "paths", np.array([escaped(one.uri) for one in scored], np.str_))
        write_array(archive, "labels", np.array(labels, np.str_))


def _write_table(path: Path, scored: Sequence[Outcome], labels: Sequence[str]) -> None:
    names = [_cell(label) for label in labels]
    with replacing_text(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["path", "label", "rank", *(f"score of {name}" for name in names)])
        for one in scored:
            scores = (f"{score:.6f}" for score in one.all_scores or ())
            place = spreadsheet_text(escaped(one.uri))
            writer.writerow([place, names[one.truth], one.rank, *scores])


def _cell(label: str) -> str:
    return spreadsheet_text(one_line(label))

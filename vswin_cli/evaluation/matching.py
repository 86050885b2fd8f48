"""Check that predictions and ground truth share videos and labels.

Two files that share nothing give a score of zero that looks like a bad model; they are refused.
Where only part is shared, there are warnings.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from vswin_cli.errors import OptionError, SourceError
from vswin_cli.evaluation.intervals import Annotations
from vswin_cli.evaluation.reading import guarded, read_text
from vswin_cli.storage.csv_rows import read_rows
from vswin_cli.storage.humanize import counted

__all__ = ["check_comparable", "check_labels_known", "read_label_map"]

_SHOWN = 3


def check_comparable(
    prediction: Annotations,
    truth: Annotations,
    *,
    others: str = "where every prediction is wrong",
) -> list[str]:
    """Refuse files that cannot be compared; list what does not match.

    Args:
        prediction: what was found.
        truth: what there is.
        others: what the measure makes of videos that only the prediction has, for the warning.

    Returns:
        Warnings for the user, none if everything matches.

    Raises:
        SourceError: no video or no label in common, or nothing to find.
    """
    if not truth.labels:
        raise SourceError(
            f"{truth.source} holds no labelled interval, so there is nothing to find",
            hint="the ground truth comes second; --subset or --ignore may leave nothing of it",
        )
    _check_overlap("video", prediction.videos, truth.videos, prediction.source, truth.source)
    known = prediction.only(truth.videos)
    if known.labels:
        hint = "if they name the same things, say which is which by --label-map"
        _check_overlap("label", known.labels, truth.labels, prediction.source, truth.source, hint)
    return [
        *_notes("video", prediction.videos, truth.videos, others),
        *_notes("label", known.labels, truth.labels, "so never right"),
    ]


def check_labels_known(
    labels: Collection[str], prediction: Annotations, truth: Annotations
) -> None:
    """Refuse labels that an option names and neither file holds.

    Raises:
        OptionError: there is one; whatever it should have changed would stay as it is.
    """
    known = {*prediction.labels, *truth.labels}
    for label in sorted(set(labels) - known):
        raise OptionError(
            f"neither {prediction.source} nor {truth.source} has a label {label!r}",
            hint=f"they have {_some(known)}",
        )


def _check_overlap(
    what: str,
    predicted: Collection[str],
    true: Collection[str],
    predicted_in: str,
    true_in: str,
    hint: str = "is it the right pair of files? Videos are matched by file name",
) -> None:
    if not set(predicted) & set(true):
        raise SourceError(
            f"no {what} in common: {predicted_in} has {_some(predicted)}; "
            f"{true_in} has {_some(true)}",
            hint=hint,
        )


def _notes(
    what: str, predicted: Collection[str], true: Collection[str], consequence: str
) -> list[str]:
    extra, missing = set(predicted) - set(true), set(true) - set(predicted)
    notes = []
    if extra:
        notes.append(
            f"{counted(len(extra), what)} of the prediction missing from the ground truth, "
            f"{consequence}: {_some(extra)}"
        )
    if missing:
        notes.append(
            f"{len(missing)} of {len(true)} {what}s of the ground truth are never predicted: "
            f"{_some(missing)}"
        )
    return notes


def _some(names: Iterable[str]) -> str:
    ordered = sorted(names)
    if not ordered:
        return "none"
    more = f" and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else ""
    return ", ".join(repr(name) for name in ordered[:_SHOWN]) + more


@guarded
def read_label_map(path: Path) -> dict[str, str]:
    """Read a map from labels of the prediction to labels of the ground truth.

    The file is CSV without header: `predicted,true`. Several may stand for the same one.

    Raises:
        SourceNotFoundError: no such file, or not readable.
        SourceError: a line without two names, a stray quote, or a label mapped twice.
    """
    names: dict[str, str] = {}
    for number, cells in read_rows(read_text(path), str(path)):
        where = f"{path}, line {number}"
        if len(cells) != 2 or not all(cells):
            raise SourceError(
                f"{where}: expected `predicted label,true label`",
                hint="write a pair per line, and quotes around names that hold a comma",
            )
        if names.setdefault(cells[0], cells[1]) != cells[1]:
            raise SourceError(
                f"{where}: {cells[0]!r} already stands for {names[cells[0]]!r}",
                hint="keep one of the lines; the predicted label comes first in each",
            )
    return names

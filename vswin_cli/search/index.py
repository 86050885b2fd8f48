"""The features to be searched: files of one model, mapped into memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vswin_cli.errors import OptionError, SourceError, SourceNotFoundError
from vswin_cli.storage.files import absence, is_folder, reading_hint
from vswin_cli.timeline.feature_files import FeatureFile, load_features

__all__ = ["check_same_model", "load_index"]

_HINT = "`vswin features VIDEO… -o FOLDER/` writes features"


def load_index(paths: Sequence[Path]) -> tuple[list[FeatureFile], list[SourceError]]:
    """Open files of features, and those in folders and their subfolders.

    Returns:
        The files, in the order of the arguments and of names, without those that hold nothing;
        and the problems of files in folders that cannot be read, which are left out.

    Raises:
        SourceNotFoundError: no such file or folder.
        SourceError: a named file does not hold features, or there are none at all.
        OptionError: features of several models.
    """
    found: dict[Path, FeatureFile] = {}
    problems: list[SourceError] = []
    for path in paths:
        for file in _files_of(path):
            try:
                found.setdefault(file.resolve(), load_features(file))
            except SourceError as problem:
                if file == path:
                    raise
                problems.append(problem)
    files = [file for file in found.values() if len(file.features)]
    if not files:
        named = ", ".join(map(str, paths))
        if problems:
            raise problems[0]
        raise SourceError(f"there are no features in {named}", hint=_HINT)
    _check_one_model(files)
    return files, problems


def _files_of(path: Path) -> list[Path]:
    absent = absence(path)
    if absent is not None:
        raise SourceNotFoundError(
            f"cannot read {path}: {absent.strerror}", hint=reading_hint(absent)
        )
    if not is_folder(path):
        return [path]
    return sorted(file for file in path.rglob("*.npz") if not file.name.startswith("."))


def _check_one_model(files: Sequence[FeatureFile]) -> None:
    models: dict[tuple[str, int], FeatureFile] = {}
    for file in files:
        key = file.record.weights_identity, file.features.shape[1]
        models.setdefault(key, file)
    if len(models) > 1:
        shown = ", ".join(f"{f.record.model.id} ({f.path})" for f in models.values())
        raise OptionError(
            f"the index holds features of {len(models)} models: {shown}",
            hint="search files of one model at a time: keep a folder per model",
        )


def check_same_model(name: str, identity: str, index: FeatureFile) -> None:
    """Check that features can be compared.

    Args:
        name: of the model of the query's features.
        identity: of its weights but for the head.
        index: a file of the index.

    Raises:
        OptionError: they come from different weights.
    """
    record = index.record
    if identity != record.weights_identity:
        other = record.model.id
        raise OptionError(
            f"the query has features of {name}, and the index of {other} ({index.path})",
            hint=f"give the model of the index, as --model {other} or --weights FILE",
        )

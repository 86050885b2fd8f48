"""Find installed weights with their cards, and the labels of any model or label file."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vswin_cli.errors import CheckpointError, LabelsError, UnknownModelError
from vswin_cli.models.card import ModelCard
from vswin_cli.models.labels import LabelMap, bundled_label_sets
from vswin_cli.models.weights.references import HubReference, LocalReference, parse_reference
from vswin_cli.models.weights.registry import all_specs, nearest_names
from vswin_cli.models.weights.spec import WeightsSpec
from vswin_cli.models.weights.store import (
    EMBEDDED_MODEL,
    MODEL_FILES,
    embedded_folder,
    is_model_folder,
    model_folder,
    recall_commit,
)
from vswin_cli.storage.files import absence
from vswin_cli.storage.humanize import counted
from vswin_cli.storage.user_config import cache_folder

__all__ = [
    "InstalledModel",
    "embedded_model",
    "find_installed",
    "installed_folder",
    "installed_models",
    "labels_of",
    "read_card",
]

_LIST_ENDINGS = (".txt", ".csv", ".tsv", ".json")


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """Weights in our format, in the package or in the cache."""

    folder: Path
    card: ModelCard
    size_bytes: int

    @classmethod
    def of(cls, folder: Path) -> InstalledModel:
        """Describe the weights in a folder.

        Raises:
            CheckpointError: its card cannot be read.
        """
        size_bytes = sum((folder / name).stat().st_size for name in MODEL_FILES)
        return cls(folder, read_card(folder), size_bytes)


def embedded_model() -> InstalledModel:
    """Describe the weights inside the package.

    Raises:
        CheckpointError: the package is damaged.
    """
    return InstalledModel.of(embedded_folder())


def installed_models() -> tuple[InstalledModel, ...]:
    """List all weights in the cache, by name; folders without weights are skipped."""
    folders: list[Path] = []
    with suppress(OSError):  # folders that may not be read cannot be used either
        folders += (cache_folder() / "models").glob("[!.]*")
    found = []
    for folder in sorted(folders):
        if is_model_folder(folder):
            with suppress(CheckpointError):  # a damaged card must not hide the others
                found.append(InstalledModel.of(folder))
    return tuple(found)


def find_installed(reference: str) -> InstalledModel | None:
    """Find the weights of a reference if they are installed, without network access.

    Raises:
        UnknownModelError: not a valid reference.
        CheckpointError: their card cannot be read.
    """
    folder = installed_folder(reference)
    return None if folder is None else InstalledModel.of(folder)


def installed_folder(reference: str) -> Path | None:
    """Find the folder of a reference's weights, without network access; `None` if not installed.

    Raises:
        UnknownModelError: not a valid reference.
    """
    meant = parse_reference(reference)
    if isinstance(meant, WeightsSpec):
        folder = model_folder(meant.name)
    elif isinstance(meant, HubReference):
        commit = recall_commit(str(meant))
        if commit is None:
            return None
        folder = meant.folder_at(commit)
    else:
        folder = meant.path
    return folder if is_model_folder(folder) else None


def read_card(folder: Path) -> ModelCard:
    """Read the card of weights in our format.

    Raises:
        CheckpointError: it cannot be read, or is not a card.
    """
    return ModelCard.read(folder / "config.json")


def labels_of(reference: str) -> LabelMap:
    """Look up the class names of weights, of a bundled list, or of a label file.

    Args:
        reference: a registry name, a bundled list such as `kinetics-600`, a label file, or
            installed weights.

    Raises:
        UnknownModelError: not a valid reference.
        LabelsError: not a label list, or weights that are not installed or have no names.
    """
    if reference in bundled_label_sets():
        return LabelMap.bundled(reference)
    path = Path(reference).expanduser()
    is_list = path.suffix.lower() in _LIST_ENDINGS
    if is_list and not isinstance(absence(path), FileNotFoundError):
        return LabelMap.from_file(path)
    try:
        meant = parse_reference(reference)
    except UnknownModelError as error:
        raise _no_labels(reference) from error
    if isinstance(meant, WeightsSpec):
        return LabelMap.bundled(meant.labels)
    folder = installed_folder(reference)
    if folder is None:
        raise LabelsError(
            f"{meant}: not installed, so its labels are unknown",
            hint="convert the checkpoint first"
            if isinstance(meant, LocalReference)
            else f"run `vswin download {reference}` first",
        )
    card = read_card(folder)
    if not card.labels:
        raise LabelsError(
            f"{meant}: its {counted(card.num_classes, 'class')} have no names",
            hint="convert the checkpoint again, with `--labels FILE`",
        )
    return LabelMap(str(meant), card.labels)


def _no_labels(reference: str) -> UnknownModelError:
    lists = bundled_label_sets()
    if Path(reference).suffix.lower() in _LIST_ENDINGS:
        return UnknownModelError(f"{reference}: no such label file", hint="check the path")
    known = (EMBEDDED_MODEL, *(spec.name for spec in all_specs()), *lists)
    near = nearest_names(reference, known)
    advice = f"did you mean {' or '.join(near)}? " if near else ""
    return UnknownModelError(
        f"no weights or label list is called {reference!r}",
        hint=f"{advice}lists in the package: {', '.join(lists)}; `vswin models` has the weights; "
        "a file of labels ends with .txt, .csv or .json",
    )

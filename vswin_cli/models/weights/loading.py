"""Load weights by name, Hub repository or path; download and convert them if needed.

Weights are downloaded, checked and converted once, and then used from the cache without network
access. Sources are tried in order; if all fail, the error lists each one's reason.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from vswin_cli.errors import (
    CheckpointError,
    DownloadError,
    IntegrityError,
    ModelError,
    OfflineError,
    OptionError,
    UnknownModelError,
)
from vswin_cli.models.labels import LabelMap
from vswin_cli.models.weights.catalogue import installed_folder, read_card
from vswin_cli.models.weights.hub import FetchedFile, fetch, list_repo
from vswin_cli.models.weights.new_card import (
    card_of_spec,
    card_of_unknown,
    provenance_of,
    provenance_of_file,
    without_revision,
)
from vswin_cli.models.weights.references import (
    HubReference,
    LocalReference,
    choose_files,
    parse_reference,
)
from vswin_cli.models.weights.registry import find_source
from vswin_cli.models.weights.spec import WeightsSource, WeightsSpec, parameter_count
from vswin_cli.models.weights.store import (
    EMBEDDED_MODEL,
    check_model,
    download_folder,
    is_model_folder,
    locked,
    model_folder,
    recall_file,
    record_path,
    remember_commit,
    remember_file,
    remember_model,
)
from vswin_cli.storage.download import DiskFullError, OnBytes, check_free_space
from vswin_cli.storage.files import is_folder

if TYPE_CHECKING:
    from vswin_cli.models.checkpoints.load import Checkpoint, LoadedModel

__all__ = ["DownloadPlan", "ensure_weights", "load_model", "plan_download"]

OnNote = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class DownloadPlan:
    """What `ensure_weights` would download for a reference."""

    reference: str
    folder: Path
    """Folder of the weights in our format."""
    installed: bool
    """Whether they are there, so that no download is needed."""
    source_uri: str
    """Address that is tried first."""
    download_bytes: int
    """Bytes to download, as far as known; 0 if installed."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A resolved reference: the target folder and the sources to try."""

    name: str
    """Name in messages."""
    folder: Path
    sources: tuple[WeightsSource, ...]
    spec: WeightsSpec | None
    ema: bool | None = None


def load_model(
    reference: str | Path,
    *,
    labels: LabelMap | Sequence[str] | str | Path | None = None,
    ema: bool | None = None,
    on_bytes: OnBytes | None = None,
    on_note: OnNote | None = None,
) -> LoadedModel:
    """Load a network with its card.

    Args:
        reference: a registry name, `USER/REPO[@REV]`, or a path to a checkpoint of any layout.
        labels: class names to use instead of those that come with the weights: a list of names,
            a label map, or the path of a list (see `LabelMap.from_file`).
        ema: true for averaged weights, false for raw ones, if a file has both; by default those
            under the usual key.
        on_bytes: progress of a download, if one is needed.
        on_note: called with the failure of a source, and with the choice among several weights.

    Raises:
        UnknownModelError: not a valid reference.
        DownloadError: not installed, and no source delivered it.
        CheckpointError: the file is not a Video Swin, or damaged.
        LabelsError: the labels do not fit the head.
    """
    from vswin_cli.models.checkpoints.load import build_model, read_checkpoint

    names = None if labels is None else _label_map(labels)
    if not isinstance(reference, (str, Path)):
        raise UnknownModelError(
            f"weights have a name or a path, got {reference!r}",
            hint='write "camera-motion"; `vswin models` lists the names',
        )
    meant = parse_reference(str(reference))
    if isinstance(meant, LocalReference):
        path = meant.path
    else:
        path = ensure_weights(str(reference), on_bytes=on_bytes, on_note=on_note)
        check_model(path)
    checkpoint = read_checkpoint(path, ema=ema)
    for note in checkpoint.notes:
        (on_note or _ignore)(f"{path.name}: {note}")
    card = checkpoint.card
    if card is None:
        card = card_of_unknown(path.stem, checkpoint, provenance_of_file(path, checkpoint), names)
    elif names is not None:
        card = card.with_labels(names)
    return build_model(checkpoint, card)


def _label_map(labels: LabelMap | Sequence[str] | str | Path) -> LabelMap:
    if isinstance(labels, (str, Path)):
        return LabelMap.from_file(labels)
    return labels if isinstance(labels, LabelMap) else LabelMap.of(labels)


def ensure_weights(
    reference: str,
    *,
    source: str | None = None,
    force: bool = False,
    ema: bool | None = None,
    refresh: bool = False,
    on_bytes: OnBytes | None = None,
    on_note: OnNote | None = None,
) -> Path:
    """Download and convert the weights of a reference unless they are installed.

    Args:
        reference: a registry name or `USER/REPO[@REV]`.
        source: the only source to use, such as `authors`.
        force: download and convert again even if they are installed.
        ema: convert averaged (true) or raw (false) weights, if a file has both, even if others
            are installed; by default those under the usual key.
        refresh: resolve a branch again on the Hub, even if an earlier commit is installed.
        on_bytes: progress over the files of the source in use.
        on_note: called with the failure of a source.

    Raises:
        UnknownModelError: not a valid reference.
        OptionError: a path, or a source that these weights do not have.
        OfflineError: offline mode, and not here.
        DownloadError: no source delivered; the message has each one's reason.
        CheckpointError: the repository holds no checkpoint, several, or another network.
    """
    folder = installed_folder(reference)
    is_fixed = reference == EMBEDDED_MODEL  # it has no newer version on the Hub
    renews = force or ema is not None
    if folder is not None and not (renews or source or (refresh and not is_fixed)):
        return folder
    try:
        wanted = replace(_resolve(reference, source), ema=ema)
    except DownloadError:
        if folder is None or renews:
            raise
        return folder  # without the Hub, the installed commit is the best there is
    with locked(f"model-{wanted.folder.name}"):
        if not renews and is_model_folder(wanted.folder) and _is_from(wanted, source):
            return wanted.folder
        _install_from_any(wanted, force=force, on_bytes=on_bytes, on_note=on_note)
    return wanted.folder


def plan_download(
    reference: str, *, source: str | None = None, force: bool = False
) -> DownloadPlan:
    """Plan what `ensure_weights` would do; a repository that is not installed is looked up.

    Raises:
        ModelError: as for `ensure_weights`, as far as it does not depend on the files.
    """
    folder = installed_folder(reference)
    if folder is not None and source is None and not force:
        return DownloadPlan(reference, folder, True, "", 0)
    wanted = _resolve(reference, source)
    first = wanted.sources[0]
    is_here = not force and is_model_folder(wanted.folder) and _is_from(wanted, source)
    size_bytes = 0 if is_here else first.download_bytes
    return DownloadPlan(reference, wanted.folder, is_here, first.uri, size_bytes)


def _ignore(_: str) -> None:
    """Do nothing (default callback)."""


def _resolve(reference: str, source: str | None) -> _Wanted:
    """Find the sources of a reference's weights."""
    meant = parse_reference(reference)
    if reference == EMBEDDED_MODEL:
        raise OptionError(
            f"{reference} is part of vswin: there is nothing to download",
            hint="leave --source and --force out",
        )
    if isinstance(meant, LocalReference):
        if is_folder(meant.path) and not is_model_folder(meant.path):
            raise OptionError(
                f"{meant} is a folder, and no model is in it",
                hint="give a folder that `vswin train`, `download` or `convert` wrote",
            )
        raise OptionError(
            f"{meant}: a path needs no download",
            hint="give it as `--weights`, or let `vswin convert` turn it into vswin's format",
        )
    if isinstance(meant, WeightsSpec):
        sources = tuple(each for each in meant.sources if each.other_training is None)
        if source is not None:
            sources = (find_source(meant, source),)
        return _Wanted(meant.name, model_folder(meant.name), sources, meant)
    if source not in (None, "hub"):
        raise OptionError(f"{meant} has no source {source!r}", hint="leave `--source` out")
    return _resolve_repo(meant)


def _resolve_repo(meant: HubReference) -> _Wanted:
    listing = list_repo(meant.repo, meant.revision)
    chosen = choose_files(meant, listing)
    remember_commit(str(meant), listing.commit)
    return _Wanted(str(meant), meant.folder_at(listing.commit), (chosen,), None)


def _is_from(wanted: _Wanted, source: str | None) -> bool:
    """Return whether the installed weights are from the pinned source, or none is pinned."""
    if source is None or wanted.spec is None:
        return True
    card = read_card(wanted.folder)
    origins = {
        without_revision(wanted.sources[0].file_uri(file)) for file in wanted.sources[0].files
    }
    return without_revision(card.provenance.source) in origins


def _install_from_any(
    wanted: _Wanted, *, force: bool, on_bytes: OnBytes | None, on_note: OnNote | None
) -> None:
    """Install from the first source whose files can be verified and read."""
    failures: list[tuple[WeightsSource, ModelError]] = []
    note = on_note or _ignore
    for source in wanted.sources:
        if failures:  # reported at once: the next source may take many minutes
            failed, problem = failures[-1]
            note(f"source {failed.key!r} failed, trying {source.key!r}: {problem.message}")
        try:
            _install(wanted, source, force=force, on_bytes=on_bytes, on_note=on_note)
        except DiskFullError:
            raise
        except ModelError as error:
            failures.append((source, error))
        else:
            return
    raise _all_failed(wanted, failures)


def _install(
    wanted: _Wanted,
    source: WeightsSource,
    *,
    force: bool,
    on_bytes: OnBytes | None,
    on_note: OnNote | None,
) -> None:
    from vswin_cli.models.checkpoints.load import read_checkpoint, save_model

    fetched = fetch(source, on_bytes=on_bytes, on_note=on_note, force=force)
    for file in fetched:
        _check_seen(file)
    checkpoint = read_checkpoint(fetched[0].path, ema=wanted.ema)
    for note in checkpoint.notes:
        (on_note or _ignore)(f"{wanted.name}: {note}")
    provenance = provenance_of(checkpoint, fetched)
    if wanted.spec is not None:
        _check_fits(wanted.spec, checkpoint, source)
        card = card_of_spec(wanted.spec, source, provenance)
    elif checkpoint.card is not None:
        card = replace(checkpoint.card, provenance=provenance)
    else:
        card = card_of_unknown(wanted.name, checkpoint, provenance)
    card = replace(card, notes=(*card.notes, *checkpoint.notes))
    size_bytes = 4 * parameter_count(checkpoint.architecture, checkpoint.num_classes)
    check_free_space(wanted.folder, size_bytes, "the converted copy")
    save_model(wanted.folder, checkpoint.state, card)
    remember_model(wanted.folder)
    for file in fetched:
        remember_file(file.uri, file.sha256, file.size_bytes)
        if source.base_url is not None:
            shutil.rmtree(download_folder(file.uri), ignore_errors=True)


def _check_seen(file: FetchedFile) -> None:
    """Reject a file that differs from an earlier download from the same address."""
    seen = recall_file(file.uri)
    if seen is not None and seen.sha256 != file.sha256:
        raise IntegrityError(
            f"{file.uri}: got sha256 {file.sha256[:12]}, but on {seen.first_seen} it was "
            f"{seen.sha256[:12]}",
            hint=f"if you know why it changed, delete {record_path(file.uri)} and try again",
        )


def _check_fits(spec: WeightsSpec, checkpoint: Checkpoint, source: WeightsSource) -> None:
    """Reject a readable checkpoint of another network than that of the name."""
    found = replace(checkpoint.architecture, name=spec.architecture.name)
    if found != spec.architecture or checkpoint.num_classes != spec.num_classes:
        raise CheckpointError(
            f"{source.uri}: not the network of {spec.name}: got {found} with "
            f"{checkpoint.num_classes} classes, expected {spec.architecture} with "
            f"{spec.num_classes}",
            hint="try another `--source`",
        )


def _all_failed(wanted: _Wanted, failures: list[tuple[WeightsSource, ModelError]]) -> ModelError:
    if len(failures) == 1:
        return failures[0][1]
    # In one line: in messages for the terminal a line end would be escaped.
    reasons = "; ".join(f"{source.key}: {error.message}" for source, error in failures)
    hints = [error.hint for _, error in failures if error.hint]
    is_offline = all(isinstance(error, OfflineError) for _, error in failures)
    kind = OfflineError if is_offline else DownloadError
    return kind(f"no source delivered {wanted.name}: {reasons}", hint=hints[0] if hints else None)

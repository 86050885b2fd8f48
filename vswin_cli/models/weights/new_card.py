"""Make cards of weights that have none in our format: where they come from and what they are."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vswin_cli._version import __version__
from vswin_cli.models.architecture import Architecture
from vswin_cli.models.card import ModelCard, Provenance
from vswin_cli.models.labels import LabelMap
from vswin_cli.models.weights.hub import FetchedFile
from vswin_cli.models.weights.registry import all_specs
from vswin_cli.models.weights.spec import WeightsSource, WeightsSpec
from vswin_cli.storage.files import file_sha256

if TYPE_CHECKING:
    from vswin_cli.models.checkpoints.load import Checkpoint

__all__ = [
    "card_of_spec",
    "card_of_unknown",
    "provenance_of",
    "provenance_of_file",
    "without_revision",
]


def card_of_spec(spec: WeightsSpec, source: WeightsSource, provenance: Provenance) -> ModelCard:
    """Make the card of published weights, from what is known about them."""
    return ModelCard(
        id=spec.name,
        architecture=spec.architecture,
        num_classes=spec.num_classes,
        labels=LabelMap.bundled(spec.labels).names,
        input=spec.input,
        activation=spec.activation,
        dataset=spec.dataset,
        licence=source.licence,
        provenance=provenance,
        notes=tuple(filter(None, (source.other_training, spec.notes))),
    )


def card_of_unknown(
    name: str, checkpoint: Checkpoint, provenance: Provenance, labels: LabelMap | None = None
) -> ModelCard:
    """Make a card for weights without one, from published weights of the same shape.

    Without such, the input spec is the default, and the classes are unnamed unless `labels` are
    given.
    """
    card = ModelCard(
        id=name,
        architecture=checkpoint.architecture,
        num_classes=checkpoint.num_classes,
        provenance=provenance,
    )
    if labels is None and checkpoint.labels:
        labels = LabelMap(name, checkpoint.labels)
    like = _published_like(checkpoint.architecture, checkpoint.num_classes)
    if like is not None:
        borrowed = "Input is that" if labels else "Labels and input are those"
        card = replace(
            card.with_labels(LabelMap.bundled(like.labels)),
            input=like.input,
            activation=like.activation,
            notes=(f"{borrowed} of {like.name}, which has the same shape.",),
        )
    return card if labels is None else card.with_labels(labels)


def _published_like(architecture: Architecture, num_classes: int) -> WeightsSpec | None:
    for spec in all_specs():
        same_shape = replace(architecture, name=spec.architecture.name) == spec.architecture
        if same_shape and spec.num_classes == num_classes:
            return spec
    return None


def provenance_of(checkpoint: Checkpoint, fetched: tuple[FetchedFile, ...]) -> Provenance:
    """Return the provenance of the largest file, which contains the tensors, with its commit."""
    file = max(fetched, key=lambda each: each.size_bytes)
    return Provenance(_at_commit(file), file.sha256, checkpoint.layout, f"vswin {__version__}")


def provenance_of_file(path: Path, checkpoint: Checkpoint) -> Provenance:
    """Return the provenance of a checkpoint that is used where it lies."""
    source_sha256 = file_sha256(path) if path.is_file() else None
    return Provenance(str(path), source_sha256, checkpoint.layout)


def without_revision(uri: str) -> str:
    """Remove the revision from an address on the Hub: of `hf://USER/REPO@REV/FILE`, `@REV`."""
    return re.sub(r"^(hf://[^/]+/[^/@]+)@[^/]+", r"\1", uri)


def _at_commit(file: FetchedFile) -> str:
    """Return the address of a file with its commit, if it has one."""
    if file.commit is None:
        return file.uri
    return re.sub(r"^(hf://[^/]+/[^/@]+)", rf"\1@{file.commit}", without_revision(file.uri))

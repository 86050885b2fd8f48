"""The record of a training run, `training.json`: everything that is needed to repeat it."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from vswin_cli._version import __version__
from vswin_cli.storage.json_records import json_text, to_json
from vswin_cli.training.measures import Measures
from vswin_cli.training.records import Example

__all__ = ["SCHEMA", "ExampleRecord", "OptionRecord", "TrainingRecord", "record_text", "versions"]

SCHEMA = "vswin.training/1"
_PACKAGES = ("torch", "numpy", "av")


@dataclass(frozen=True, slots=True)
class OptionRecord:
    """An option, or a version of a package, as text."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class ExampleRecord:
    """One example and the side that it was on."""

    path: str
    labels: tuple[str, ...]
    start: float | None
    end: float | None
    video: str
    """Identity of the recording."""
    sha256: str | None
    """Of the file; `None` for an address."""
    side: str
    """`train`, `held-out`, or `fold 3` of a cross-validation."""

    @classmethod
    def of(cls, example: Example, sha256: str | None, side: str) -> ExampleRecord:
        """Make the record of an example."""
        return cls(
            example.source.uri,
            example.labels,
            example.start_seconds,
            example.end_seconds,
            example.video,
            sha256,
            side,
        )


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    """How weights were trained."""

    method: Literal["head", "full"]
    """A linear head on fixed features, or the whole network."""
    model: str
    """Id of the weights that training began with."""
    model_sha256: str
    """Hash of those weights."""
    labels: tuple[str, ...]
    seed: int
    options: tuple[OptionRecord, ...]
    examples: tuple[ExampleRecord, ...]
    left_out: tuple[tuple[str, ...], ...] = ()
    """(example, reason) of each that was not used."""
    measures: Measures | None = None
    """`None` if no example could be held out."""
    notes: tuple[str, ...] = ()
    versions: tuple[OptionRecord, ...] = field(default_factory=lambda: versions())


def versions() -> tuple[OptionRecord, ...]:
    """Return the versions of everything that results depend on."""
    found = [OptionRecord("vswin", __version__), OptionRecord("python", platform.python_version())]
    for name in _PACKAGES:
        try:
            found.append(OptionRecord(name, version(name)))
        except PackageNotFoundError:
            continue
    return tuple(found)


def record_text(record: TrainingRecord) -> str:
    """Serialise the record as the text of `training.json`."""
    content = to_json(record)
    for name in ("options", "versions"):
        content[name] = {entry["name"]: entry["value"] for entry in content[name]}
    return json_text({"schema": SCHEMA, **content}, indent=2) + "\n"

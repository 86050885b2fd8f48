"""Save and restore the state of a training run between two steps.

Random choices follow from the seed and the step (see `augmentation`), so that weights, their
average, the optimiser and the number of the step are the whole state: a run that goes on from it
ends with the same bits as one that was never interrupted.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vswin_cli.errors import CheckpointError
from vswin_cli.storage.files import is_there, replacing_binary

__all__ = ["RunState", "checkpoint_path", "read_state", "write_state"]

_FORMAT = "vswin.training-state/1"


@dataclass(frozen=True, slots=True, eq=False)
class RunState:
    """Everything that changes during a run."""

    fingerprint: str
    """Of the options, the examples and the initial weights."""
    step: int
    """Steps that are done."""
    network: dict[str, Tensor]
    average: dict[str, Tensor]
    """Averaged weights; empty without an average."""
    optimizer: dict[str, Any]
    losses: list[float]
    """Of the steps of the epoch that is under way."""
    history: list[dict[str, float]]
    """One entry per finished epoch: loss, and accuracy if it was measured."""


def checkpoint_path(folder: Path) -> Path:
    """Return where the state of a run is kept until its model folder is written."""
    return folder.absolute().with_name(f"{folder.absolute().name}.checkpoint")


def write_state(path: Path, state: RunState) -> None:
    """Write a state; an interruption leaves the one before.

    Raises:
        OutputError: the folder is missing or read-only, or the disk is full.
    """
    content = {name: getattr(state, name) for name in RunState.__dataclass_fields__}
    with replacing_binary(path) as file:
        torch.save({"format": _FORMAT, **content}, file)


def read_state(path: Path, fingerprint: str) -> RunState | None:
    """Read the state of a run; `None` if there is none.

    Raises:
        CheckpointError: it cannot be read, or is of a run with other options or examples.
    """
    if not is_there(path):
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if content.pop("format") != _FORMAT:
            raise ValueError("another format")
        state = RunState(**content)
    except Exception as error:  # whatever damaged bytes make of torch's reader
        raise CheckpointError(
            f"{path}: the state of an earlier run cannot be read ({type(error).__name__})",
            hint="`--no-resume` starts over",
        ) from error
    if state.fingerprint != fingerprint:
        raise CheckpointError(
            f"{path}: an unfinished run with other options, examples or weights",
            hint="`--no-resume` starts over; the same command as before finishes that run",
        )
    return state

"""A trained model: weights, card and record, and the folder that holds them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from vswin_cli.models.card import ModelCard
from vswin_cli.models.checkpoints.load import save_model
from vswin_cli.storage.files import as_path
from vswin_cli.training.measures import Measures
from vswin_cli.training.record import TrainingRecord, record_text
from vswin_cli.training.run_state import checkpoint_path

__all__ = ["TrainedModel"]


@dataclass(frozen=True, slots=True, eq=False)
class TrainedModel:
    """The result of a training run."""

    state: Mapping[str, Tensor]
    """Weights of the whole network."""
    card: ModelCard
    record: TrainingRecord

    def __repr__(self) -> str:
        accuracy = "not measured" if self.measures is None else str(self.measures.accuracy)
        return f"TrainedModel({self.card!r}, accuracy {accuracy})"

    @property
    def measures(self) -> Measures | None:
        """Accuracy on held-out examples; `None` if none could be held out."""
        return self.record.measures

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write a model folder: `model.safetensors`, `config.json` and `training.json`.

        The state of an unfinished run beside the folder is then removed.

        Raises:
            OutputError: the folder holds other files, or cannot be written.
        """
        path = as_path(folder, "folder")
        save_model(path, self.state, self.card, training=record_text(self.record))
        if self.record.method == "full":
            checkpoint_path(path).unlink(missing_ok=True)

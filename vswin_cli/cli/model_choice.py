"""Make an engine from `--model`, `--weights` and `--labels`; download missing weights."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from vswin_cli.cli import console
from vswin_cli.cli.options import EmaOption, ModelOption, ModelsOption, model_option
from vswin_cli.config import EngineOptions
from vswin_cli.errors import OptionError

if TYPE_CHECKING:
    from vswin_cli.inference.engine import Engine
    from vswin_cli.models.checkpoints.load import LoadedModel
    from vswin_cli.models.labels import LabelMap

__all__ = ["ModelChoice", "ModelChoices", "load_chosen", "make_engine"]

_PATH_HINT = "check the path; names go with --model"
_DEFAULT_HINT = "it is your default model; `vswin models default NAME` sets another"


WeightsOption = Annotated[
    Path | None,
    model_option("--weights", metavar="FILE", help="Your own checkpoint, in any supported layout."),
]
LabelsOption = Annotated[
    Path | None,
    model_option(
        "--labels",
        metavar="FILE",
        help="Label list for --weights: text, CSV or JSON, in index order.",
    ),
]


@dataclass(frozen=True)
class ModelChoice:
    """Options that say which model to use.

    Raises:
        OptionError: named weights and a file at once, or averaged weights of no checkpoint.
    """

    model: ModelOption = None
    weights: WeightsOption = None
    labels: LabelsOption = None
    ema: EmaOption = None

    def __post_init__(self) -> None:
        from vswin_cli.models.weights.store import embedded_folder

        if self.weights is not None and self.model is not None:
            raise OptionError(
                f"--model {self.model} and --weights {self.weights} exclude each other",
                hint="leave one out; VSWIN_MODEL counts as --model",
            )
        if self.ema is not None and self._path() in (None, embedded_folder()):
            raise OptionError(
                "--ema and --no-ema belong to --weights",
                hint="give the checkpoint as --weights, or choose with `vswin download --ema`; "
                "weights that are installed hold one set",
            )

    def check(self) -> None:
        """Check names and files before torch is loaded.

        Raises:
            UnknownModelError: no weights have this name.
            CheckpointError: there is no such file, or it may not be read.
            LabelsError: the label list cannot be read.
        """
        from vswin_cli.models.weights.references import check_there

        path = self._path()
        if path is not None:
            is_default = self.weights is None and self.model is None
            check_there(path, hint=_DEFAULT_HINT if is_default else _PATH_HINT)
        _ = self.label_map

    @cached_property
    def label_map(self) -> LabelMap | None:
        """Labels of `--labels`, read once.

        Raises:
            LabelsError: the file cannot be read.
        """
        from vswin_cli.models.labels import LabelMap

        return None if self.labels is None else LabelMap.from_file(self.labels)

    def files(self) -> list[Path]:
        """Return the files that the model is read from; no result may overwrite them.

        Raises:
            UnknownModelError: no weights have this name.
        """
        from vswin_cli.models.weights.store import MODEL_FILES

        path = self._path()
        own = [] if path is None else [path, *(path / name for name in MODEL_FILES)]
        return own if self.labels is None else [self.labels, *own]

    def _path(self) -> Path | None:
        """Return the path of the checkpoint, unless it is named weights."""
        from vswin_cli.models.weights.references import LocalReference, parse_reference

        meant = parse_reference(self.reference) if self.weights is None else None
        return meant.path if isinstance(meant, LocalReference) else self.weights

    @property
    def reference(self) -> str:
        """Name, Hub repository or path to load: as given, the user's default, or bundled."""
        from vswin_cli.models.weights.store import EMBEDDED_MODEL
        from vswin_cli.storage.user_config import default_model

        if self.weights is not None:
            return str(self.weights)
        return self.model or default_model() or EMBEDDED_MODEL


@dataclass(frozen=True)
class ModelChoices:
    """Options that say which models to use: one, or several on one timeline.

    Raises:
        OptionError: a name is given twice, or several and an option that belongs to one model.
    """

    model: ModelsOption = None
    weights: WeightsOption = None
    labels: LabelsOption = None
    ema: EmaOption = None

    def __post_init__(self) -> None:
        for i, name in enumerate(self.model or ()):
            if name in (self.model or ())[:i]:
                raise OptionError(f"--model {name} is given twice", hint="name each model once")
        given = {"--weights": self.weights, "--labels": self.labels, "--ema": self.ema}
        other = next((option for option, value in given.items() if value is not None), None)
        if self.are_several and other is not None:
            raise OptionError(
                f"{other} belongs to one model, and --model names {len(self.model or ())}",
                hint="make a folder of it with `vswin convert`, which --model takes like a name",
            )

    @property
    def are_several(self) -> bool:
        """Whether there is more than one model."""
        return len(self.model or ()) > 1

    def each(self) -> list[ModelChoice]:
        """Return the choice of each model, in the order in which they were named.

        Raises:
            OptionError: see `ModelChoice`.
        """
        # Read here: of an option that can be repeated, Typer would divide the value at spaces.
        of_environment = os.environ.get("VSWIN_MODEL")
        names: Sequence[str | None] = self.model or [of_environment or None]
        return [ModelChoice(name, self.weights, self.labels, self.ema) for name in names]

    def refuse_several(self, *given: tuple[str, object]) -> None:
        """Check that no option is given that only one model can have.

        Args:
            given: options with their values.

        Raises:
            OptionError: there are several models, and one is given.
        """
        option = next((option for option, value in given if value), None)
        if self.are_several and option is not None:
            raise OptionError(
                f"{option} takes one model, and --model names {len(self.model or ())}",
                hint="run `vswin tag` once for each of them",
            )


def make_engine(
    choice: ModelChoice, options: EngineOptions, *, crops: Literal[1, 3], quiet: bool
) -> Engine:
    """Load the model and put it on its device.

    Raises:
        DeviceError: the device does not exist here; raised before any download.
        ModelError: the weights cannot be fetched, read or used for tagging.
    """
    choice.check()
    from vswin_cli.inference.engine import Engine, resolve_device

    # Resolved first: a missing device must not be found only after a download.
    device = resolve_device(options.device)
    model = load_chosen(choice, quiet=quiet)
    model.card.check_can_tag()
    return Engine(model, options, crops=crops, device=device)


def load_chosen(choice: ModelChoice, *, quiet: bool) -> LoadedModel:
    """Load the model, with a progress display if it must be downloaded; it may have no head.

    Raises:
        ModelError: the weights cannot be fetched or read.
    """
    from vswin_cli.models.weights.loading import ensure_weights, load_model, plan_download

    if choice.weights is None:
        plan = plan_download(choice.reference)
        if not plan.installed:
            console.note(
                f"downloading {choice.reference} ({plan.download_bytes / 1e6:.0f} MB) "
                f"from {plan.source_uri}"
            )
            with console.progress(choice.reference, unit="bytes", quiet=quiet) as on_bytes:
                ensure_weights(choice.reference, on_bytes=on_bytes, on_note=console.note)
    return load_model(
        choice.reference,
        labels=choice.label_map,
        ema=choice.ema,
        on_note=None if quiet else console.note,
    )

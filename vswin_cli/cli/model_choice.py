"""Make an engine from `--model`, `--weights` and `--labels`; download missing weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from vswin_cli.cli import console
from vswin_cli.cli.options import EmaOption, ModelOption, model_option
from vswin_cli.config import EngineOptions
from vswin_cli.errors import OptionError

if TYPE_CHECKING:
    from vswin_cli.inference.engine import Engine
    from vswin_cli.models.checkpoints.load import LoadedModel
    from vswin_cli.models.labels import LabelMap

__all__ = ["ModelChoice", "load_chosen", "make_engine"]

_PATH_HINT = "check the path; names go with --model"
_DEFAULT_HINT = "it is your default model; `vswin models default NAME` sets another"


@dataclass(frozen=True)
class ModelChoice:
    """Options that say which model to use.

    Raises:
        OptionError: named weights and a file at once, or averaged weights of no checkpoint.
    """

    model: ModelOption = None
    weights: Annotated[
        Path | None,
        model_option(
            "--weights", metavar="FILE", help="Your own checkpoint, in any supported layout."
        ),
    ] = None
    labels: Annotated[
        Path | None,
        model_option(
            "--labels",
            metavar="FILE",
            help="Label list for --weights: text, CSV or JSON, in index order.",
        ),
    ] = None
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

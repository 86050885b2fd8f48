"""Options of `vswin train --full`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from vswin_cli.errors import OptionError

if TYPE_CHECKING:
    from vswin_cli.training.full_options import FullOptions

__all__ = ["FullChoice"]

_PANEL = "Whole network (--full)"


def _option(name: str, help: str, default: str, **more: Any) -> Any:  # noqa: ANN401
    return typer.Option(name, help=help, show_default=default, rich_help_panel=_PANEL, **more)


@dataclass(frozen=True, slots=True)
class FullChoice:
    """Options that only training of the whole network has; those not given are `None`."""

    init: Annotated[
        Path | None,
        _option(
            "--init",
            "Begin with these weights: of a video network, or of a 2D image Swin, which is "
            "inflated.",
            "the model",
            metavar="FILE",
        ),
    ] = None
    from_scratch: Annotated[
        bool | None,
        _option("--from-scratch", "Begin with random weights of the model's shape.", "off"),
    ] = None
    epochs: Annotated[
        int | None, _option("--epochs", "Passes over the examples.", "30", min=1, metavar="COUNT")
    ] = None
    clips_per_step: Annotated[
        int | None,
        _option(
            "--clips-per-step",
            "Clips per step, over all processes; --batch-size of them at once (4).",
            "16",
            min=1,
            metavar="COUNT",
        ),
    ] = None
    learning_rate: Annotated[
        float | None,
        _option(
            "--learning-rate",
            "Learning rate of the head.",
            "0.001 for 64 clips per step, in proportion",
            metavar="RATE",
        ),
    ] = None
    backbone_rate: Annotated[
        float | None,
        _option(
            "--backbone-rate",
            "Factor of it for all other weights.",
            "0.1, or 1 from scratch",
            metavar="FACTOR",
        ),
    ] = None
    warmup_epochs: Annotated[
        float | None,
        _option("--warmup", "Epochs in which the rate rises.", "2.5", metavar="EPOCHS"),
    ] = None
    weight_decay: Annotated[
        float | None,
        _option("--weight-decay", "Weight decay.", "0.02, Swin-B 0.05", metavar="FACTOR"),
    ] = None
    drop_path: Annotated[
        float | None,
        _option(
            "--drop-path",
            "Stochastic depth: chance that a branch of the last block is left out.",
            "0.1, Swin-S 0.2, Swin-B 0.3",
            metavar="SHARE",
        ),
    ] = None
    dropout: Annotated[
        float | None,
        _option(
            "--dropout", "Dropout: share of the features that are left out.", "0.5", metavar="SHARE"
        ),
    ] = None
    ema_decay: Annotated[
        float | None,
        _option(
            "--average",
            "Decay of the average of the weights, which is the result; 0 for the last weights.",
            "0.999",
            metavar="DECAY",
        ),
    ] = None
    flip: Annotated[
        bool | None,
        _option(
            "--flip/--no-flip",
            "Mirror half of the clips, but none where a label names a direction (left, right).",
            "on",
        ),
    ] = None
    smallest_crop: Annotated[
        float | None,
        _option(
            "--smallest-crop", "Least share of a frame that a clip shows.", "0.08", metavar="SHARE"
        ),
    ] = None
    held_out: Annotated[
        float | None,
        _option("--held-out", "Share of the examples to measure on.", "0.2", metavar="SHARE"),
    ] = None
    recompute: Annotated[
        bool | None,
        _option("--recompute", "Activation checkpointing: less memory, a third more time.", "off"),
    ] = None
    resume: Annotated[
        bool | None,
        _option(
            "--resume/--no-resume",
            "Go on with an interrupted run, whose state is in MODEL_FOLDER.checkpoint.",
            "on",
        ),
    ] = None

    def check_unused(self) -> None:
        """Refuse options of this record beside a head.

        Raises:
            OptionError: one is given.
        """
        for name, hint in get_type_hints(type(self), include_extras=True).items():
            if getattr(self, name) is not None:
                option = str(hint.__metadata__[0].default).partition("/")[0]  # as typer keeps it
                raise OptionError(f"`{option}` belongs to `--full`", hint="give both")

    def options(self, **more: Any) -> FullOptions:  # noqa: ANN401
        """Make the library's record of them.

        Args:
            more: fields that other options of the command set.

        Raises:
            OptionError: a value is out of its range.
        """
        from vswin_cli.training.full_options import FullOptions

        given = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in ("init", "resume") and getattr(self, field.name) is not None
        }
        return FullOptions(**given, **more)

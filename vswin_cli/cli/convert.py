"""`vswin convert`: turn any checkpoint into a folder in vswin's format."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vswin_cli._version import __version__
from vswin_cli.cli import console
from vswin_cli.cli.option_groups import with_option_groups
from vswin_cli.cli.options import EmaOption, QuietOption
from vswin_cli.config import MAX_FRAME_RATE
from vswin_cli.errors import OptionError, OutputError
from vswin_cli.storage.files import is_there, writing

if TYPE_CHECKING:
    from torch import Tensor

    from vswin_cli.models.card import ModelCard
    from vswin_cli.models.labels import LabelMap

__all__ = ["check_result_folder", "convert"]


@dataclass(frozen=True, slots=True)
class _Settings:
    """Options that say how a checkpoint is read, and what is written beside its tensors.

    Raises:
        OptionError: a value cannot be used for tagging, or two exclude each other.
    """

    labels: Annotated[
        str | None,
        typer.Option(
            "--labels",
            metavar="FILE|NAME",
            help="Class names in index order: text, CSV or JSON, or a list that comes with vswin, "
            "such as kinetics-400. By default those of published weights of the same shape.",
        ),
    ] = None
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="Id in results; OUT's name by default."),
    ] = None
    num_frames: Annotated[
        int | None,
        typer.Option("--num-frames", min=1, metavar="COUNT", help="Frames per clip, if not 32."),
    ] = None
    fps: Annotated[
        float | None,
        typer.Option("--fps", metavar="RATE", help="Sampled frames per second, if not 15."),
    ] = None
    ema: EmaOption = None
    inflate: Annotated[
        bool,
        typer.Option(
            "--inflate",
            help="IN is a 2D image Swin: inflate it as a starting point for training on video.",
        ),
    ] = False
    window: Annotated[
        str | None,
        typer.Option(
            "--window", metavar="P,M,M", help="Attention window for --inflate; 8,7,7 by default."
        ),
    ] = None

    def __post_init__(self) -> None:
        if self.num_frames is not None and self.num_frames % 2:
            raise OptionError(
                f"a clip must have an even number of frames, got {self.num_frames}",
                hint="leave --num-frames out for 32; two frames become one time step",
            )
        if self.fps is not None and not 0 < self.fps <= MAX_FRAME_RATE:
            raise OptionError(
                f"frames per second must be in (0, {MAX_FRAME_RATE}], got {self.fps:g}",
                hint="leave --fps out for 15",
            )
        if self.inflate and self.labels is not None:
            raise OptionError(
                "`--labels` with `--inflate`: an inflated network has no head",
                hint="leave the labels out, and give them when the trained network is converted",
            )
        if self.window is not None and not self.inflate:
            raise OptionError(
                "`--window` belongs to `--inflate`",
                hint="leave it out; the tensors of a video network determine its window",
            )

    def complete(self, card: ModelCard, checkpoint: Path, folder: Path) -> ModelCard:
        """Add to a card what the options say, and where the weights are from."""
        spec = card.input
        return replace(
            card,
            id=self.name or folder.absolute().name,
            input=replace(
                spec,
                num_frames=self.num_frames or spec.num_frames,
                frame_rate=self.fps or spec.frame_rate,
            ),
            provenance=replace(
                card.provenance, source=str(checkpoint), converted_by=f"vswin {__version__}"
            ),
        )


@with_option_groups
def convert(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            metavar="IN",
            help="A .pth or .safetensors file of the authors, MMAction2 1.x or torchvision, or a "
            "TensorFlow model's folder.",
        ),
    ],
    folder: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder to write.", show_default=False)
    ],
    *,
    settings: _Settings,
    force: Annotated[
        bool, typer.Option("--force", help="Replace OUT if it is already a model folder.")
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Convert a checkpoint to a folder with model.safetensors and config.json, and print its path.

    The layout is recognised by content. No code in the file is run, and every tensor must
    fit. An inflated image network has no head; it cannot tag until it is trained.

    Examples:
        vswin convert swin_base_patch244_window877_kinetics600_22k.pth swin-b-k600

        vswin convert finetuned.pth my-model --labels my-labels.txt

        vswin convert swin_tiny_patch4_window7_224.pth start --inflate
    """
    from vswin_cli.models.weights.references import check_there

    check_there(checkpoint)
    check_result_folder(folder, checkpoint, force=force)
    from vswin_cli.models.checkpoints.load import save_model  # loads torch

    read = _inflated if settings.inflate else _loaded
    state, card = read(checkpoint, settings)
    card = settings.complete(card, checkpoint, folder)
    save_model(folder, state, card)
    if not quiet:
        console.note(_summary(card))
    console.write(str(folder))


def check_result_folder(folder: Path, checkpoint: Path, *, force: bool) -> None:
    """Refuse before any work to overwrite anything but a model folder.

    Raises:
        OptionError: IN is in OUT, which is to be replaced as a whole.
        OutputError: OUT is not empty, and --force is missing or OUT is not a model folder.
    """
    from vswin_cli.models.weights.store import check_replaceable

    with writing(f"{folder}"):
        if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
            return
        place, source = folder.resolve(), checkpoint.resolve()
    if not force:
        raise OutputError(f"{folder}: exists", hint="choose another folder, or give `--force`")
    if place in (source, *source.parents):
        raise OptionError(
            f"{checkpoint} lies in {folder}, which is to be replaced",
            hint="choose another path for the result",
        )
    check_replaceable(folder)


def _loaded(checkpoint: Path, settings: _Settings) -> tuple[dict[str, Tensor], ModelCard]:
    from vswin_cli.models.weights.loading import load_model

    model = load_model(
        checkpoint.absolute(), labels=_read_labels(settings.labels), ema=settings.ema
    )
    return model.network.state_dict(), model.card


def _inflated(checkpoint: Path, settings: _Settings) -> tuple[dict[str, Tensor], ModelCard]:
    from vswin_cli.models.card import ModelCard, Provenance
    from vswin_cli.models.checkpoints.load import inflate_checkpoint
    from vswin_cli.storage.files import file_sha256

    window_size = _parse_window(settings.window or "8,7,7")
    inflated = inflate_checkpoint(checkpoint, window_size, ema=settings.ema)
    provenance = Provenance(str(checkpoint), file_sha256(checkpoint), inflated.layout)
    card = ModelCard("", inflated.architecture, inflated.num_classes, provenance=provenance)
    return inflated.state, card


def _parse_window(text: str) -> tuple[int, int, int]:
    sizes = text.split(",")
    if len(sizes) != 3 or not all(size.strip().isdecimal() and int(size) for size in sizes):
        raise OptionError(
            f"cannot read the window {text!r}", hint="give time, height and width, such as 8,7,7"
        )
    frames, height, width = map(int, sizes)
    return frames, height, width


def _read_labels(text: str | None) -> LabelMap | None:
    from vswin_cli.models.labels import LabelMap, bundled_label_sets

    if text is None:
        return None
    if text in bundled_label_sets() and not is_there(Path(text)):
        return LabelMap.bundled(text)
    return LabelMap.from_file(Path(text))


def _summary(card: ModelCard) -> str:
    shape = card.architecture
    window = "×".join(map(str, shape.window_size))
    if not card.num_classes:
        head = "no head"
    elif card.labels:
        head = f"{card.num_classes} classes"
    else:
        head = f"{card.num_classes} classes without names, give them as `--labels`"
    notes = "".join(f"; {note}" for note in card.notes)
    return f"{shape.name}, window {window}, {head}, layout {card.provenance.layout}{notes}"

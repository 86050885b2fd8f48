"""`vswin download`: download, verify and convert weights before they are needed."""

from __future__ import annotations

from typing import Annotated

import typer

from vswin_cli.cli import console
from vswin_cli.cli.completion import complete_model
from vswin_cli.cli.options import EmaOption, QuietOption

__all__ = ["download"]


def download(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME",
            help="Named weights (see `vswin models`), USER/REPO[@REV] or hf://USER/REPO/PATH.",
            show_default=False,
            autocompletion=complete_model,
        ),
    ],
    source: Annotated[
        str | None,
        typer.Option(
            "--source",
            metavar="NAME",
            help="Use only this source (hub, authors, torchvision, openmmlab) instead of "
            "trying each in turn.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Download and convert again, even if present.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", "-n", help="Show what would be downloaded, download nothing."),
    ] = False,
    ema: EmaOption = None,
    quiet: QuietOption = False,
) -> None:
    """Download weights, verify and convert them, and print their folder.

    Files from the Hugging Face Hub go through its usual cache (HF_HOME, HF_TOKEN,
    HF_HUB_OFFLINE and HF_ENDPOINT apply); an interrupted download resumes where it stopped.

    --ema and --no-ema convert again, even if the weights are present.

    Examples:
        vswin download swin-t-k400

        vswin download swin-b-k600 swin-b-ssv2 --dry-run

        vswin download swin-b-k400 --source torchvision

        vswin download USER/REPO@v1.0
    """
    from vswin_cli.models.weights.catalogue import installed_folder
    from vswin_cli.models.weights.references import parse_reference

    for name in names:
        parse_reference(name)  # find a misspelt last name before the first download
    for name in names:
        if dry_run:
            _announce(name, source, force=force)
        else:
            was_here = installed_folder(name) is not None
            console.write(_fetch(name, source, force=force, ema=ema, quiet=quiet))
            _settle_default(name, is_new=not was_here, quiet=quiet)


def _settle_default(name: str, *, is_new: bool, quiet: bool) -> None:
    """Make the first weights that a user downloads the default model."""
    from vswin_cli.models.weights.catalogue import find_installed
    from vswin_cli.models.weights.store import EMBEDDED_MODEL
    from vswin_cli.storage.user_config import default_model, set_default_model

    if default_model() is None and name != EMBEDDED_MODEL:
        model = find_installed(name)
        if model is None or not (model.card.labels and model.card.num_classes):
            # As the default it would make every `vswin tag` end in an error.
            if is_new and not quiet:
                console.note(f"{name} has no labels, so it does not become the default model")
            return
        path = set_default_model(name)
        if not quiet:
            console.note(
                f"{name} is now the default model ({path}); `vswin models default` changes it"
            )


def _announce(name: str, source: str | None, *, force: bool) -> None:
    from vswin_cli.models.weights.loading import plan_download

    plan = plan_download(name, source=source, force=force)
    if plan.installed:
        console.write(f"{name}\tis here\t{plan.folder}")
    else:
        size = f"{plan.download_bytes / 1e6:.0f} MB"
        console.write(f"{name}\t{size}\t{plan.source_uri}\t{plan.folder}")


def _fetch(name: str, source: str | None, *, force: bool, ema: bool | None, quiet: bool) -> str:
    """Download one set of weights and return its folder."""
    from vswin_cli.models.weights.loading import ensure_weights, plan_download

    plan = plan_download(name, source=source, force=force)
    if not plan.installed and not quiet:
        console.note(f"{name}: {plan.download_bytes / 1e6:.0f} MB from {plan.source_uri}")
    with console.progress(name, unit="bytes", quiet=quiet or plan.installed) as on_bytes:
        folder = ensure_weights(
            name,
            source=source,
            force=force,
            ema=ema,
            refresh=True,
            on_bytes=on_bytes,
            on_note=console.warn,
        )
    return str(folder)

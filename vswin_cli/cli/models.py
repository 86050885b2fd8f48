"""`vswin models` and `vswin labels`: list models, their cards and their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vswin_cli.cli import console
from vswin_cli.cli.completion import complete_model
from vswin_cli.cli.options import JsonOption
from vswin_cli.cli.typer_command import Command, Group
from vswin_cli.errors import CheckpointError, OptionError
from vswin_cli.storage.json_records import clean_json
from vswin_cli.storage.plain_text import shortened

if TYPE_CHECKING:
    from vswin_cli.models.card import ModelCard
    from vswin_cli.models.weights.catalogue import InstalledModel
    from vswin_cli.models.weights.references import HubReference, LocalReference
    from vswin_cli.models.weights.spec import WeightsSpec

__all__ = ["labels", "models"]

_TITLES = ("name", "dataset", "classes", "params", "top-1", "download", "installed")
_LONGEST_DATASET = 24  # characters; the first column to be shortened on a narrow terminal
_SHORTEST_DATASET = 8
_DISPENSABLE = ("dataset", "classes", "installed")  # columns, left out in this order

models = typer.Typer(
    cls=Group,
    help="List the named weights, show one, or set the default.",
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@models.callback()
def _list_by_default(context: typer.Context, json: JsonOption = False) -> None:
    """List the named weights, show one, or set the default.

    Examples:
        vswin models

        vswin models show swin-b-k600

        vswin models --json
    """
    name = context.invoked_subcommand
    if name is None:
        list_models(json)
    elif json:
        raise OptionError(
            f"--json comes after `{name}`, not before", hint=f"`vswin models {name} --help`"
        )


@models.command("list", cls=Command)
def list_models(json: JsonOption = False) -> None:
    """List all named weights and other downloaded models.

    Examples:
        vswin models list

        vswin models list --json
    """
    from vswin_cli.models.weights.catalogue import embedded_model, installed_models
    from vswin_cli.models.weights.registry import all_specs

    here = {model.folder.name: model for model in (embedded_model(), *installed_models())}
    specs = all_specs()
    others = [model for name, model in here.items() if name not in {s.name for s in specs}]
    default = _default_folder()
    if json:
        body = {
            "schema": "vswin.models/1",
            "models": [
                {**_spec_json(spec, here.get(spec.name)), "default": spec.name == default}
                for spec in specs
            ],
            "others": [
                {
                    "card": asdict(model.card),
                    "folder": str(model.folder),
                    "size_bytes": model.size_bytes,
                    "default": model.folder.name == default,
                }
                for model in others
            ],
        }
        console.write(clean_json(body, indent=2))
    else:
        _draw_table(specs, here, others, default)


@models.command("show", cls=Command)
def show_model(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="Named weights, or downloaded ones as USER/REPO or a folder.",
            show_default=False,
            autocompletion=complete_model,
        ),
    ],
    json: JsonOption = False,
) -> None:
    """Print a model card: origin, input, accuracy with its protocol, licence.

    Examples:
        vswin models show swin-t-k400

        vswin models show swin-b-ssv2 --json

        vswin models show ./my-model
    """
    from vswin_cli.models.weights.catalogue import find_installed
    from vswin_cli.models.weights.references import parse_reference
    from vswin_cli.models.weights.spec import WeightsSpec

    meant, here = parse_reference(name), find_installed(name)
    if isinstance(meant, WeightsSpec):
        shown = _spec_json(meant, here)
        lines = _card_lines(meant, here)
        console.write(clean_json(shown, indent=2) if json else _aligned(lines))
    elif here is not None:
        console.write(here.card.to_json() if json else _aligned(_own_card(here)))
    else:
        raise _no_card(name, meant)


@models.command("default", cls=Command)
def choose_default(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="Named weights, USER/REPO or a path; omit it to print the default.",
            autocompletion=complete_model,
        ),
    ] = None,
) -> None:
    """Print the default model of `vswin tag`, or set it.

    Examples:
        vswin models default

        vswin models default camera-motion
    """
    from vswin_cli.models.weights.catalogue import installed_folder
    from vswin_cli.models.weights.references import LocalReference, check_there, parse_reference
    from vswin_cli.models.weights.store import EMBEDDED_MODEL
    from vswin_cli.storage.user_config import default_model, set_default_model

    if name is None:
        console.write(default_model() or EMBEDDED_MODEL)
        return
    meant = parse_reference(name)
    if isinstance(meant, LocalReference) and name != EMBEDDED_MODEL:
        check_there(meant.path)
        if installed_folder(name) is None:
            raise CheckpointError(
                f"{meant.path} is not a folder in vswin's format",
                hint="`vswin convert` makes one from a checkpoint",
            )
        name = str(meant.path.absolute())  # valid in every working folder
    elif installed_folder(name) is None:
        console.note(f"{name} is not on disk yet; `vswin download {name}` fetches it")
    console.note(f"{name} is now the default model ({set_default_model(name)})")


def labels(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME|FILE",
            help="Named weights, downloaded weights, a bundled list such as kinetics-600, "
            "or a label file.",
            show_default=False,
            autocompletion=complete_model,
        ),
    ],
    grep: Annotated[
        str | None,
        typer.Option("--grep", "-g", metavar="TEXT", help="Only labels that contain this text."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Print the labels of a model or a file as index<TAB>label.

    Examples:
        vswin labels swin-t-k400 --grep football

        vswin labels kinetics-710 > labels.txt
    """
    from vswin_cli.models.weights.catalogue import labels_of

    found = labels_of(name).search(grep or "")
    if json:
        entries = [{"class_id": index, "label": label} for index, label in found]
        console.write(clean_json(entries, indent=2))
    elif found:
        console.write("\n".join(f"{index}\t{label}" for index, label in found))
    else:
        console.note(f"no label of {name} contains {grep!r}")


def _default_folder() -> str:
    """Return the folder name of the default model."""
    from vswin_cli.models.weights.catalogue import installed_folder
    from vswin_cli.models.weights.store import EMBEDDED_MODEL
    from vswin_cli.storage.user_config import default_model

    chosen = default_model() or EMBEDDED_MODEL
    folder = installed_folder(chosen)
    return chosen if folder is None else folder.name


def _no_card(name: str, meant: HubReference | LocalReference) -> CheckpointError:
    """Make the error for weights that are neither published nor downloaded."""
    from vswin_cli.models.weights.references import HubReference, check_there

    if isinstance(meant, HubReference):
        return CheckpointError(
            f"{name} is not downloaded yet, so its card is not here",
            hint=f"`vswin download {name}` fetches both",
        )
    check_there(meant.path)
    return CheckpointError(
        f"{meant}: not a folder in vswin's format, so it has no card",
        hint="`vswin convert` makes one from a checkpoint",
    )


def _own_card(model: InstalledModel) -> list[tuple[str, str]]:
    """Describe weights outside the registry by their card."""
    card = model.card
    return [
        ("name", card.id),
        ("labels", ", ".join(card.labels)),
        ("network", f"{card.architecture.name}, window {card.architecture.window_size}"),
        (
            "input",
            f"{card.input.num_frames} frames ({card.input.clip_seconds:.1f} s), "
            f"{card.input.crop_size}x{card.input.crop_size}",
        ),
        ("trained on", card.dataset or "not stated"),
        ("licence", card.licence or "not stated"),
        *(("note", note) for note in card.notes),
        ("installed", str(model.folder)),
    ]


def _aligned(lines: list[tuple[str, str]]) -> str:
    return "\n".join(f"{key:13}{text}" for key, text in lines)


def _spec_json(spec: WeightsSpec, here: InstalledModel | None) -> dict[str, Any]:
    body = asdict(spec)
    body["download_bytes"] = spec.sources[0].download_bytes
    body["folder"] = None if here is None else str(here.folder)
    for source, record in zip(spec.sources, body["sources"], strict=True):
        record["uri"] = source.uri
    return body


def _draw_table(
    specs: tuple[WeightsSpec, ...],
    here: dict[str, InstalledModel],
    others: list[InstalledModel],
    default: str,
) -> None:
    """Draw the models as rows; a narrow terminal shows fewer columns and shortened names."""
    from rich.table import Table

    rows = _table_rows(specs, here, others, default)
    widths = {
        title: max(len(row[i]) for row in (_TITLES, *rows)) for i, title in enumerate(_TITLES)
    }
    columns = console.stdout_columns()
    shown = list(_TITLES)
    for title in _DISPENSABLE:
        if _table_width(widths, shown) > columns:
            shown.remove(title)
    room = columns - _table_width(widths, shown) + _SHORTEST_DATASET
    room = min(_LONGEST_DATASET, max(_SHORTEST_DATASET, room))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in shown:
        is_number = title in ("classes", "params", "top-1", "download")
        table.add_column(title, no_wrap=True, justify="right" if is_number else "left")
    for row in rows:
        cells = dict(zip(_TITLES, row, strict=True))
        cells["dataset"] = shortened(cells["dataset"], room)
        table.add_row(*(console.printable(cells[title]) for title in shown))
    console.show(table, width=max(_table_width(widths, shown) + room, columns))


def _table_rows(
    specs: tuple[WeightsSpec, ...],
    here: dict[str, InstalledModel],
    others: list[InstalledModel],
    default: str,
) -> list[tuple[str, ...]]:
    """Return the cells of `_TITLES` for each model."""

    def mark(name: str) -> str:
        marks = ("yes" if name in here else "", "default" if name == default else "")
        return ", ".join(filter(None, marks))

    named = [
        (
            spec.name,
            spec.dataset,
            str(spec.num_classes),
            f"{spec.parameters / 1e6:.1f} M",
            f"{spec.accuracy[0].top1:.1f}",
            f"{spec.sources[0].download_bytes / 1e6:.0f} MB",
            mark(spec.name),
        )
        for spec in specs
    ]
    own = [
        (
            model.card.id,
            model.card.dataset or "",
            str(model.card.num_classes),
            f"{_parameters(model.card) / 1e6:.1f} M",
            "",
            "",
            mark(model.folder.name),
        )
        for model in others
    ]
    return [*own[:1], *named, *own[1:]]  # the first needs no download


def _table_width(widths: dict[str, int], shown: Sequence[str]) -> int:
    """Return the width of a table of these columns, with the shortest column of data sets."""
    widths = {**widths, "dataset": _SHORTEST_DATASET}
    return 2 * (len(shown) - 1) + sum(widths[title] for title in shown)


def _parameters(card: ModelCard) -> int:
    from vswin_cli.models.weights.spec import parameter_count

    return parameter_count(card.architecture, card.num_classes)


def _card_lines(spec: WeightsSpec, here: InstalledModel | None) -> list[tuple[str, str]]:
    arch, pixels = spec.architecture, spec.input
    flops = f", {spec.flops_per_view / 1e9:.1f} GFLOPs per view" if spec.flops_per_view else ""
    how = "spread over the clip" if pixels.sampling == "uniform" else "in a row"
    lines = [
        ("name", spec.name),
        ("classes", f"{spec.num_classes} of {spec.dataset}"),
        (
            "network",
            f"{arch.name}, window {arch.window_size}, {spec.parameters:,} parameters{flops}",
        ),
        (
            "input",
            f"{pixels.num_frames} frames {how} ({pixels.clip_seconds:.1f} s), "
            f"{pixels.crop_size}x{pixels.crop_size}",
        ),
        ("trained by", f"{spec.origin}, starting from {spec.pretrained_on}"),
        ("licence", spec.licence),
    ]
    for result in spec.accuracy:
        lines.append(
            ("accuracy", f"{result.top1} / {result.top5} top-1 / top-5 ({result.protocol})")
        )
        lines.append(("", f"stated by {result.by}"))
    for source in spec.sources:
        size = f"{source.download_bytes / 1e6:.0f} MB"
        lines.append(("source", f"{source.key}, {size}: {source.uri}"))
        lines.append(("", f"licence: {source.licence}"))
        if source.other_training:
            lines.append(("", f"only with --source: {source.other_training}"))
    if spec.notes:
        lines.append(("note", spec.notes))
    lines.append(("installed", str(here.folder) if here else f"no; `vswin download {spec.name}`"))
    return lines

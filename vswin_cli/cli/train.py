"""`vswin train`: train a model on the user's own labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vswin_cli.cli import console
from vswin_cli.cli.convert import check_result_folder
from vswin_cli.cli.model_choice import ModelChoice, make_engine
from vswin_cli.cli.option_groups import ExactEngineChoice, with_option_groups
from vswin_cli.cli.options import QuietOption, SummaryJsonOption
from vswin_cli.cli.training_progress import training_progress
from vswin_cli.errors import SOME_FAILED

if TYPE_CHECKING:
    from vswin_cli.training.trained import TrainedModel

__all__ = ["train"]

_SHOWN_PROBLEMS = 20


@with_option_groups
def train(
    examples: Annotated[
        list[Path],
        typer.Argument(
            metavar="EXAMPLES",
            help="Labelled videos: CSV or TSV with the columns path,label or path,start,end,label, "
            "a folder with one folder per class, ActivityNet JSON, corrected timelines, or the "
            "folder of `vswin cut`.",
            show_default=False,
        ),
    ],
    *,
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="MODEL_FOLDER", help="Folder to write.", show_default=False
        ),
    ],
    head: Annotated[
        bool,
        typer.Option(
            "--head", help="Train a linear head on the model's features; this is the default."
        ),
    ] = False,
    multi_label: Annotated[
        bool,
        typer.Option("--multi-label", help="Several labels may hold at once: a sigmoid for each."),
    ] = False,
    background: Annotated[
        str | None,
        typer.Option(
            "--background",
            metavar="FOLDER|unlabelled|none",
            help="Examples of none of the labels: videos in a folder, or the unlabelled parts of "
            "the videos.",
            show_default="unlabelled parts of timelines and ActivityNet JSON",
        ),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option(
            "--root",
            metavar="FOLDER",
            help="Folder that all videos are in, and relative paths start from.",
            show_default="the one of EXAMPLES",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="Id in results; the folder's name by default."),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", min=0, metavar="NUMBER", help="Seed of the split by video.")
    ] = 0,
    model: ModelChoice,
    engine: ExactEngineChoice,
    force: Annotated[
        bool,
        typer.Option("--force", help="Replace MODEL_FOLDER if it is already a model folder."),
    ] = False,
    json: SummaryJsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train a model on your own labels, and print the path of its folder.

    The features of the examples are computed once and kept. The head on them, its regularisation
    and the calibration of its scores take seconds. A dozen examples per class are enough to begin.
    The card states the accuracy on videos that were held out.

    A label `background` means none of the labels: it is not reported. Exit code 3: some examples
    could not be read, and the model was trained on the rest.

    Examples:
        vswin train examples.csv -o my-labels

        vswin train clips/ --background other-videos/ -o my-labels --model swin-b-k600

        vswin train movie.json --multi-label -o my-labels
    """
    for path in examples:
        check_result_folder(out, path, force=force)
    from vswin_cli.training.background import add_background
    from vswin_cli.training.examples import read_examples
    from vswin_cli.training.records import check_labels

    found = add_background(read_examples(examples, root=root), background, seed=seed)
    check_labels(found.examples)
    loaded = make_engine(model, engine.options(), crops=1, quiet=quiet)
    from vswin_cli.training.head import HeadOptions, train_head

    options = HeadOptions(name or out.absolute().name, multi_label, seed=seed)
    with training_progress(quiet=quiet) as on_progress:
        trained = train_head(found, loaded, options, on_progress=on_progress)
    trained.save(out)
    _report(trained, out, as_json=json, quiet=quiet)
    if trained.record.left_out:
        raise typer.Exit(SOME_FAILED)


def _report(trained: TrainedModel, folder: Path, *, as_json: bool, quiet: bool) -> None:
    left_out = trained.record.left_out
    for name, problem in left_out[:_SHOWN_PROBLEMS]:
        console.warn(f"left out {name}: {problem}")
    if len(left_out) > _SHOWN_PROBLEMS:
        console.warn(f"and {len(left_out) - _SHOWN_PROBLEMS} more, see training.json")
    if not quiet:
        for note in trained.card.notes:
            console.note(note)
    if as_json:
        from vswin_cli.training.record import record_text

        console.write(record_text(trained.record).rstrip("\n"))
    else:
        console.write(str(folder))

"""`vswin train`: train a model on the user's own labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vswin_cli.cli import console
from vswin_cli.cli.convert import check_result_folder
from vswin_cli.cli.full_training import FullChoice
from vswin_cli.cli.model_choice import ModelChoice, load_chosen, make_engine
from vswin_cli.cli.option_groups import EngineChoice, with_option_groups
from vswin_cli.cli.options import QuietOption, SummaryJsonOption
from vswin_cli.cli.training_progress import training_progress
from vswin_cli.errors import SOME_FAILED, OptionError

if TYPE_CHECKING:
    from vswin_cli.training.records import ExampleSet
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
            "a folder with one folder per class, ActivityNet JSON, corrected timelines or a folder "
            "of them, or the folder of `vswin cut`.",
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
    full: Annotated[
        bool, typer.Option("--full", help="Fine-tune all weights of the network instead.")
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
    engine: EngineChoice,
    whole: FullChoice,
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

    `--full` trains the whole network by the paper's recipe, which takes a GPU and hours for the
    usual sizes. An interrupted run goes on at its last checkpoint when the command is repeated.
    Under `torchrun` every process trains on a part of each batch.

    A label `background` means none of the labels: it is not reported. Exit code 3: some examples
    could not be read, and the model was trained on the rest.

    Examples:
        vswin train examples.csv -o my-labels

        vswin train clips/ --background other-videos/ -o my-labels --model swin-b-k600

        vswin train movie.json --multi-label -o my-labels

        vswin train examples.csv --full -o my-labels --model swin-t-k400 --epochs 15

        vswin train examples.csv --full -o my-labels --init swin_tiny_patch4_window7_224.pth
    """
    if head and full:
        raise OptionError("`--head` and `--full` exclude each other", hint="give one of them")
    if not full:
        whole.check_unused()
    for path in examples:
        check_result_folder(out, path, force=force)
    from vswin_cli.training.background import add_background
    from vswin_cli.training.examples import read_examples
    from vswin_cli.training.records import check_labels

    found = add_background(read_examples(examples, root=root), background, seed=seed)
    check_labels(found.examples, found.problems)
    given = {"name": name or out.absolute().name, "multi_label": multi_label, "seed": seed}
    if full:
        trained = _train_full(found, model, engine, whole, out, given, quiet=quiet)
    else:
        trained = _train_head(found, model, engine, given, quiet=quiet)
    if trained is None:
        return  # one of several processes: the first one writes
    trained.save(out)
    _report(trained, out, as_json=json, quiet=quiet)
    if trained.record.left_out:
        raise typer.Exit(SOME_FAILED)


def _train_head(
    found: ExampleSet,
    model: ModelChoice,
    engine: EngineChoice,
    given: dict[str, Any],
    *,
    quiet: bool,
) -> TrainedModel:
    exact = replace(engine, precision="float32") if engine.precision == "auto" else engine
    loaded = make_engine(model, exact.options(), crops=1, quiet=quiet)
    from vswin_cli.training.head import HeadOptions, train_head

    with training_progress(quiet=quiet) as on_progress:
        return train_head(found, loaded, HeadOptions(**given), on_progress=on_progress)


def _train_full(
    found: ExampleSet,
    model: ModelChoice,
    engine: EngineChoice,
    whole: FullChoice,
    folder: Path,
    given: dict[str, Any],
    *,
    quiet: bool,
) -> TrainedModel | None:
    if engine.batch_size is not None:
        given = {**given, "clips_at_once": engine.batch_size}
    options = whole.options(precision=engine.precision, **given)
    model.check()
    from vswin_cli.inference.engine import resolve_device
    from vswin_cli.training.full import train_full
    from vswin_cli.training.initial import load_initial

    device = resolve_device(engine.device)
    base = load_chosen(model, quiet=quiet) if whole.init is None else load_initial(whole.init)
    with training_progress(quiet=quiet) as on_progress:
        return train_full(
            found,
            base,
            options,
            device=device,
            folder=folder,
            resume=whole.resume is not False,
            on_progress=on_progress,
        )


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

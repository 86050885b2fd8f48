"""`vswin evaluate`: accuracy by the published protocols, mAP, F1, and comparison of results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vswin_cli.cli import console
from vswin_cli.cli.evaluation_text import comparison_text, detection_text, f1_text, write_report
from vswin_cli.cli.options import DeviceOption, ForceOption, JsonOption, PlotsOption, QuietOption
from vswin_cli.cli.topk import topk
from vswin_cli.cli.typer_command import Command, Group
from vswin_cli.cli.windows import windows
from vswin_cli.config import EngineOptions
from vswin_cli.storage.humanize import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from vswin_cli.evaluation.intervals import Annotations

__all__ = ["compare", "evaluate", "f1", "map_", "topk", "windows"]

evaluate = typer.Typer(
    cls=Group,
    help="Measure the accuracy of models and results, or compare two results.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
evaluate.command("topk", cls=Command)(topk)
evaluate.command("windows", cls=Command)(windows)

SubsetOption = Annotated[
    str | None,
    typer.Option(
        "--subset", metavar="NAME", help="Only these videos of an ActivityNet ground truth."
    ),
]
LabelMapOption = Annotated[
    Path | None,
    typer.Option(
        "--label-map",
        metavar="FILE",
        help="CSV `predicted,true`: labels of the prediction and their names in the ground truth.",
    ),
]
PredictionArgument = Annotated[
    Path,
    typer.Argument(
        metavar="PREDICTION",
        help="Timelines (JSON, JSON Lines, a folder of them), ActivityNet results, CSV "
        "or TSV, such as results.csv of a batch.",
    ),
]
TruthArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="TRUTH",
        help="ActivityNet ground truth, CSV or TSV video,start,end,label, or timelines, such as "
        "those corrected on report pages: several files, or a folder of them.",
    ),
]


@evaluate.command("map", cls=Command)
def map_(
    prediction: PredictionArgument,
    truth: TruthArgument,
    tiou: Annotated[
        str,
        typer.Option(
            "--tiou",
            metavar="LIST",
            help="Thresholds of temporal IoU: first:last:step or a list (0.3,0.5).",
        ),
    ] = "0.5:0.95:0.05",
    subset: SubsetOption = None,
    label_map: LabelMapOption = None,
    plots: PlotsOption = None,
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Mean average precision of segments, as the ActivityNet benchmark computes it.

    It rewards many predictions with well-ranked scores: tag with `--onset 0.05 --offset 0.02
    --max-labels 0` for it, not with the defaults, which give few and clean segments.

    Examples:
        vswin evaluate map timelines.jsonl activity_net.v1-3.json --subset validation

        vswin evaluate map results.json truth.csv --tiou 0.3:0.7:0.1

        vswin evaluate map timelines.jsonl truth.csv --plots plots
    """
    from vswin_cli.evaluation.detection import detection_map, parse_thresholds

    thresholds = parse_thresholds(tiou)
    found, wanted = _read_pair(prediction, truth, subset, label_map)
    draw = _plotter(plots, found, wanted, force=force)
    report = detection_map(found, wanted, thresholds)
    write_report("map", report, detection_text, json=json)
    draw()


@evaluate.command("f1", cls=Command)
def f1(
    prediction: PredictionArgument,
    truth: TruthArgument,
    overlap: Annotated[
        str,
        typer.Option(
            "--overlap", metavar="LIST", help="Thresholds of temporal IoU for segmental F1."
        ),
    ] = "0.1,0.25,0.5",
    collar: Annotated[
        float,
        typer.Option(
            "--collar",
            metavar="SECONDS",
            help="Tolerance in seconds for start and end of an event.",
        ),
    ] = 1.0,
    collar_share: Annotated[
        float,
        typer.Option(
            "--collar-share",
            metavar="SHARE",
            help="Tolerance for the end as a share of the event's length, where that is more.",
        ),
    ] = 0.5,
    moment: Annotated[
        list[str] | None,
        typer.Option(
            "--moment",
            metavar="LABEL",
            help="Label without duration, such as a cut: only starts are compared. Repeatable.",
        ),
    ] = None,
    ignore: Annotated[
        str | None,
        typer.Option(
            "--ignore",
            metavar="LABEL",
            help="Label of uncertain parts of the ground truth: a prediction that starts there "
            "counts only if it is right.",
        ),
    ] = None,
    subset: SubsetOption = None,
    label_map: LabelMapOption = None,
    plots: PlotsOption = None,
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Segmental F1, edit score, accuracy over time, and F1 of events with a collar.

    Videos that TRUTH does not have are left out; so a part of an archive can be corrected.

    Segments are compared by their overlap, events by start and end within a tolerance.

    Examples:
        vswin evaluate f1 movie.json truth.csv

        vswin evaluate f1 results.csv *.corrected.json

        vswin evaluate f1 timelines.jsonl truth.csv --collar 0.5 --plots plots

        vswin evaluate f1 cuts.csv truth.csv --moment cut --collar 0.15 --ignore doubtful
    """
    from vswin_cli.evaluation.detection import parse_thresholds
    from vswin_cli.evaluation.events import Collar, F1Report, SpecialLabels, event_report
    from vswin_cli.evaluation.matching import check_labels_known
    from vswin_cli.evaluation.segmental import segmental_report

    overlaps, limits = parse_thresholds(overlap), Collar(collar, collar_share)
    special = SpecialLabels(frozenset(moment or ()), ignore)
    found, wanted = _read_pair(
        prediction, truth, subset, label_map, ignore, others="which are left out"
    )
    num_found = len(found.videos)
    found = found.only(wanted.videos)
    draw = _plotter(plots, found, wanted, force=force)
    without = {*special.moments, *([ignore] if ignore is not None else [])}
    check_labels_known(without, found, wanted)
    states, true_states = found.without(without), wanted.without(without)
    segments = segmental_report(states, true_states, overlaps) if true_states.labels else None
    events = event_report(found, wanted, limits, special)
    report = F1Report(segments, events, num_found - len(found.videos))
    write_report("f1", report, f1_text, json=json)
    draw()


@evaluate.command("compare", cls=Command)
def compare(
    a: Annotated[
        str, typer.Argument(metavar="A", help="File with timelines; with --video a model.")
    ],
    b: Annotated[
        str, typer.Argument(metavar="B", help="File with timelines; with --video a model.")
    ],
    video: Annotated[
        str | None,
        typer.Option(
            "--video",
            metavar="FILE",
            help="Tag this video with the models A and B and compare the results.",
        ),
    ] = None,
    label_map: LabelMapOption = None,
    device: DeviceOption = "auto",
    parts: Annotated[
        int,
        typer.Option(
            "--parts",
            metavar="COUNT",
            min=1,
            max=10_000,
            help="Number of equal parts for agreement over time.",
        ),
    ] = 60,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show where two results for the same videos agree and where they differ.

    A and B are files with results or, with --video, two models.

    Examples:
        vswin evaluate compare tiny.json base.json

        vswin evaluate compare swin-t-k400 swin-b-k400 --video movie.mp4
    """
    from vswin_cli.evaluation.annotations import read_annotations
    from vswin_cli.evaluation.comparison import compare_annotations
    from vswin_cli.evaluation.matching import read_label_map

    names = {} if label_map is None else read_label_map(label_map)
    if video is None:
        first, second = read_annotations(Path(a)), read_annotations(Path(b))
    else:
        first, second = _tag(video, (a, b), device, quiet=quiet)
    report = compare_annotations(first.renamed(names), second, parts=parts)
    for compared in report.videos:
        if compared.warnings:
            console.warn(f"are both for the same {compared.video}? {'; '.join(compared.warnings)}")
    write_report("compare", report, comparison_text, json=json)


def _tag(
    video: str, references: Sequence[str], device: str, *, quiet: bool
) -> Iterator[Annotations]:
    """Tag a video with each model, with the defaults of `vswin tag`."""
    from vswin_cli.cli.model_choice import ModelChoice, make_engine
    from vswin_cli.evaluation.annotations import annotations_of
    from vswin_cli.storage.sources import expand_sources

    (source,) = expand_sources([video], folders=False)[:1]
    options = EngineOptions(device)
    choices = [ModelChoice(reference, None, None) for reference in references]
    for choice in choices:
        choice.check()  # find a misspelt second model before running the first
    from vswin_cli.inference.pipeline import analyze_video  # loads torch

    for choice in choices:
        engine = make_engine(choice, options, crops=1, quiet=quiet)
        with console.progress(choice.reference, quiet=quiet) as on_progress:
            timeline = analyze_video(source, engine, on_progress=on_progress)
        yield annotations_of([timeline], choice.reference)


def _plotter(
    folder: Path | None, found: Annotations, wanted: Annotations, *, force: bool
) -> Callable[[], None]:
    """Check that timelines can be drawn, and return what draws them.

    Raises:
        OptionError: the name is that of an image, or matplotlib is missing.
        OutputError: a file is there that vswin did not write, or nothing can be written there.
    """
    if folder is None:
        return lambda: None
    from vswin_cli.cli.topk_outputs import check_plots
    from vswin_cli.evaluation.timeline_plots import plan_timelines, plot_timelines

    figures = plan_timelines(found, wanted)
    check_plots(folder, [one.name for one in figures], force=force)

    def draw() -> None:
        plot_timelines(folder, figures)
        all_ = len(wanted.videos)
        rest = f", those of {all_:,} that agree least" if len(figures) < all_ else ""
        console.note(f"wrote the timelines of {counted(len(figures), 'video')} to {folder}{rest}")

    return draw


def _read_pair(
    prediction: Path,
    truth: Sequence[Path],
    subset: str | None,
    label_map: Path | None,
    ignore: str | None = None,
    *,
    others: str = "where every prediction is wrong",
) -> tuple[Annotations, Annotations]:
    """Read both sides and check that they can be compared; warn on stderr where they differ."""
    from vswin_cli.evaluation.annotations import joined_annotations, read_annotations
    from vswin_cli.evaluation.matching import check_comparable, read_label_map

    wanted = joined_annotations([read_annotations(path, subset=subset) for path in truth])
    found = read_annotations(prediction)
    if label_map is not None:
        found = found.renamed(read_label_map(label_map))
    certain = wanted if ignore is None else wanted.without({ignore})
    for warning in check_comparable(found, certain, others=others):
        console.warn(warning)
    return found, wanted

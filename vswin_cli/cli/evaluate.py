"""`vswin evaluate`: accuracy by the published protocols, mAP, F1, and two results compared."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from vswin_cli.cli import console, evaluation_text
from vswin_cli.cli.options import (
    BatchSizeOption,
    DeviceOption,
    JsonOption,
    LabelsOption,
    ModelOption,
    PrecisionOption,
    QuietOption,
    WeightsOption,
)
from vswin_cli.config import EngineOptions, Precision
from vswin_cli.errors import SourceError
from vswin_cli.records import json_text, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vswin_cli.cli.model_choice import ModelChoice
    from vswin_cli.engine import Engine
    from vswin_cli.evaluation.annotations import Annotations
    from vswin_cli.evaluation.protocols import Protocol
    from vswin_cli.evaluation.topk import Outcome, TopkReport
    from vswin_cli.evaluation.video_list import LabelledVideo

__all__ = ["compare", "evaluate", "f1", "map_", "topk"]

_SOME_FAILED = 3
_MOST_WORKERS = 8

evaluate = typer.Typer(
    help="Measure how good results are, or where two differ.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

SubsetOption = Annotated[
    str | None,
    typer.Option("--subset", help="Only these videos of an ActivityNet ground truth."),
]
LabelMapOption = Annotated[
    Path | None,
    typer.Option(
        "--label-map",
        help="CSV `predicted,true`: what the prediction's labels are called in the ground truth.",
    ),
]
PredictionArgument = Annotated[
    Path,
    typer.Argument(
        metavar="PRED", help="Timelines (JSON, JSON Lines), ActivityNet results or CSV."
    ),
]
TruthArgument = Annotated[
    Path,
    typer.Argument(
        metavar="GT", help="ActivityNet ground truth, CSV video,start,end,label, or timelines."
    ),
]


@evaluate.command("topk")
def topk(
    videos: Annotated[
        Path,
        typer.Argument(metavar="LIST", help="CSV `path,label`, labels by name or by index."),
    ],
    model: ModelOption = None,
    weights: WeightsOption = None,
    labels: LabelsOption = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            "--protocol",
            help="paper, mmaction2, torchvision or ssv2.",
            show_default="as the weights were published",
        ),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option(
            "--root",
            help="Folder that relative paths start from.",
            show_default="the list's own",
        ),
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option("--predictions", help="CSV to write, one line per video as it is done."),
    ] = None,
    num_confusions: Annotated[
        int, typer.Option("--confusions", min=0, help="Commonest mistakes to show.")
    ] = 10,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "float32",
    batch_size: BatchSizeOption = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            help="Videos decoded at the same time.",
            show_default="the processors, 8 at most",
        ),
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Test a model on labelled, trimmed videos by a published protocol.

    A video that cannot be decoded is named and left out; it never ends the run.

    Examples:
        vswin evaluate topk k400_val.csv --root videos/ --model swin-t-k400

        vswin evaluate topk val.csv --weights mine.pth --protocol torchvision --json
    """
    from vswin_cli.cli.model_choice import ModelChoice
    from vswin_cli.evaluation.reading import read_text
    from vswin_cli.evaluation.topk import summarise
    from vswin_cli.evaluation.video_list import read_video_list
    from vswin_cli.files import check_destination

    read_text(videos)  # a wrong path should not cost a download first
    if predictions is not None:
        check_destination(predictions)
    choice = ModelChoice(model, weights, labels)
    options = EngineOptions(device, cast("Precision", precision), batch_size)
    engine, chosen = _prepare(choice, options, protocol, quiet=quiet)
    listed = read_video_list(videos, engine.model.card.labels, root=root)
    workers = workers or min(_MOST_WORKERS, os.cpu_count() or 1)
    with (
        _prediction_writer(predictions, engine) as write,
        console.progress(f"{len(listed)} videos", quiet=quiet) as on_progress,
    ):
        outcomes = list(_watched(listed, engine, chosen, workers, (write, on_progress)))
    report = summarise(outcomes, engine, chosen, num_confusions=num_confusions)
    _end_topk(report, json=json)


def _prepare(
    choice: ModelChoice, options: EngineOptions, protocol: str | None, *, quiet: bool
) -> tuple[Engine, Protocol]:
    """The model with the crops of its protocol."""
    from vswin_cli.cli.model_choice import make_engine
    from vswin_cli.engine import Engine
    from vswin_cli.evaluation.protocols import choose_protocol

    engine = make_engine(choice, options, crops=3, quiet=quiet)
    chosen = choose_protocol(protocol, engine.model.card.input)
    return Engine(engine.model, options, crops=chosen.crops), chosen


def _watched(
    listed: Sequence[LabelledVideo],
    engine: Engine,
    chosen: Protocol,
    workers: int,
    watchers: tuple[Callable[[Outcome], None], console.OnProgress],
) -> Iterator[Outcome]:
    from vswin_cli.evaluation.topk import evaluate_videos

    write, on_progress = watchers
    for done, outcome in enumerate(evaluate_videos(listed, engine, chosen, workers=workers), 1):
        write(outcome)
        on_progress(done, len(listed))
        yield outcome


def _end_topk(report: TopkReport, *, json: bool) -> None:
    """Print the report; failures show in the exit code."""
    if len(report.failures) == report.num_videos:
        raise SourceError(
            f"none of the {report.num_videos} videos could be decoded; "
            f"{report.failures[0].video}: {report.failures[0].problem}",
            hint="relative paths start from the list's folder, or from --root",
        )
    if json:
        _write_json("topk", report)
    else:
        console.write(evaluation_text.topk_text(report))
    if report.failures:
        raise typer.Exit(_SOME_FAILED)


@contextmanager
def _prediction_writer(path: Path | None, engine: Engine) -> Iterator[Callable[[Outcome], None]]:
    """Something that writes a line per video, so that an interrupted run leaves what it did."""
    if path is None:
        yield lambda outcome: None
        return
    from vswin_cli.files import writing

    with writing(str(path)), path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(["path", "label", "rank", "predicted", "score", "problem"])

        names = engine.model.card.labels

        def write(outcome: Outcome) -> None:
            predicted = names[outcome.best[0]] if outcome.best else ""
            score = f"{outcome.scores[0]:.6f}" if outcome.scores else ""
            lines.writerow(
                [outcome.uri, names[outcome.truth], outcome.rank, predicted, score, outcome.problem]
            )
            file.flush()

        yield write


@evaluate.command("map")
def map_(
    prediction: PredictionArgument,
    truth: TruthArgument,
    tiou: Annotated[
        str,
        typer.Option(
            "--tiou", help="Overlaps that count as found: first:last:step or a list (0.3,0.5)."
        ),
    ] = "0.5:0.95:0.05",
    subset: SubsetOption = None,
    label_map: LabelMapOption = None,
    json: JsonOption = False,
) -> None:
    """Mean average precision of segments, as the ActivityNet benchmark computes it.

    It rewards many guesses with honest scores: tag with `--onset 0.05 --offset 0.02 --max-labels 0`
    for it, not with the few clean segments that people like to read.

    Examples:
        vswin evaluate map timelines.jsonl activity_net.v1-3.json --subset validation

        vswin evaluate map results.json truth.csv --tiou 0.3:0.7:0.1
    """
    from vswin_cli.evaluation.detection import detection_map, parse_thresholds

    thresholds = parse_thresholds(tiou)
    found, wanted = _read_pair(prediction, truth, subset, label_map)
    report = detection_map(found, wanted, thresholds)
    if json:
        _write_json("map", report)
    else:
        console.write(evaluation_text.detection_text(report))


@evaluate.command("f1")
def f1(
    prediction: PredictionArgument,
    truth: TruthArgument,
    overlap: Annotated[
        str, typer.Option("--overlap", help="Overlaps that count as found, for segmental F1.")
    ] = "0.1,0.25,0.5",
    collar: Annotated[
        float, typer.Option("--collar", help="Seconds that an event's ends may be off.")
    ] = 1.0,
    collar_share: Annotated[
        float,
        typer.Option("--collar-share", help="Of an event's length, that its end may be off."),
    ] = 0.5,
    subset: SubsetOption = None,
    label_map: LabelMapOption = None,
    json: JsonOption = False,
) -> None:
    """Segmental F1, edit score, accuracy over time, and F1 of events with a collar.

    Examples:
        vswin evaluate f1 movie.json truth.csv

        vswin evaluate f1 timelines.jsonl truth.csv --collar 0.5 --json
    """
    from vswin_cli.evaluation.detection import parse_thresholds
    from vswin_cli.evaluation.events import Collar, event_report
    from vswin_cli.evaluation.segmental import segmental_report

    overlaps, limits = parse_thresholds(overlap), Collar(collar, collar_share)
    found, wanted = _read_pair(prediction, truth, subset, label_map)
    segments = segmental_report(found, wanted, overlaps)
    events = event_report(found, wanted, limits)
    if json:
        body = {"segments": to_json(segments), "events": to_json(events)}
        console.write(json_text({"schema": "vswin.evaluation.f1/1", **body}, indent=2))
    else:
        console.write(evaluation_text.f1_text(segments, events))


@evaluate.command("compare")
def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="Timelines; with --video a model.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Timelines; with --video a model.")],
    video: Annotated[
        str | None,
        typer.Option("--video", help="Tag this video with the models A and B and compare that."),
    ] = None,
    label_map: LabelMapOption = None,
    device: DeviceOption = "auto",
    parts: Annotated[
        int, typer.Option("--parts", min=1, max=10_000, help="Parts for agreement over time.")
    ] = 60,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show where two results for the same videos agree and where they differ.

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
        first, second = (_tag(video, one, device, quiet=quiet) for one in (a, b))
    report = compare_annotations(first.renamed(names), second, parts=parts)
    for one in report.videos:
        if one.warnings:
            console.warn(f"are both for the same {one.video}? {'; '.join(one.warnings)}")
    if json:
        _write_json("compare", report)
    else:
        console.write(evaluation_text.comparison_text(report))


def _tag(video: str, reference: str, device: str, *, quiet: bool) -> Annotations:
    """What a model says about a video, with the defaults of `vswin tag`."""
    from vswin_cli.cli.model_choice import ModelChoice, make_engine
    from vswin_cli.config import SamplingOptions, SegmentOptions
    from vswin_cli.evaluation.annotations import annotations_of
    from vswin_cli.pipeline import analyze_video
    from vswin_cli.sources import expand_sources

    (source,) = expand_sources([video], folders=False)[:1]
    here = Path(reference).exists()
    choice = ModelChoice(None if here else reference, Path(reference) if here else None, None)
    engine = make_engine(choice, EngineOptions(device), crops=1, quiet=quiet)
    with console.progress(reference, quiet=quiet) as on_progress:
        timeline = analyze_video(
            source, engine, SamplingOptions(), SegmentOptions(), on_progress=on_progress
        )
    return annotations_of([timeline], reference)


def _read_pair(
    prediction: Path, truth: Path, subset: str | None, label_map: Path | None
) -> tuple[Annotations, Annotations]:
    """Both files, made comparable; what does not fit is said on stderr."""
    from vswin_cli.evaluation.annotations import read_annotations
    from vswin_cli.evaluation.matching import check_comparable, read_label_map

    wanted = read_annotations(truth, subset=subset)
    found = read_annotations(prediction)
    if label_map is not None:
        found = found.renamed(read_label_map(label_map))
    for sentence in check_comparable(found, wanted):
        console.warn(sentence)
    return found, wanted


def _write_json(kind: str, report: object) -> None:
    body = {"schema": f"vswin.evaluation.{kind}/1", **to_json(report)}
    console.write(json_text(body, indent=2))

"""`vswin evaluate topk`: accuracy on labelled videos by a published protocol."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vswin_cli._version import __version__
from vswin_cli.cli import console
from vswin_cli.cli.evaluation_text import topk_text, write_report
from vswin_cli.cli.model_choice import ModelChoice, make_engine
from vswin_cli.cli.option_groups import ExactEngineChoice, with_option_groups
from vswin_cli.cli.options import JsonOption, QuietOption, RootOption
from vswin_cli.cli.topk_outputs import TopkOutputs
from vswin_cli.config import EngineOptions
from vswin_cli.errors import SOME_FAILED, OptionError, SourceError
from vswin_cli.storage.humanize import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vswin_cli.evaluation.protocols import Protocol
    from vswin_cli.evaluation.results_log import ResultsLog
    from vswin_cli.evaluation.topk import Outcome, TopkReport
    from vswin_cli.evaluation.video_list import LabelledVideo
    from vswin_cli.inference.engine import Engine

__all__ = ["topk"]

_MOST_WORKERS = 8
_TOP = "1,5"


@with_option_groups
def topk(
    videos: Annotated[
        Path, typer.Argument(metavar="LIST", help="CSV `path,label`, labels by name or by index.")
    ],
    *,
    choice: ModelChoice,
    protocol: Annotated[
        str | None,
        typer.Option(
            "--protocol",
            metavar="NAME",
            help="paper, mmaction2, torchvision or ssv2.",
            show_default="the one the weights were published with",
        ),
    ] = None,
    root: RootOption = None,
    top: Annotated[
        str,
        typer.Option("--top", metavar="LIST", help="Values of k for top-k accuracy: 1,5,10."),
    ] = _TOP,
    num_confusions: Annotated[
        int,
        typer.Option(
            "--confusions", min=0, metavar="COUNT", help="Number of most frequent mistakes to show."
        ),
    ] = 10,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Ignore the results of earlier runs.")
    ] = False,
    outputs: TopkOutputs,
    running: ExactEngineChoice,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            metavar="COUNT",
            help="Videos decoded in parallel.",
            show_default="the number of processors, at most 8",
        ),
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Test a model on labelled, trimmed videos by a published protocol.

    A video that cannot be decoded is reported and left out; the run goes on. All are decoded in
    software, so that the figures do not depend on the rounding of a GPU's decoder.

    After an interruption the same command resumes the run, and retries videos that failed.

    Examples:
        vswin evaluate topk k400_val.csv --root videos/ --model swin-t-k400

        vswin evaluate topk val.csv --weights mine.pth --protocol torchvision --json

        vswin evaluate topk val.csv --top 1,3 --plots plots --save-scores scores.npz
    """
    from vswin_cli.evaluation.topk import evaluate_videos, parse_top, summarise
    from vswin_cli.evaluation.video_list import read_video_list

    ks = parse_top(top)
    _check_before_loading(videos, protocol, choice, outputs)
    engine, chosen = _prepare(choice, running.options(), protocol, quiet=quiet)
    labels = engine.model.card.labels
    listed = read_video_list(videos, labels, root=root)
    if max(ks) >= len(labels) and top != _TOP:
        console.warn(
            f"top-{max(ks)} accuracy is always 100 %: the model has {counted(len(labels), 'label')}"
        )
    workers = workers or min(_MOST_WORKERS, os.cpu_count() or 1)
    evaluate = partial(evaluate_videos, engine=engine, protocol=chosen, workers=workers)
    # The log first: where another process runs the same test, its predictions are not truncated.
    with _log_of(engine, chosen, fresh) as log, outputs.prediction_writer(labels) as write:
        if outputs.needs_scores:
            _check_scores(listed, log)
        outcomes = _evaluate(listed, log, evaluate, write, quiet=quiet)
    report = summarise(outcomes, engine, chosen, num_confusions=num_confusions, top=ks)
    _finish(report, outcomes, outputs, labels, json=json, quiet=quiet)


def _check_before_loading(
    videos: Path, protocol: str | None, choice: ModelChoice, outputs: TopkOutputs
) -> None:
    """Check list, options and paths before anything is downloaded."""
    from vswin_cli.evaluation.protocols import check_protocol_name
    from vswin_cli.evaluation.video_list import lists_parts

    if lists_parts(videos):
        console.warn(
            f"{videos} has the columns start and end, but `topk` tests whole files; "
            "`vswin evaluate windows` tests parts"
        )
    check_protocol_name(protocol)
    choice.check()
    outputs.check([videos, *choice.files()])


def _prepare(
    choice: ModelChoice, options: EngineOptions, protocol: str | None, *, quiet: bool
) -> tuple[Engine, Protocol]:
    """Load the model and choose the protocol, whose crops the engine then has."""
    from vswin_cli.evaluation.protocols import choose_protocol
    from vswin_cli.inference.engine import Engine

    engine = make_engine(choice, options, crops=3, quiet=quiet)
    chosen = choose_protocol(protocol, engine.model.card.input)
    return Engine(engine.model, options, crops=chosen.crops), chosen


@contextmanager
def _log_of(engine: Engine, chosen: Protocol, fresh: bool) -> Iterator[ResultsLog]:
    """Open the results log of the same test's earlier runs."""
    from vswin_cli.evaluation.results_log import TopkTest, open_results_log

    card = engine.model.card
    test = TopkTest(
        engine.model.weights_sha256, chosen, card.input, card.activation, engine.precision
    )
    with open_results_log(test, fresh=fresh) as log:
        yield log


def _check_scores(listed: Sequence[LabelledVideo], log: ResultsLog) -> None:
    """Refuse to go on with outcomes of version 0.1.0 where scores of all classes are needed."""
    known = [outcome for video in listed if (outcome := log.find(video)) is not None]
    bare = sum(outcome.all_scores is None for outcome in known)
    if bare:
        raise OptionError(
            f"an earlier version kept only the five best scores of {counted(bare, 'video')}",
            hint="add --fresh to evaluate them again, or omit --save-scores and --plots",
        )


def _evaluate(
    listed: Sequence[LabelledVideo],
    log: ResultsLog,
    evaluate: Callable[[Sequence[LabelledVideo]], Iterator[Outcome]],
    write: Callable[[Outcome], None],
    *,
    quiet: bool,
) -> list[Outcome]:
    """Collect the outcomes of all videos; write and report each as it is done."""
    from vswin_cli.evaluation.results_log import resume

    title = counted(len(listed), "video")
    found = [version for video in listed if (version := log.version_of(video)) is not None]
    if found and not quiet:
        others = sorted(set(found) - {__version__})
        by = f", some by vswin {' and '.join(others)}" if others else ""
        console.note(
            f"{len(found):,} of {title} done by an earlier run{by}; --fresh does them again"
        )
    outcomes: list[Outcome] = []
    with console.progress(title, quiet=quiet) as on_progress:
        for outcome in resume(listed, log, evaluate):
            write(outcome)
            outcomes.append(outcome)
            on_progress(len(outcomes), len(listed))
    return outcomes


def _finish(
    report: TopkReport,
    outcomes: Sequence[Outcome],
    outputs: TopkOutputs,
    labels: Sequence[str],
    *,
    json: bool,
    quiet: bool,
) -> None:
    """Write what was asked for and print the report; exit with 3 where videos failed."""
    if len(report.failures) == report.num_videos:
        raise SourceError(
            f"no video of the list could be decoded; the first: {report.failures[0].problem}",
            hint="relative paths start from the list's folder, or from --root",
        )
    # The report first: a full disk must not cost the figures that took hours.
    write_report("topk", report, topk_text, json=json)
    outputs.write(report, outcomes, labels, quiet=quiet)
    if report.failures:
        raise typer.Exit(SOME_FAILED)

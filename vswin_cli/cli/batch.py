"""`vswin batch`: tag many videos into one table or folder."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vswin_cli.cli import console
from vswin_cli.cli.batch_paths import check_replaced_files, prepare_paths
from vswin_cli.cli.batch_summary import finish, summarise
from vswin_cli.cli.model_choice import ModelChoice
from vswin_cli.cli.option_groups import (
    EngineChoice,
    SamplingChoice,
    SegmentChoice,
    with_option_groups,
)
from vswin_cli.cli.options import (
    MinCoverageOption,
    QuietOption,
    StrictOption,
    SummaryJsonOption,
)
from vswin_cli.cli.workers import make_task
from vswin_cli.config import (
    SamplingOptions,
    SegmentOptions,
    parse_seconds,
)
from vswin_cli.errors import OptionError, SourceError
from vswin_cli.storage.files import check_spares

if TYPE_CHECKING:
    from vswin_cli.batch.inputs import BatchInput, Shard
    from vswin_cli.batch.run import BatchReport, Policy
    from vswin_cli.batch.scheduler import StopRequest
    from vswin_cli.batch.target import Target
    from vswin_cli.cli.workers import WorkerSetup

__all__ = ["batch"]

_INPUTS = "Inputs"
_RESULTS = "Results"
_WORK = "Execution"


@with_option_groups
def batch(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT",
            help="Folders, files, patterns, URLs, @LIST, or - to read a list from stdin.",
            show_default=False,
        ),
    ],
    *,
    out: Annotated[
        str,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE|FOLDER",
            help="Table (.csv, .jsonl, .parquet, ...) or folder with one file per video; a path "
            "or an address such as s3://bucket/results.csv.",
            rich_help_panel=_RESULTS,
        ),
    ],
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            "-f",
            help="Output format: csv, jsonl, parquet; for folders also json, srt, vtt, ...",
            show_default="from the ending of --out; json for a folder",
            rich_help_panel=_RESULTS,
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Replace files that vswin did not write.",
            rich_help_panel=_RESULTS,
        ),
    ] = False,
    save_scores: Annotated[
        Path | None,
        typer.Option(
            "--save-scores",
            metavar="FOLDER",
            help="Folder for score files, which `vswin segment` reads.",
            show_default="in the journal's folder",
            rich_help_panel=_RESULTS,
        ),
    ] = None,
    keep_scores: Annotated[
        bool,
        typer.Option(
            "--scores/--no-scores",
            help="Keep scores, so that new thresholds need no decoding (4 MB per hour).",
            rich_help_panel=_RESULTS,
        ),
    ] = True,
    files: Annotated[
        list[str] | None,
        typer.Option(
            "--files",
            metavar="PATTERN",
            help="Only files that match: *.mkv or day1/*. Repeatable.",
            rich_help_panel=_INPUTS,
        ),
    ] = None,
    skip_files: Annotated[
        list[str] | None,
        typer.Option(
            "--skip-files",
            metavar="PATTERN",
            help="Skip files that match. Repeatable.",
            rich_help_panel=_INPUTS,
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard",
            metavar="I/N",
            help="Process only the I-th of N parts of the inputs, for job arrays.",
            rich_help_panel=_INPUTS,
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume/--no-resume",
            help="Keep results of earlier runs.",
            rich_help_panel=_WORK,
        ),
    ] = True,
    retry_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed",
            help="Try all failed files again, even those without video.",
            rich_help_panel=_WORK,
        ),
    ] = False,
    workers: Annotated[
        str,
        typer.Option(
            "--workers",
            metavar="auto|N|local|ray[:N]",
            help="Where to work: here or one process per GPU (auto), N processes, a Ray cluster.",
            rich_help_panel=_WORK,
        ),
    ] = "auto",
    ray_address: Annotated[
        str | None,
        typer.Option(
            "--ray-address",
            help="Ray cluster to join.",
            show_default="RAY_ADDRESS, else a new one on this machine",
            rich_help_panel=_WORK,
        ),
    ] = None,
    split: Annotated[
        str,
        typer.Option(
            "--split",
            metavar="TIME|never",
            help="Split videos longer than twice this into parts for several workers.",
            rich_help_panel=_WORK,
        ),
    ] = "30:00",
    timeout: Annotated[
        str,
        typer.Option(
            "--timeout",
            metavar="TIME",
            help="Kill a worker that makes no progress for this long.",
            rich_help_panel=_WORK,
        ),
    ] = "10:00",
    choice: ModelChoice,
    sampling: SamplingChoice,
    segments: SegmentChoice,
    json: SummaryJsonOption = False,
    strict: StrictOption = False,
    min_coverage: MinCoverageOption = 0.98,
    running: EngineChoice,
    quiet: QuietOption = False,
) -> None:
    """Tag many videos into one table; the same command resumes an interrupted run.

    With results.csv it writes results.files.csv, a row per input, and .results.vswin, the journal.

    Examples:
        vswin batch recordings/ --out results.csv

        vswin batch recordings/ --files "*.mkv" --out results/ --format srt --workers 4

        find . -name "*.mp4" | vswin batch - --out results.jsonl --shard 3/16
    """
    from vswin_cli.batch.inputs import Shard
    from vswin_cli.batch.target import choose_target
    from vswin_cli.cli.workers import Workers, set_up_workers

    sampling_options, engine_options = sampling.options(), running.options()
    target = choose_target(out, format, None if shard is None else Shard.parse(shard))
    wanted_workers = Workers.parse(workers)
    choice.check()
    found = _find(inputs, files or (), skip_files or (), target.shard)  # before creating anything
    _check_keeps_inputs(target, inputs, found, choice)
    check_replaced_files(target, found, force=force)
    options = _BatchOptions(
        target=target,
        scores=prepare_paths(target, save_scores, keep=keep_scores),
        split_seconds=None if split == "never" else _seconds(split, "--split"),
        policy=_policy(resume, retry_failed, save_scores is not None, timeout),
        quiet=quiet,
    )
    setup = set_up_workers(
        wanted_workers,
        choice,
        engine_options,
        crops=sampling_options.crops or 1,
        ray_address=ray_address,
        quiet=quiet,
    )
    with closing(setup):
        segment_options = segments.over(setup.engine.model.card.segments)
        report = _run(found, options, setup, sampling_options, segment_options)
    summarise(report, target, as_json=json, quiet=quiet)
    finish(report, strict=strict, min_coverage=min_coverage)


def _check_keeps_inputs(
    target: Target, arguments: Sequence[str], found: Sequence[BatchInput], choice: ModelChoice
) -> None:
    from vswin_cli.batch.target import check_names, result_paths

    lists = [Path(argument[1:]) for argument in arguments if argument.startswith("@")]
    videos = [one.source.path for one in found]
    check_spares(result_paths(target, found), [*lists, *videos, *choice.files()])
    check_names(target, found)


@dataclass(frozen=True, slots=True)
class _BatchOptions:
    """Options that do not concern the analysis itself."""

    target: Target
    scores: Path | None
    split_seconds: float | None
    policy: Policy
    quiet: bool


def _seconds(text: str, option: str) -> float:
    seconds = parse_seconds(text)
    if seconds <= 0:
        raise OptionError(
            f"{option} must be positive, got {text}",
            hint="give seconds (90), minutes (1:30) or hours (00:01:30.5)",
        )
    return seconds


def _policy(resume: bool, retry_failed: bool, needs_scores: bool, timeout: str) -> Policy:
    from vswin_cli.batch.run import Policy
    from vswin_cli.batch.scheduler import Limits

    limits = Limits(stall_seconds=_seconds(timeout, "--timeout"))
    return Policy(
        resume=resume, retry_failed=retry_failed, needs_scores=needs_scores, limits=limits
    )


def _find(
    arguments: Sequence[str], files: Sequence[str], skip_files: Sequence[str], shard: Shard | None
) -> list[BatchInput]:
    from vswin_cli.batch.inputs import collect_inputs, query_addresses

    text = console.read_stdin().decode("utf-8-sig", "surrogateescape") if "-" in arguments else ""
    found = collect_inputs(
        arguments, files=files, skip_files=skip_files, standard_input=text.split("\n")
    )
    if not found:
        raise SourceError("nothing to tag", hint="check the list, --files and --skip-files")
    return query_addresses(found if shard is None else shard.of(found))


def _run(
    found: Sequence[BatchInput],
    options: _BatchOptions,
    setup: WorkerSetup,
    sampling: SamplingOptions,
    segments: SegmentOptions,
) -> BatchReport:
    from vswin_cli.batch.run import run_batch
    from vswin_cli.cli.batch_progress import ProgressDisplay

    task = replace(
        make_task(setup, sampling, segments),
        journal=options.target.state.absolute(),
        scores=options.scores,
        split_seconds=options.split_seconds if setup.has_other_processes else None,
    )
    with ProgressDisplay(quiet=options.quiet) as progress, _stop_on_signal() as stop:
        return run_batch(
            found,
            options.target,
            task,
            setup.executor_for(task),
            policy=replace(options.policy, largest_first=setup.has_other_processes),
            stop=stop,
            on_progress=progress,
            on_note=(lambda _: None) if options.quiet else console.note,
        )


@contextmanager
def _stop_on_signal() -> Iterator[StopRequest]:
    """Request a stop on the first Ctrl-C or SIGTERM, interrupt on the second."""
    from vswin_cli.batch.scheduler import StopRequest

    stop = StopRequest()

    def on_signal(number: int, _frame: object) -> None:
        if stop.is_set:
            raise KeyboardInterrupt
        stop.is_set, stop.signal_number = True, number
        console.note("finishing the running jobs; press Ctrl-C again to stop at once")

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, on_signal) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)

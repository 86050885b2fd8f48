"""`vswin batch`: tag many videos into one table or folder."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from vswin_cli.cli import console
from vswin_cli.cli.batch_merge import merge_shards
from vswin_cli.cli.batch_options import ExecutionChoice, InputChoice, ResultChoice
from vswin_cli.cli.batch_paths import (
    check_pages,
    check_replaced_files,
    prepare_features,
    prepare_pages,
    prepare_paths,
)
from vswin_cli.cli.batch_summary import finish, summarise
from vswin_cli.cli.batch_watch import run_as_they_arrive
from vswin_cli.cli.model_choice import ModelChoice
from vswin_cli.cli.option_groups import (
    SamplingChoice,
    SegmentChoice,
    VideoEngineChoice,
    with_option_groups,
)
from vswin_cli.cli.options import (
    LogJsonOption,
    MinCoverageOption,
    QuietOption,
    StrictOption,
    SummaryJsonOption,
)
from vswin_cli.cli.workers import Workers, as_earlier_results, set_up_workers
from vswin_cli.config import EngineOptions, SamplingOptions, SegmentOptions
from vswin_cli.storage.files import check_spares

if TYPE_CHECKING:
    from vswin_cli.batch.inputs import BatchInput
    from vswin_cli.batch.pages import BatchPages
    from vswin_cli.batch.run import BatchReport, Policy, Progress
    from vswin_cli.batch.scheduler import StopRequest
    from vswin_cli.batch.target import Target
    from vswin_cli.cli.workers import WorkerSetup

__all__ = ["batch"]


@with_option_groups
def batch(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT",
            help="Folders, files, patterns, URLs, s3://BUCKET/PREFIX/, @LIST, or - to read a list "
            "from stdin.",
            show_default=False,
        ),
    ],
    *,
    results: ResultChoice,
    selection: InputChoice,
    execution: ExecutionChoice,
    choice: ModelChoice,
    sampling: SamplingChoice,
    segments: SegmentChoice,
    json: SummaryJsonOption = False,
    log_json: LogJsonOption = False,
    strict: StrictOption = False,
    min_coverage: MinCoverageOption = 0.98,
    running: VideoEngineChoice,
    quiet: QuietOption = False,
) -> None:
    """Tag many videos into one table; the same command resumes an interrupted run.

    With results.csv it writes results.files.csv, a row per input, and .results.vswin, the journal.

    Examples:
        vswin batch recordings/ --out results.csv

        vswin batch recordings/ --files "*.mkv" --out results/ --format srt --workers 4

        find . -name "*.mp4" | vswin batch - --out results.jsonl --shard 3/16

        vswin batch recordings/ --out results.csv --report pages/

        vswin batch --watch incoming/ --out results.csv

        vswin batch --merge "results.*-of-16.jsonl" --out results.jsonl
    """
    console.use_json_lines(log_json)  # the configuration file may have chosen it
    clips, engine_options = sampling.options(), running.options()
    workers = Workers.parse(execution.workers)
    shard = selection.parsed_shard()
    target = results.target(shard)
    if selection.merge:
        merge_shards(inputs, target, force=results.force, as_json=json, quiet=quiet)
        return
    choice.check()
    if selection.watch:
        from vswin_cli.batch.watch import check_folders

        check_folders(inputs)
    found = [] if selection.watch else selection.find(inputs, shard)  # nothing is created before
    _check_keeps_inputs(target, inputs, found, choice)
    options = _prepare(target, found, results, execution, quiet=quiet, log_json=log_json)
    crops, address = clips.crops or 1, execution.ray_address
    with closing(
        set_up_workers(
            workers, choice, engine_options, crops=crops, ray_address=address, quiet=quiet
        )
    ) as setup:
        advised = setup.engine.model.card.segments
        if options.policy.resume:
            setup = _as_before(setup, options, choice, clips, engine_options)
        with _stop_on_signal() as stop:
            run = partial(_run, options, setup, clips, segments.over(advised), stop)
            if not selection.watch:
                report: BatchReport | None = run(found)
            else:
                report = _watch(partial(selection.find, inputs, shard), run, options, stop)
    if report is not None:
        summarise(report, target, options.page, as_json=json, quiet=quiet, log_json=log_json)
        finish(report, strict=strict, min_coverage=min_coverage)


def _watch(
    find: Callable[[], list[BatchInput]],
    run: Callable[..., BatchReport],
    options: _BatchOptions,
    stop: StopRequest,
) -> BatchReport | None:
    """Tag what arrives until a stop request; returns the last report, if anything arrived."""
    from vswin_cli.batch.watch import FolderWatch

    is_first = True

    def run_next(found: Sequence[BatchInput]) -> BatchReport:
        nonlocal is_first
        check_replaced_files(options.target, found, force=options.force)
        if options.page is not None:
            check_pages(options.target, found, options.page, force=options.force)
        # What this command has done itself is not done again.
        policy = options.policy
        again = policy if is_first else replace(policy, resume=True, retry_failed=False)
        is_first = False
        return run(found, policy=again, goes_on=True)

    return run_as_they_arrive(FolderWatch(find), run_next, stop, quiet=options.quiet)


def _check_keeps_inputs(
    target: Target, arguments: Sequence[str], found: Sequence[BatchInput], choice: ModelChoice
) -> None:
    """Refuse results that would overwrite a list, a video or a file of the model."""
    from vswin_cli.batch.target import check_names, result_paths

    lists = [Path(argument[1:]) for argument in arguments if argument.startswith("@")]
    videos = [entry.source.path for entry in found]
    check_spares(result_paths(target, found), [*lists, *videos, *choice.files()])
    check_names(target, found)


@dataclass(frozen=True, slots=True)
class _BatchOptions:
    """Options that do not concern the analysis itself."""

    target: Target
    scores: Path | None
    features: Path | None
    evidence: bool
    page: Path | None
    split_seconds: float | None
    policy: Policy
    force: bool
    quiet: bool
    log_json: bool


def _prepare(
    target: Target,
    found: Sequence[BatchInput],
    results: ResultChoice,
    execution: ExecutionChoice,
    *,
    quiet: bool,
    log_json: bool,
) -> _BatchOptions:
    """Check options and paths, then create the folders."""
    # Features and evidence of parts are not joined.
    is_whole = results.evidence or results.save_features is not None
    check_replaced_files(target, found, force=results.force)
    return _BatchOptions(
        target=target,
        split_seconds=None if is_whole else execution.split_seconds,
        policy=execution.policy(needs_scores=results.save_scores is not None),
        scores=prepare_paths(target, results.save_scores, keep=results.keep_scores),
        features=prepare_features(target, results.save_features, results.save_scores),
        evidence=results.evidence,
        page=prepare_pages(target, found, results.report, force=results.force),
        force=results.force,
        quiet=quiet,
        log_json=log_json,
    )


def _as_before(
    setup: WorkerSetup,
    options: _BatchOptions,
    choice: ModelChoice,
    clips: SamplingOptions,
    wanted: EngineOptions,
) -> WorkerSetup:
    """Take precision and decoder of earlier results where the user gave none, and say so."""
    from vswin_cli.batch.resume import other_journals

    state = options.target.state
    journals = [state, *other_journals(options.target)]
    new = as_earlier_results(setup, journals, choice, clips, wanted)
    before, now = setup.setup.options, new.setup.options
    if now != before and not options.quiet:
        how, other = f"in {now.precision}", f"--precision {before.precision}"
        if now.precision == before.precision:
            how = "in software" if now.decoder == "software" else "beside NVDEC"
            other = f"--decoder {'nvdec' if now.decoder == 'software' else 'software'}"
        console.note(f"going on {how}, as the earlier results in {state}; {other} does all again")
    return new


def _run(
    options: _BatchOptions,
    setup: WorkerSetup,
    sampling: SamplingOptions,
    segments: SegmentOptions,
    stop: StopRequest,
    found: Sequence[BatchInput],
    *,
    policy: Policy | None = None,
    goes_on: bool = False,
) -> BatchReport:
    """Run the batch on the inputs that were found.

    Args:
        options: those that do not concern the analysis.
        setup: engine and workers.
        sampling: which clips are taken.
        segments: how scores become segments.
        stop: set by a signal.
        found: the inputs.
        policy: in place of the options' own.
        goes_on: whether more videos are awaited afterwards.
    """
    from vswin_cli.batch.fingerprints import make_task
    from vswin_cli.batch.run import run_batch
    from vswin_cli.cli.batch_progress import ProgressDisplay, log_event

    task = replace(
        make_task(setup.engine.model, setup.setup.options, sampling, segments),
        journal=options.target.state.absolute(),
        scores=options.scores,
        features=options.features,
        evidence=options.evidence,
        split_seconds=options.split_seconds if setup.has_other_processes else None,
    )
    shown = ProgressDisplay(quiet=options.quiet, log_json=options.log_json)
    with shown as progress, _pages(found, options, stop, goes_on=goes_on) as pages:
        return run_batch(
            found,
            options.target,
            task,
            setup.executor_for(task),
            policy=replace(policy or options.policy, largest_first=setup.has_other_processes),
            stop=stop,
            on_progress=progress if pages is None else _both(progress, pages.show),
            on_note=console.note_unless(options.quiet),
            on_event=log_event if options.log_json else lambda _: None,
            on_outcome=pages.add if pages is not None else lambda _: None,
        )


def _both(
    first: Callable[[Progress], None], second: Callable[[Progress], None]
) -> Callable[[Progress], None]:
    def call(progress: Progress) -> None:
        first(progress)
        second(progress)

    return call


def _pages(
    found: Sequence[BatchInput], options: _BatchOptions, stop: StopRequest, *, goes_on: bool
) -> AbstractContextManager[BatchPages | None]:
    """Make pages inside the block, if they are wanted."""
    if options.page is None:
        return nullcontext()
    from vswin_cli.batch.journal import Journal
    from vswin_cli.batch.pages import BatchPages

    return BatchPages(
        found,
        Journal(options.target.state.absolute()),
        options.page,
        leaves_out_rest=lambda: stop.is_set,
        goes_on=goes_on,
        on_note=console.note_unless(options.quiet),
    )


@contextmanager
def _stop_on_signal() -> Iterator[StopRequest]:
    """Request a stop on the first Ctrl-C or SIGTERM, interrupt on the second."""
    from vswin_cli.batch.scheduler import StopRequest

    stop = StopRequest()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if stop.is_set:
            handler = before[number]
            if callable(handler):
                handler(number, frame)  # the command's own, which interrupts
            raise KeyboardInterrupt
        stop.is_set, stop.signal_number = True, number
        console.note("finishing the running jobs; press Ctrl-C again to stop at once")

    # SIGTERM as well: job systems send it some time before they kill.
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {int(number): signal.signal(number, on_signal) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""Tag many videos from Python, in this process: `vswin batch` as a function."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from vswin_cli.batch.executor import Executor, InlineExecutor
from vswin_cli.batch.fingerprints import make_task
from vswin_cli.batch.inputs import BatchInput, collect_inputs, query_addresses
from vswin_cli.batch.job import Task
from vswin_cli.batch.run import BatchReport, Policy, Progress, run_batch
from vswin_cli.batch.scheduler import StopRequest
from vswin_cli.batch.target import PARQUET, Target, check_names, choose_target, result_paths
from vswin_cli.config import EngineOptions, Precision, SamplingOptions, SegmentOptions
from vswin_cli.errors import SourceError
from vswin_cli.inference.arguments import check_arguments
from vswin_cli.quantities import as_several
from vswin_cli.storage.files import as_path, check_destination, check_spares, writing
from vswin_cli.storage.parquet import check_parquet

if TYPE_CHECKING:
    from vswin_cli.inference.engine import Engine

__all__ = ["tag_batch"]


def _nothing(_: object) -> None:
    """Do nothing (default callback)."""


def tag_batch(
    inputs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    engine: Engine,
    sampling: SamplingOptions = SamplingOptions(),
    segments: SegmentOptions | None = None,
    *,
    format: str | None = None,
    resume: bool = True,
    retry_failed: bool = False,
    on_progress: Callable[[Progress], None] = _nothing,
    on_note: Callable[[str], None] = _nothing,
) -> BatchReport:
    """Tag many videos into one table or folder; the same call resumes an interrupted run.

    Same files as `vswin batch`, which takes over where this ended, and the other way round: the
    results, a table of all inputs (`results.files.csv`) and a journal (`.results.vswin`). Results
    that are there are replaced. A video that cannot be tagged does not stop the others.

    Args:
        inputs: folders (with all below them), files, patterns, addresses; one or several.
        out: a table (`results.csv`, `.jsonl`, `.parquet`, ...) or, with a final slash, a folder for
            a file per video.
        engine: the model, ready to run.
        sampling: which clips to take.
        segments: how scores become segments; values that are not given are those recommended for
            the weights.
        format: of the results; by default the ending of `out` decides, and JSON in a folder.
        resume: whether results of earlier runs count.
        retry_failed: whether to try again what failed before.
        on_progress: called with how far the batch is, with rate and time left.
        on_note: called with remarks about earlier results.

    Returns:
        The outcome of each input: `report.failures`, `report.with_status("partial")`.

    Raises:
        OptionError: an argument makes no sense, or the options do not fit the weights.
        SourceError: there is no video.
        DeviceError: the device is out of memory.
        OutputError: the results cannot be written, or another run is at work on them.
    """
    check_arguments(engine, sampling, segments)
    several = [inputs] if isinstance(inputs, (str, os.PathLike)) else as_several("inputs", inputs)
    for one in several:
        as_path(one, "inputs")  # to check the type alone: a `Path` of an address loses a slash
    found = collect_inputs([os.fspath(one) for one in several])
    if not found:
        raise SourceError("nothing to tag", hint="check the folders")
    as_path(out, "out")
    target = _prepared(os.fspath(out), format, found)
    task = _task(target, engine, sampling, segments)

    def make_executor(num_jobs: int) -> Executor:
        return InlineExecutor(engine, task, num_jobs=num_jobs)

    return run_batch(
        query_addresses(found),
        target,
        task,
        make_executor,
        policy=Policy(resume=resume, retry_failed=retry_failed),
        stop=StopRequest(),
        on_progress=on_progress,
        on_note=on_note,
    )


def _prepared(out: str, format: str | None, found: Sequence[BatchInput]) -> Target:
    """Choose where results go, and make the folder of the journal."""
    target = choose_target(out, format)
    check_spares(result_paths(target, found), [item.source.path for item in found])
    check_names(target, found)
    if target.format == PARQUET:
        check_parquet(instead=".csv or .jsonl")
    check_destination(target.path if target.is_folder else target.path.parent)
    with writing(str(target.state)):
        target.state.mkdir(parents=True, exist_ok=True)
    return target


def _task(
    target: Target, engine: Engine, sampling: SamplingOptions, segments: SegmentOptions | None
) -> Task:
    """Make the task with the fingerprints that the command has for the same options."""
    card = engine.model.card
    options = EngineOptions(precision=cast(Precision, engine.precision), decoder=engine.decoder)
    sampling = replace(sampling, crops=sampling.crops or engine.crops)
    chosen = card.segments if segments is None else segments.over(card.segments)
    return replace(
        make_task(engine.model, options, sampling, chosen),
        journal=target.state.absolute(),
        scores=(target.state / "scores").absolute(),
    )

"""Print the summary of a batch and choose its exit code."""

from __future__ import annotations

import signal
from collections import Counter
from typing import TYPE_CHECKING

import typer

from vswin_cli.cli import console
from vswin_cli.errors import (
    SOME_FAILED,
    CoverageError,
    NotAVideoError,
    NoVideoStreamError,
    OptionError,
    SourceError,
    SourceNotFoundError,
)
from vswin_cli.storage.humanize import clock_text, counted
from vswin_cli.storage.json_records import json_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vswin_cli.batch.outcome import Outcome
    from vswin_cli.batch.run import BatchReport
    from vswin_cli.batch.tables import Target

__all__ = ["finish", "summarise"]

_SHOWN_FAILURES = 10
_SHOWN_HINTS = 3
_NO_VIDEO_CODES = {error.code for error in (NotAVideoError, NoVideoStreamError)}
_INTERRUPTED = 128 + signal.SIGINT


def summarise(report: BatchReport, target: Target, *, as_json: bool, quiet: bool) -> None:
    """Print how a batch ended: as JSON on stdout, or as text on stderr."""
    if as_json:
        console.write(json_text(_document(report, target)))
        return
    failures = report.failures
    for outcome in failures[:_SHOWN_FAILURES]:
        console.note(f"failed: {outcome.uri}: {outcome.error_code}: {outcome.error}")
    if len(failures) > _SHOWN_FAILURES:
        table = target.destination_of(target.files_table)
        console.note(f"and {len(failures) - _SHOWN_FAILURES} more, see {table}")
    if quiet:
        return
    console.note(_totals(report))
    for hint in _failure_hints(failures):
        console.note(f"hint: {hint}")
    if report.num_pending:
        console.note(
            f"{counted(report.num_pending, 'file')} left; run the same command to continue"
        )
    paths = [target.destination_of(path) for path in (target.table, target.files_table)]
    console.note(f"wrote {' and '.join(paths)}")


def _failure_hints(failures: Sequence[Outcome]) -> list[str]:
    """Suggest what to do about failures; those that would fail again need something else."""
    codes = Counter(outcome.error_code for outcome in failures)
    num_no_video = sum(codes[code] for code in _NO_VIDEO_CODES)
    num_missing = codes[SourceNotFoundError.code]
    num_option_errors = codes[OptionError.code]
    num_others = len(failures) - num_no_video - num_missing - num_option_errors
    hints = list(dict.fromkeys(_own_hints(failures)))[:_SHOWN_HINTS]
    if num_no_video:
        hints.append(
            f"{counted(num_no_video, 'file')} without video: they are not tried again until they "
            "change; --skip-files excludes them"
        )
    if num_missing:
        hints.append(
            f"{counted(num_missing, 'input')} missing or not readable; "
            "run the same command to try again"
        )
    if num_others:
        hints.append(f"--retry-failed tries {counted(num_others, 'failure')} again")
    return hints


def _own_hints(failures: Sequence[Outcome]) -> Iterator[str]:
    """Yield the hints of errors that another attempt alone would not cure."""
    for outcome in failures:
        if outcome.error_code in (OptionError.code, SourceError.code) and outcome.hint:
            yield outcome.hint


def _totals(report: BatchReport) -> str:
    statuses = [outcome.status for outcome in report.outcomes.values()]
    parts = [f"{len(statuses)} of {counted(len(report.inputs), 'file')} done"]
    if report.num_resumed:
        parts.append(f"{report.num_resumed} by earlier runs")
    if statuses.count("partial"):
        parts.append(f"{statuses.count('partial')} in part")
    if statuses.count("failed"):
        parts.append(f"{statuses.count('failed')} failed")
    parts.append(counted(report.num_segments, "segment"))
    if report.video_seconds:
        speed = report.video_seconds / max(report.elapsed_seconds, 1e-9)
        parts.append(
            f"{clock_text(report.video_seconds)} of video in "
            f"{clock_text(report.elapsed_seconds)} ({speed:.1f}x real time)"
        )
    return ", ".join(parts)


def _document(report: BatchReport, target: Target) -> dict[str, object]:
    statuses = [outcome.status for outcome in report.outcomes.values()]
    return {
        "inputs": len(report.inputs),
        "ok": statuses.count("ok"),
        "partial": statuses.count("partial"),
        "failed": statuses.count("failed"),
        "pending": report.num_pending,
        "resumed": report.num_resumed,
        "segments": report.num_segments,
        "video_seconds": round(report.video_seconds, 3),
        "elapsed_seconds": round(report.elapsed_seconds, 3),
        "table": target.destination_of(target.table),
        "files_table": target.destination_of(target.files_table),
    }


def finish(report: BatchReport, *, strict: bool, min_coverage: float) -> None:
    """Exit with the code for the result.

    Raises:
        CoverageError: less was analysed than `min_coverage` asks for.
    """
    if report.num_pending:
        raise typer.Exit(_INTERRUPTED)
    if report.inputs and len(report.failures) == len(report.inputs):
        raise typer.Exit(SourceError.exit_code)
    if report.failures:
        raise typer.Exit(SOME_FAILED)
    short = [one for one in report.outcomes.values() if (one.coverage or 0.0) < min_coverage]
    if strict and short:
        raise CoverageError(
            f"analysed less than --min-coverage {min_coverage:g} asks for "
            f"of {counted(len(short), 'video')}, such as {short[0].uri}",
            hint="see the coverage column in the table of files; --min-coverage sets the limit",
        )

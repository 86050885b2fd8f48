"""Print the summary of a batch and choose its exit code."""

from __future__ import annotations

import shutil
import signal
import sys
import textwrap
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
from vswin_cli.storage.json_records import clean_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from vswin_cli.batch.outcome import Outcome
    from vswin_cli.batch.run import BatchReport
    from vswin_cli.batch.target import Target

__all__ = ["finish", "summarise", "totals"]

_SHOWN_PROBLEMS = 10
_SHOWN_HINTS = 3
_LASTING_CODES = (OptionError.code, SourceError.code)  # a retry alone would not help
_NO_VIDEO_CODES = {error.code for error in (NotAVideoError, NoVideoStreamError)}


def summarise(
    report: BatchReport,
    target: Target,
    page: Path | None,
    *,
    as_json: bool,
    quiet: bool,
    log_json: bool = False,
) -> None:
    """Print how a batch ended: as JSON on stdout, or as text or an event on stderr.

    Args:
        report: the result.
        target: where the tables are.
        page: the page of all videos, if pages were made.
        as_json: whether to print JSON on stdout.
        quiet: whether to print failures only.
        log_json: whether to print an event on stderr.
    """
    document = _document(report, target) | ({} if page is None else {"report": str(page)})
    if log_json:
        console.log("ended", **document)
    if as_json:
        console.write(clean_json(document))
    if as_json or log_json:
        return
    table = target.destination_of(target.files_table)
    if not quiet:
        _list_problems(report.with_status("partial"), table)
    _list_problems(report.failures, table)
    if quiet:
        return
    _note(totals(report))
    for hint in _failure_hints(report.failures):
        _note(f"hint: {hint}")
    if report.num_pending:
        _note(f"{counted(report.num_pending, 'file')} left; run the same command to continue")
    paths = [target.destination_of(path) for path in (target.table, target.files_table)]
    _note(f"wrote {' and '.join(paths)}")
    if page is not None:
        _note(f"open {page} in a browser")


def _list_problems(outcomes: Sequence[Outcome], files_table: str) -> None:
    """Print a line for each of the first outcomes: its video and the reason."""
    from vswin_cli.export.naming import escaped

    for outcome in outcomes[:_SHOWN_PROBLEMS]:
        code = f"{outcome.error_code}: " if outcome.status == "failed" else ""
        _note(f"{outcome.status}: {escaped(outcome.uri)}: {code}{escaped(outcome.reason)}")
    if len(outcomes) > _SHOWN_PROBLEMS:
        rest = len(outcomes) - _SHOWN_PROBLEMS
        _note(f"and {rest} more {outcomes[0].status}, see {files_table}")


def _note(text: str) -> None:
    """Print a note; on a terminal broken between words, further lines indented."""
    if sys.stderr.isatty():
        columns = shutil.get_terminal_size().columns
        text = textwrap.fill(text, columns, subsequent_indent="  ", break_on_hyphens=False)
    console.note(text)


def _failure_hints(failures: Sequence[Outcome]) -> list[str]:
    """Suggest what to do about failures; a retry does not help against all of them."""
    codes = Counter(outcome.error_code for outcome in failures)
    num_no_video = sum(codes[code] for code in _NO_VIDEO_CODES)
    num_missing = codes[SourceNotFoundError.code]
    num_option_errors = codes[OptionError.code]
    num_others = len(failures) - num_no_video - num_missing - num_option_errors
    own = [failure.hint for failure in failures if failure.error_code in _LASTING_CODES]
    hints = list(dict.fromkeys(filter(None, own)))[:_SHOWN_HINTS]
    if num_no_video:
        hints.append(
            f"{counted(num_no_video, 'file')} without video: not tried again until changed; "
            "--skip-files excludes files"
        )
    if num_missing:
        hints.append(
            f"{counted(num_missing, 'input')} missing or not readable; "
            "run the same command to try again"
        )
    if num_others:
        hints.append(f"--retry-failed tries {counted(num_others, 'failure')} again")
    return hints


def totals(report: BatchReport) -> str:
    """Describe in a line how many files are done, partial and failed, and how fast."""
    statuses = [outcome.status for outcome in report.outcomes.values()]
    num_failed = statuses.count("failed")
    parts = [f"{len(statuses) - num_failed} of {counted(len(report.inputs), 'file')} done"]
    if statuses.count("partial"):
        parts.append(f"{statuses.count('partial')} partial")
    if num_failed:
        parts.append(f"{num_failed} failed")
    if report.num_resumed:
        total = "of all these, " if len(parts) > 1 else ""
        parts[-1] += f" ({total}{report.num_resumed} by earlier runs)"
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
        "problems": [
            {
                "video": outcome.uri,
                "status": outcome.status,
                "code": outcome.error_code,
                "message": outcome.error,
                "hint": outcome.hint,
            }
            for outcome in [*report.with_status("partial"), *report.failures]
        ],
    }


def finish(report: BatchReport, *, strict: bool, min_coverage: float) -> None:
    """Exit with the code for the result.

    Raises:
        CoverageError: less than `min_coverage` of a video was analysed.
    """
    # First, whatever has failed: what is left may still succeed.
    if report.num_pending:
        raise typer.Exit(128 + (report.stop_signal or signal.SIGINT))
    if report.inputs and len(report.failures) == len(report.inputs):
        raise typer.Exit(SourceError.exit_code)
    if report.failures:
        raise typer.Exit(SOME_FAILED)
    short = [
        outcome for outcome in report.outcomes.values() if (outcome.coverage or 0.0) < min_coverage
    ]
    if strict and short:
        raise CoverageError(
            f"less than --min-coverage {min_coverage:g} could be analysed of "
            f"{counted(len(short), 'video')}, such as {short[0].uri}",
            hint="see the coverage column in the table of files; --min-coverage sets the limit",
        )

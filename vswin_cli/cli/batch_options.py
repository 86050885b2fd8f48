"""Options of `vswin batch` alone, in records: which inputs, which results, how the work is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vswin_cli.cli import console
from vswin_cli.cli.completion import complete_format
from vswin_cli.cli.excel import csv_for_excel
from vswin_cli.cli.options import EXCEL_HELP
from vswin_cli.config import parse_seconds
from vswin_cli.errors import OptionError, SourceError

if TYPE_CHECKING:
    from vswin_cli.batch.inputs import BatchInput, Shard
    from vswin_cli.batch.run import Policy
    from vswin_cli.batch.target import Target

__all__ = ["ExecutionChoice", "InputChoice", "ResultChoice"]

_input_option = partial(typer.Option, rich_help_panel="Inputs")
_result_option = partial(typer.Option, rich_help_panel="Results")
_execution_option = partial(typer.Option, rich_help_panel="Execution")


@dataclass(frozen=True, slots=True)
class ResultChoice:
    """Options that say where results go, and as what."""

    out: Annotated[
        str,
        _result_option(
            "--out",
            "-o",
            metavar="FILE|FOLDER",
            help="Table (.csv, .jsonl, .xlsx, .parquet, ...) or folder with one file per video; a "
            "path or an address such as s3://bucket/results.csv.",
        ),
    ]
    format: Annotated[
        str | None,
        _result_option(
            "--format",
            "-f",
            metavar="FORMAT",
            help="Output format: csv, jsonl, xlsx, parquet; for folders also json, srt, vtt, ...",
            show_default="from the ending of --out; json for a folder",
            autocompletion=complete_format,
        ),
    ] = None
    excel: Annotated[
        bool,
        _result_option("--excel", help=EXCEL_HELP),
    ] = False
    force: Annotated[
        bool, _result_option("--force", help="Replace files that vswin did not write.")
    ] = False
    save_scores: Annotated[
        Path | None,
        _result_option(
            "--save-scores",
            metavar="FOLDER",
            help="Folder for score files, which `vswin segment` reads.",
            show_default="in the journal's folder",
        ),
    ] = None
    keep_scores: Annotated[
        bool,
        _result_option(
            "--scores/--no-scores",
            help="Keep scores, so that new thresholds need no decoding (4 MB per hour).",
        ),
    ] = True

    save_features: Annotated[
        Path | None,
        _result_option(
            "--save-features",
            metavar="FOLDER",
            help="Folder for features, which `vswin search` reads; long videos are not split then.",
        ),
    ] = None

    evidence: Annotated[
        bool,
        _result_option(
            "--evidence",
            help="Add to each segment where in the frame its label's score comes from: in JSON and "
            "in pages of `vswin report`; long videos are not split then.",
        ),
    ] = False

    report: Annotated[
        str | None,
        _result_option(
            "--report",
            metavar="FOLDER|FILE.html",
            help="Pages of the results, kept current while the batch runs; see `vswin report`.",
        ),
    ] = None

    def target(self, shard: Shard | None) -> Target:
        """Derive every path of the results.

        Raises:
            OptionError: nothing can be written there, or not in this format.
        """
        from vswin_cli.batch.target import choose_target

        target = choose_target(self.out, self.format, shard)
        return replace(target, format=csv_for_excel(target.format)) if self.excel else target


@dataclass(frozen=True, slots=True)
class InputChoice:
    """Options that say which of the inputs are tagged."""

    files: Annotated[
        list[str] | None,
        _input_option(
            "--files", metavar="PATTERN", help="Only files that match: *.mkv or day1/*. Repeatable."
        ),
    ] = None
    skip_files: Annotated[
        list[str] | None,
        _input_option("--skip-files", metavar="PATTERN", help="Skip files that match. Repeatable."),
    ] = None
    shard: Annotated[
        str | None,
        _input_option(
            "--shard",
            metavar="I/N",
            help="Process only the I-th of N parts of the inputs, for job arrays.",
        ),
    ] = None
    watch: Annotated[
        bool,
        _input_option(
            "--watch",
            help="Tag videos as they arrive in the INPUT folders and are complete, until Ctrl-C.",
        ),
    ] = False
    merge: Annotated[
        bool,
        _input_option(
            "--merge",
            help="Merge the tables of shards, given as INPUTs, into --out; nothing is tagged.",
        ),
    ] = False

    def parsed_shard(self) -> Shard | None:
        """Return the shard of this run; `None` for all inputs.

        Raises:
            OptionError: it is not of the form 3/16.
        """
        from vswin_cli.batch.inputs import Shard

        return None if self.shard is None else Shard.parse(self.shard)

    def find(self, arguments: Sequence[str], shard: Shard | None) -> list[BatchInput]:
        """Find the inputs of this run; torch is not loaded for it.

        Raises:
            SourceError: nothing is found, or a list cannot be read.
        """
        from vswin_cli.batch.inputs import collect_inputs, query_addresses

        lines = console.read_stdin() if "-" in arguments else b""
        found = collect_inputs(
            arguments,
            files=self.files or (),
            skip_files=self.skip_files or (),
            standard_input=lines.decode("utf-8-sig", "surrogateescape").split("\n"),
        )
        if not found:
            raise SourceError("nothing to tag", hint="check the list, --files and --skip-files")
        return query_addresses(found if shard is None else shard.of(found))


@dataclass(frozen=True, slots=True)
class ExecutionChoice:
    """Options that say where the work is done, and what is done again."""

    resume: Annotated[
        bool, _execution_option("--resume/--no-resume", help="Keep results of earlier runs.")
    ] = True
    retry_failed: Annotated[
        bool,
        _execution_option(
            "--retry-failed", help="Retry all failed files, even those without video."
        ),
    ] = False
    workers: Annotated[
        str,
        _execution_option(
            "--workers",
            metavar="auto|N|local|ray[:N]",
            help="Where to run: here or one process per GPU (auto), N processes, a Ray cluster.",
        ),
    ] = "auto"
    ray_address: Annotated[
        str | None,
        _execution_option(
            "--ray-address",
            metavar="ADDRESS",
            help="Ray cluster to join.",
            show_default="RAY_ADDRESS, else a new one on this machine",
        ),
    ] = None
    split: Annotated[
        str,
        _execution_option(
            "--split",
            metavar="TIME|never",
            help="Split videos longer than twice this into parts for several workers.",
        ),
    ] = "30:00"
    timeout: Annotated[
        str,
        _execution_option(
            "--timeout", metavar="TIME", help="Kill a worker that makes no progress for this long."
        ),
    ] = "10:00"

    @property
    def split_seconds(self) -> float | None:
        """Length of a part; `None` to split no video.

        Raises:
            OptionError: it is not a time.
        """
        return None if self.split == "never" else _seconds(self.split, "--split")

    def check(self) -> None:
        """Check what is written as text.

        Raises:
            OptionError: a time or `--workers` cannot be read.
        """
        from vswin_cli.cli.workers import Workers

        Workers.parse(self.workers)
        _seconds(self.timeout, "--timeout")
        _ = self.split_seconds

    def policy(self, *, needs_scores: bool) -> Policy:
        """Make the library's record.

        Args:
            needs_scores: whether an earlier result counts only with its score file.

        Raises:
            OptionError: the timeout is not a time.
        """
        from vswin_cli.batch.run import Policy
        from vswin_cli.batch.scheduler import Limits

        return Policy(
            resume=self.resume,
            retry_failed=self.retry_failed,
            needs_scores=needs_scores,
            limits=Limits(stall_seconds=_seconds(self.timeout, "--timeout")),
        )


def _seconds(text: str, option: str) -> float:
    seconds = parse_seconds(text)
    if seconds <= 0:
        raise OptionError(
            f"{option} must be positive, got {text}",
            hint="give seconds (90), minutes (1:30) or hours (00:01:30.5)",
        )
    return seconds

"""`vswin features`: save the features of videos, from which scores are computed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from vswin_cli.cli import console
from vswin_cli.cli.each_video import find_videos, require_coverage, work_on_each
from vswin_cli.cli.model_choice import ModelChoice, make_engine
from vswin_cli.cli.option_groups import SamplingChoice, VideoEngineChoice, with_option_groups
from vswin_cli.cli.options import (
    ForceOption,
    MinCoverageOption,
    QuietOption,
    StrictOption,
    output_option,
)
from vswin_cli.config import SamplingOptions
from vswin_cli.errors import SOME_FAILED, OptionError, SourceError
from vswin_cli.storage.humanize import counted

if TYPE_CHECKING:
    from vswin_cli.cli.output_paths import OutputPath
    from vswin_cli.inference.engine import Engine
    from vswin_cli.storage.sources import VideoSource
    from vswin_cli.timeline.features import FeatureRecord, FeatureTrack
    from vswin_cli.video.decoder_pool import DecoderPool

__all__ = ["features"]

Format = Literal["npz", "parquet"]


@with_option_groups
def features(
    videos: Annotated[
        list[str],
        typer.Argument(
            metavar="VIDEO",
            help="Video files, folders of them without subfolders, patterns, or URLs.",
        ),
    ],
    *,
    out: Annotated[
        str,
        output_option(
            "--out",
            "-o",
            metavar="FILE|FOLDER",
            help="File to write (.npz or .parquet), or a folder/ for a file per video.",
        ),
    ],
    format: Annotated[
        str | None,
        output_option(
            "--format",
            "-f",
            metavar="FORMAT",
            help="Output format: npz or parquet.",
            show_default="by the ending of --out, npz in a folder",
        ),
    ] = None,
    choice: ModelChoice,
    sampling: SamplingChoice,
    resume: Annotated[
        bool, output_option("--resume/--no-resume", help="Keep files that are up to date.")
    ] = True,
    force: ForceOption = False,
    strict: StrictOption = False,
    min_coverage: MinCoverageOption = 0.98,
    running: VideoEngineChoice,
    quiet: QuietOption = False,
) -> None:
    """Save features of videos, for search and for training.

    A feature is the input of the network's head: one per time step and one per clip.

    A file that holds the features of an unchanged video is not computed again.

    Examples:
        vswin features movie.mp4 -o movie.npz

        vswin features day1/ --model swin-t-k400 -o features/

        vswin features movie.mp4 -o movie.parquet
    """
    from vswin_cli.cli.output_paths import OutputPath

    clips, engine_options = sampling.options(), running.options()
    output = OutputPath.parse(out)
    form = _format(output, format)
    sources, num_missing = find_videos(videos, console.error, folders=True)
    if not quiet:
        _note_subfolders(videos, sources)
    files = _plan(output, form, sources, choice, force=force)
    engine = make_engine(choice, engine_options, crops=clips.crops or 1, quiet=quiet)
    output.make()
    job = _Job(engine, clips, files, form, resume, quiet)
    records, num_failed = _save_all(sources, job)
    if num_failed or num_missing:
        raise typer.Exit(SOME_FAILED)
    if strict:
        require_coverage([(r.video.uri, r.coverage.fraction) for r in records], min_coverage)


def _note_subfolders(arguments: list[str], sources: Sequence[VideoSource]) -> None:
    """Print how many videos in subfolders of the given local folders are left out."""
    from vswin_cli.storage.sources import find_sources

    chosen = {source.place for source in sources}
    for folder in arguments:
        if not os.path.isdir(folder):  # noqa: PTH112  # Path fails for some addresses
            continue
        below, _ = find_sources(folder, recursive=True)
        if left := sum(source.place not in chosen for source in below):
            console.note(
                f"{counted(left, 'video')} in subfolders of {folder} left out; "
                f"'{Path(folder) / '**/*.mp4'}', a pattern, takes all of one kind"
            )


@dataclass(frozen=True, slots=True)
class _Job:
    """Settings that are the same for every video of one call."""

    engine: Engine
    sampling: SamplingOptions
    files: Mapping[str, Path]
    """The file of each video, by `VideoSource.id`."""
    form: Format
    resume: bool
    quiet: bool


def _format(output: OutputPath, name: str | None) -> Format:
    """Choose the format, and check that it can be written.

    Raises:
        OptionError: no such format, an ending that belongs to none, or a package is missing.
    """
    from vswin_cli.storage.parquet import check_parquet

    if name is None:
        name = "npz" if output.is_folder else output.path.suffix.lower().removeprefix(".")
        if name not in ("npz", "parquet"):
            raise OptionError(
                f"the ending of {output.path} belongs to no format of features",
                hint="end it with .npz or .parquet; for a folder, end it with a /",
            )
    if name not in ("npz", "parquet"):
        raise OptionError(f"no format `{name}` of features", hint="there are npz and parquet")
    if name == "parquet":
        check_parquet(instead=".npz")
    return cast("Format", name)


def _plan(
    output: OutputPath,
    form: Format,
    sources: Sequence[VideoSource],
    choice: ModelChoice,
    *,
    force: bool,
) -> dict[str, Path]:
    """Choose the file of each video, and check before the work that it can be written.

    Raises:
        OptionError: several videos for one file, or a file is needed or named like media.
        OutputError: a file is there that vswin did not write.
    """
    from vswin_cli.cli.output_paths import files_by_id
    from vswin_cli.cli.overwriting import check_media_names, check_overwrites
    from vswin_cli.storage.files import check_spares

    ids = [source.id for source in sources]
    files = files_by_id(output, ids, f".{form}", "--out")
    check_spares(files, (source.path for source in sources), "a video to be analysed")
    check_spares(files, choice.files())
    check_media_names(("--out", path) for path in files)
    check_overwrites(files, force=force)
    return dict(zip(ids, files, strict=True))


def _save_all(sources: Sequence[VideoSource], job: _Job) -> tuple[list[FeatureRecord], int]:
    """Save the features of each video; returns their records and the number of failures."""
    from vswin_cli.video.decoder_pool import DecoderPool

    done: list[FeatureRecord] = []
    with DecoderPool() as pool:
        num_failed = work_on_each(
            sources, lambda source: _save_one(source, job, pool), done.append, console.error
        )
    return done, num_failed


def _save_one(source: VideoSource, job: _Job, pool: DecoderPool) -> FeatureRecord:
    from vswin_cli.inference.pipeline import analyze_features

    path = job.files[source.id]
    earlier = _earlier(path, source, job) if job.resume else None
    if earlier is None:
        with (
            console.progress(source.uri, quiet=job.quiet) as on_progress,
            analyze_features(
                source, job.engine, job.sampling, on_progress=on_progress, decoder_pool=pool
            ) as track,
        ):
            _write(track, path, job.form)
    record = track.record if earlier is None else earlier
    if not job.quiet:
        for notice in record.warnings:
            console.warn(f"{source.uri}: {notice.message}")
        console.note(f"wrote {path}" if earlier is None else f"{path} is up to date")
    return record


def _write(track: FeatureTrack, path: Path, form: Format) -> None:
    from vswin_cli.timeline.feature_files import save_features
    from vswin_cli.timeline.feature_table import save_feature_table

    (save_features if form == "npz" else save_feature_table)(track, path)


def _earlier(path: Path, source: VideoSource, job: _Job) -> FeatureRecord | None:
    """Read the record of a file that holds these features of the unchanged video, if it does.

    The state of a video at an address is not known, so its features are always computed.
    """
    from vswin_cli.inference.description import feature_settings
    from vswin_cli.timeline.feature_files import load_features
    from vswin_cli.timeline.feature_table import read_table_record

    if source.identity is None:
        return None
    with suppress(SourceError):
        is_table = job.form == "parquet"
        record = read_table_record(path) if is_table else load_features(path).record
        found = record.video.uri, record.identity, record.settings
        if found == (source.uri, source.identity, feature_settings(job.engine, job.sampling)):
            return record
    return None

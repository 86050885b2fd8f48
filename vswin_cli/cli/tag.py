"""`vswin tag`: find what happens when in one video or several."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vswin_cli.cli import console
from vswin_cli.cli.model_choice import ModelChoice, make_engine
from vswin_cli.cli.option_groups import (
    SamplingChoice,
    SegmentChoice,
    VideoEngineChoice,
    with_option_groups,
)
from vswin_cli.cli.options import (
    ForceOption,
    FormatOption,
    MinCoverageOption,
    OutOption,
    QuietOption,
    ReportOption,
    SaveScoresOption,
    StrictOption,
    TimelineJsonOption,
    WindowsOption,
)
from vswin_cli.cli.start_timecode import (
    TimecodeStartOption,
    note_unused_start,
    parse_start,
    with_start,
)
from vswin_cli.config import SamplingOptions, SegmentOptions
from vswin_cli.errors import (
    SOME_FAILED,
    CoverageError,
    OptionError,
    OutputError,
    SelectionError,
    SourceError,
    VswinError,
)
from vswin_cli.storage.files import holds_for_all

if TYPE_CHECKING:
    from vswin_cli.cli.output import Output
    from vswin_cli.cli.output_paths import TagPaths
    from vswin_cli.inference.engine import Engine
    from vswin_cli.storage.sources import VideoSource
    from vswin_cli.timeline.record import Timeline
    from vswin_cli.video.decoder_pool import DecoderPool

__all__ = ["tag"]


@with_option_groups
def tag(
    videos: Annotated[list[str], typer.Argument(metavar="VIDEO", help="Video files or URLs.")],
    *,
    choice: ModelChoice,
    sampling: SamplingChoice,
    segments: SegmentChoice,
    format: FormatOption = None,
    out: OutOption = None,
    json: TimelineJsonOption = False,
    save_scores: SaveScoresOption = None,
    windows: WindowsOption = 0,
    report: ReportOption = None,
    timecode_start: TimecodeStartOption = None,
    force: ForceOption = False,
    strict: StrictOption = False,
    min_coverage: MinCoverageOption = 0.98,
    running: VideoEngineChoice,
    quiet: QuietOption = False,
) -> None:
    """Label what happens in videos, with start and end times.

    Examples:
        vswin tag movie.mp4

        vswin tag movie.mp4 --model swin-b-k600 --stride 50% -o movie.srt

        vswin tag movie.mp4 --weights mine.pth --labels mine.txt --json | jq .segments
    """
    from vswin_cli.cli.output import choose_output
    from vswin_cli.cli.output_paths import plan_tag_paths

    clips, engine_options = sampling.options(), running.options()
    output = choose_output(out, format, json=json, force=force)
    start = parse_start(timecode_start)
    note_unused_start(start, output, quiet=quiet)
    if windows:
        output.check_shows_windows()
    sources, num_missing = _find(videos, output)
    results = output.plan([source.uri for source in sources])
    paths = plan_tag_paths(results, save_scores, report, sources, choice.files(), force=force)
    engine = make_engine(choice, engine_options, crops=clips.crops or 1, quiet=quiet)
    advised = engine.model.card.segments
    with _keeping_scores(paths, sources) as scores:
        job = _Job(engine, clips, segments.over(advised), scores, windows, start, quiet)
        done, num_failed = _tag_and_write(sources, job, output, paths)
        if paths.pages:
            _write_report(done, paths.pages[0], quiet=quiet)
    if num_failed or num_missing:
        raise typer.Exit(SOME_FAILED)
    if strict:
        _require_coverage([tagged.timeline for tagged in done], min_coverage)


@dataclass(frozen=True, slots=True)
class _Job:
    """Settings that are the same for every video of one call."""

    engine: Engine
    sampling: SamplingOptions
    segments: SegmentOptions
    scores: Mapping[str, Path]
    """Where the scores of a video go, by `VideoSource.id`; empty to keep none."""
    top_classes: int
    """Listed for each clip; 0 to list no clips."""
    start_timecode: str | None
    """Replaces that of the videos."""
    quiet: bool


def _find(videos: Sequence[str], output: Output) -> tuple[list[VideoSource], int]:
    """Find the sources, without duplicates, and count the arguments that match nothing.

    Raises:
        SourceError: no argument matches anything.
    """
    from vswin_cli.storage.sources import find_sources

    sources, missing = find_sources(videos, folders=False)
    problems = list(missing.values())
    for problem in problems if sources else problems[:-1]:
        output.report_error(problem)
    if not sources:
        raise problems[-1]
    return sources, len(problems)


@dataclass(frozen=True, slots=True)
class _Tagged:
    """A video that is done."""

    source: VideoSource
    timeline: Timeline
    scores: Path | None


@contextmanager
def _keeping_scores(
    paths: TagPaths, sources: Sequence[VideoSource]
) -> Iterator[Mapping[str, Path]]:
    """Yield the score file of each video; a report uses temporary ones if none are kept."""
    paths.make_folders()
    if paths.scores or not paths.pages:
        yield paths.scores
        return
    with tempfile.TemporaryDirectory(prefix="vswin-") as folder:
        yield {source.id: Path(folder) / f"{source.id}.npz" for source in sources}


def _tag_and_write(
    sources: Sequence[VideoSource], job: _Job, output: Output, paths: TagPaths
) -> tuple[list[_Tagged], int]:
    """Tag the videos, write the results, and return them with the number of failures."""
    done: list[_Tagged] = []

    def on_done(tagged: _Tagged) -> None:
        if output.prints_each:
            output.print_one(tagged.timeline, number=len(done), num_videos=len(sources))
        done.append(tagged)

    num_failed = 0
    try:
        num_failed += _tag_all(sources, job, on_done, output.report_error)
    finally:  # finished results are written even if an error ends the run
        if done:
            num_failed += output.write(
                [tagged.timeline for tagged in done],
                [paths.results[tagged.source.id] for tagged in done if paths.results],
                is_printed=output.prints_each,
                quiet=job.quiet,
            )
        if not job.quiet:
            for path in (tagged.scores for tagged in done if paths.scores):
                console.note(f"wrote {path}")
    return done, num_failed


def _write_report(done: Sequence[_Tagged], path: Path, *, quiet: bool) -> None:
    from vswin_cli.report import ReportSource, write_report

    pages = [ReportSource(tagged.timeline, tagged.scores, tagged.source.path) for tagged in done]
    with console.progress("report", unit="videos", quiet=quiet) as on_progress:
        write_report(pages, path, on_progress=on_progress)
    if not quiet:
        console.note(f"wrote {path}")


def _tag_all(
    sources: Sequence[VideoSource],
    job: _Job,
    on_done: Callable[[_Tagged], None],
    report_error: Callable[[VswinError], None],
) -> int:
    """Tag the videos one after the other, and return how many failed.

    Args:
        sources: the videos.
        job: settings for all of them.
        on_done: called with each video that is done.
        report_error: called with the error of one of several videos.

    Raises:
        SourceError: the only video, or every video, failed.
        OptionError: likewise, as it ends before the start; or the options do not fit the weights.
        OutputError: likewise, as its scores cannot be written; or no video's could be.
    """
    from vswin_cli.video.decoder_pool import DecoderPool

    num_failed = 0
    with DecoderPool() as pool:
        for source in sources:
            try:
                timeline = with_start(_tag_one(source, job, pool), job.start_timecode)
            except (SourceError, OptionError, OutputError) as problem:
                num_failed += 1
                if num_failed == len(sources) or _ends_all(problem):
                    raise
                report_error(_naming(problem, source))
            else:
                on_done(_Tagged(source, timeline, job.scores.get(source.id)))
    return num_failed


def _ends_all(problem: VswinError) -> bool:
    """Return whether the other videos would fail for the same reason."""
    is_output = isinstance(problem, OutputError) and holds_for_all(problem)
    return is_output or isinstance(problem, SelectionError)


def _naming(problem: VswinError, source: VideoSource) -> VswinError:
    """Name the video in an error that does not, such as one about its length."""
    if source.uri in problem.message:
        return problem
    return type(problem)(f"{source.uri}: {problem.message}", hint=problem.hint)


def _tag_one(source: VideoSource, job: _Job, pool: DecoderPool) -> Timeline:
    from vswin_cli.inference.pipeline import analyze_video

    with console.progress(source.uri, quiet=job.quiet) as on_progress:
        timeline = analyze_video(
            source,
            job.engine,
            job.sampling,
            job.segments,
            on_progress=on_progress,
            save_scores=job.scores.get(source.id),
            top_classes=job.top_classes,
            decoder_pool=pool,
        )
    if not job.quiet:
        for notice in timeline.warnings:
            console.warn(f"{source.uri}: {notice.message}")
    return timeline


def _require_coverage(timelines: Sequence[Timeline], minimum: float) -> None:
    short = [t for t in timelines if t.coverage.fraction < minimum]
    if short:
        listed = ", ".join(f"{t.video.uri} ({t.coverage.fraction:.1%})" for t in short)
        raise CoverageError(
            f"less than --min-coverage {minimum:g} could be analysed: {listed}",
            hint="`vswin probe --scan` lists what is damaged; --min-coverage sets the limit",
        )

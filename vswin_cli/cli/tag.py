"""`vswin tag`: find what happens in videos, and when."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vswin_cli.cli import console
from vswin_cli.cli.each_video import find_videos, require_coverage, work_on_each
from vswin_cli.cli.live import check_live, tag_live
from vswin_cli.cli.model_choice import ModelChoices, make_engine
from vswin_cli.cli.option_groups import (
    SamplingChoice,
    SegmentChoice,
    VideoEngineChoice,
    with_option_groups,
)
from vswin_cli.cli.options import (
    EvidenceOption,
    ExcelOption,
    ForceOption,
    FormatOption,
    LiveOption,
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
from vswin_cli.errors import SOME_FAILED

if TYPE_CHECKING:
    from vswin_cli.cli.output import Output
    from vswin_cli.cli.output_paths import TagPaths
    from vswin_cli.inference.engine import Engine
    from vswin_cli.inference.pipeline import OnProgress
    from vswin_cli.storage.sources import VideoSource
    from vswin_cli.timeline.record import Timeline
    from vswin_cli.video.decoder_pool import DecoderPool

__all__ = ["tag"]


@with_option_groups
def tag(
    videos: Annotated[list[str], typer.Argument(metavar="VIDEO", help="Video files or URLs.")],
    *,
    choice: ModelChoices,
    sampling: SamplingChoice,
    segments: SegmentChoice,
    format: FormatOption = None,
    out: OutOption = None,
    json: TimelineJsonOption = False,
    excel: ExcelOption = False,
    save_scores: SaveScoresOption = None,
    windows: WindowsOption = 0,
    evidence: EvidenceOption = False,
    live: LiveOption = False,
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

        vswin tag movie.mp4 -m camera-motion -m swin-t-k400

        vswin tag movie.mp4 --evidence --report movie.html

        vswin tag rtsp://camera/stream --live >> camera.jsonl

        vswin tag movie.mp4 --weights mine.pth --labels mine.txt --json | jq .segments
    """
    from vswin_cli.cli.output import choose_output
    from vswin_cli.cli.output_paths import plan_tag_paths

    clips, engine_options = sampling.options(), running.options()
    choices = choice.each()
    choice.refuse_several(("--live", live), ("--evidence", evidence))
    if live:
        given = {"--out": out, "--save-scores": save_scores, "--windows": windows}
        given |= {"--evidence": evidence, "--report": report, "--timecode-start": timecode_start}
        given["--format"] = format not in (None, "jsonl") and format
        address = check_live(videos, clips, given)
        engine = make_engine(choices[0], engine_options, crops=clips.crops or 1, quiet=quiet)
        advised = engine.model.card.segments
        tag_live(address, engine, clips, segments.over(advised), quiet=quiet)
        return
    output = choose_output(out, format, json=json, excel=excel, force=force)
    start = parse_start(timecode_start)
    note_unused_start(start, output, quiet=quiet)
    if windows:
        output.check_is_json("--windows")
    if evidence and report is None:
        output.check_is_json("--evidence")
    sources, num_missing = find_videos(videos, output.report_error)
    results = output.plan([source.uri for source in sources])
    paths = plan_tag_paths(
        results,
        save_scores,
        report,
        sources,
        [file for one in choices for file in one.files()],
        models=[one.reference for one in choices],
        image_suffix=output.suffix,
        force=force,
    )
    crops = clips.crops or 1
    engines = [make_engine(one, engine_options, crops=crops, quiet=quiet) for one in choices]
    _check_names(engines)
    with _keeping_scores(paths, sources, len(engines)) as scores:
        job = _Job(engines, clips, segments.given(), scores, windows, evidence, start, quiet)
        done, num_failed = _tag_and_write(sources, job, output, paths)
        if paths.pages:
            _write_report(done, paths.pages[0], quiet=quiet)
    if num_failed or num_missing:
        raise typer.Exit(SOME_FAILED)
    if strict:
        covered = [(t.timeline.video.uri, t.timeline.coverage.fraction) for t in done]
        require_coverage(covered, min_coverage)


def _check_names(engines: Sequence[Engine]) -> None:
    """Check before any decoding that models can be told apart; raises as `check_models`."""
    from vswin_cli.inference.several_models import check_models

    check_models([engine.model.card.id for engine in engines])


@dataclass(frozen=True, slots=True)
class _Job:
    """Settings that are the same for every video of one call."""

    engines: Sequence[Engine]
    sampling: SamplingOptions
    segments: SegmentOptions
    """Only the values that were given."""
    scores: Mapping[str, tuple[Path, ...]]
    """Where the scores of a video go, a file for each model, by `VideoSource.id`; empty to keep
    none."""
    top_classes: int
    """Listed for each clip; 0 to list no clips."""
    evidence: bool
    """Whether segments say where in the frame their scores come from."""
    start_timecode: str | None
    """Replaces that of the videos."""
    quiet: bool


@dataclass(frozen=True, slots=True)
class _Tagged:
    """A video that is done."""

    source: VideoSource
    timeline: Timeline
    scores: tuple[Path, ...]


@contextmanager
def _keeping_scores(
    paths: TagPaths, sources: Sequence[VideoSource], num_models: int
) -> Iterator[Mapping[str, tuple[Path, ...]]]:
    """Yield the score file of each video; a report uses temporary ones if none are kept."""
    paths.make_folders()
    if paths.scores or not paths.pages:
        yield paths.scores
        return
    with tempfile.TemporaryDirectory(prefix="vswin-") as folder:
        yield {
            source.id: tuple(Path(folder) / f"{source.id}.{i}.npz" for i in range(num_models))
            for source in sources
        }


def _tag_and_write(
    sources: Sequence[VideoSource], job: _Job, output: Output, paths: TagPaths
) -> tuple[list[_Tagged], int]:
    """Tag the videos, write the results, and return them with the number of failures."""
    from vswin_cli.video.decoder_pool import DecoderPool

    done: list[_Tagged] = []

    def on_done(tagged: _Tagged) -> None:
        if output.prints_each:
            output.print_one(tagged.timeline, number=len(done), num_videos=len(sources))
        done.append(tagged)

    num_failed = 0
    try:
        with DecoderPool() as pool:
            num_failed += work_on_each(
                sources, lambda source: _tag_one(source, job, pool), on_done, output.report_error
            )
    finally:  # finished results are written even if an error ends the run
        if done:
            num_failed += output.write(
                [tagged.timeline for tagged in done],
                [paths.results[tagged.source.id] for tagged in done if paths.results],
                is_printed=output.prints_each,
                quiet=job.quiet,
            )
        if not job.quiet:
            for path in (file for tagged in done if paths.scores for file in tagged.scores):
                console.note(f"wrote {path}")
    return done, num_failed


def _write_report(done: Sequence[_Tagged], path: Path, *, quiet: bool) -> None:
    from vswin_cli.report import ReportSource, write_report

    pages = [
        ReportSource(one.timeline, one.scores[0], one.source.path, one.scores[1:]) for one in done
    ]
    with console.progress("report", unit="videos", quiet=quiet) as on_progress:
        write_report(pages, path, on_progress=on_progress)
    if not quiet:
        console.note(f"wrote {path}")


def _tag_one(source: VideoSource, job: _Job, pool: DecoderPool) -> _Tagged:
    scores = job.scores.get(source.id, ())
    with console.progress(source.uri, quiet=job.quiet) as on_progress:
        timeline = _analyzed(source, job, scores, on_progress, pool)
    if not job.quiet:
        for message in timeline.warning_messages():
            console.warn(f"{source.uri}: {message}")
    return _Tagged(source, with_start(timeline, job.start_timecode), scores)


def _analyzed(
    source: VideoSource,
    job: _Job,
    scores: Sequence[Path],
    on_progress: OnProgress,
    pool: DecoderPool,
) -> Timeline:
    if len(job.engines) > 1:
        from vswin_cli.inference.several_models import analyze_video_with_models

        return analyze_video_with_models(
            source,
            job.engines,
            job.sampling,
            job.segments,
            on_progress=on_progress,
            save_scores=scores or None,
            top_classes=job.top_classes,
            decoder_pool=pool,
        )
    from vswin_cli.inference.pipeline import analyze_video

    return analyze_video(
        source,
        job.engines[0],
        job.sampling,
        job.segments,
        on_progress=on_progress,
        save_scores=next(iter(scores), None),
        top_classes=job.top_classes,
        evidence=job.evidence,
        decoder_pool=pool,
    )

"""`vswin report`: write an HTML page with curves, frames and adjustable thresholds."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vswin_cli.cli import console
from vswin_cli.cli.options import ForceOption, QuietOption
from vswin_cli.errors import OptionError, SourceError
from vswin_cli.storage.files import absence, is_file, reading_hint
from vswin_cli.storage.humanize import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vswin_cli.cli.saved_results import MissingResult, SavedResult
    from vswin_cli.report import ArchiveRow, ReportSource
    from vswin_cli.report.archive import RowStatus

__all__ = ["report", "report_sources"]


def report(
    timelines: Annotated[
        list[Path],
        typer.Argument(
            metavar="TIMELINE|TABLE|FOLDER",
            help="Files written by `vswin tag -f json`, `-f jsonl` or `--save-scores`; a table of "
            "`vswin batch`, the folder of its results, or its journal.",
            show_default=False,
        ),
    ],
    out: Annotated[
        str,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE|FOLDER",
            help="HTML file to write; a folder/ gets a page named after the video.",
        ),
    ],
    scores: Annotated[
        list[Path] | None,
        typer.Option(
            "--scores",
            metavar="FILE",
            help="Scores saved by `--save-scores` for a TIMELINE, or for each of its models. "
            "Repeatable, in the same order.",
        ),
    ] = None,
    video: Annotated[
        list[Path] | None,
        typer.Option(
            "--video",
            metavar="FILE",
            help="The video of a TIMELINE. Repeatable, in the same order.",
            show_default="the path in the timeline",
        ),
    ] = None,
    thumbnails: Annotated[
        bool,
        typer.Option(
            "--thumbnails/--no-thumbnails", help="Include frames of the video, if it is found."
        ),
    ] = True,
    force: ForceOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write an HTML page that shows a timeline; it works offline.

    With saved scores the page has curves and adjustable thresholds.

    The page plays the video from its path on this machine and contains no copy of it.

    Several timelines give an overview, and a page for each in a folder beside it.

    A batch needs no second decoding: its journal has the timelines, and the scores if it kept them.

    Examples:
        vswin tag movie.mp4 --save-scores movie.npz

        vswin report movie.npz -o movie.html

        vswin report day1.json day2.json -o days.html --no-thumbnails

        vswin report results.csv -o archive.html
    """
    from vswin_cli.cli.output_paths import OutputPath, plan_pages
    from vswin_cli.cli.overwriting import check_media_names, check_overwrites, check_page_name
    from vswin_cli.report import ReportSource, write_report
    from vswin_cli.storage.files import check_spares

    output = OutputPath.parse(out)
    sources = report_sources(timelines, scores or [], video or [], quiet=quiet)
    pages = plan_pages(output, [source.uri for source in sources])
    videos = [source.video for source in sources if isinstance(source, ReportSource)]
    check_spares(pages, [*timelines, *(scores or []), *videos])
    check_media_names([("--out", pages[0])], own_suffix=".html")
    check_page_name("--out", pages[0])
    check_overwrites(pages, force=force)
    output.make()
    with console.progress("report", unit="videos", quiet=quiet) as on_progress:
        written = write_report(sources, pages[0], thumbnails=thumbnails, on_progress=on_progress)
    if not quiet:
        more = f" and {len(written) - 1} more" if len(written) > 1 else ""
        console.note(f"wrote {written[0]}{more}")
        if rest := len(sources) - len(videos):
            console.note(f"{counted(rest, 'video')} without a result: listed, but without a page")


def report_sources(
    timelines: list[Path], scores: list[Path], videos: list[Path], *, quiet: bool = False
) -> list[ReportSource | ArchiveRow]:
    """Match each timeline with its scores and its video; videos without a result get a row.

    Raises:
        OptionError: numbers of files that do not fit each other.
        SourceError: a file cannot be read.
    """
    from vswin_cli.cli.find_video import find_video
    from vswin_cli.cli.saved_results import MissingResult, SavedResult
    from vswin_cli.report import ArchiveRow, ReportSource

    read = [one for path in timelines for one in _read(path, quiet=quiet)]
    models = [len(one.timeline.each_model()) for one in read if isinstance(one, SavedResult)]
    num_timelines = len(models)
    has_all_scores = len(scores) == sum(models)
    for name, given in (("--scores", scores), ("--video", videos)):
        if given and len(given) != num_timelines and not (name == "--scores" and has_all_scores):
            raise OptionError(
                f"{counted(num_timelines, 'timeline')}, but {counted(len(given), 'time')} {name}",
                hint=f"give {name} once per timeline, in the same order",
            )
    given_scores, given_videos = iter(scores), iter(videos)
    found: list[ReportSource | ArchiveRow] = []
    for one in read:
        if isinstance(one, MissingResult):
            status: RowStatus = "waiting" if one.status == "waiting" else "failed"
            found.append(ArchiveRow.without_result(one.uri, status, one.reason))
            continue
        video = next(given_videos, None)
        num_further = len(one.timeline.tracks) if has_all_scores else 0
        found.append(
            ReportSource(
                one.timeline,
                scores=next(given_scores, one.scores),
                further_scores=tuple(islice(given_scores, num_further)) or one.further_scores,
                video=find_video(one.timeline, one.path) if video is None else _existing(video),
            )
        )
    return found


def _read(path: Path, *, quiet: bool) -> Sequence[SavedResult | MissingResult]:
    """Read results, of a batch with its videos that have none.

    Raises:
        SourceError: they cannot be read, or the path is the video itself.
    """
    from vswin_cli.cli.saved_results import batch_videos, read_results, with_further_scores
    from vswin_cli.storage.sources import VIDEO_SUFFIXES

    if path.suffix.lower() in VIDEO_SUFFIXES and is_file(path):
        raise SourceError(
            f"{path} looks like a video; a report needs a timeline",
            hint=f"`vswin tag {path} --report {path.with_suffix('.html').name}` does both",
        )
    videos = batch_videos(path)
    if videos is not None:
        return videos
    return with_further_scores(read_results(path, quiet=quiet))


def _existing(path: Path) -> Path:
    absent = absence(path)
    if absent is not None and not isinstance(absent, FileNotFoundError):
        raise OptionError(
            f"cannot read the video {path}: {absent.strerror}", hint=reading_hint(absent)
        )
    if not is_file(path):
        raise OptionError(f"no such video: {path}", hint="check the spelling of --video")
    return path

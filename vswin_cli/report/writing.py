"""Write reports: one page for one video, a table and a folder of pages for several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vswin_cli.errors import OptionError
from vswin_cli.export.naming import file_name
from vswin_cli.report.content import PageContent, page_content, relative_url
from vswin_cli.report.pages import IndexRow, index_page, video_page
from vswin_cli.report.thumbnails import plan_requests, take_thumbnails
from vswin_cli.report.tracks import pack_track
from vswin_cli.storage.files import replacing_text, writing
from vswin_cli.storage.result_names import unique_names
from vswin_cli.timeline.record import Timeline
from vswin_cli.timeline.score_files import load_track
from vswin_cli.video.raw_streams import has_no_timestamps

__all__ = ["MAX_PAGE_BYTES", "ReportSource", "report_files", "write_report"]

MAX_PAGE_BYTES = 2_000_000
"""Size limit of a page, however long its video."""

_SCORES_SHARE = 0.5  # of the space that the rest of the page leaves
_RESERVE_BYTES = 10_000
_SAME_SECONDS = 1.0  # two results of one video may differ in length by this much

OnProgress = Callable[[float, "float | None"], None]


@dataclass(frozen=True, slots=True)
class ReportSource:
    """One video of a report and its files."""

    timeline: Timeline
    scores: Path | None = None
    """Score file of `vswin tag --save-scores`, for curves and movable thresholds."""
    video: Path | None = None
    """The file, for thumbnails and for playing it."""


def report_files(uris: Sequence[str], path: Path) -> list[Path]:
    """List every file of a report: the page, and for several videos theirs in a folder beside it.

    Args:
        uris: paths or addresses of the videos.
        path: of the page to open first.
    """
    if len(uris) < 2:
        return [path]
    folder = path.with_name(f"{path.stem}-videos")
    names = unique_names([file_name(uri) for uri in uris], ".html")
    return [path, *(folder / f"{name}.html" for name in names)]


def write_report(
    sources: Sequence[ReportSource],
    path: Path,
    *,
    thumbnails: bool = True,
    on_progress: OnProgress | None = None,
) -> list[Path]:
    """Write a page; for several videos a table at `path` and their pages in a folder beside it.

    Args:
        sources: the videos.
        path: of the HTML file.
        thumbnails: whether to take thumbnails, which decodes parts of the videos.
        on_progress: called with the number of videos done and in all.

    Returns:
        The files written, the one to open first.

    Raises:
        OptionError: scores belong to another video, or there is nothing to report.
        SourceError: a file of scores cannot be read.
        OutputError: a page cannot be written.
    """
    if not sources:
        raise OptionError("there is no timeline to report")
    path, *pages = report_files([source.timeline.video.uri for source in sources], path)
    if not pages:
        _write_page(sources[0], path, thumbnails=thumbnails)
        return [path]
    with writing(f"{pages[0].parent}"):
        pages[0].parent.mkdir(exist_ok=True)
    for number, (source, page) in enumerate(zip(sources, pages, strict=True)):
        if on_progress is not None:
            on_progress(number, len(sources))
        _write_page(source, page, thumbnails=thumbnails, index=path)
    rows = [
        IndexRow(source.timeline, relative_url(page, path.parent))
        for source, page in zip(sources, pages, strict=True)
    ]
    with replacing_text(path) as file:
        file.write(index_page(rows))
    return [path, *pages]


def _write_page(
    source: ReportSource, path: Path, *, thumbnails: bool, index: Path | None = None
) -> None:
    url = relative_url(source.video, path.parent) if source.video else None
    back = relative_url(index, path.parent) if index else None
    content = _content(source, url)
    if thumbnails and source.video is not None:
        size = len(video_page(source.timeline, content, back).encode())
        found = take_thumbnails(
            source.video,
            plan_requests(content.duration_seconds, content.segments),
            MAX_PAGE_BYTES - _RESERVE_BYTES - size,
            input_frame_rate=_counted_rate(source.timeline),
        )
        content = replace(content, thumbnails=tuple(found))
    with replacing_text(path) as file:
        file.write(video_page(source.timeline, content, back))


def _counted_rate(timeline: Timeline) -> float | None:
    """Return the rate at which the frames of a stream without timestamps were counted."""
    if timeline.video.container is None or not has_no_timestamps(timeline.video.container):
        return None
    return timeline.video.average_frame_rate


def _content(source: ReportSource, url: str | None) -> PageContent:
    timeline = source.timeline
    bare = page_content(timeline, None, None, url)
    if source.scores is None:
        return bare
    size = len(video_page(timeline, bare).encode())
    track, other = load_track(source.scores)
    with track:
        _check_same(source.scores, timeline, other)
        options = timeline.postprocess.options()
        packed = pack_track(track, options, int(_SCORES_SHARE * (MAX_PAGE_BYTES - size)))
        return page_content(timeline, track, packed, url)


def _check_same(scores: Path, timeline: Timeline, other: Timeline) -> None:
    """Check that scores belong to the timeline.

    Raises:
        OptionError: they are of another video or model.
    """
    lengths = timeline.video.duration_seconds, other.video.duration_seconds
    models = timeline.model.weights_sha256, other.model.weights_sha256
    if abs(lengths[0] - lengths[1]) > _SAME_SECONDS or models[0] != models[1]:
        raise OptionError(
            f"{scores} holds scores of {other.video.uri} ({lengths[1]:.1f} s, {other.model.id}), "
            f"the timeline is of {timeline.video.uri} ({lengths[0]:.1f} s, {timeline.model.id})",
            hint="give the scores that were saved in the same run",
        )

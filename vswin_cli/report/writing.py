"""Write reports: one page for one video, a table and a folder of pages for several."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from datetime import datetime, timezone
from itertools import zip_longest
from operator import attrgetter
from pathlib import Path

from vswin_cli.errors import OptionError
from vswin_cli.export.naming import file_name
from vswin_cli.report.archive import ArchiveProgress, ArchiveRow, Work
from vswin_cli.report.content import PageContent, ScoredModel, page_content, relative_url
from vswin_cli.report.pages import (
    PageStamp,
    archive_page,
    design_version,
    read_stamp,
    video_page,
)
from vswin_cli.report.thumbnails import (
    cover_request,
    in_time_order,
    plan_requests,
    still_pixels,
    take_images,
)
from vswin_cli.report.tracks import pack_track
from vswin_cli.storage.files import file_state, replacing_text, writing
from vswin_cli.storage.json_records import fingerprint
from vswin_cli.storage.result_names import unique_names
from vswin_cli.timeline.record import Timeline
from vswin_cli.timeline.score_files import load_track
from vswin_cli.timeline.segments import Segment
from vswin_cli.video.cores import usable_cores

__all__ = [
    "MAX_PAGE_BYTES",
    "ArchiveWriter",
    "ReportSource",
    "archive_files",
    "report_files",
    "write_page",
    "write_report",
]

MAX_PAGE_BYTES = 2_000_000
"""Size limit of a page, however long its video."""

_SCORES_SHARE = 0.5  # of the space that the rest of the page leaves
_RESERVE_BYTES = 10_000
_MOST_AT_ONCE = 4  # pages with thumbnails that are made side by side
_LEAST_INTERVAL_SECONDS = 5.0  # between two tables while pages are made
_INTERVAL_SECONDS_PER_ROW = 0.01
_SAME_SECONDS = 1.0  # two results of one video may differ in length by this much

_VALUES = attrgetter(*(field.name for field in fields(Segment)))

OnProgress = Callable[[float, "float | None"], None]


@dataclass(frozen=True, slots=True)
class ReportSource:
    """One video of a report and its files."""

    timeline: Timeline
    scores: Path | None = None
    """Score file of `vswin tag --save-scores`, for curves and movable thresholds."""
    video: Path | None = None
    """The file, for thumbnails and for playing it."""
    further_scores: tuple[Path, ...] = ()
    """Score files of further models, in the order of `Timeline.tracks`; none of them, or all."""

    @property
    def uri(self) -> str:
        """Path or address of the video as the user gave it."""
        return self.timeline.video.uri


def report_files(uris: Sequence[str], path: Path) -> list[Path]:
    """List every file of a report: the page, and for several videos theirs in a folder beside it.

    Args:
        uris: paths or addresses of the videos.
        path: of the page to open first.
    """
    return [path] if len(uris) < 2 else archive_files(uris, path)


def archive_files(uris: Sequence[str], path: Path) -> list[Path]:
    """Same as `report_files`, with a folder of pages however few videos there are."""
    folder = path.with_name(f"{path.stem}-videos")
    names = unique_names([file_name(uri) for uri in uris], ".html")
    return [path, *(folder / f"{name}.html" for name in names)]


def write_report(
    sources: Sequence[ReportSource | ArchiveRow],
    path: Path,
    *,
    thumbnails: bool = True,
    on_progress: OnProgress | None = None,
) -> list[Path]:
    """Write a page; for several videos a table at `path` and their pages in a folder beside it.

    The table is there at once and is kept current while the pages are made. Pages that are up to
    date are not made again.

    Args:
        sources: the videos; of one without a result, such as one that failed, its row.
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
    if len(sources) == 1 and isinstance(sources[0], ReportSource):
        write_page(sources[0], path, thumbnails=thumbnails)
        return [path]
    archive = ArchiveWriter([source.uri for source in sources], path, thumbnails=thumbnails)
    with_pages = {i: one for i, one in enumerate(sources) if isinstance(one, ReportSource)}
    for index, one in enumerate(sources):
        archive.show(index, one if isinstance(one, ArchiveRow) else ArchiveRow.of(one.timeline))
    # Thumbnails are taken by processes, which several cores do side by side.
    at_once = min(_MOST_AT_ONCE, usable_cores()) if thumbnails else 1
    pool = ThreadPoolExecutor(at_once)
    try:
        waiting = {pool.submit(archive.add, i, source) for i, source in with_pages.items()}
        while waiting:
            num_done = len(with_pages) - len(waiting)
            if on_progress is not None:
                on_progress(num_done, len(with_pages))
            archive.write_table_if_due(archive.progress("pages", num_done))
            done, waiting = wait(waiting, timeout=1.0, return_when=FIRST_COMPLETED)
            for page in done:
                page.result()  # raises its error
    finally:
        pool.shutdown(cancel_futures=True)
    archive.write_table()
    return [path, *(archive.pages[index] for index in with_pages)]


class ArchiveWriter:
    """Writes the pages of several videos and the table of them, which can be kept current.

    Args:
        uris: paths or addresses of the videos, in the order of the table.
        path: of the table.
        thumbnails: whether to take thumbnails.

    Raises:
        OutputError: the folder for the pages cannot be made.
    """

    def __init__(self, uris: Sequence[str], path: Path, *, thumbnails: bool = True) -> None:
        self._path = path
        self._thumbnails = thumbnails
        self.pages = archive_files(uris, path)[1:]
        """The page of each video."""
        self._rows = [ArchiveRow.without_result(uri, "waiting") for uri in uris]
        self._last_seconds = -math.inf
        with writing(f"{self.pages[0].parent}"):
            self.pages[0].parent.mkdir(exist_ok=True)

    def show(self, index: int, row: ArchiveRow) -> None:
        """Change the row of a video."""
        self._rows[index] = row

    def add(self, index: int, source: ReportSource) -> None:
        """Write the page of a video, and link it in its row.

        Raises:
            OptionError: scores belong to another video.
            SourceError: the file of scores cannot be read.
            OutputError: the page cannot be written.
        """
        page = self.pages[index]
        cover = write_page(source, page, thumbnails=self._thumbnails, index=self._path)
        url = relative_url(page, self._path.parent)
        self._rows[index] = ArchiveRow.of(source.timeline, url, cover)

    def progress(
        self,
        what: Work,
        num_done: int,
        *,
        num_failed: int = 0,
        running: Sequence[tuple[str, float]] = (),
        rate: float | None = None,
        left_seconds: float | None = None,
    ) -> ArchiveProgress:
        """Describe how far the work is, as of now."""
        return ArchiveProgress(
            what=what,
            num_inputs=len(self._rows),
            num_done=num_done,
            num_failed=num_failed,
            written=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            refresh_seconds=self._interval_seconds,
            running=tuple(running),
            rate=rate,
            left_seconds=left_seconds,
        )

    def write_table_if_due(self, progress: ArchiveProgress) -> None:
        """Write the table, unless it was written a moment ago."""
        if time.monotonic() - self._last_seconds >= self._interval_seconds:
            self.write_table(progress)

    def write_table(self, progress: ArchiveProgress | None = None) -> None:
        """Write the table of all videos.

        Raises:
            OutputError: it cannot be written.
        """
        with replacing_text(self._path) as file:
            file.write(archive_page(self._rows, progress))
        self._last_seconds = time.monotonic()

    @property
    def _interval_seconds(self) -> float:
        """Return how often the table is written: less often where it is long."""
        return max(_LEAST_INTERVAL_SECONDS, len(self._rows) * _INTERVAL_SECONDS_PER_ROW)


def write_page(
    source: ReportSource, path: Path, *, thumbnails: bool = True, index: Path | None = None
) -> str | None:
    """Write the page of one video, unless it is up to date.

    Args:
        source: the video.
        path: of the page.
        thumbnails: whether to take thumbnails.
        index: the table of videos, if the page belongs to one.

    Returns:
        A `data:` URL with a small image of the video; `None` without thumbnails.

    Raises:
        OptionError: scores belong to another video.
        SourceError: the file of scores cannot be read.
        OutputError: the page cannot be written.
    """
    url = relative_url(source.video, path.parent) if source.video else None
    back = relative_url(index, path.parent) if index else None
    origin = _origin(source, url, back, thumbnails=thumbnails)
    if index is not None and (kept := read_stamp(path)) is not None and kept.origin == origin:
        return kept.cover or None
    content, cover = _content(source, url), ""
    if thumbnails and source.video is not None:
        size = len(video_page(source.timeline, content, back).encode())
        content, cover = _with_images(content, source, MAX_PAGE_BYTES - _RESERVE_BYTES - size)
    with replacing_text(path) as file:
        file.write(video_page(source.timeline, content, back, PageStamp(origin, cover)))
    return cover or None


def _with_images(
    content: PageContent, source: ReportSource, max_bytes: int
) -> tuple[PageContent, str]:
    """Take the thumbnails of a page, and the image that stands for the video in a table."""
    assert source.video is not None
    length = content.duration_seconds
    segments = [*content.segments, *(part for one in content.models for part in one.segments)]
    area = still_pixels(source.video)
    images = take_images(
        source.video,
        [cover_request(length, segments), *plan_requests(length, segments, area)],
        max_bytes,
        input_frame_rate=source.timeline.video.counted_frame_rate,
    )
    cover = images.pop(0, None)
    found = tuple(in_time_order(images.values()))
    return replace(content, thumbnails=found), cover.url if cover is not None else ""


def _origin(source: ReportSource, url: str | None, back: str | None, *, thumbnails: bool) -> str:
    """Return the fingerprint of everything that a page is made of."""
    files = (source.scores, source.video, *source.further_scores)
    states = [path and file_state(path) for path in files]
    bare = replace(source.timeline, segments=()).to_dict()
    # Their `repr` is much faster than JSON, and an archive has a hundred thousand of them.
    segments = repr([_VALUES(segment) for segment in source.timeline.segments])
    return fingerprint(design_version(), bare, segments, url, back, thumbnails, *states)


def _content(source: ReportSource, url: str | None) -> PageContent:
    models = source.timeline.each_model()
    bare = page_content([ScoredModel(one) for one in models], url)
    if source.scores is None:
        return bare
    size = len(video_page(source.timeline, bare).encode())
    files = (source.scores, *source.further_scores)
    most_bytes = int(_SCORES_SHARE * (MAX_PAGE_BYTES - size)) // len(files)
    with ExitStack() as stack:
        scored = [
            _scored(one, path, most_bytes, stack)
            for one, path in zip_longest(models, files[: len(models)])
        ]
        return page_content(scored, url)


def _scored(
    timeline: Timeline, scores: Path | None, max_bytes: int, stack: ExitStack
) -> ScoredModel:
    """Load and pack the scores of a model; the track is closed with the stack."""
    if scores is None:
        return ScoredModel(timeline)
    track, other = load_track(scores)
    stack.enter_context(track)
    _check_same(scores, timeline, other)
    packed = pack_track(track, timeline.postprocess.options(), max_bytes)
    return ScoredModel(timeline, track, packed)


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

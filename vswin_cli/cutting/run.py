"""Cut the clips of many videos into a folder, and write their table.

A clip that is there, from the same part of the same video, is kept, so that an interrupted run
goes on. A file that vswin did not write is never replaced unless asked for.
"""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Literal, cast

from vswin_cli.cutting.clip_cutter import ClipCutter, CutSpan
from vswin_cli.cutting.clip_tag import clip_key, read_tag, source_digest
from vswin_cli.cutting.ffconcat import ffconcat_text
from vswin_cli.cutting.plan import ClipPlan, VideoPlan, plan_clips
from vswin_cli.cutting.records import (
    Clip,
    CutFailure,
    CutMode,
    CutOptions,
    CutResult,
    VideoSegments,
)
from vswin_cli.cutting.table import CLIPS_NAME, ends_of, read_rows_by_name, write_table
from vswin_cli.errors import OutputError, SourceError, SourceNotFoundError, VswinError
from vswin_cli.quantities import as_texts
from vswin_cli.storage.files import (
    as_path,
    holds_for_all,
    is_file,
    is_there,
    reading_hint,
    replacing_binary,
    replacing_text,
    writing,
)
from vswin_cli.storage.remote import as_local_path, is_remote
from vswin_cli.timeline.files import as_timelines
from vswin_cli.timeline.record import Timeline

__all__ = ["cut_segments", "cut_videos", "write_list"]

OnProgress = Callable[[float, "float | None"], None]


def cut_segments(
    timelines: Timeline | Iterable[Timeline],
    folder: str | os.PathLike[str],
    *,
    labels: str | Iterable[str] = (),
    exclude: str | Iterable[str] = (),
    min_score: float = 0.0,
    pad_seconds: float = 0.0,
    mode: CutMode = "auto",
    on_progress: OnProgress | None = None,
) -> CutResult:
    """Cut a clip out of the video for every segment of timelines.

    Args:
        timelines: one or several; `video.uri` must be the path of a file.
        folder: for the clips and `clips.csv`; it is created if only itself is missing.
        labels: names or patterns of the labels to cut; all by default.
        exclude: names or patterns of labels to leave out.
        min_score: segments with a lower mean score are left out.
        pad_seconds: added before and after each segment, within the video.
        mode: `copy` starts at the key frame before, `exact` encodes again, `auto` copies where
            that is safe.
        on_progress: called with the number of clips done and in all.

    Returns:
        The clips, and what failed: a video that cannot be read does not stop the others.

    Raises:
        OptionError: an option makes no sense, or no segment has a label.
        OutputError: the folder cannot be written, or holds a file of one of these names that
            vswin did not write.
    """
    options = CutOptions(
        as_texts("labels", labels),
        min_score,
        pad_seconds,
        mode,
        exclude=as_texts("exclude", exclude),
    )
    videos = [VideoSegments.of(one, _path_of(one.video.uri)) for one in as_timelines(timelines)]
    return cut_videos(videos, as_path(folder, "folder"), options, on_progress=on_progress)


def _path_of(uri: str) -> Path | None:
    return None if is_remote(uri) else as_local_path(uri)


def cut_videos(
    videos: Sequence[VideoSegments],
    folder: Path,
    options: CutOptions,
    *,
    force: bool = False,
    on_progress: OnProgress | None = None,
) -> CutResult:
    """Same as `cut_segments`, for segments of any origin.

    Args:
        videos: files and their segments.
        folder: for the clips.
        options: which, and how.
        force: replace files that vswin did not write.
        on_progress: called with the number of clips done and in all.
    """
    plans = plan_clips(videos, folder, options)
    planned = [clip.path for plan in plans for clip in plan.clips]
    table = folder / CLIPS_NAME
    earlier = read_rows_by_name(table, force=force)
    names = {path.name for path in planned}
    others = [row for name, row in earlier.items() if name not in names]
    for path in () if force else planned:
        _check_own(path)
    if planned:
        with writing(f"{folder}"):
            folder.mkdir(exist_ok=True)
    clips: list[Clip] = []
    failures: list[CutFailure] = []
    try:
        for plan in plans:
            for done in _cut_video(plan, options.mode, ends_of(earlier)):
                (clips if isinstance(done, Clip) else failures).append(done)  # type: ignore[arg-type]
                if on_progress is not None:
                    on_progress(len(clips) + len(failures), len(planned))
    finally:  # an interrupted run leaves a table of what it made
        if clips or others:
            write_table(table, clips, others)
    return CutResult(
        clips=tuple(clips),
        failures=tuple(failures),
        num_instants=sum(plan.num_instants for plan in plans),
        table=table if clips or others else None,
    )


def write_list(videos: Sequence[VideoSegments], path: Path, options: CutOptions) -> CutResult:
    """Write the segments as a list for FFmpeg, see `ffconcat_text`; nothing is cut.

    Returns:
        Failures alone.

    Raises:
        OptionError: no segment has a label.
        OutputError: the list cannot be written.
    """
    parts: list[tuple[Path, float, ClipPlan]] = []
    failures = []
    plans = plan_clips(videos, path.parent, options)
    for plan in plans:
        try:
            if plan.clips:
                source = _found(plan.video)
                with closing(ClipCutter(plan.video)) as cutter:
                    parts += [(source, cutter.origin_seconds, clip) for clip in plan.clips]
        except SourceError as error:
            failures.append(CutFailure(plan.video.uri, None, error))
    with replacing_text(path) as file:
        file.write(ffconcat_text(parts, path.parent))
    num_instants = sum(plan.num_instants for plan in plans)
    return CutResult((), tuple(failures), num_instants)


def _check_own(path: Path) -> None:
    """Refuse to replace a file without the mark of a clip.

    Raises:
        OutputError: it has none.
    """
    with writing(f"{path}"):
        is_foreign = is_there(path) and not (is_file(path) and read_tag(path) is not None)
    if is_foreign:
        raise OutputError(
            f"{path} exists and was not written by vswin",
            hint="choose another folder, or add --force to replace it",
        ) from FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def _found(video: VideoSegments) -> Path:
    if video.path is None or not is_file(video.path):
        raise SourceNotFoundError(
            f"the video {video.uri} was not found",
            hint="run the command in the folder from which the video was tagged, or put the video "
            "beside its timeline",
        )
    return video.path


def _cut_video(
    plan: VideoPlan, mode: CutMode, known_ends: Mapping[str, float]
) -> Iterator[Clip | CutFailure]:
    """Cut the clips of one video; only what would fail for every file is raised.

    Args:
        plan: the video and its clips.
        mode: how to cut.
        known_ends: ends of segments in the clips of earlier runs, by name.

    Raises:
        OutputError: such as a full disk.
    """
    if not plan.clips:
        return
    try:
        path = _found(plan.video)
        digest = source_digest(path)
        cutter = None
        keyed = [
            (clip, clip_key(digest, clip.start_seconds, clip.end_seconds, mode))
            for clip in plan.clips
        ]
    except (SourceError, OSError) as error:
        yield CutFailure(plan.video.uri, None, _as_error(error, plan.video.uri))
        return
    try:
        for clip, key in keyed:
            kept = _kept(clip, key, known_ends)
            if kept is not None:
                yield replace(_clip(plan.video, clip, kept), is_new=False)
                continue
            try:
                cutter = cutter or ClipCutter(plan.video)
            except SourceError as error:
                yield CutFailure(plan.video.uri, None, error)
                return
            yield from _cut_one(plan.video, clip, cutter, mode, key)
    finally:
        if cutter is not None:
            cutter.close()


def _as_error(error: SourceError | OSError, uri: str) -> VswinError:
    if isinstance(error, SourceError):
        return error
    return SourceNotFoundError(f"cannot read {uri}: {error.strerror}", hint=reading_hint(error))


def _kept(clip: ClipPlan, key: str, known_ends: Mapping[str, float]) -> CutSpan | None:
    """Return what an earlier run wrote for a clip, if it is the same."""
    tag = read_tag(clip.path) if is_file(clip.path) else None
    if tag is None or tag.key != key:
        return None
    return CutSpan(tag.mode, tag.early_seconds, known_ends.get(clip.path.name, math.inf))


def _cut_one(
    video: VideoSegments, clip: ClipPlan, cutter: ClipCutter, mode: CutMode, key: str
) -> Iterator[Clip | CutFailure]:
    try:
        with replacing_binary(clip.path) as file:
            span = cutter.cut(clip, Path(file.name), mode, key)
        yield _clip(video, clip, span)
    except SourceError as error:
        named = type(error)(f"{clip.path.name}: {error.message}", hint=error.hint)
        yield CutFailure(video.uri, clip.path, named)
    except OutputError as error:
        if holds_for_all(error):
            raise
        yield CutFailure(video.uri, clip.path, error)


def _clip(video: VideoSegments, clip: ClipPlan, span: CutSpan) -> Clip:
    one = clip.interval
    begin = span.early_seconds + one.start_seconds - clip.start_seconds
    length = one.end_seconds - one.start_seconds
    if not length:  # an instant: its padded surroundings are what can be learned from
        begin, length = span.early_seconds, clip.end_seconds - clip.start_seconds
    return Clip(
        path=clip.path,
        label=one.label,
        start_seconds=round(begin, 6),
        end_seconds=round(min(begin + length, max(begin, span.length_seconds)), 6),
        score=one.score,
        video=video.uri,
        source_start_seconds=one.start_seconds,
        source_end_seconds=one.end_seconds,
        mode=cast(Literal["copy", "exact"], span.mode),
        early_seconds=round(span.early_seconds, 6),
        reason=span.reason,
    )

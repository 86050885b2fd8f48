"""Analyse several videos, one after the other, in this process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from vswin_cli.config import SamplingOptions, SegmentOptions
from vswin_cli.errors import SourceError, VswinError
from vswin_cli.inference.arguments import check_arguments
from vswin_cli.inference.pipeline import OnProgress, analyze_video
from vswin_cli.inference.scorer import Scorer
from vswin_cli.quantities import as_several
from vswin_cli.storage.files import as_path, writing
from vswin_cli.storage.sources import VideoSource, expand_sources
from vswin_cli.timeline.record import Timeline
from vswin_cli.video.decoder_pool import DecoderPool

__all__ = ["OnFailure", "analyze_videos"]

OnFailure = Callable[[VideoSource, VswinError], None]
"""Called with a video that could not be analysed, and why."""

Source: TypeAlias = "str | os.PathLike[str] | VideoSource"
Sources: TypeAlias = "Source | Iterable[Source]"


def analyze_videos(
    sources: Sources,
    engine: Scorer,
    sampling: SamplingOptions = SamplingOptions(),
    segments: SegmentOptions | None = None,
    *,
    save_scores: str | os.PathLike[str] | None = None,
    on_progress: OnProgress | None = None,
    on_failure: OnFailure | None = None,
) -> Iterator[Timeline]:
    """Tag several videos, and yield the timeline of each when it is done.

    For few videos: `tag_batch` resumes after an interruption, and writes tables.

    Args:
        sources: paths, folders, patterns (`day*/*.mp4`), addresses; one of them or several.
        engine: the model, ready to run.
        sampling: which clips to take.
        segments: how scores become segments; values that are not given are those recommended for
            the weights.
        save_scores: folder for a file of scores per video, `VIDEO-ID.npz`, with `VideoSource.id`.
        on_progress: called with the seconds of the current video that are done, and its length.
        on_failure: called with a video that cannot be analysed, so that the others go on; by
            default its error is raised.

    Raises:
        SourceError: nothing there, or a video cannot be analysed and `on_failure` is not given.
        OptionError: an argument is of the wrong type, or the options do not fit the weights.
        DeviceError: the device is out of memory.
        OutputError: the scores cannot be saved.
    """
    check_arguments(engine, sampling, segments)
    videos = _expanded(sources)
    folder = None if save_scores is None else as_path(save_scores, "save_scores")
    if folder is not None:
        with writing(str(folder)):
            folder.mkdir(exist_ok=True)
    return _analyse(videos, engine, sampling, segments, folder, on_progress, on_failure)


def _expanded(sources: Sources) -> list[VideoSource]:
    """Expand folders and patterns; sources that are ready stay as they are."""
    several = [sources] if isinstance(sources, (str, os.PathLike, VideoSource)) else sources
    found = []
    for one in as_several("sources", several):
        found += [one] if isinstance(one, VideoSource) else expand_sources(one)
    return list({source.place: source for source in found}.values())


def _analyse(
    videos: list[VideoSource],
    engine: Scorer,
    sampling: SamplingOptions,
    segments: SegmentOptions | None,
    scores: Path | None,
    on_progress: OnProgress | None,
    on_failure: OnFailure | None,
) -> Iterator[Timeline]:
    with DecoderPool() as pool:
        for source in videos:
            try:
                timeline = analyze_video(
                    source,
                    engine,
                    sampling,
                    segments,
                    save_scores=None if scores is None else scores / f"{source.id}.npz",
                    on_progress=on_progress,
                    decoder_pool=pool,
                )
            except SourceError as error:
                if on_failure is None:
                    raise
                on_failure(source, error)
            else:
                yield timeline

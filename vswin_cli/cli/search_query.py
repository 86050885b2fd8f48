"""Read the query of `vswin search`: a video, a segment of a timeline or a features file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from vswin_cli.cli import console
from vswin_cli.cli.model_choice import ModelChoice, make_engine
from vswin_cli.config import EngineOptions, SamplingOptions, Stride
from vswin_cli.errors import OptionError, SourceError, SourceNotFoundError
from vswin_cli.storage.files import is_file, is_zip
from vswin_cli.storage.humanize import counted

if TYPE_CHECKING:
    from vswin_cli.search.query import Query
    from vswin_cli.storage.sources import VideoSource
    from vswin_cli.timeline.feature_files import FeatureFile

__all__ = ["QueryPart", "find_query", "read_query"]

_TIMELINES = (".json", ".jsonl")


@dataclass(frozen=True, slots=True)
class QueryPart:
    """Where the features of a query come from."""

    path: Path | None
    """A features file; `None` for a video."""
    source: VideoSource | None
    """The video; `None` for a features file."""
    start_seconds: float | None
    end_seconds: float | None
    """Exclusive; `None` for the end of the video."""


def find_query(
    text: str, segment: int | None, start_seconds: float | None, end_seconds: float | None
) -> QueryPart:
    """Find out what the query is.

    Args:
        text: a video or its address, a features file, or `TIMELINE#NUMBER`.
        segment: number of a segment, if `text` is a timeline without one.
        start_seconds: start of the part.
        end_seconds: end of the part, exclusive.

    Raises:
        SourceError: it is not there, or cannot be read.
        OptionError: the options do not fit each other, or there is no such segment.
    """
    from vswin_cli.storage.remote import as_local_path
    from vswin_cli.storage.sources import expand_sources

    before, _, number = text.rpartition("#")
    if before and number.isdecimal() and not is_file(as_local_path(text)):
        if segment not in (None, int(number)):
            raise OptionError(
                f"{text} and --segment {segment} exclude each other", hint="leave one out"
            )
        text, segment = before, int(number)
    path = as_local_path(text)
    if path.suffix.lower() in _TIMELINES and is_file(path):
        if start_seconds is not None or end_seconds is not None:
            raise OptionError(
                "--start and --end belong to a video, and the query is a segment",
                hint="omit them, or name the video instead of the timeline",
            )
        return _segment_of(path, segment)
    if segment is not None:
        raise OptionError(
            f"--segment {segment} needs a timeline, and {text} is not one",
            hint="give a FILE.json that `vswin tag` wrote, or --start and --end",
        )
    if is_zip(path):
        return QueryPart(path, None, start_seconds, end_seconds)
    try:
        source = expand_sources([text], folders=False)[0]
    except SourceNotFoundError as problem:
        raise SourceNotFoundError(
            problem.message,
            hint="check the spelling; QUERY is a video, a segment of a timeline or a features "
            "file, and cannot be a description in words",
        ) from problem
    return QueryPart(None, source, start_seconds, end_seconds)


def _segment_of(path: Path, number: int | None) -> QueryPart:
    """Return the part of the video of a segment.

    Raises:
        SourceError: not a timeline, or its video is not found.
        OptionError: no number, or no such segment.
    """
    from vswin_cli.cli.find_video import find_video
    from vswin_cli.storage.remote import is_remote
    from vswin_cli.storage.sources import VideoSource
    from vswin_cli.timeline.files import read_timelines

    timelines = read_timelines(path)
    if len(timelines) != 1:
        raise OptionError(
            f"{path} holds {counted(len(timelines), 'timeline')}, and a query is of one",
            hint="give a file of one video, or the video with --start and --end",
        )
    (timeline,) = timelines
    count = len(timeline.segments)
    if number is None or number >= count:
        what = "no segment is chosen" if number is None else f"there is no segment {number}"
        known = f"segments are 0 to {count - 1}" if count else "the timeline has no segments"
        raise OptionError(f"{what} of {path}", hint=f"{known}; give {path}#0 or --segment 0")
    segment = timeline.segments[number]
    video = find_video(timeline, path)
    if video is None and not is_remote(timeline.video.uri):
        raise SourceError(
            f"the video of {path} is not at {timeline.video.uri}",
            hint="put it beside the timeline, or give it with --start and --end",
        )
    source = VideoSource.of(timeline.video.uri) if video is None else VideoSource(str(video), video)
    return QueryPart(None, source, segment.start_seconds, segment.end_seconds)


def read_query(
    part: QueryPart,
    index: Sequence[FeatureFile],
    choice: ModelChoice,
    options: EngineOptions,
    *,
    quiet: bool,
) -> Query:
    """Read or compute the features of the query, and check that they fit the index.

    Features of a video that is in the index are not computed again.

    Raises:
        OptionError: features of another model, or no clip lies in the part.
        SourceError: a file cannot be read.
        ModelError: the weights cannot be used.
    """
    from vswin_cli.search.index import check_same_model
    from vswin_cli.search.query import make_query
    from vswin_cli.timeline.feature_files import load_features

    part_of = {"start_seconds": part.start_seconds, "end_seconds": part.end_seconds}
    if part.source is None:
        assert part.path is not None
        file = load_features(part.path)
    else:
        known = _indexed(part.source, index)
        if known is None or choice.model is not None or choice.weights is not None:
            return _analyze(part, index, choice, options, quiet=quiet)
        file = known
    check_same_model(file.record.model.id, file.record.weights_identity, index[0])
    return make_query(file.features, file.start_seconds, file.end_seconds, file.record, **part_of)


def _indexed(source: VideoSource, index: Sequence[FeatureFile]) -> FeatureFile | None:
    """Find the features of an unchanged video, all of it, in the index."""
    from vswin_cli.export.naming import file_name

    for file in index:
        record = file.record
        is_whole = record.sampling.start_seconds is None and record.sampling.end_seconds is None
        is_same = source.identity is not None and source.identity == record.identity
        if is_whole and is_same and file_name(source.uri) == file_name(record.video.uri):
            return file
    return None


def _analyze(
    part: QueryPart,
    index: Sequence[FeatureFile],
    choice: ModelChoice,
    options: EngineOptions,
    *,
    quiet: bool,
) -> Query:
    """Compute the features of the query, sampled as the first video of the index."""
    from vswin_cli.inference.pipeline import analyze_features
    from vswin_cli.search.index import check_same_model
    from vswin_cli.search.query import make_query

    assert part.source is not None
    record = index[0].record
    sampling = _sampling(index[0], part)
    engine = make_engine(
        _model_of(choice, record.model.id), options, crops=sampling.crops or 1, quiet=quiet
    )
    check_same_model(engine.model.card.id, engine.model.features_sha256, index[0])
    with console.progress(part.source.uri, quiet=quiet) as on_progress:
        try:
            found = analyze_features(part.source, engine, sampling, on_progress=on_progress)
        except OptionError as problem:
            if part.start_seconds is None:
                raise
            uri, start = part.source.uri, part.start_seconds  # the clips begin earlier
            raise OptionError(
                f"the moment starts at {start:g} s, after the end of {uri}",
                hint=f"give an earlier --start; `vswin probe {uri}` shows the length",
            ) from problem
    with found as track:
        starts, ends = track.edges_seconds
        return make_query(
            track.features,
            starts,
            ends,
            track.record,
            start_seconds=part.start_seconds,
            end_seconds=part.end_seconds,
        )


def _sampling(file: FeatureFile, part: QueryPart) -> SamplingOptions:
    """Sample the part as the index was sampled, on the same grid of clips.

    Clips that reach into the part from outside count, too, as they do where all is analysed.
    """
    record = file.record.sampling
    clip, stride = record.clip_seconds or 0.0, record.stride_seconds or 0.0
    start, end = part.start_seconds, part.end_seconds
    if start is not None:
        first = max(0.0, start - clip)
        start = math.floor(first / stride) * stride if stride else first
    return SamplingOptions(
        frame_rate=record.frame_rate,
        frame_interval=record.frame_interval,
        stride=Stride(stride, "s") if stride else None,
        crops=cast("Literal[1, 3]", record.crops),
        start_seconds=start or None,
        end_seconds=None if end is None else end + clip,
    )


def _model_of(choice: ModelChoice, indexed: str) -> ModelChoice:
    """Choose the model of the index if none is given and it is on this machine."""
    from vswin_cli.models.weights.catalogue import installed_folder
    from vswin_cli.models.weights.registry import all_specs
    from vswin_cli.models.weights.store import EMBEDDED_MODEL

    if choice.model is not None or choice.weights is not None:
        return choice
    # Names alone: a path in a file of somebody else must not be opened.
    is_named = any(spec.name == indexed for spec in all_specs())
    is_here = indexed == EMBEDDED_MODEL or (is_named and installed_folder(indexed) is not None)
    return replace(choice, model=indexed) if is_here else choice

"""The data of a page about one video, for its script; JSON keys are field names."""

from __future__ import annotations

import os
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from vswin_cli.config import LabelDuration, LabelOnset, SegmentOptions
from vswin_cli.export.naming import escaped, one_line, spreadsheet_text, video_name
from vswin_cli.report.thumbnails import Thumbnail
from vswin_cli.report.tracks import PackedTrack
from vswin_cli.storage.json_records import JsonValue
from vswin_cli.timeline.record import GapRecord, Timeline
from vswin_cli.timeline.scores import ScoreTrack
from vswin_cli.timeline.segments import Segment
from vswin_cli.timeline.svg import whole_seconds

__all__ = [
    "ModelContent",
    "PageContent",
    "PageOptions",
    "ScoredModel",
    "page_content",
    "relative_url",
]

_BY_THRESHOLDS = ("segments", "summary", "windows")


@dataclass(frozen=True, slots=True)
class PageOptions:
    """The options of the run; the page can change most of them."""

    onset: float
    offset: float
    min_duration: float
    merge_gap: float
    smooth: float
    max_labels: int
    min_margin: float
    max_entropy: float
    alternatives: int
    instants: tuple[str, ...]
    """Labels of instants, which are neither smoothed nor merged nor limited."""
    onsets: tuple[LabelOnset, ...]
    """Labels with an onset of their own."""
    min_durations: tuple[LabelDuration, ...]
    """Labels with a minimum duration of their own."""

    @classmethod
    def of(cls, options: SegmentOptions) -> PageOptions:
        """Make page options from the options of a run."""
        return cls(
            onset=options.onset,
            offset=options.offset,
            min_duration=options.min_duration_seconds,
            merge_gap=options.merge_gap_seconds,
            smooth=options.smooth_seconds,
            max_labels=options.max_labels,
            min_margin=options.min_margin,
            max_entropy=options.max_entropy,
            alternatives=options.max_alternatives,
            instants=tuple(one_line(label) for label in options.instants),
            onsets=tuple(replace(own, label=one_line(own.label)) for own in options.onsets),
            min_durations=tuple(
                replace(own, label=one_line(own.label)) for own in options.min_durations
            ),
        )


@dataclass(frozen=True, slots=True)
class ModelContent:
    """What the page shows of a further model; the fields are as in `PageContent`."""

    options: PageOptions
    segments: tuple[Segment, ...]
    unseen: tuple[tuple[float, float], ...]
    record: dict[str, JsonValue]
    label_names: tuple[str, ...]
    track: PackedTrack | None


@dataclass(frozen=True, slots=True)
class ScoredModel:
    """The result of one model with its scores, if there are any."""

    timeline: Timeline
    """Without tracks."""
    track: ScoreTrack | None = None
    packed: PackedTrack | None = None
    """The same scores as they are embedded in the page."""


@dataclass(frozen=True, slots=True)
class PageContent:
    """All data that the page's script works with."""

    name: str
    """File name of the video, without folders."""
    video_url: str | None
    """URL of the video, relative to the page."""
    duration_seconds: float
    """Length of the time axis."""
    lead_seconds: float
    """Time before the first frame in which a player only plays audio; not part of the axis."""
    options: PageOptions
    segments: tuple[Segment, ...]
    gaps: tuple[GapRecord, ...]
    unseen: tuple[tuple[float, float], ...]
    """Parts outside the gaps that no clip covers; empty without scores."""
    record: dict[str, JsonValue]
    """The timeline without what depends on thresholds, for downloads."""
    table_name: str
    """The video as tables name it."""
    label_names: tuple[str, ...] = ()
    """Labels of the model by class; empty without scores."""
    track: PackedTrack | None = None
    thumbnails: tuple[Thumbnail, ...] = ()
    models: tuple[ModelContent, ...] = ()
    """Further models; the other fields are about the first one."""

    def __repr__(self) -> str:
        return (
            f"PageContent({reprlib.repr(self.name)}, {self.duration_seconds:.3f} s, "
            f"{len(self.segments)} segments, {self.track}, {len(self.thumbnails)} thumbnails)"
        )


def page_content(models: Sequence[ScoredModel], url: str | None) -> PageContent:
    """Make the content of a page, still without thumbnails.

    Args:
        models: the results of the video to show, at least one.
        url: of the video, relative to the page.
    """
    first, *further = map(_model_content, models)
    timeline = models[0].timeline
    return PageContent(
        name=video_name(timeline),
        video_url=url,
        duration_seconds=max(map(_axis_seconds, models)),
        lead_seconds=timeline.video.lead_seconds,
        options=first.options,
        segments=first.segments,
        gaps=timeline.coverage.gaps,
        unseen=first.unseen,
        record=first.record,
        table_name=spreadsheet_text(escaped(timeline.video.uri)),
        label_names=first.label_names,
        track=first.track,
        models=tuple(further),
    )


def _model_content(one: ScoredModel) -> ModelContent:
    timeline, track, packed = one.timeline, one.track, one.packed
    segments = tuple(
        replace(segment, label=one_line(segment.label)) for segment in timeline.segments
    )
    if packed is not None:
        packed = replace(
            packed,
            labels=tuple(one_line(label) for label in packed.labels),
            boundaries=tuple(
                replace(boundary, label=one_line(boundary.label)) for boundary in packed.boundaries
            ),
        )
    return ModelContent(
        options=PageOptions.of(timeline.postprocess.options()),
        segments=segments,
        unseen=_unseen(track) if track is not None else (),
        record=_record(timeline),
        label_names=tuple(map(one_line, track.labels)) if track is not None else (),
        track=packed,
    )


def _record(timeline: Timeline) -> dict[str, JsonValue]:
    whole = replace(timeline, segments=(), windows=None, tracks=()).to_dict()
    return {key: value for key, value in whole.items() if key not in _BY_THRESHOLDS}


def relative_url(target: Path, folder: Path) -> str:
    """Return the URL of a file relative to a page in `folder`; its name may hold any characters."""
    try:
        relative = os.path.relpath(target.absolute(), folder.absolute())
    except ValueError:  # another drive
        return target.absolute().as_uri()
    # `./` keeps a colon in the first name from being read as a scheme
    return "./" + quote(os.fsencode(Path(relative).as_posix()))


def _axis_seconds(one: ScoredModel) -> float:
    """Return the length of the time axis that a model needs; never 0, as the page divides by it."""
    seconds = whole_seconds(one.timeline)
    return seconds if one.track is None else max(seconds, one.track.end_seconds)


def _unseen(track: ScoreTrack) -> tuple[tuple[float, float], ...]:
    """List the parts between clips and gaps that are longer than a cell."""
    parts = []
    at = track.start_seconds
    gaps = [(gap.start_seconds, gap.end_seconds) for gap in track.gaps]
    for start, end in sorted([*track.spans, *gaps, (track.end_seconds, track.end_seconds)]):
        if start - at > track.step_seconds:
            parts.append((round(at, 3), round(start, 3)))
        at = max(at, end)
    return tuple(parts)

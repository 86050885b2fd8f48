"""The result for one video: the records of the published schema `vswin.timeline/1`.

The JSON Schema in `vswin_cli/data` describes the same format for other programs.
Seconds are on the presentation timeline with the stream's start removed, ends are exclusive,
scores are in 0..1. Unknown keys are ignored when reading, so additions keep the version.
With several models, the first one's result is where that of a single one is; `tracks` has the rest.
"""

from __future__ import annotations

import json
import reprlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Literal, get_args

from vswin_cli.config import SegmentOptions
from vswin_cli.errors import OptionError, SourceError
from vswin_cli.storage import json_records
from vswin_cli.storage.humanize import counted
from vswin_cli.storage.json_records import JsonValue
from vswin_cli.timeline.findings import (
    Coverage,
    GapRecord,
    LabelSummary,
    ModelTrack,
    Notice,
    WindowRecord,
    WindowScore,
    findings_json,
    summarise,
)
from vswin_cli.timeline.kept_evidence import with_kept_evidence
from vswin_cli.timeline.near_miss import describe_near_miss
from vswin_cli.timeline.provenance import (
    GroupRecord,
    ModelRecord,
    PostprocessRecord,
    SamplingRecord,
    ToolRecord,
    VideoRecord,
)
from vswin_cli.timeline.scores import ScoreTrack
from vswin_cli.timeline.segments import Segment, number_frames, segment_track

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

__all__ = [
    "SCHEMA",
    "Coverage",
    "GapRecord",
    "GroupRecord",
    "LabelSummary",
    "ModelRecord",
    "ModelTrack",
    "Notice",
    "PostprocessRecord",
    "SamplingRecord",
    "Status",
    "Timeline",
    "ToolRecord",
    "VideoRecord",
    "WindowRecord",
    "WindowScore",
    "clip_windows",
    "summarise",
    "with_segments",
]

SCHEMA = "vswin.timeline/1"
Status = Literal["ok", "partial", "failed"]
_STATUSES = get_args(Status)  # the worst one last


@dataclass(frozen=True, slots=True)
class Timeline:
    """All results of one video; a video in which nothing was found has no segments."""

    video: VideoRecord
    """The file: `uri`, `duration_seconds`, `width`, `height`, `average_frame_rate`, ..."""
    model: ModelRecord
    """The weights: `id`, `architecture`, `num_classes`, ..."""
    sampling: SamplingRecord
    """Which clips were taken, as used: frames, rate, stride, crops."""
    postprocess: PostprocessRecord
    """How scores became segments, as used: thresholds, lengths in seconds."""
    coverage: Coverage
    """How much was decoded: `fraction` in 0..1, `gaps` with their reasons."""
    segments: tuple[Segment, ...] = ()
    """Sorted by start, then label."""
    warnings: tuple[Notice, ...] = ()
    """What a reader should know, each with a stable `code` and a `message`."""
    status: Status = "ok"
    """`partial`: something could not be decoded; `failed`: nothing could."""
    tool: ToolRecord = field(default_factory=ToolRecord)
    """Name and version of the program."""
    created: str = field(default_factory=lambda: _now())
    """Date and time in UTC, the only field that differs between two runs on the same file."""
    windows: tuple[WindowRecord, ...] | None = None
    """The best classes per clip, if requested."""
    tracks: tuple[ModelTrack, ...] = ()
    """Results of further models, in the order in which they were named; empty with one model. All
    other fields are about the first model; `each_model` gives a timeline for each."""

    def __repr__(self) -> str:
        labels = [reprlib.repr(row.label) for row in self.summary]
        shown = ", ".join(labels[:3]) + (", ..." if len(labels) > 3 else "")
        more = f", {counted(len(self.tracks), 'further model')}" if self.tracks else ""
        return (
            f"Timeline({reprlib.repr(self.video.uri)}, {self.video.duration_seconds:.3f} s, "
            f"model={reprlib.repr(self.model.id)}, status={self.status!r}, "
            f"{counted(len(self.segments), 'segment')}{f' of {shown}' if shown else ''}{more})"
        )

    @property
    def summary(self) -> tuple[LabelSummary, ...]:
        """Totals per label, longest first."""
        return summarise(self.segments)

    def each_model(self) -> tuple[Timeline, ...]:
        """Return a timeline for each model, the first one's first, as if it had been alone.

        They have the same `video`, `status`, `tool` and `created`, and no `tracks`.
        """
        if not self.tracks:
            return (self,)
        further = (replace(self, tracks=(), **_found_by_model(one)) for one in self.tracks)
        return (replace(self, tracks=()), *further)

    def of_model(self, name: str) -> Timeline:
        """Return the timeline of one model, without `tracks`.

        Args:
            name: `model.id` of the model; the first one where several have it.

        Raises:
            OptionError: it is none of the models.
        """
        found = next((one for one in self.each_model() if one.model.id == name), None)
        if found is None:
            names = ", ".join(one.model.id for one in self.each_model())
            raise OptionError(
                f"{self.video.uri} has no result of the model {name}",
                hint=f"there is one of {names}",
            )
        return found

    def warning_messages(self) -> tuple[str, ...]:
        """Return the messages of the warnings, each once; one of some models names its model."""
        models = self.each_model()
        shared = set.intersection(*(set(one.warnings) for one in models))
        messages = (
            notice.message if notice in shared else f"{one.model.id}: {notice.message}"
            for one in models
            for notice in one.warnings
        )
        return tuple(dict.fromkeys(messages))

    def with_tracks(self, others: Sequence[Timeline]) -> Timeline:
        """Return this timeline with those of further models of the same video as its `tracks`.

        The worst `status` counts for all.

        Args:
            others: their own `tracks` come after each.
        """
        models = [model for one in others for model in one.each_model()]
        tracks = (ModelTrack(**_found_by_model(one)) for one in models)
        status = max((self.status, *(one.status for one in models)), key=_STATUSES.index)
        return replace(self, tracks=(*self.tracks, *tracks), status=status)

    def to_dict(self) -> dict[str, JsonValue]:
        """Convert to the content of `vswin.timeline/1`, as `json.loads` would return it.

        Keys are in the published order; seconds have 6 decimals, scores 4.
        """
        body = findings_json(self)
        found = {"schema": SCHEMA} | {key: body[key] for key in _KEY_ORDER}
        if self.tracks:  # else as in earlier versions
            rows = map(findings_json, self.tracks)
            found["tracks"] = [{key: row[key] for key in _KEY_ORDER if key in row} for row in rows]
        return found

    def to_json(self) -> dict[str, JsonValue]:
        """Same as `to_dict`, for callers of earlier versions; `to_json_text` gives text."""
        return self.to_dict()

    def to_json_text(self, *, indent: int | None = None) -> str:
        """Convert to JSON text of schema `vswin.timeline/1`, on one line unless indented."""
        return json_records.clean_json(self.to_dict(), indent=indent)

    def to_pandas(self) -> DataFrame:
        """Make a pandas DataFrame with a row per segment and the columns of our CSV.

        These are `video`, `start`, `end`, `duration` and `peak` (seconds), `label`, `class_id`
        (missing for a group), `score` and `score_max` (0 to 1), `windows` (clips that overlap it)
        and `model`; of several models, the rows of the first come first. `pandas.concat` joins the
        frames of several timelines.

        Raises:
            OptionError: pandas is not installed.
        """
        from vswin_cli.timeline.data_frames import segment_frame

        return segment_frame(self)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the segments with matplotlib: a row per label, the longest in all first.

        Of several models, those of the first come first, and rows are named `MODEL: LABEL`.

        Args:
            ax: axes to draw into; by default those of a new figure of pyplot.

        Returns:
            The axes, x in seconds: `timeline.plot().figure.savefig("timeline.pdf")`.

        Raises:
            OptionError: matplotlib is not installed (extra `plots`), or `ax` is something else.
        """
        from vswin_cli.timeline.plotting import plot_timeline

        return plot_timeline(self, ax)

    def _repr_html_(self) -> str:
        """Draw the timeline in a notebook, at most 12 labels per model."""
        from vswin_cli.timeline.svg import timeline_svg

        return timeline_svg(self.each_model(), max_lanes=12)

    @classmethod
    def from_json(cls, data: JsonValue) -> Timeline:
        """Make a timeline from JSON of this or another version of the schema.

        Args:
            data: from `to_dict` or `json.loads`, or the text.

        Raises:
            SourceError: another schema, a missing field or a wrong type; it is named.
        """
        if isinstance(data, str):
            with suppress(ValueError, RecursionError):  # what follows names what is wrong
                data = json.loads(data)
        found = data.get("schema") if isinstance(data, dict) else None
        if found != SCHEMA:
            got = f"`{found}`" if isinstance(found, str) else "something else"
            raise SourceError(
                f"expected a timeline of schema `{SCHEMA}`, got {got}",
                hint="timelines are written by `vswin tag VIDEO -f json -o FILE`, and read from "
                "files by `load_timelines` in Python",
            )
        timeline = json_records.from_json(cls, data)
        timeline._check_times()
        return timeline

    def _check_times(self) -> None:
        """Reject impossible times, with which formats and pages would compute."""
        _check_times_of("", self.segments, self.coverage)
        for i, track in enumerate(self.tracks):
            _check_times_of(f"tracks[{i}].", track.segments, track.coverage)
        for name in ("duration_seconds", "lead_seconds"):
            if not 0 <= getattr(self.video, name) <= _LONGEST_SECONDS:
                raise SourceError(
                    f"`video.{name.removesuffix('_seconds')}` is no length of a video"
                )


def _check_times_of(place: str, segments: Sequence[Segment], coverage: Coverage) -> None:
    for i, segment in enumerate(segments):
        if not 0 <= segment.start_seconds <= segment.end_seconds <= _LONGEST_SECONDS:
            raise SourceError(f"`{place}segments[{i}]` ends before it starts, or starts before 0")
        if not 0 <= segment.peak_seconds <= _LONGEST_SECONDS:
            raise SourceError(f"`{place}segments[{i}].peak` is no time in a video")
    for i, gap in enumerate(coverage.gaps):
        if not 0 <= gap.start_seconds <= gap.end_seconds <= _LONGEST_SECONDS:
            raise SourceError(
                f"`{place}coverage.gaps[{i}]` ends before it starts, or starts before 0"
            )


_LONGEST_SECONDS = 1e10  # 300 years; more is damage, and too large for some arithmetic
_KEY_ORDER = (
    "tool", "created", "status", "video", "model", "sampling", "postprocess", "coverage",
    "warnings", "summary", "segments", "windows",
)  # fmt: skip


def _found_by_model(result: Timeline | ModelTrack) -> dict[str, Any]:
    """Return the fields of a result that belong to its model and not to the video."""
    return {one.name: getattr(result, one.name) for one in fields(ModelTrack)}


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def with_segments(
    timeline: Timeline, track: ScoreTrack, options: SegmentOptions, *, top_classes: int = 0
) -> Timeline:
    """Replace a timeline's segments, and what follows from them, by those found in a track.

    Args:
        timeline: with video, model and sampling.
        track: the scores.
        options: how scores become segments.
        top_classes: if not 0, replace `windows` by this many classes per clip.

    Raises:
        OptionError: see `segment_track`.
    """
    found = segment_track(track, options)
    numbered = number_frames(found.segments, timeline.video.constant_frame_rate)
    groups = {*timeline.postprocess.options().groups} & {*options.groups}
    segments = with_kept_evidence(numbered, timeline.segments, groups)
    others = [notice for notice in timeline.warnings if notice.code not in _OF_SEGMENTS]
    if found.gated_seconds:
        others.append(_gated_notice(found.gated_seconds, track.analysed_seconds))
    if not segments:
        others.append(Notice(_EMPTY, describe_near_miss(track, options)))
    bare = sum(one.evidence is None for one in segments)
    if bare and any(one.evidence is not None for one in timeline.segments):
        others.append(_no_evidence_notice(bare, len(segments)))
    return replace(
        timeline,
        segments=segments,
        warnings=tuple(others),
        windows=clip_windows(track, top_classes) if top_classes else timeline.windows,
        postprocess=replace(
            PostprocessRecord.of(track.activation, options, found.gated_seconds),
            weighting=timeline.postprocess.weighting,
        ),
    )


def clip_windows(track: ScoreTrack, count: int) -> tuple[WindowRecord, ...]:
    """List the best classes of each clip, by the mean of the track's scores over its time."""
    windows = []
    for start, end in zip(track.clip_starts_seconds, track.clip_ends_seconds, strict=True):
        first, stop = track.cells_of(float(start), float(end))
        means = track.read(first, stop)[track.valid[first:stop]].mean(axis=0)
        best = (-means).argsort(kind="stable")[:count]
        top = tuple(WindowScore(int(i), float(means[i]), track.labels[i]) for i in best)
        windows.append(WindowRecord(round(float(start), 6), round(float(end), 6), top))
    return tuple(windows)


_GATED = "NOTHING_DECIDED"
_EMPTY = "NO_SEGMENTS"
_NO_EVIDENCE = "NO_EVIDENCE"
_OF_SEGMENTS = (_GATED, _EMPTY, _NO_EVIDENCE)  # made again with the segments


def _gated_notice(gated_seconds: float, analysed_seconds: float) -> Notice:
    part = min(1.0, gated_seconds / analysed_seconds)
    return Notice(
        _GATED,
        f"in {gated_seconds:.1f} s ({part:.0%} of what was analysed) no label stood out "
        "by the margin or entropy asked for; nothing is reported there",
    )


def _no_evidence_notice(number: int, total: int) -> Notice:
    return Notice(
        _NO_EVIDENCE,
        f"{number:,} of {counted(total, 'segment')} cannot keep evidence, as the saved result has "
        "no segment of the label with the same peak; `vswin tag --evidence` finds it for these "
        "options",
    )

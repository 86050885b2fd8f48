"""Records of what a model found in a video: coverage, warnings, totals, clips.

Parts of the schema `vswin.timeline/1`; the record of the whole is in `vswin_cli.timeline.record`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from vswin_cli.storage import json_records
from vswin_cli.storage.humanize import counted
from vswin_cli.storage.json_records import JsonValue, named
from vswin_cli.timeline.provenance import ModelRecord, PostprocessRecord, SamplingRecord
from vswin_cli.timeline.scores import Gap
from vswin_cli.timeline.segments import Segment

__all__ = [
    "Coverage",
    "GapRecord",
    "LabelSummary",
    "ModelTrack",
    "Notice",
    "WindowRecord",
    "WindowScore",
    "findings_json",
    "summarise",
]


@dataclass(frozen=True, slots=True)
class GapRecord:
    """A part `[start_seconds, end_seconds)` that could not be decoded."""

    start_seconds: float = field(metadata=named("start", digits=6))
    end_seconds: float = field(metadata=named("end", digits=6))
    reason: str = "decode_error"

    @classmethod
    def of(cls, gap: Gap) -> GapRecord:
        """Make the record of a gap."""
        return cls(round(gap.start_seconds, 6), round(gap.end_seconds, 6), gap.reason)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of the video was decoded and analysed."""

    fraction: float = field(metadata=named(digits=6))
    """Decoded time over the duration, in [0, 1]."""
    analysed_seconds: float = field(metadata=named("analysed", digits=6))
    """Seen by at least one clip."""
    num_clips: int = field(default=0, metadata=named("windows"))
    bad_packets: int = 0
    gaps: tuple[GapRecord, ...] = ()

    def __repr__(self) -> str:
        return (
            f"Coverage(fraction={self.fraction:.4f}, analysed_seconds={self.analysed_seconds:.3f}, "
            f"num_clips={self.num_clips}, bad_packets={self.bad_packets}, "
            f"{counted(len(self.gaps), 'gap')})"
        )


@dataclass(frozen=True, slots=True)
class Notice:
    """A warning about the result."""

    code: str
    """`VFR`, `GAPS`, ...: stable, for programs."""
    message: str


@dataclass(frozen=True, slots=True)
class LabelSummary:
    """Totals over all segments of one label."""

    label: str
    class_id: int | None
    seconds: float = field(metadata=named(digits=6))
    num_segments: int = field(metadata=named("segments"))
    max_score: float = field(metadata=named(digits=4))


@dataclass(frozen=True, slots=True)
class WindowScore:
    """A class and its mean score over a clip."""

    class_id: int
    score: float = field(metadata=named(digits=4))
    label: str | None = None
    """Name of the class; `None` in files of version 0.1."""


@dataclass(frozen=True, slots=True)
class WindowRecord:
    """The best classes of one clip."""

    start_seconds: float = field(metadata=named("start", digits=6))
    end_seconds: float = field(metadata=named("end", digits=6))
    top: tuple[WindowScore, ...]


@dataclass(frozen=True, slots=True)
class ModelTrack:
    """What a further model found in the same video, as if it had been the only one."""

    model: ModelRecord
    """The weights."""
    sampling: SamplingRecord
    """Which clips were taken."""
    postprocess: PostprocessRecord
    """How scores became segments."""
    coverage: Coverage
    """As of the timeline; `analysed_seconds` and `num_clips` are those of the model's clips."""
    segments: tuple[Segment, ...] = ()
    """Sorted by start, then label."""
    warnings: tuple[Notice, ...] = ()
    """Those of the video, and those of this model."""
    windows: tuple[WindowRecord, ...] | None = None
    """The best classes per clip, if requested."""

    @property
    def summary(self) -> tuple[LabelSummary, ...]:
        """Totals per label, longest first."""
        return summarise(self.segments)


def summarise(segments: Iterable[Segment]) -> tuple[LabelSummary, ...]:
    """Add up seconds, count and best score per label; longest first, then by name."""
    by_label: dict[tuple[str, int | None], list[Segment]] = {}
    for segment in segments:
        by_label.setdefault((segment.label, segment.class_id), []).append(segment)
    rows = [
        LabelSummary(
            label=label,
            class_id=class_id,
            seconds=sum(segment.duration_seconds for segment in group),
            num_segments=len(group),
            max_score=max(segment.score_max for segment in group),
        )
        for (label, class_id), group in by_label.items()
    ]
    # rounded, so that equal sums of floats in another order do not swap two labels
    return tuple(sorted(rows, key=lambda row: (-round(row.seconds, 6), row.label)))


class _Findings(Protocol):
    """A record with the segments of a model."""

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Sorted by start, then label."""


def findings_json(record: _Findings) -> dict[str, JsonValue]:
    """Convert a record to JSON values, with numbers of its segments and the totals per label."""
    body = json_records.to_json(record)
    body["segments"] = [{"id": i, **segment} for i, segment in enumerate(body["segments"])]
    body["summary"] = [json_records.to_json(row) for row in summarise(record.segments)]
    return body

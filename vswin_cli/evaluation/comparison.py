"""Compare two results for the same videos: where they agree, where they differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from vswin_cli.errors import SourceError
from vswin_cli.evaluation.alignment import AlignedSpan, align, common_end, merge_touching
from vswin_cli.evaluation.intervals import AnnotatedVideo, Annotations
from vswin_cli.storage.json_records import named

__all__ = [
    "ComparisonReport",
    "Difference",
    "LabelAgreement",
    "VideoComparison",
    "compare_annotations",
    "compare_videos",
]

_FUZZ = 1e-6  # seconds
_ROUNDING_SECONDS = 0.001  # formats round times to milliseconds, both ends of a span
_SAME_SECONDS = 1.0  # by which the stated lengths of one video may differ


@dataclass(frozen=True, slots=True)
class LabelAgreement:
    """Time of one label in each result and in both."""

    label: str
    seconds_a: float = field(metadata=named(digits=3))
    seconds_b: float = field(metadata=named(digits=3))
    seconds_both: float = field(metadata=named(digits=3))
    agreement: float = field(metadata=named(digits=6))
    """Time in both over time in either."""


@dataclass(frozen=True, slots=True)
class Difference:
    """An interval `[start_seconds, end_seconds)` on which the labels differ."""

    start_seconds: float = field(metadata=named("start", digits=6))
    end_seconds: float = field(metadata=named("end", digits=6))
    only_a: tuple[str, ...]
    """Labels that only the first has here."""
    only_b: tuple[str, ...]
    both: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VideoComparison:
    """One video."""

    video: str
    seconds: float = field(metadata=named(digits=3))
    """Time compared: that of the video without what either could not decode."""
    agreement: float = field(metadata=named(digits=6))
    """Share of that time on which both have the same labels; 1 for an empty video."""
    over_time: tuple[float | None, ...] = field(metadata=named(digits=4))
    """The same in equal parts of the video; `None` where neither was analysed."""
    part_seconds: float = field(metadata=named(digits=6))
    """Length of such a part."""
    labels: tuple[LabelAgreement, ...]
    """Those that disagree for the longest time first."""
    differences: tuple[Difference, ...]
    """In the order of time."""
    warnings: tuple[str, ...] = ()
    """Why the two may be results for different videos."""


@dataclass(frozen=True, slots=True)
class ComparisonReport:
    """All videos that both files have."""

    a: str
    b: str
    agreement: float = field(metadata=named(digits=6))
    """Over the time of all videos."""
    seconds: float = field(metadata=named(digits=3))
    videos: tuple[VideoComparison, ...]
    only_in_a: tuple[str, ...]
    """Videos that the other file lacks."""
    only_in_b: tuple[str, ...]


def compare_annotations(a: Annotations, b: Annotations, *, parts: int = 40) -> ComparisonReport:
    """Compare the videos that both files have.

    If each file has one video, they are compared whatever their names.

    Args:
        a: one result.
        b: the other.
        parts: into how many equal parts to cut each video for agreement over time.

    Raises:
        SourceError: the files have no video in common.
    """
    common = [name for name in a.videos if name in b.videos]
    pairs = [(a.videos[name], b.videos[name]) for name in common]
    if not pairs and len(a.videos) == len(b.videos) == 1:
        pairs = list(zip(a.videos.values(), b.videos.values(), strict=True))
    if not pairs:
        raise SourceError(
            f"{a.source} and {b.source} have no video in common",
            hint="videos are matched by file name",
        )
    compared = tuple(compare_videos(first, second, parts=parts) for first, second in pairs)
    seconds = sum(video.seconds for video in compared)
    agreed = sum(video.seconds * video.agreement for video in compared)
    matched = {video.id for pair in pairs for video in pair}
    return ComparisonReport(
        a=a.source,
        b=b.source,
        agreement=agreed / seconds if seconds else 1.0,
        seconds=seconds,
        videos=compared,
        only_in_a=tuple(name for name in a.videos if name not in matched),
        only_in_b=tuple(name for name in b.videos if name not in matched),
    )


def compare_videos(a: AnnotatedVideo, b: AnnotatedVideo, *, parts: int = 40) -> VideoComparison:
    """Compare two results for one video."""
    end = common_end(a, b)
    spans = list(
        align(
            merge_touching(a.intervals),
            merge_touching(b.intervals),
            end,
            excluded=[*a.gaps, *b.gaps],
        )
    )
    seconds = sum(span.seconds for span in spans)
    agreed = sum(span.seconds for span in spans if span.agrees)
    return VideoComparison(
        video=a.id,
        seconds=seconds,
        agreement=agreed / seconds if seconds else 1.0,
        over_time=_over_time(spans, end, parts),
        part_seconds=end / parts,
        labels=_by_label(spans),
        differences=tuple(
            difference for difference in _differences(spans) if not _is_rounding(difference)
        ),
        warnings=tuple(_mismatches(a, b)),
    )


def _mismatches(a: AnnotatedVideo, b: AnnotatedVideo) -> Iterator[str]:
    """Yield signs that two results are for different videos."""
    if a.id != b.id:
        yield f"the names differ, {a.id} and {b.id}"
    lengths = a.duration_seconds, b.duration_seconds
    if lengths[0] and lengths[1] and abs(lengths[0] - lengths[1]) > _SAME_SECONDS:
        yield f"the lengths differ, {lengths[0]:.1f} and {lengths[1]:.1f} s"
    sizes = a.size_bytes, b.size_bytes
    if sizes[0] and sizes[1] and sizes[0] != sizes[1]:
        yield f"the files' sizes differ, {sizes[0]:,} and {sizes[1]:,} bytes"


def _over_time(spans: Sequence[AlignedSpan], end: float, parts: int) -> tuple[float | None, ...]:
    """Compute agreement in each of `parts` equal parts of `[0, end)`."""
    edges = np.linspace(0.0, end, parts + 1)
    agreed, total = np.zeros(parts), np.zeros(parts)
    for span in spans:
        left = np.maximum(edges[:-1], span.start_seconds)
        shared = np.clip(np.minimum(edges[1:], span.end_seconds) - left, 0.0, None)
        total += shared
        agreed += shared * span.agrees
    return tuple(
        float(min(1.0, right / all_)) if all_ > _FUZZ else None
        for right, all_ in zip(agreed, total, strict=True)
    )


def _by_label(spans: Iterable[AlignedSpan]) -> tuple[LabelAgreement, ...]:
    sums: dict[str, list[float]] = {}
    for span in spans:
        for label in span.first | span.second:
            times = sums.setdefault(label, [0.0, 0.0, 0.0])
            times[0] += span.seconds * (label in span.first)
            times[1] += span.seconds * (label in span.second)
            times[2] += span.seconds * (label in span.first and label in span.second)
    rows = [
        LabelAgreement(label, in_a, in_b, both, both / (in_a + in_b - both))
        for label, (in_a, in_b, both) in sums.items()
    ]
    # By the time in exactly one of the two, which is a + b - 2 * both, falling.
    return tuple(
        sorted(rows, key=lambda r: (2 * r.seconds_both - r.seconds_a - r.seconds_b, r.label))
    )


def _differences(spans: Iterable[AlignedSpan]) -> Iterable[Difference]:
    """Yield spans that disagree; neighbours that disagree in the same way are merged."""
    held: Difference | None = None
    for span in spans:
        if span.agrees:
            continue
        found = Difference(
            span.start_seconds,
            span.end_seconds,
            tuple(sorted(span.first - span.second)),
            tuple(sorted(span.second - span.first)),
            tuple(sorted(span.first & span.second)),
        )
        if held is not None and _continues(held, found):
            held = Difference(
                held.start_seconds, found.end_seconds, held.only_a, held.only_b, held.both
            )
            continue
        if held is not None:
            yield held
        held = found
    if held is not None:
        yield held


def _is_rounding(difference: Difference) -> bool:
    return difference.end_seconds - difference.start_seconds <= _ROUNDING_SECONDS + _FUZZ


def _continues(held: Difference, found: Difference) -> bool:
    same = (held.only_a, held.only_b, held.both) == (found.only_a, found.only_b, found.both)
    return same and found.start_seconds - held.end_seconds < _FUZZ

"""Turn a score track into labelled segments by small pure steps on cells of the time axis.

Order: labels are selected and grouped, scores are smoothed, cells where no label stands out are
excluded (gating), then per label hysteresis, division at boundaries, merging and a minimum length
(or, for instants, the peaks alone), then at most `max_labels` at a time, then times and
statistics. Every step works inside one section of the video, so nothing is joined across a decode
gap. Independent of files, frames and models.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vswin_cli.config import SegmentOptions
from vswin_cli.storage.humanize import counted
from vswin_cli.storage.json_records import named
from vswin_cli.timeline.boundaries import boundary_cells
from vswin_cli.timeline.evidence import Evidence
from vswin_cli.timeline.runs import (
    Run,
    drop_short,
    hysteresis,
    limit_labels,
    merge_runs,
    peaks_of,
    runs_of,
    smooth,
    split_runs,
)
from vswin_cli.timeline.scores import ScoreTrack, Section
from vswin_cli.timeline.selection import LabelView, undecided

__all__ = [
    "Alternative",
    "Segment",
    "Segmentation",
    "find_segments",
    "number_frames",
    "segment_track",
]

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

_EPSILON = 1e-6  # of a cell: absorbs rounding when seconds become cells
_LABEL_BATCH = 8  # columns in memory at once
_MIN_ALTERNATIVE = 0.005  # alternatives below this score are noise


Review = Literal["right", "corrected", "added"]


@dataclass(frozen=True, slots=True)
class Alternative:
    """A label with a high score that was not chosen."""

    label: str
    class_id: int | None
    """Row of the head; `None` for a group."""
    score: float = field(metadata=named(digits=4))
    """Mean over the segment."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A label that holds over `[start_seconds, end_seconds)` of the presentation timeline."""

    start_seconds: float = field(metadata=named("start", digits=6))
    """In seconds from the first frame of the video."""
    end_seconds: float = field(metadata=named("end", digits=6))
    """Likewise, exclusive."""
    label: str
    """Name of the class, or of the group."""
    class_id: int | None
    """Row of the head; `None` for a group of labels."""
    score: float = field(metadata=named(digits=4))
    """Mean score inside."""
    score_max: float = field(metadata=named(digits=4))
    """Largest score inside."""
    peak_seconds: float = field(metadata=named("peak", digits=6))
    """Middle of the cell with the largest score."""
    num_clips: int = field(default=0, metadata=named("windows"))
    """Number of clips that overlap it."""
    start_frame: int | None = None
    """First frame inside, if the video's frames can be numbered by time."""
    end_frame: int | None = None
    """One past the last."""
    alternatives: tuple[Alternative, ...] = ()
    """Other labels by mean score, best first."""
    evidence: Evidence | None = field(default=None, metadata=named(is_optional=True))
    """Where in the frame the label's logit comes from at the peak, if that was asked for."""
    review: Review | None = field(default=None, metadata=named(is_optional=True))
    """What was done to it on a report page by somebody who checked it."""

    def __repr__(self) -> str:
        span = f"[{self.start_seconds:.3f}, {self.end_seconds:.3f}) s"
        return f"Segment({reprlib.repr(self.label)}, {span}, score={self.score:.2f})"

    @property
    def duration_seconds(self) -> float:
        """Length of the segment."""
        return self.end_seconds - self.start_seconds


@dataclass(frozen=True, slots=True)
class Segmentation:
    """The segments of a track, and how much of it gating excluded."""

    segments: tuple[Segment, ...]
    """Sorted by start, then label; disjoint per label."""
    gated_seconds: float
    """Analysed time excluded because margin or entropy showed no clear label."""

    def __repr__(self) -> str:
        found = counted(len(self.segments), "segment")
        return f"Segmentation({found}, gated_seconds={self.gated_seconds:.3f})"


def find_segments(track: ScoreTrack, options: SegmentOptions) -> list[Segment]:
    """Find the segments of a track, sorted by start, then label.

    Raises:
        OptionError: an option names a label that the track does not have.
    """
    return list(segment_track(track, options).segments)


def segment_track(track: ScoreTrack, options: SegmentOptions) -> Segmentation:
    """Find the segments of a track and the time that gating excluded.

    Raises:
        OptionError: an option names a label that the track does not have, or gates by margin or
            entropy where scores do not compete (sigmoid).
    """
    view = LabelView.of(track.labels, track.activation, options)
    gated = undecided(track, view, options)
    candidates = _candidates(track, view, gated, options)
    boundaries = boundary_cells(track, options)
    segments: list[Segment] = []
    for section in track.sections():
        cells = np.arange(section.first_cell, section.stop_cell)
        cells = cells[track.valid[section.first_cell : section.stop_cell]]
        breaks = np.searchsorted(cells, boundaries[np.isin(boundaries, cells)]).tolist()
        for column, run in _find_runs(track, view, gated, cells, candidates, breaks, options):
            segments.append(_describe(track, view, section, cells, column, run, options))
    segments.sort(key=lambda segment: (segment.start_seconds, segment.label))
    return Segmentation(tuple(segments), float(np.count_nonzero(gated) * track.step_seconds))


def _cells_at_most(seconds: float, track: ScoreTrack) -> int:
    """Return how many cells fit into a length of time."""
    return math.floor(seconds / track.step_seconds + _EPSILON)


def _cells_at_least(seconds: float, track: ScoreTrack) -> int:
    """Return how many cells a length of time needs, at least one."""
    return max(1, math.ceil(seconds / track.step_seconds - _EPSILON))


def _min_cells(track: ScoreTrack, seconds: float) -> int:
    """Return a minimum duration in cells.

    At most the whole analysed part: a video shorter than the minimum may still be one segment.
    """
    return min(
        _cells_at_least(seconds, track),
        max(1, int(np.count_nonzero(track.valid))),
    )


def _candidates(
    track: ScoreTrack, view: LabelView, gated: Flags, options: SegmentOptions
) -> NDArray[np.intp]:
    """Find the reported columns whose largest score reaches their onset.

    An average never exceeds the largest score, so none is lost by testing before smoothing.
    """
    largest = np.zeros(view.num_columns, np.float32)
    for first, rows in track.chunks():
        open_cells = ~gated[first : first + len(rows)]
        if open_cells.any():
            np.maximum(largest, view.apply(rows[open_cells]).max(axis=0), out=largest)
    onsets = np.array([options.onset_of(name) for name in view.names], np.float32)
    return np.flatnonzero((largest >= onsets) & view.reported)


def _find_runs(
    track: ScoreTrack,
    view: LabelView,
    gated: Flags,
    cells: NDArray[np.intp],
    candidates: NDArray[np.intp],
    breaks: list[int],
    options: SegmentOptions,
) -> Iterator[tuple[int, Run]]:
    """Yield (column, run) within a section; runs and breaks index its valid cells."""
    gap = _cells_at_most(options.merge_gap_seconds, track)
    found: list[tuple[int, Run]] = []
    for first in range(0, len(candidates), _LABEL_BATCH):
        batch = candidates[first : first + _LABEL_BATCH]
        columns = _columns(track, view, gated, cells, batch, options)
        for i, column in enumerate(batch):
            onset = options.onset_of(view.names[column])
            if view.names[column] in options.instants:
                yield from ((int(column), run) for run in peaks_of(columns[:, i], onset))
                continue
            # The offset must not be above the onset, which a label may have of its own.
            runs = hysteresis(columns[:, i], onset, min(onset, options.offset))
            # Divided before merging, and not merged across a break: the parts on both sides of a
            # cut are different shots, however near they are.
            runs = merge_runs(split_runs(runs, breaks), gap, breaks)
            shortest = options.min_duration_of(view.names[column])
            runs = drop_short(runs, _min_cells(track, shortest))
            found += [(int(column), run) for run in runs]
    if options.max_labels == 0:
        yield from found
        return
    for cluster in _clusters(found):
        if len(cluster) <= options.max_labels:
            yield from cluster
        else:
            yield from _settle(track, view, gated, cells, cluster, options)


def _columns(
    track: ScoreTrack,
    view: LabelView,
    gated: Flags,
    cells: NDArray[np.intp],
    wanted: NDArray[np.intp],
    options: SegmentOptions,
) -> Floats:
    """Smooth the wanted columns over a section's valid cells (n, wanted); gated cells are -1.

    That is below any offset, even one of 0.
    """
    out = np.zeros((len(cells), len(wanted)), np.float32)
    if not len(cells):
        return out
    for first, rows in track.chunks(int(cells[0]), int(cells[-1]) + 1):
        low, high = np.searchsorted(cells, [first, first + len(rows)])
        out[low:high] = view.apply(rows[cells[low:high] - first], wanted)
    states = [i for i, column in enumerate(wanted) if view.names[column] not in options.instants]
    out[:, states] = smooth(out[:, states], _cells_at_most(options.smooth_seconds, track))
    # Gated after smoothing, which would otherwise spread the -1 to neighbouring cells.
    out[gated[cells]] = -1.0
    return out


def _clusters(found: Sequence[tuple[int, Run]]) -> Iterator[list[tuple[int, Run]]]:
    """Group runs that overlap directly or through others."""
    # Clusters are the independent parts of the problem of `limit_labels`: most have so few runs
    # that nothing has to be decided.
    cluster: list[tuple[int, Run]] = []
    until = 0
    for column, run in sorted(found, key=lambda item: (item[1], item[0])):
        if cluster and run[0] >= until:
            yield cluster
            cluster = []
        cluster.append((column, run))
        until = max(until, run[1])
    if cluster:
        yield cluster


def _settle(
    track: ScoreTrack,
    view: LabelView,
    gated: Flags,
    cells: NDArray[np.intp],
    cluster: Sequence[tuple[int, Run]],
    options: SegmentOptions,
) -> Iterator[tuple[int, Run]]:
    """Apply `limit_labels` to a cluster and yield its runs, without those too short or weak.

    Removing a weak run frees its cells for another label, so the limit is applied again until
    every remaining run is long and strong enough.
    """
    start, stop = min(run[0] for _, run in cluster), max(run[1] for _, run in cluster)
    columns = np.array(sorted({column for column, _ in cluster}))
    margin = _cells_at_most(options.smooth_seconds, track)  # smoothing reads past the cluster
    low, high = max(0, start - margin), stop + margin
    scores = _columns(track, view, gated, cells[low:high], columns, options)[start - low :]
    scores = np.maximum(scores[: stop - start], 0.0)  # gated cells (-1) that merging bridged
    active = np.zeros(scores.shape, np.bool_)
    for column, (a, b) in cluster:
        active[a - start : b - start, np.searchsorted(columns, column)] = True
    names = [view.names[column] for column in columns]
    onsets = [options.onset_of(name) for name in names]
    shortest = [_min_cells(track, options.min_duration_of(name)) for name in names]
    # To interrupt another label's run, a label must exceed it by the hysteresis for the minimum
    # duration (of all labels, whatever single ones have): that is the cost of switching there and
    # back, hence half of it for each.
    usual = _min_cells(track, options.min_duration_seconds)
    cost = usual * max(options.onset - options.offset, 0.05) / 2
    # Ends, because each round removes active cells.
    while True:
        kept = limit_labels(scores, active, options.max_labels, cost)
        runs = [(i, run) for i in range(len(columns)) for run in runs_of(kept[:, i])]
        poor = [
            (i, (a, b))
            for i, (a, b) in runs
            if b - a < shortest[i] or scores[a:b, i].max() < onsets[i]
        ]
        if not poor:
            break
        for i, (a, b) in poor:
            active[a:b, i] = False
    for i, (a, b) in runs:
        yield int(columns[i]), (a + start, b + start)


def _describe(
    track: ScoreTrack,
    view: LabelView,
    section: Section,
    cells: NDArray[np.intp],
    column: int,
    run: Run,
    options: SegmentOptions,
) -> Segment:
    """Make the segment of one run: times, clamped to the analysed part, and statistics."""
    inside = cells[run[0] : run[1]]
    total = np.zeros(view.num_columns)
    peak_score, peak_cell = -1.0, int(inside[0])
    for first, rows in track.chunks(int(inside[0]), int(inside[-1]) + 1):
        low, high = np.searchsorted(inside, [first, first + len(rows)])
        values = view.apply(rows[inside[low:high] - first])
        total += values.sum(axis=0, dtype=np.float64)
        if len(values) and values[:, column].max() > peak_score:
            peak_score = float(values[:, column].max())
            peak_cell = int(inside[low + int(values[:, column].argmax())])
    means = total / len(inside)
    start = max(section.start_seconds, track.cell_start_seconds(int(inside[0])))
    end = min(section.end_seconds, track.cell_start_seconds(int(inside[-1]) + 1))
    # The middle of the cell: its score is a mean over all of it.
    peak = track.cell_start_seconds(peak_cell) + track.step_seconds / 2
    # Rounded to what JSON and CSV hold, so that a saved timeline equals the one in memory.
    return Segment(
        start_seconds=round(start, 6),
        end_seconds=round(end, 6),
        label=view.names[column],
        class_id=view.class_ids[column],
        score=float(means[column]),
        score_max=peak_score,
        peak_seconds=round(min(max(peak, start), end), 6),
        num_clips=track.count_clips(start, end),
        alternatives=_alternatives(view, means, column, options.max_alternatives),
    )


def _alternatives(
    view: LabelView, means: NDArray[np.float64], column: int, count: int
) -> tuple[Alternative, ...]:
    order = [int(i) for i in np.argsort(-means, kind="stable")[: count + 1] if i != column]
    return tuple(
        Alternative(view.names[i], view.class_ids[i], float(means[i]))
        for i in order[:count]
        if means[i] >= _MIN_ALTERNATIVE
    )


def number_frames(segments: Sequence[Segment], frame_rate: Fraction | None) -> list[Segment]:
    """Add to segments the half-open range of frames whose first display lies inside them.

    Args:
        segments: with times.
        frame_rate: frames per second of a video whose rate is constant; frame n is shown at
            n / rate. `None` leaves frames unknown: a count from an average rate would be wrong.
    """
    if frame_rate is None:
        return list(segments)
    rate = float(frame_rate)

    def first_from(seconds: float) -> int:
        return math.ceil((seconds - _EPSILON) * rate)

    return [
        replace(
            segment,
            start_frame=max(0, first_from(segment.start_seconds)),
            end_frame=max(0, first_from(segment.end_seconds)),
        )
        for segment in segments
    ]

"""Split a long video into parts, and join the score tracks of the parts into one.

The joined track must equal, to the bit, that of one pass over the whole video. A cell of the track
is the mean over all clips that cover it, so near its ends a part lacks clips. Therefore parts
overlap by two clips, with a seam in the middle of each overlap: on its side of the seam every part
has all clips that one pass would have. Parts begin on the grid of clip starts and end where a clip
does, so that their cells coincide with those of one pass.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vswin_cli.batch.job import Part, TooLong
from vswin_cli.config import SegmentOptions
from vswin_cli.errors import SourceError
from vswin_cli.timeline.record import Coverage, GapRecord, Notice, Timeline, with_segments
from vswin_cli.timeline.score_files import load_track, save_track
from vswin_cli.timeline.scores import ScoreTrack
from vswin_cli.timeline.spool import ScoreSpool

__all__ = ["join_parts", "plan_parts"]

_FUZZ = 1e-6  # for rounding; far below a stride, in strides or seconds
_TICKS_PER_STEP = 2
_ROUNDING_SECONDS = 1e-9
_GATED = "NOTHING_DECIDED"


def plan_parts(video: TooLong, target_seconds: float) -> list[Part]:
    """Plan the parts of a video.

    Args:
        video: its duration and the grid of its clips.
        target_seconds: duration of a part.

    Returns:
        Parts in order; a single one if the video is too short to be split.
    """
    stride, clip = video.stride_seconds, video.clip_seconds
    margin = math.ceil(clip / stride - _FUZZ)  # length of a clip in strides, rounded up
    per_part = max(2 * margin, round(target_seconds / stride))
    count = max(1, int(video.duration_seconds / stride) // per_part)
    parts = []
    for index in range(count):
        first = index * per_part  # position of the seam, in strides
        start = 0.0 if index == 0 else (first - margin) * stride
        last_start = (first + per_part + margin) * stride  # of the last clip
        end = None if index == count - 1 else last_start + clip
        parts.append(Part(index, count, start, end, first * stride))
    return parts


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part's track, and the cells of it that are used."""

    track: ScoreTrack
    timeline: Timeline
    first: int
    stop: int
    since_seconds: float
    until_seconds: float


def join_parts(
    parts: Sequence[Part], paths: Sequence[Path], options: SegmentOptions, scores: Path | None
) -> Timeline:
    """Make the timeline of a video from the scores of its parts.

    Args:
        parts: as planned.
        paths: score file of each part.
        options: how scores become segments.
        scores: where to save the joined track.

    Raises:
        SourceError: a score file is missing, or the video is damaged: after damage the clips
            of one pass begin elsewhere than those of a part.
        OutputError: the scores cannot be written.
    """
    opened = [load_track(path) for path in paths]
    try:
        if any(timeline.status != "ok" or timeline.coverage.gaps for _, timeline in opened):
            raise SourceError("a damaged video cannot be joined from parts")
        pieces = [_piece(parts, i, *opened[i]) for i in range(len(parts))]
        with _joined(pieces) as track:
            timeline = with_segments(_record(pieces, track), track, options)
            if scores is not None:
                save_track(track, timeline, scores)
            return timeline
    finally:
        for track, _ in opened:
            track.close()


def _piece(parts: Sequence[Part], index: int, track: ScoreTrack, timeline: Timeline) -> _Piece:
    since = parts[index].seam_seconds
    is_last = index + 1 == len(parts)
    until = track.end_seconds if is_last else parts[index + 1].seam_seconds
    step = track.step_seconds
    first = round((since - track.start_seconds) / step)
    stop = track.num_cells if is_last else round((until - track.start_seconds) / step)
    return _Piece(track, timeline, first, stop, since, until)


def _joined(pieces: Sequence[_Piece]) -> ScoreTrack:
    head, tail = pieces[0].track, pieces[-1].track
    spool = ScoreSpool(len(head.labels))
    for piece in pieces:
        for _, rows in piece.track.chunks(piece.first, piece.stop):
            spool.append(rows)
    starts = np.concatenate([_clips(p, p.track.clip_starts_seconds) for p in pieces])
    ends = np.concatenate([_clips(p, p.track.clip_ends_seconds) for p in pieces])
    return replace(
        head,
        end_seconds=tail.end_seconds,
        valid=np.concatenate([p.track.valid[p.first : p.stop] for p in pieces]),
        spans=_merged([span for p in pieces for span in _spans(p)]),
        gaps=(),
        clip_starts_seconds=_on_grid(starts, head.step_seconds),
        clip_ends_seconds=_on_grid(ends, head.step_seconds),
        spool=spool,
    )


def _clips(piece: _Piece, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Select from `times` those of the clips that start between the seams of the piece."""
    starts = piece.track.clip_starts_seconds
    is_last = piece.stop == piece.track.num_cells
    before_end = starts < (math.inf if is_last else piece.until_seconds - _FUZZ)
    return np.asarray(times[(starts >= piece.since_seconds - _FUZZ) & before_end])


def _on_grid(times: NDArray[np.float64], step_seconds: float) -> NDArray[np.float64]:
    """Round times to what one pass computes, to the last bit: whole ticks over the rate."""
    rate = round(_TICKS_PER_STEP / step_seconds, 10)
    snapped = np.round(times * rate) / rate
    return np.where(np.abs(snapped - times) < _ROUNDING_SECONDS, snapped, times)


def _spans(piece: _Piece) -> list[tuple[float, float]]:
    cut = [
        (max(start, piece.since_seconds), min(end, piece.until_seconds))
        for start, end in piece.track.spans
    ]
    return [(start, end) for start, end in cut if start < end]


def _merged(spans: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Merge spans that touch."""
    merged: list[tuple[float, float]] = []
    for start, end in spans:
        if merged and start <= merged[-1][1] + _FUZZ:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def _record(pieces: Sequence[_Piece], track: ScoreTrack) -> Timeline:
    """Merge the records of the parts into one of the whole video."""
    timelines = [piece.timeline for piece in pieces]
    last = timelines[-1]
    rates = {timeline.video.frame_rate_rational for timeline in timelines}
    is_variable = len(rates) > 1 or any(
        timeline.video.variable_frame_rate for timeline in timelines
    )
    video = replace(
        last.video,
        variable_frame_rate=is_variable,
        frames_decoded=None,  # parts overlap, so their sum would be too large
    )
    coverage = Coverage(
        # Parts overlap, so fractions cannot be summed; without gaps all are 1 but for rounding.
        fraction=min(timeline.coverage.fraction for timeline in timelines),
        analysed_seconds=track.analysed_seconds,
        num_clips=len(track.clip_starts_seconds),
        gaps=tuple(GapRecord.of(gap) for gap in track.gaps),
    )
    notices: dict[str, Notice] = {}
    for timeline in timelines:
        notices |= {notice.code: notice for notice in timeline.warnings if notice.code != _GATED}
    return replace(
        last,
        video=video,
        sampling=replace(last.sampling, start_seconds=None, end_seconds=None),
        coverage=coverage,
        warnings=tuple(notices.values()),
        segments=(),
    )

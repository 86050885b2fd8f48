"""Turn matches into timelines of the indexed videos, for export and report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vswin_cli.search.search import Match
from vswin_cli.timeline.feature_files import FeatureFile
from vswin_cli.timeline.record import PostprocessRecord, Timeline
from vswin_cli.timeline.segments import Segment, number_frames

__all__ = ["timelines_of"]


def timelines_of(
    matches: Sequence[Match], label: str, *, min_similarity: float = 0.0
) -> list[tuple[FeatureFile, Timeline]]:
    """Make a timeline for each video with a match, the video of the best match first.

    Args:
        matches: best first.
        label: of the segments; their score is the similarity.
        min_similarity: that the matches have, noted as the threshold.
    """
    by_file: dict[int, list[Match]] = {}
    for match in matches:
        by_file.setdefault(id(match.file), []).append(match)
    return [
        (group[0].file, _timeline(group, label, max(0.0, min_similarity)))
        for group in by_file.values()
    ]


def _timeline(matches: Sequence[Match], label: str, threshold: float) -> Timeline:
    file = matches[0].file
    record = file.record
    ordered = sorted(matches, key=lambda match: match.start_seconds)
    segments = [_segment(match, label) for match in ordered]
    return Timeline(
        video=record.video,
        model=record.model,
        sampling=record.sampling,
        postprocess=PostprocessRecord(
            activation="sigmoid",
            onset=threshold,
            offset=threshold,
            min_duration_seconds=0.0,
            merge_gap_seconds=0.0,
        ),
        coverage=record.coverage,
        segments=tuple(number_frames(segments, record.video.constant_frame_rate)),
        warnings=record.warnings,
        status=record.status,
    )


def _segment(match: Match, label: str) -> Segment:
    start, end = match.start_seconds, match.end_seconds
    file = match.file
    score = max(0.0, match.similarity)
    return Segment(
        start_seconds=start,
        end_seconds=end,
        label=label,
        class_id=None,
        score=score,
        score_max=score,
        peak_seconds=(start + end) / 2,
        num_clips=int(np.sum((file.clip_start_seconds < end) & (file.clip_end_seconds > start))),
    )

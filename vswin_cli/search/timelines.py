"""Turn matches into timelines of the indexed videos, for export and report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vswin_cli.search.query import Query
from vswin_cli.search.search import Match
from vswin_cli.storage.humanize import clock_text
from vswin_cli.storage.plain_text import file_name, one_line
from vswin_cli.timeline.feature_files import FeatureFile
from vswin_cli.timeline.record import Notice, PostprocessRecord, Timeline
from vswin_cli.timeline.segments import Segment, number_frames

__all__ = ["SEARCHED", "timelines_of"]

SEARCHED = "SEARCH"
"""Code of the notice that says what the moments of a timeline are like."""


def timelines_of(
    matches: Sequence[Match], label: str, *, min_similarity: float = 0.0, query: Query | None = None
) -> list[tuple[FeatureFile, Timeline]]:
    """Make a timeline for each video with a match, the video of the best match first.

    Args:
        matches: best first.
        label: of the segments; their score is the similarity.
        min_similarity: that the matches have, noted as the threshold.
        query: what they are like, for a notice in each timeline.
    """
    by_file: dict[int, list[Match]] = {}
    for match in matches:
        by_file.setdefault(id(match.file), []).append(match)
    notices = () if query is None else (_notice(query),)
    return [
        (group[0].file, _timeline(group, label, max(0.0, min_similarity), notices))
        for group in by_file.values()
    ]


def _notice(query: Query) -> Notice:
    name = one_line(file_name(query.record.video.uri))
    start, end = (clock_text(at, 1) for at in (query.start_seconds, query.end_seconds))
    return Notice(
        SEARCHED, f"moments like {name} from {start} to {end}; a score is how similar a moment is"
    )


def _timeline(
    matches: Sequence[Match], label: str, threshold: float, notices: Sequence[Notice]
) -> Timeline:
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
        warnings=(*record.warnings, *notices),
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

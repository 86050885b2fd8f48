"""Segments of a stream are those of the whole, reported early and with bounded memory."""

from collections.abc import Sequence

import numpy as np
import pytest

from tests.support.golden import golden_card
from vswin_cli.config import SegmentOptions
from vswin_cli.models.card import ModelCard
from vswin_cli.timeline.live_segments import LiveSegment, LiveSegments
from vswin_cli.timeline.scores import ClipLogits, Gap
from vswin_cli.timeline.segments import Segment, segment_track
from vswin_cli.timeline.track_builder import TrackBuilder

STEP = 0.25
STEPS = 4  # per clip; clips start every two steps
OPTIONS = SegmentOptions(
    onset=0.6, offset=0.5, min_duration_seconds=0.5, merge_gap_seconds=0.5, smooth_seconds=0.5
)


@pytest.fixture
def card() -> ModelCard:
    return golden_card("tiny", "abcdefghij")


def clips_of(winners: Sequence[int]) -> list[ClipLogits]:
    """Clips over a stream in which at each step one class wins."""
    logits = 8.0 * np.eye(10, dtype=np.float32)[list(winners)]
    return [
        ClipLogits(
            start // 2,
            STEP * np.arange(start, start + STEPS + 1, dtype=np.float64),
            logits[None, start : start + STEPS],
            STEPS,
        )
        for start in range(0, len(winners) - STEPS + 1, 2)
    ]


def spans(found: Sequence[Segment]) -> list[tuple[str, float, float]]:
    return sorted(
        (one.label, round(one.start_seconds, 6), round(one.end_seconds, 6)) for one in found
    )


def stream(live: LiveSegments, clips: Sequence[ClipLogits]) -> tuple[list[LiveSegment], int]:
    """Feed all clips; returns what was reported, and the most clips that were kept."""
    reported, most = [], 0
    for clip in clips:
        reported += live.add(clip)
        most = max(most, live.num_clips)
    return [*reported, *live.finish()], most


def test_a_stream_has_the_segments_of_the_whole(card):
    winners = np.repeat(np.random.default_rng(3).integers(0, 10, 120), 7)
    clips = clips_of(winners.tolist())
    builder = TrackBuilder(card.labels, card.activation, STEP)
    for clip in clips:
        builder.add(clip)
    with builder.finish(float(clips[-1].step_edges_seconds[-1])) as track:
        expected = segment_track(track, OPTIONS).segments
    reported, most = stream(LiveSegments(card, OPTIONS, STEP), clips)
    assert len(expected) > 50
    assert spans([one.segment for one in reported]) == spans(expected)
    assert not any(one.continues for one in reported)
    assert most < 60 < len(clips)


def test_a_segment_is_reported_while_the_stream_goes_on(card):
    live = LiveSegments(card, OPTIONS, STEP)
    reported = [one for clip in clips_of([0] * 40 + [1] * 40) for one in live.add(clip)]
    assert spans([one.segment for one in reported]) == [("a", 0.0, 10.0)]


def test_a_long_segment_is_reported_in_parts_and_memory_stays_bounded(card):
    live = LiveSegments(card, OPTIONS, STEP, longest_seconds=20.0)
    reported, most = stream(live, clips_of([2] * 1200))
    ends = [one.segment.end_seconds for one in reported]
    starts = [one.segment.start_seconds for one in reported]
    assert starts == [0.0, *ends[:-1]]
    assert ends[-1] == 300.0
    assert [one.continues for one in reported] == [True] * (len(reported) - 1) + [False]
    assert len(reported) > 8
    assert most < 80


def test_no_segment_crosses_a_gap(card):
    live = LiveSegments(card, OPTIONS, STEP)
    clips = clips_of([0] * 80)
    reported = [one for clip in clips[:18] for one in live.add(clip)]
    live.add_gap(Gap(10.0, 12.0, "missing_frames"))
    for clip in clips[24:]:
        reported += live.add(clip)
    reported += live.finish()
    assert spans([one.segment for one in reported]) == [("a", 0.0, 9.5), ("a", 12.0, 20.0)]


def test_a_stream_without_clips_has_none(card):
    assert LiveSegments(card, OPTIONS, STEP).finish() == []

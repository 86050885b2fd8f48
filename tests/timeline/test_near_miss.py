"""A result without segments says how near it came to one."""

import numpy as np
import pytest

from tests.support.timelines import STEP, columns, timeline, track_of
from vswin_cli.config import LabelOnset, SegmentOptions
from vswin_cli.timeline.near_miss import describe_near_miss
from vswin_cli.timeline.record import with_segments
from vswin_cli.timeline.scores import Gap

SCORES = columns((8, 0.1), (1, 0.42), (8, 0.1), rest=3)


def test_the_best_score_is_named_with_label_time_and_onset():
    with track_of(SCORES, labels=["pan", "tilt", "zoom", "static"]) as track:
        text = describe_near_miss(track, SegmentOptions(onset=0.5, include=("pan",)))
    assert text == (
        "no segments: the best score is 0.42 for `pan` at 0:01, below its onset of 0.50"
    )


def test_a_score_next_to_its_onset_gets_more_decimals():
    with track_of(columns((8, 0.1), (2, 0.9995))) as track:
        text = describe_near_miss(track, SegmentOptions(onset=0.9999))
    assert "best score is 0.9995 for" in text
    assert text.endswith("below its onset of 0.9999")


def test_only_reported_labels_and_groups_count():
    with track_of(SCORES, labels=["pan", "tilt", "zoom", "static"]) as track:
        other = describe_near_miss(track, SegmentOptions(onset=0.9, exclude=("pan",)))
        lower = describe_near_miss(
            track,
            SegmentOptions(onset=0.9, onsets=(LabelOnset("zoom", 0.35),), exclude=("static",)),
        )
    assert "`pan`" not in other
    assert "`zoom`" in lower  # further from 1 than others, nearer to its own onset
    assert "onset of 0.35" in lower


def test_time_that_was_lost_is_not_the_best():
    scores = np.full((16, 2), 0.5)
    gap = Gap(0.0, 8 * STEP, "decode_error")
    with track_of(scores, gaps=[gap]) as track:
        assert "at 0:01" in describe_near_miss(track, SegmentOptions(onset=0.9))


def test_what_reached_its_onset_was_removed_by_something_else():
    options = SegmentOptions(onset=0.4, offset=0.3, min_duration_seconds=1.0, smooth_seconds=0.0)
    with track_of(SCORES) as track:
        result = with_segments(timeline(warnings=()), track, options)
    (notice,) = result.warnings
    assert (notice.code, result.segments) == ("NO_SEGMENTS", ())
    assert "minimum duration" in notice.message


@pytest.mark.parametrize("onset", [0.05, 0.9])
def test_the_notice_comes_and_goes_with_the_segments(onset):
    empty = SegmentOptions(onset=0.95)
    with track_of(columns((16, 0.92))) as track:
        first = with_segments(timeline(warnings=()), track, empty)
        again = with_segments(first, track, SegmentOptions(onset=onset, offset=0.01))
    assert [notice.code for notice in first.warnings] == ["NO_SEGMENTS"]
    assert again.segments
    assert not again.warnings

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.timelines import STEP, build, clip, columns, pairs, track_of
from vswin_cli.timeline.scores import ClipLogits, Gap, activate


def test_gap_stays_invalid_and_divides_the_track():
    scores = columns((10, 0.9))
    gap = Gap(4 * STEP, 6 * STEP)
    with track_of(scores, gaps=[gap]) as track:
        assert track.valid.tolist() == [True] * 4 + [False] * 2 + [True] * 4
        first, second = track.sections()
        assert (first.start_seconds, first.end_seconds) == (0.0, 4 * STEP)
        assert (second.first_cell, second.stop_cell) == (6, 10)


def test_gap_inside_a_cell_cuts_the_sections_exactly():
    gap = Gap(4.25 * STEP, 5.5 * STEP)
    clips = [
        ClipLogits(0, np.array([0.0, 4.25 * STEP]), np.zeros((1, 1, 2), np.float32), 1),
        ClipLogits(1, np.array([5.5 * STEP, 8 * STEP]), np.zeros((1, 1, 2), np.float32), 1),
    ]
    with build(clips, gaps=[gap]) as track:
        first, second = track.sections()
        assert first.end_seconds == 4.25 * STEP
        assert second.start_seconds == 5.5 * STEP
        assert second.first_cell == 5


def test_time_between_sparse_clips_does_not_divide_a_section():
    with build([clip(pairs(0.9)), clip(pairs(0.9), 8 * STEP)]) as track:
        (section,) = track.sections()
        assert (section.first_cell, section.stop_cell) == (0, 9)
        assert track.valid.tolist() == [True] + [False] * 7 + [True]
        assert track.spans == ((0.0, STEP), (8 * STEP, 9 * STEP))


def test_clip_counts_are_of_clips_that_overlap():
    clips = [clip(pairs(*[0.5] * 4), start * STEP, index=i) for i, start in enumerate((0, 2, 4))]
    with build(clips) as track:
        assert track.count_clips(0.0, STEP) == 1
        assert track.count_clips(2 * STEP, 4 * STEP) == 2
        assert track.count_clips(4 * STEP, 4.5 * STEP) == 2
        assert track.count_clips(0.0, 8 * STEP) == 3


@pytest.mark.parametrize(
    ("edges", "shape", "valid"),
    [
        ([0, 1, 2], (1, 1, 2), 1),
        ([0, 1], (1, 2), 1),
        ([0, 1], (1, 1, 2), 0),
        ([0, 1], (1, 1, 2), 2),
    ],
)
def test_misshapen_clip_logits_are_rejected(edges, shape, valid):
    with pytest.raises(ValueError, match="got"):
        ClipLogits(0, np.array(edges, float), np.zeros(shape, np.float32), valid)


def test_repr_of_clip_logits_is_one_short_line():
    text = repr(clip(np.full((16, 400), 1 / 400)))
    assert "16 steps" in text
    assert len(text) < 120


@given(st.lists(st.floats(-60, 60, width=32), min_size=1, max_size=8))
def test_softmax_sums_to_one_and_sigmoid_stays_in_bounds(values):
    logits = np.array([values], np.float32)
    assert activate(logits, "softmax").sum() == pytest.approx(1, abs=1e-5)
    sigmoid = activate(logits, "sigmoid")
    assert ((sigmoid >= 0) & (sigmoid <= 1)).all()
    np.testing.assert_allclose(
        sigmoid[0], [1 / (1 + math.exp(-float(v))) for v in logits[0]], atol=1e-6
    )

import itertools
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.timelines import STEP, build, clip, pairs
from vswin_cli.errors import VswinError
from vswin_cli.timeline.scores import ClipLogits, Gap, activate
from vswin_cli.timeline.track_builder import TrackBuilder

HALF = 2e-3  # what half precision may cost a score


def test_single_clip_fills_its_cells_unchanged_up_to_the_edges():
    scores = pairs(0.1, 0.9, 0.5, 0.25)
    with build([clip(scores)]) as track:
        assert track.num_cells == 4
        assert track.valid.all()
        np.testing.assert_allclose(track.read(0, 4), scores, atol=HALF)


def test_neighbouring_clips_do_not_mix():
    with build([clip(pairs(0.9, 0.9)), clip(pairs(0.2, 0.2), 2 * STEP)]) as track:
        np.testing.assert_allclose(track.read(0, 4)[:, 0], [0.9, 0.9, 0.2, 0.2], atol=HALF)
        assert track.spans == ((0.0, 4 * STEP),)


def test_overlap_is_the_hamming_weighted_mean_by_place_in_the_clip():
    one, two = pairs(0.2, 0.4, 0.6, 0.8), pairs(0.9, 0.7, 0.5, 0.3)
    with build([clip(one), clip(two, 2 * STEP)]) as track:
        weights = np.hamming(4)
        third = (weights[2] * 0.6 + weights[0] * 0.9) / (weights[2] + weights[0])
        fourth = (weights[3] * 0.8 + weights[1] * 0.7) / (weights[3] + weights[1])
        np.testing.assert_allclose(
            track.read(0, 6)[:, 0], [0.2, 0.4, third, fourth, 0.5, 0.3], atol=HALF
        )


def test_flat_weighting_is_the_plain_mean():
    with build([clip(pairs(0.2, 0.4)), clip(pairs(0.8, 0.6), STEP)], weighting="flat") as track:
        np.testing.assert_allclose(track.read(1, 2)[:, 0], [0.6], atol=HALF)


def test_crops_are_averaged_as_scores_not_as_logits():
    logits = np.log(np.stack([pairs(0.98), pairs(0.2)])).astype(np.float32)  # (2, 1, 2)
    with build([ClipLogits(0, np.array([0.0, STEP]), logits, 1)]) as track:
        assert track.read(0, 1)[0, 0] == pytest.approx((0.98 + 0.2) / 2, abs=HALF)


def test_last_clip_shifted_back_is_blended_by_the_time_it_shares():
    # Starts half a cell off the grid: each cell gets half of two steps.
    with build([clip(pairs(0.4, 0.4)), clip(pairs(0.8, 0.8), 1.5 * STEP)], weighting="flat") as t:
        # cell 1: one step of 0.4, half a step of 0.8; the last cell is half filled
        np.testing.assert_allclose(
            t.read(0, 4)[:, 0], [0.4, (0.4 + 0.5 * 0.8) / 1.5, 0.8, 0.8], atol=HALF
        )
        assert t.spans == ((0.0, 3.5 * STEP),)


def test_instants_take_the_score_of_the_best_clip():
    one, two = pairs(0.1, 0.2, 0.3, 0.4), pairs(0.9, 0.1, 0.5, 0.1)
    clips = [clip(one), clip(two, 2 * STEP)]
    with build(clips, instants=("a", "no label of ours")) as track, build(clips) as plain:
        np.testing.assert_allclose(
            track.read(0, 6)[:, 0], [0.1, 0.2, 0.9, 0.4, 0.5, 0.1], atol=HALF
        )
        np.testing.assert_array_equal(track.read(0, 6)[:, 1], plain.read(0, 6)[:, 1])


def test_an_instant_off_the_grid_shows_in_the_cells_that_hold_half_of_its_step():
    late = [clip(pairs(0.2, 0.2, 0.2)), clip(pairs(0.9, 0.1), 1.25 * STEP)]
    with build(late, instants=("a",)) as track:
        np.testing.assert_allclose(track.read(0, 4)[:, 0], [0.2, 0.9, 0.2, 0.1], atol=HALF)


def test_irregular_step_edges_are_resampled_by_overlap():
    edges = np.array([0.0, 0.5, 2.0, 2.5]) * STEP
    logits = np.log(pairs(0.1, 0.5, 0.9))[None].astype(np.float32)
    with build([ClipLogits(0, edges, logits, 3)], weighting="flat") as track:
        first = 0.5 * 0.1 + 0.5 * 0.5
        np.testing.assert_allclose(track.read(0, 3)[:, 0], [first, 0.5, 0.9], atol=HALF)


def test_padded_steps_leave_no_trace():
    with build([clip(pairs(0.9, 0.9, 0.1, 0.1), valid=2)], end=4 * STEP) as track:
        assert track.valid.tolist() == [True, True, False, False]
        assert track.analysed_seconds == 2 * STEP
        assert not track.read(2, 4).any()


def test_axis_starts_at_the_requested_time():
    with build([clip(pairs(0.3, 0.7), 90.0)], start=90.0) as track:
        assert track.num_cells == 2
        assert track.cell_start_seconds(1) == 90.0 + STEP


def test_nothing_after_the_end_remains():
    with build([clip(pairs(0.9, 0.8, 0.7, 0.6))], end=2.5 * STEP) as track:
        assert track.num_cells == 3
        assert track.spans == ((0.0, 2.5 * STEP),)


def test_video_without_a_clip_gives_an_empty_track():
    with TrackBuilder(("a",), "softmax", STEP).finish(1.0, [Gap(0.0, 1.0)]) as track:
        assert not track.valid.any()
        assert track.sections() == []
        assert track.analysed_seconds == 0


def test_values_that_are_not_numbers_fail_with_advice():
    logits = np.full((1, 1, 2), np.nan, np.float32)
    builder = TrackBuilder(("a", "b"), "softmax", STEP)
    with pytest.raises(VswinError, match=r"0\.00 s are not numbers") as caught:
        builder.add(ClipLogits(0, np.array([0.0, STEP]), logits, 1))
    assert "float32" in (caught.value.hint or "")


def test_clips_out_of_order_are_rejected():
    builder = TrackBuilder(("a", "b"), "softmax", STEP)
    builder.add(clip(pairs(0.5), 1.0))
    with pytest.raises(ValueError, match="starts before"):
        builder.add(clip(pairs(0.5), 0.5))


def test_wrong_number_of_classes_is_rejected():
    with pytest.raises(ValueError, match="2 classes"):
        TrackBuilder(("a", "b", "c"), "softmax", STEP).add(clip(pairs(0.5)))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_sequence_of_clips_gives_means_between_the_extremes(data):
    """Whatever the strides, overlaps and lengths: scores stay in range and rows sum to one."""
    start, clips = 0.0, []
    for index in range(data.draw(st.integers(1, 6))):
        steps = data.draw(st.integers(1, 6))
        first = data.draw(st.lists(st.floats(0.05, 0.95), min_size=steps, max_size=steps))
        valid = data.draw(st.integers(1, steps))
        clips.append(clip(pairs(*first), start, index=index, valid=valid))
        start += data.draw(st.sampled_from([0.0, 0.3, 0.5, 1.0, 2.0, 3.7, 9.0])) * STEP
    with build(clips) as track:
        rows = track.read(0, track.num_cells)
        seen = rows[track.valid]
        lowest = min(one_scores(one).min() for one in clips)
        highest = max(one_scores(one).max() for one in clips)
        assert seen[:, 0].min() >= lowest - HALF
        assert seen[:, 0].max() <= highest + HALF
        np.testing.assert_allclose(seen.sum(axis=1), 1, atol=2 * HALF)
        assert not rows[~track.valid].any()
        covered = sum(track.valid) * STEP
        assert track.analysed_seconds <= covered + 1e-9
        for (_, end), (begin, _) in itertools.pairwise(track.spans):
            assert end < begin


def one_scores(one):
    return activate(one.logits[:, : one.num_valid_steps], "softmax")[..., 0]


MEMORY = """
import resource, sys
import numpy as np
from vswin_cli.config import SegmentOptions
from vswin_cli.timeline.scores import ClipLogits
from vswin_cli.timeline.track_builder import TrackBuilder
from vswin_cli.timeline.segments import find_segments

step, classes = 2 / 15, 600
def run(seconds):
    noise = np.random.default_rng(0).normal(size=(1, 16, classes)).astype(np.float32)
    builder = TrackBuilder([f"label {i}" for i in range(classes)], "softmax", step)
    for index in range(int(seconds / (16 * step))):
        edges = (index * 16 + np.arange(17)) * step
        logits = noise.copy()
        logits[..., index // 5 % classes] += 9
        builder.add(ClipLogits(index, edges, logits, 16))
    with builder.finish(seconds) as track:
        return len(find_segments(track, SegmentOptions()))

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

run(300)
before = peak()
found = run(7200)
print(found, (peak() - before) / 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has other units elsewhere")
def test_two_hours_of_600_classes_cost_a_few_megabytes():
    """65 MB of scores; what is compared is the peak after five minutes and after two hours."""
    done = subprocess.run(
        [sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True, timeout=300
    )
    found, megabytes = done.stdout.split()
    assert int(found) > 500
    assert float(megabytes) < 8


def test_a_mark_scores_one_in_the_nearest_valid_cell():
    builder = TrackBuilder(("one", "cut"), "softmax", STEP)
    builder.add(clip(pairs(0.9, 0.9, 0.9, 0.9)))
    builder.mark("cut", [1.6 * STEP, 4 * STEP])  # the second lies after the last cell
    builder.mark("dissolve", [0.0])  # the model does not have it
    with builder.finish(4 * STEP) as track:
        np.testing.assert_allclose(track.read(0, 4)[:, 1], [0.1, 0.1, 1.0, 1.0], atol=HALF)
        np.testing.assert_allclose(track.read(0, 4)[:, 0], 0.9, atol=HALF)

from dataclasses import replace

import numpy as np
import pytest

from tests.support.timelines import STEP, clip, columns, segment
from vswin_cli.config import LabelGroup, SegmentOptions
from vswin_cli.timeline.evidence import FrameArea
from vswin_cli.timeline.evidence_builder import EvidenceBuilder
from vswin_cli.timeline.scores import CellLogits
from vswin_cli.timeline.segments import find_segments
from vswin_cli.timeline.selection import LabelView
from vswin_cli.timeline.track_builder import TrackBuilder

LABELS = ("a", "b", "c")
AREA = np.array([[0.25, 0.0, 0.5, 1.0]])


def builder_of(**options):
    chosen = SegmentOptions(**options)
    return EvidenceBuilder(LabelView.of(LABELS, "softmax", chosen), chosen)


def shown(builder, scores, start=0.0, index=0, areas=AREA):
    """A clip whose cells say where they are from: clip, step and column, and 1 for the row."""
    bare = clip(scores, start, index=index)
    steps, wanted = len(scores), len(builder.classes)
    number = 100 * index + 10 * np.arange(steps)[:, None] + builder.classes
    cells = np.zeros((1, steps, 2, 1, wanted), np.float32)
    cells[0, :, 0, 0] = number
    cells[0, :, 1, 0] = number + 1
    return replace(bare, cells=CellLogits(cells, areas))


def at(seconds, label="a", class_id=0):
    return replace(segment(0.0, 10.0, label, class_id), peak_seconds=seconds)


def test_the_step_at_the_peak_is_found():
    builder = builder_of()
    builder.add(shown(builder, columns((4, 0.5), (1, 0.9), (3, 0.5))))
    (found,) = builder.attach([at(4.5 * STEP)], STEP)
    assert found.evidence.cells == ((40.0,), (41.0,))
    assert (found.evidence.start_seconds, found.evidence.end_seconds) == (4 * STEP, 5 * STEP)
    assert found.evidence.class_id == 0
    assert found.evidence.area == FrameArea(0.25, 0.0, 0.5, 1.0)
    assert found.evidence.box == FrameArea(0.25, 0.5, 0.5, 0.5)


def test_of_overlapping_clips_the_one_with_the_highest_score_counts():
    builder = builder_of()
    builder.add(shown(builder, columns((8, 0.6))))
    builder.add(shown(builder, columns((8, 0.8)), 4 * STEP, index=1))
    (found,) = builder.attach([at(5.5 * STEP)], STEP)
    assert found.evidence.cells[0] == (110.0,)


def test_other_labels_and_steps_below_the_onset_are_not_kept():
    builder = builder_of(onset=0.7)
    builder.add(shown(builder, columns((2, 0.8), (2, 0.5), (2, 0.2))))
    early, late = builder.attach([at(0.5 * STEP), at(2.5 * STEP)], STEP)
    assert early.evidence is not None
    assert late.evidence is None
    assert builder.attach([at(0.5 * STEP, "b", 1)], STEP)[0].evidence is None


def test_a_group_shows_its_strongest_member():
    builder = builder_of(groups=(LabelGroup("both", ("b", "c")),), include=("both",))
    assert builder.classes.tolist() == [1, 2]
    scores = np.array([[0.5, 0.24, 0.26]])  # together at the onset, alone below
    builder.add(shown(builder, scores))
    (found,) = builder.attach([at(0.5 * STEP, "both", None)], STEP)
    assert found.evidence.class_id == 2
    assert found.evidence.cells[0] == (2.0,)


def test_only_reported_labels_ask_for_cells():
    assert builder_of(include=("c",)).classes.tolist() == [2]
    assert builder_of(exclude=("a",)).classes.tolist() == [1, 2]


def test_a_change_of_the_frames_shape_moves_the_area():
    builder = builder_of()
    builder.add(shown(builder, columns((2, 0.9))))
    other = np.array([[0.0, 0.25, 1.0, 0.5]])
    builder.add(shown(builder, columns((2, 0.9)), 2 * STEP, index=1, areas=other))
    first, second = builder.attach([at(0.5 * STEP), at(2.5 * STEP)], STEP)
    assert first.evidence.area == FrameArea(*AREA[0])
    assert second.evidence.area == FrameArea(*other[0])


def test_a_clip_without_cells_fails():
    builder = builder_of()
    with pytest.raises(ValueError, match="no cells"):
        builder.add(clip(columns((2, 0.9))))


def test_nothing_kept_gives_segments_without_evidence():
    builder = builder_of()
    assert builder.attach([at(1.0)], STEP)[0].evidence is None
    builder.close()


@pytest.mark.parametrize("seed", range(6))
def test_every_segment_of_a_track_has_evidence(seed):
    """Random scores, clips that overlap by half and lie off the track's cells."""
    draw = np.random.default_rng(seed)
    options = SegmentOptions(onset=0.6, offset=0.3, min_duration_seconds=0, max_labels=0)
    builder = EvidenceBuilder(LabelView.of(LABELS, "softmax", options), options)
    track = TrackBuilder(LABELS, "softmax", STEP * 1.1)
    for index in range(12):
        scores = draw.dirichlet((0.4, 0.4, 0.4), 8)
        one = shown(builder, scores, index * 4 * STEP, index)
        builder.add(one)
        track.add(one)
    with track.finish(12 * 4 * STEP) as finished:
        found = find_segments(finished, options)
        assert found
        for one in builder.attach(found, finished.step_seconds):
            assert one.evidence.class_id == one.class_id
            reach = finished.step_seconds / 2
            assert one.evidence.start_seconds < one.peak_seconds + reach
            assert one.evidence.end_seconds > one.peak_seconds - reach

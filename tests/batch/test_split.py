"""Parts of a long video, and one track of them that equals that of a single pass to the bit."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.timelines import STEP, clip, timeline
from vswin_cli.batch.job import TooLong
from vswin_cli.batch.split import join_parts, plan_parts
from vswin_cli.config import SegmentOptions
from vswin_cli.errors import SourceError
from vswin_cli.timeline.record import Notice, with_segments
from vswin_cli.timeline.score_files import load_track, save_track
from vswin_cli.timeline.scores import Gap
from vswin_cli.timeline.track_builder import TrackBuilder

SECONDS = 20.0
STEPS = 8  # of a clip, which thus lasts a second
OPTIONS = SegmentOptions(onset=0.5, offset=0.4)
WHOLE = timeline(
    segments=(), warnings=(), status="ok", coverage=replace(timeline().coverage, gaps=())
)


def one_pass(stride, start=0.0, end=None, gaps=()):
    """The track of the clips that lie in a part of the video."""
    builder = TrackBuilder(("a", "b", "c"), "softmax", STEP, start_seconds=start)
    limit = SECONDS if end is None else end
    for i in range(int((SECONDS - 1.0) / stride) + 1):
        if start <= i * stride and i * stride + 1.0 <= limit:
            scores = np.random.default_rng(i).dirichlet((1, 1, 1), STEPS)
            builder.add(clip(scores, i * stride, index=i))
    return builder.finish(limit, gaps)


def saved_parts(folder, parts, stride, **changes):
    paths = [folder / f"{part.index}.npz" for part in parts]
    for part, path in zip(parts, paths, strict=True):
        with one_pass(stride, part.start_seconds, part.end_seconds) as track:
            save_track(track, replace(WHOLE, **changes), path)
    return paths


@pytest.mark.parametrize("stride", [0.25, 0.5, 0.75, 1.0])
def test_joined_parts_equal_one_pass(tmp_path, stride):
    parts = plan_parts(TooLong(SECONDS, stride, 1.0, STEP), 5.0)
    assert len(parts) > 2
    paths = saved_parts(tmp_path, parts, stride)
    joined = join_parts(parts, paths, OPTIONS, tmp_path / "whole.npz")
    with one_pass(stride) as whole, load_track(tmp_path / "whole.npz")[0] as track:
        assert track.num_cells == whole.num_cells
        np.testing.assert_array_equal(track.read(0, 999), whole.read(0, 999))
        np.testing.assert_array_equal(track.valid, whole.valid)
        np.testing.assert_array_equal(track.clip_starts_seconds, whole.clip_starts_seconds)
        np.testing.assert_array_equal(track.clip_ends_seconds, whole.clip_ends_seconds)
        assert (track.spans, track.end_seconds) == (whole.spans, whole.end_seconds)
        assert joined.segments == with_segments(WHOLE, whole, OPTIONS).segments != ()
        assert joined.coverage.num_clips == len(whole.clip_starts_seconds)
        assert joined.coverage.analysed_seconds == whole.analysed_seconds


def test_parts_overlap_by_two_clips_around_their_seams():
    parts = plan_parts(TooLong(20.0, 0.5, 1.0, STEP), 5.0)
    assert [(part.start_seconds, part.seam_seconds, part.end_seconds) for part in parts] == [
        (0.0, 0.0, 7.0),
        (4.0, 5.0, 12.0),
        (9.0, 10.0, 17.0),
        (14.0, 15.0, None),
    ]
    assert {part.count for part in parts} == {4}


@pytest.mark.parametrize(("seconds", "target"), [(9.0, 5.0), (20.0, 11.0), (3.0, 0.1)])
def test_a_video_of_less_than_two_parts_stays_whole(seconds, target):
    (part,) = plan_parts(TooLong(seconds, 1.0, 1.0, STEP), target)
    assert (part.start_seconds, part.end_seconds) == (0.0, None)


def test_notices_of_parts_are_given_once(tmp_path):
    parts = plan_parts(TooLong(SECONDS, 0.5, 1.0, STEP), 5.0)
    notices = (Notice("CODEC", "odd"), Notice("NOTHING_DECIDED", "of this part only"))
    paths = saved_parts(tmp_path, parts, 0.5, warnings=notices)
    joined = join_parts(parts, paths, OPTIONS, None)
    assert joined.warnings == notices[:1]
    assert joined.video.frames_decoded is None


@pytest.mark.parametrize("damage", ["gap", "status"])
def test_parts_of_a_damaged_video_are_refused(tmp_path, damage):
    parts = plan_parts(TooLong(SECONDS, 0.5, 1.0, STEP), 5.0)
    paths = saved_parts(tmp_path, parts, 0.5)
    hurt = timeline() if damage == "gap" else replace(WHOLE, status="partial")
    with one_pass(0.5, 4.0, 12.0, gaps=[Gap(11.0, 11.5)]) as track:
        save_track(track, hurt, paths[1])
    with pytest.raises(SourceError, match="damaged video"):
        join_parts(parts, paths, OPTIONS, None)


def test_a_part_without_scores_is_an_error(tmp_path):
    parts = plan_parts(TooLong(SECONDS, 0.5, 1.0, STEP), 5.0)
    paths = saved_parts(tmp_path, parts, 0.5)
    paths[2].unlink()
    with pytest.raises(SourceError, match=r"2\.npz"):
        join_parts(parts, paths, OPTIONS, None)

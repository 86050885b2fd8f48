"""Several plans that share one decoding: each gets what it would get alone."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from tests.support.events import assert_same_events, events_of, without_heartbeats
from tests.support.videos import VideoRecipe, drop_packets, make_video
from vswin_cli.config import SamplingOptions
from vswin_cli.models.architecture import InputSpec
from vswin_cli.storage.sources import VideoSource
from vswin_cli.video import image_slots, parallel
from vswin_cli.video.clips import open_clips, open_planned_clips
from vswin_cli.video.decode_options import DecodeOptions
from vswin_cli.video.decoder_process import decode_isolated
from vswin_cli.video.info import DecodeReport
from vswin_cli.video.sampler import decode_samples
from vswin_cli.video.sampling import RunEnd, SampledFrame, SamplingPlan, as_plans

FINE = SamplingPlan(num_frames=8, stride=8, short_side=32, positions_per_second=15.0)
COARSE = SamplingPlan(num_frames=16, stride=8, short_side=24, positions_per_second=6.0)
SPREAD = SamplingPlan(
    num_frames=4, stride=4, short_side=20, positions_per_second=8.0, positions_per_tick=4, phase=2
)
BY_INDEX = replace(FINE, by="index", positions_per_tick=2, short_side=16)
SPARSE = replace(FINE, stride=40)
UNEVEN = [0.0, 0.03, 0.1, 0.13, 0.3, 0.31, 0.5, *(0.6 + 0.07 * n for n in range(40))]


def of_plan(events, index):
    """What one of several plans was sent, as if it were alone."""
    own = [e for e in events if isinstance(e, (SampledFrame, RunEnd)) and e.plan_index == index]
    return [replace(event, plan_index=0) for event in own]


def samples(events):
    return [event for event in events if isinstance(event, (SampledFrame, RunEnd))]


def assert_as_alone(path, *plans, options=DecodeOptions()):
    together = events_of(path, plans, options)
    for index, plan in enumerate(plans):
        alone = events_of(path, plan, options)
        assert_same_events(of_plan(together, index), samples(alone))
        assert together[-1].gaps == alone[-1].gaps
        assert together[-1].frames_decoded == alone[-1].frames_decoded
        assert together[-1].end_seconds == alone[-1].end_seconds
    return together[-1]


@pytest.mark.parametrize(
    "recipe",
    [
        VideoRecipe(),
        VideoRecipe(b_frames=2, gop=30, rate=Fraction(30000, 1001)),
        VideoRecipe(num_frames=len(UNEVEN), times=UNEVEN),
        VideoRecipe(width=96, height=48, rotation=90.0),
    ],
    ids=["constant", "b-frames", "uneven", "rotated"],
)
def test_each_plan_gets_what_it_gets_alone(tmp_path, recipe):
    path = make_video(tmp_path / "a.mp4", recipe)
    report = assert_as_alone(path, FINE, COARSE, SPREAD)
    assert report.frames_decoded == recipe.num_frames  # once, not once for each plan
    assert_as_alone(path, BY_INDEX, FINE)


def test_a_gap_ends_the_run_of_each_plan(tmp_path):
    whole = make_video(tmp_path / "a.mkv", VideoRecipe(num_frames=90, gop=15))
    path = drop_packets(whole, tmp_path / "b.mkv", range(30, 45))
    report = assert_as_alone(path, FINE, COARSE)
    (gap,) = report.gaps
    assert gap.seconds == pytest.approx(0.5, abs=0.1)


def test_a_part_of_the_video_is_the_same_for_each_plan(tmp_path):
    path = make_video(tmp_path / "a.mp4")
    part = {"start_seconds": 0.5, "end_seconds": 1.5}
    report = assert_as_alone(path, replace(FINE, **part), replace(COARSE, **part))
    assert (report.start_seconds, report.end_seconds) == (0.5, 1.5)


def test_nothing_is_left_out_between_clips_that_another_plan_needs(tmp_path):
    path = make_video(tmp_path / "a.mp4", VideoRecipe(num_frames=600, gop=10))
    alone = events_of(path, SPARSE)
    assert alone[-1].sampled_sparsely  # by seeking
    together = events_of(path, (SPARSE, COARSE))
    assert_same_events(of_plan(together, 0), samples(alone))
    assert_same_events(of_plan(together, 1), samples(events_of(path, COARSE)))
    assert together[-1].frames_decoded == 600


def test_sparse_plans_seek_where_none_needs_a_frame(tmp_path):
    path = make_video(tmp_path / "a.mp4", VideoRecipe(num_frames=900, gop=10))
    plans = (replace(SPARSE, stride=150), replace(SPARSE, stride=150, short_side=24))
    together = events_of(path, plans)
    assert together[-1].frames_decoded < 900
    for index, plan in enumerate(plans):
        assert_same_events(of_plan(together, index), samples(events_of(path, plan)))


def test_frames_that_no_plan_needs_are_skipped(tmp_path):
    path = make_video(tmp_path / "a.mp4", VideoRecipe(num_frames=120, gop=60, b_frames=2))
    slow = replace(FINE, positions_per_second=2.0)
    together = without_heartbeats(decode_samples(path, (slow, replace(slow, short_side=24))))
    assert together[-1].frames_decoded == 120
    assert together[-1].frames_sampled == 2 * events_of(path, slow)[-1].frames_sampled


@pytest.mark.slow
@pytest.mark.parametrize("sides", [(32, 32), (32, 24)], ids=["one-size", "two-sizes"])
def test_parallel_decoders_give_the_same(tmp_path, sides, monkeypatch):
    numbers = []
    start = parallel.ParallelDecoder.__init__

    def counting(self, makers, ranges):
        numbers.append(len(makers))
        start(self, makers, ranges)

    monkeypatch.setattr(parallel.ParallelDecoder, "__init__", counting)
    path = make_video(tmp_path / "a.mp4", VideoRecipe(num_frames=900, gop=15, b_frames=1))
    plans = (replace(FINE, short_side=sides[0]), replace(COARSE, short_side=sides[1]))
    assert_as_alone(path, *plans, options=DecodeOptions(decoders=2))
    assert numbers == [2, 2, 2]  # together, and each alone
    together = events_of(path, plans, DecodeOptions(decoders=2))
    assert_same_events(together, events_of(path, plans))


@pytest.mark.slow
def test_sizes_are_the_same_after_damage_ends_parallel_decoding(tmp_path):
    whole = make_video(tmp_path / "a.mkv", VideoRecipe(num_frames=900, gop=15))
    path = drop_packets(whole, tmp_path / "b.mkv", range(510, 540))
    report = assert_as_alone(path, FINE, COARSE, options=DecodeOptions(decoders=2))
    assert len(report.gaps) == 1


def test_a_plan_that_is_alone_has_index_0(tmp_path):
    path = make_video(tmp_path / "a.mp4")
    assert_same_events(events_of(path, (FINE,)), events_of(path, FINE))
    assert {event.plan_index for event in samples(events_of(path, FINE))} == {0}


def test_plans_of_different_parts_are_refused():
    assert as_plans(FINE) == (FINE,)
    with pytest.raises(ValueError, match="one start and one end"):
        as_plans((FINE, replace(COARSE, end_seconds=3.0)))
    with pytest.raises(ValueError, match="one start and one end"):
        as_plans(())


@pytest.mark.slow
def test_a_decoder_process_gives_the_same(tmp_path):
    path = make_video(tmp_path / "a.mp4")
    there = without_heartbeats(decode_isolated(path, (FINE, COARSE)))
    here = events_of(path, (FINE, COARSE))
    assert_same_events(there, here)
    assert [e.plan_index for e in samples(there)] == [e.plan_index for e in samples(here)]


@pytest.mark.slow
def test_images_that_one_plan_keeps_do_not_hold_up_another(tmp_path, monkeypatch):
    """Where all shared memory is in use, images take the pipe."""
    num_frames = image_slots._SLOTS + 100
    path = make_video(
        tmp_path / "a.mp4", VideoRecipe(num_frames=num_frames, codec="mpeg4", width=32, height=32)
    )
    greedy = replace(FINE, positions_per_second=30.0, short_side=16)
    kept, rows = [], []
    for event in decode_isolated(path, (greedy, replace(COARSE, short_side=8))):
        if isinstance(event, SampledFrame) and event.plan_index == 0:
            kept.append(event)
        elif isinstance(event, SampledFrame):
            rows.append((event.position, event.image.copy()))
        elif isinstance(event, DecodeReport):
            report = event
    assert report.status == "ok"
    assert len(kept) == num_frames > image_slots._SLOTS
    alone = [e for e in events_of(path, replace(COARSE, short_side=8)) if hasattr(e, "image")]
    assert [position for position, _ in rows] == [event.position for event in alone]
    for (_, image), event in zip(rows, alone, strict=True):
        np.testing.assert_array_equal(image, event.image)


@pytest.mark.slow
@pytest.mark.parametrize("isolate", [True, False])
def test_clips_of_each_model_are_those_it_gets_alone(tmp_path, isolate):
    path = make_video(tmp_path / "a.mp4", VideoRecipe(num_frames=100, width=96))
    specs = [
        InputSpec(num_frames=8, frame_rate=15.0, resize_short_side=32, crop_size=32),
        InputSpec(num_frames=16, frame_rate=12.0, resize_short_side=24, crop_size=24),
    ]
    source, options = VideoSource.of(str(path)), DecodeOptions(isolate=isolate)
    with open_planned_clips(source, specs, SamplingOptions(), options) as stream:
        together = list(stream)
    assert stream.report.frames_decoded == 100
    assert [planned.plan_index for planned in together[:4]] != [0] * 4
    for index, spec in enumerate(specs):
        own = [planned.clip for planned in together if planned.plan_index == index]
        with open_clips(source, spec, SamplingOptions(), options) as alone:
            for clip, same in zip(own, list(alone), strict=True):
                np.testing.assert_array_equal(clip.frames, same.frames)
                np.testing.assert_array_equal(clip.step_edges_seconds, same.step_edges_seconds)
                assert (clip.index, clip.num_valid_steps) == (same.index, same.num_valid_steps)

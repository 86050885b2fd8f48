"""Clips: where they lie, what they hold, and that little is kept."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.videos import (
    VideoRecipe,
    cut_short,
    drop_packets,
    make_video,
    make_with_sound,
    overwrite,
    read_indices,
)
from vswin_cli.config import SamplingOptions, Stride
from vswin_cli.errors import NotAVideoError, OptionError, VswinError
from vswin_cli.models.architecture import InputSpec
from vswin_cli.storage.sources import VideoSource
from vswin_cli.video.clips import Clip, ClipAssembler, ClipPlan, open_clips, plan_clips
from vswin_cli.video.decode_options import DecodeOptions
from vswin_cli.video.reader import VideoReader
from vswin_cli.video.sampling import RunEnd, SampledFrame, SamplingPlan

SPEC = InputSpec(num_frames=8, frame_rate=10.0, resize_short_side=32, crop_size=32)
WHOLE_CLIPS = st.integers(1, 8).map(lambda half: 2 * half)


def clips_of(path, *, spec=SPEC, isolate=False, stride=Stride(100.0, "%"), **options):  # noqa: B008
    with open_clips(
        VideoSource.of(str(path)),
        spec,
        SamplingOptions(stride=stride, **options),
        DecodeOptions(isolate=isolate),
    ) as stream:
        return list(stream), stream.report


def starts(clips):
    return [round(float(clip.step_edges_seconds[0]), 3) for clip in clips]


def assemble(plan, num_positions, end_seconds):
    """Clips of one run whose images show their position."""
    assembler = ClipAssembler(plan)
    clips: list[Clip] = []
    for position in range(num_positions):
        image = np.full((2, 2, 3), position % 256, np.uint8)
        clips += assembler.add(SampledFrame(position, 1, position / 10, image))
        kept = len(assembler._kept)
        assert kept <= 2 * plan.clip_positions + 4 * plan.positions_per_tick
    return clips + list(assembler.end_run(end_seconds))


# The planner


def test_clips_follow_the_stride_and_the_last_is_moved_back():
    assert plan_clips(20, 8, 8) == (ClipPlan(0, 8), ClipPlan(8, 8), ClipPlan(12, 8))


def test_clips_that_fit_exactly_need_no_further_one():
    assert plan_clips(24, 8, 8) == (ClipPlan(0, 8), ClipPlan(8, 8), ClipPlan(16, 8))


def test_odd_tick_at_the_end_costs_no_further_clip():
    assert plan_clips(17, 8, 8) == (ClipPlan(0, 8), ClipPlan(8, 8))


def test_run_shorter_than_a_clip_gets_one_clip():
    assert plan_clips(3, 8, 8) == (ClipPlan(0, 3),)
    assert plan_clips(0, 8, 8) == ()


def test_sparse_stride_leaves_time_between_clips():
    assert plan_clips(100, 8, 40) == (ClipPlan(0, 8), ClipPlan(40, 8), ClipPlan(80, 8))
    assert plan_clips(84, 8, 40) == (ClipPlan(0, 8), ClipPlan(40, 8), ClipPlan(76, 8))


@given(st.integers(1, 300), WHOLE_CLIPS, WHOLE_CLIPS)
def test_dense_plans_cover_the_run_in_order_on_even_ticks(num_ticks, num_frames, stride):
    clips = plan_clips(num_ticks, num_frames, min(stride, num_frames))
    clip_starts = [clip.start for clip in clips]
    assert clip_starts == sorted(set(clip_starts))
    assert all(start % 2 == 0 for start in clip_starts)
    assert all(clip.start + clip.num_ticks <= num_ticks for clip in clips)
    covered = {tick for clip in clips for tick in range(clip.start, clip.start + clip.num_ticks)}
    assert set(range(num_ticks)) - covered <= {num_ticks - 1}


# The assembler


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 120), WHOLE_CLIPS, WHOLE_CLIPS)
def test_assembler_gives_what_the_planner_plans(num_ticks, num_frames, stride):
    plan = SamplingPlan(num_frames, stride, 2, positions_per_second=10.0)
    clips = assemble(plan, num_ticks, num_ticks / 10)
    planned = plan_clips(num_ticks, num_frames, stride)
    assert [clip.index for clip in clips] == list(range(len(planned)))
    for clip, expected in zip(clips, planned, strict=True):
        ticks = expected.start + np.arange(num_frames) % expected.num_ticks
        assert clip.frames[:, 0, 0, 0].tolist() == (ticks % 256).tolist()
        assert clip.step_edges_seconds[0] == pytest.approx(expected.start / 10)
        assert clip.num_valid_steps == max(1, expected.num_ticks // 2)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 120), WHOLE_CLIPS, st.floats(0.01, 1.0))
def test_steps_of_a_run_lie_on_one_grid_and_end_with_it(num_ticks, num_frames, into_last):
    end = (num_ticks - 1 + into_last) / 10
    plan = SamplingPlan(num_frames, num_frames, 2, positions_per_second=10.0)
    clips = assemble(plan, num_ticks, end)
    assert clips[-1].step_edges_seconds[-1] == pytest.approx(end)
    for clip in clips:
        edges = clip.step_edges_seconds
        assert (np.diff(edges[: clip.num_valid_steps + 1]) > 0).all()
        inner = edges[: clip.num_valid_steps] / 0.2
        assert inner == pytest.approx(np.round(inner))
        assert (edges[clip.num_valid_steps :] == edges[-1]).all()


def test_short_run_is_repeated_from_its_first_frame():
    plan = SamplingPlan(8, 8, 2, positions_per_second=10.0)
    (clip,) = assemble(plan, 5, 0.5)
    assert clip.frames[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4, 0, 1, 2]
    assert clip.num_valid_steps == 2
    assert clip.step_edges_seconds == pytest.approx([0, 0.2, 0.5, 0.5, 0.5])


def test_short_run_by_index_starts_again_in_source_frames():
    plan = SamplingPlan(8, 8, 2, by="index", positions_per_tick=2)
    (clip,) = assemble(plan, 11, 1.1)
    assert clip.frames[:, 0, 0, 0].tolist() == [0, 2, 4, 6, 8, 10, 1, 3]  # 2·i modulo 11


def test_short_run_sampled_uniformly_is_spread_over_the_clip():
    plan = SamplingPlan(
        8, 8, 2, positions_per_second=40.0, positions_per_tick=4, phase=2, short="spread"
    )
    (clip,) = assemble(plan, 16, 0.4)
    assert clip.frames[:, 0, 0, 0].tolist() == [1, 3, 5, 7, 9, 11, 13, 15]
    assert clip.num_valid_steps == 4
    assert clip.step_edges_seconds == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])


def test_clip_rejects_frames_that_do_not_fit_its_steps():
    with pytest.raises(ValueError, match="does not fit"):
        Clip(0, np.zeros((6, 2, 2, 3), np.uint8), np.arange(5.0), 1)
    with pytest.raises(ValueError, match="num_valid_steps"):
        Clip(0, np.zeros((8, 2, 2, 3), np.uint8), np.arange(5.0), 0)


# From files


@pytest.mark.parametrize("isolate", [False, True])
def test_clips_show_the_frames_on_display_at_each_tick(tmp_path, isolate):
    path = make_video(tmp_path / "a.mp4", VideoRecipe(num_frames=72))  # 2.4 s: 24 ticks
    clips, report = clips_of(path, isolate=isolate)
    shown = [number for clip in clips for number in read_indices(clip.frames)]
    assert shown == list(range(0, 72, 3))
    assert starts(clips) == [0.0, 0.8, 1.6]
    assert clips[-1].step_edges_seconds[-1] == pytest.approx(2.4)
    assert clips[0].frames.shape == (8, 32, 32, 3)
    assert (report.status, report.coverage, report.frames_decoded) == ("ok", 1.0, 72)
    assert report.frames_sampled == 24


def test_last_clip_is_moved_back_to_end_with_the_video(tmp_path):
    path = make_video(tmp_path / "a.mkv", VideoRecipe(num_frames=60, start=3.0))
    clips, _ = clips_of(path)
    assert starts(clips) == [0.0, 0.8, 1.2]
    assert read_indices(clips[-1].frames) == list(range(36, 60, 3))


def test_overlapping_clips_share_their_frames(tmp_path):
    path = make_video(tmp_path / "a.mp4", VideoRecipe(num_frames=72))
    clips, report = clips_of(path, stride=Stride(50.0, "%"))
    assert starts(clips) == [0.0, 0.4, 0.8, 1.2, 1.6]
    assert report.frames_sampled == 24


def test_variable_frame_rate_is_sampled_by_time(tmp_path):
    times = [i / 30 if i < 30 else 1 + (i - 30) / 5 for i in range(40)]
    path = make_video(tmp_path / "a.mp4", VideoRecipe(times=times, num_frames=40))
    clips, report = clips_of(path)
    shown: dict[int, int] = {}
    for clip in clips:
        first = round(clip.step_edges_seconds[0] * 10)
        shown |= dict(zip(range(first, first + 8), read_indices(clip.frames), strict=True))
    expected = [max(i for i, t in enumerate(times) if t <= k / 10 + 1e-6) for k in range(28)]
    assert [shown[tick] for tick in range(28)] == expected
    assert report.variable_frame_rate
    assert "VARIABLE_FRAME_RATE" in [warning.code for warning in report.warnings]


def test_video_shorter_than_a_clip_is_looped(tmp_path):
    path = make_video(tmp_path / "a.mp4", VideoRecipe(num_frames=15))
    (clip,), report = clips_of(path)
    assert read_indices(clip.frames) == [0, 3, 6, 9, 12, 0, 3, 6]
    assert clip.num_valid_steps == 2
    assert clip.step_edges_seconds == pytest.approx([0, 0.2, 0.5, 0.5, 0.5])
    assert report.duration_seconds == pytest.approx(0.5)


def test_video_of_one_frame_gives_one_clip(tmp_path):
    (clip,), report = clips_of(make_video(tmp_path / "a.mp4", VideoRecipe(num_frames=1)))
    assert read_indices(clip.frames) == [0] * 8
    assert (clip.num_valid_steps, report.status) == (1, "ok")


def test_frame_interval_counts_source_frames(tmp_path):
    times = [i / 30 if i < 10 else 1 / 3 + (i - 10) / 10 for i in range(32)]
    path = make_video(tmp_path / "a.mp4", VideoRecipe(times=times, num_frames=32))
    clips, _ = clips_of(path, frame_interval=2)
    assert [read_indices(clip.frames) for clip in clips] == [
        list(range(0, 16, 2)),
        list(range(16, 32, 2)),
    ]
    assert clips[1].step_edges_seconds[:4] == pytest.approx(times[16::4], abs=1e-4)


def test_uniform_sampling_takes_the_middle_of_each_part(tmp_path):
    spec = InputSpec(num_frames=8, sampling="uniform", resize_short_side=32, crop_size=32)
    path = make_video(tmp_path / "a.mp4", VideoRecipe(num_frames=240))
    clips, _ = clips_of(path, spec=spec)  # 4 s per clip, half a second per part
    assert starts(clips) == [0.0, 4.0]
    assert read_indices(clips[0].frames) == [7, 22, 37, 52, 67, 82, 97, 112]


def test_uniform_sampling_of_a_short_video_covers_all_of_it(tmp_path):
    spec = InputSpec(num_frames=8, sampling="uniform", resize_short_side=32, crop_size=32)
    path = make_video(tmp_path / "a.mp4", VideoRecipe(num_frames=30))
    (clip,), _ = clips_of(path, spec=spec)
    numbers = read_indices(clip.frames)
    assert numbers[0] < 4
    assert numbers[-1] > 25
    assert np.diff(numbers).tolist() == pytest.approx([3.75] * 7, abs=1.3)
    assert clip.num_valid_steps == 4


def test_uniform_sampling_refuses_a_frame_interval(tmp_path):
    spec = InputSpec(num_frames=8, sampling="uniform")
    with pytest.raises(OptionError, match="frame interval"):
        clips_of(make_video(tmp_path / "a.mp4"), spec=spec, frame_interval=2)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_part_of_a_video_keeps_the_videos_times(tmp_path, name):
    path = make_video(tmp_path / name, VideoRecipe(num_frames=600, start=2.0))
    whole, _ = clips_of(path)
    part, report = clips_of(path, start_seconds=14.4, end_seconds=16.8)
    assert starts(part) == [14.4, 15.2, 16.0]
    for clip, same in zip(part, whole[18:21], strict=True):
        assert np.array_equal(clip.frames, same.frames)
        assert clip.step_edges_seconds == pytest.approx(same.step_edges_seconds)
    assert (report.start_seconds, report.end_seconds) == (14.4, 16.8)
    assert (report.coverage, report.end_reason, report.status) == (1.0, "stopped", "ok")
    assert report.frames_decoded < 150


def test_part_may_begin_between_frames(tmp_path):
    path = make_video(tmp_path / "a.mp4", VideoRecipe(num_frames=90))
    clips, _ = clips_of(path, start_seconds=1.05)
    assert read_indices(clips[0].frames) == [31, 34, 37, 40, 43, 46, 49, 52]
    assert starts(clips)[0] == 1.05


def test_part_beyond_the_end_is_refused(tmp_path):
    with pytest.raises(OptionError, match=r"starts at 100 s, but the video ends at 2\.000 s"):
        clips_of(make_video(tmp_path / "a.mp4"), start_seconds=100.0)


@pytest.mark.slow
def test_errors_about_a_remote_video_name_its_address(tmp_path):
    fsspec = pytest.importorskip("fsspec")
    system = fsspec.filesystem("memory")
    system.pipe("/videos/a.mp4", b"nothing")
    source = VideoSource.of("memory://videos/a.mp4")
    with pytest.raises(NotAVideoError, match=r"^memory://videos/a\.mp4 is not a video"):
        open_clips(source, SPEC, SamplingOptions())
    system.pipe("/videos/b.mp4", make_video(tmp_path / "b.mp4").read_bytes())
    with open_clips(VideoSource.of("memory://videos/b.mp4"), SPEC, SamplingOptions()) as stream:
        assert len(list(stream)) > 0
    system.store.clear()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.mp4", "a.ts"])
def test_sparse_clips_are_reached_by_seeking_and_hold_the_same_frames(tmp_path, name):
    recipe = VideoRecipe(num_frames=1500, gop=30, width=160, height=160)
    path = make_video(tmp_path / name, recipe)
    dense, everything = clips_of(path)
    sparse, report = clips_of(path, stride=Stride(12.0, "s"))
    assert starts(sparse) == [0.0, 12.0, 24.0, 36.0, 48.0]
    for clip in sparse:
        same = dense[starts(dense).index(starts([clip])[0])]
        assert np.array_equal(clip.frames, same.frames)
    assert everything.frames_decoded == 1500
    assert report.frames_decoded < 600
    assert report.sampled_sparsely


@pytest.fixture(scope="module")
def joined(tmp_path_factory):
    """Two recordings of 20 s in one file; the clock of the second begins anew."""
    place = tmp_path_factory.mktemp("joined")
    first = make_video(place / "a.ts", VideoRecipe(num_frames=600))
    second = make_video(place / "b.ts", VideoRecipe(num_frames=600, first_index=600))
    path = place / "joined.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    return path


@pytest.mark.slow
@pytest.mark.parametrize("start", [15.0, 28.0])
def test_a_part_of_joined_recordings_shows_what_the_whole_shows(joined, start):
    whole, _ = clips_of(joined)
    part, _ = clips_of(joined, start_seconds=start, end_seconds=start + 2)
    shown = read_indices(part[0].frames)
    assert shown[0] == pytest.approx(30 * start, abs=1)
    assert shown[0] in [index for clip in whole for index in read_indices(clip.frames)]


@pytest.mark.slow
def test_timestamps_are_scanned_only_where_that_saves_decoding(joined, monkeypatch):
    scanned = []
    scan = VideoReader.scan_timestamps

    def noted_scan(self):
        scanned.append(self)
        return scan(self)

    monkeypatch.setattr(VideoReader, "scan_timestamps", noted_scan)
    monkeypatch.setattr("vswin_cli.video.sampler._SCAN_SHARE", 0.9)  # of the declared 20 s
    shown, _ = clips_of(joined, start_seconds=15.0, end_seconds=17.0)
    assert read_indices(shown[0].frames)[0] == pytest.approx(450, abs=1)
    assert scanned == []


@pytest.mark.slow
def test_sparse_clips_of_joined_recordings_are_found_in_both(joined):
    clips, report = clips_of(joined, stride=Stride(12.0, "s"))
    assert starts(clips) == [0.0, 12.0, 24.0, 36.0]
    for clip in clips:
        first = read_indices(clip.frames)[0]
        assert first == pytest.approx(30 * float(clip.step_edges_seconds[0]), abs=1)
    assert report.duration_seconds == pytest.approx(40.0, abs=0.05)


def test_sparse_clip_that_would_reach_beyond_the_end_is_moved_back(tmp_path):
    path = make_video(tmp_path / "a.mp4", VideoRecipe(num_frames=315))  # 10.5 s
    clips, _ = clips_of(path, stride=Stride(5.0, "s"))
    assert starts(clips) == [0.0, 5.0, 9.6]


def test_clips_do_not_straddle_a_gap(tmp_path):
    whole = make_video(tmp_path / "whole.mkv", VideoRecipe(num_frames=150, gop=10))
    path = drop_packets(whole, tmp_path / "a.mkv", range(50, 90))
    clips, report = clips_of(path)
    (gap,) = report.gaps
    assert (gap.start_seconds, gap.end_seconds) == pytest.approx((50 / 30, 3.0), abs=0.002)
    assert gap.reason == "missing_frames"
    assert report.status == "partial"
    assert report.coverage == pytest.approx(1 - (3.0 - 50 / 30) / 5.0, abs=0.002)
    assert starts(clips) == [0.0, 0.8, 3.0, 3.8, 4.2]
    for clip in clips:
        numbers = read_indices(clip.frames)
        assert max(numbers) < 50 or min(numbers) >= 90
    assert clips[1].step_edges_seconds[-1] == pytest.approx(gap.start_seconds)


@pytest.mark.slow
def test_damage_is_distinguished_from_missing_frames(tmp_path):
    path = make_video(tmp_path / "a.mp4", VideoRecipe(num_frames=600, gop=60, width=128))
    _, report = clips_of(overwrite(path, 0.4, 0.6))
    assert report.bad_packets > 0
    assert report.status == "partial"
    assert {gap.reason for gap in report.gaps} <= {"decode_error", "missing_frames"}
    assert report.gaps == tuple(sorted(report.gaps, key=lambda gap: gap.start_seconds))


def test_still_that_the_container_declares_is_no_gap(tmp_path):
    times = [i / 30 if i < 30 else 3 + i / 30 for i in range(60)]  # frame 29 stands for 3 s
    path = make_video(tmp_path / "a.mp4", VideoRecipe(times=times, num_frames=60))
    clips, report = clips_of(path)
    assert report.gaps == ()
    assert report.status == "ok"
    assert read_indices(clips[2].frames) == [29] * 8


def test_truncated_file_is_partial_up_to_its_declared_end(tmp_path):
    path = make_video(tmp_path / "a.mkv", VideoRecipe(num_frames=300))
    clips, report = clips_of(cut_short(path, 0.5))
    (gap,) = report.gaps
    assert (gap.reason, report.end_reason, report.status) == ("truncated", "truncated", "partial")
    assert gap.end_seconds == report.duration_seconds == pytest.approx(10.0, abs=0.01)
    assert clips[-1].step_edges_seconds[-1] == pytest.approx(gap.start_seconds)
    assert 0.3 < report.coverage < 0.7


def test_change_of_frame_shape_begins_a_new_run(tmp_path):
    wide = make_video(tmp_path / "a.ts", VideoRecipe(width=128))
    tall = make_video(tmp_path / "b.ts", VideoRecipe(height=128, first_index=60, start=2.0))
    path = tmp_path / "both.ts"
    path.write_bytes(wide.read_bytes() + tall.read_bytes())
    clips, report = clips_of(path)
    shapes = [clip.frames.shape[1:3] for clip in clips]
    assert shapes == [(32, 64)] * 3 + [(64, 32)] * 3
    assert report.gaps == ()
    (change,) = report.shape_changes_seconds
    assert change == pytest.approx(2.0, abs=0.05)
    (text,) = [one.message for one in report.warnings if one.code == "SHAPE_CHANGE"]
    assert f"{change:.3f} s" in text


@pytest.mark.slow
def test_report_is_refused_while_clips_remain(tmp_path):
    path = make_video(tmp_path / "a.mp4")
    with open_clips(VideoSource.of(str(path)), SPEC, SamplingOptions()) as stream:
        next(stream)
        with pytest.raises(VswinError, match="last clip"):
            stream.report  # noqa: B018


@pytest.mark.parametrize("isolate", [False, True])
def test_errors_come_before_the_first_clip(tmp_path, isolate):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"nothing")
    with pytest.raises(NotAVideoError):
        open_clips(
            VideoSource.of(str(path)), SPEC, SamplingOptions(), DecodeOptions(isolate=isolate)
        )


def test_run_end_without_frames_yields_no_clip():
    assembler = ClipAssembler(SamplingPlan(8, 8, 2))
    assert list(assembler.end_run(RunEnd(1.0).end_seconds)) == []


def test_complete_file_whose_frames_end_early_is_partial(tmp_path):
    """Noise makes the Matroska reader give up in the middle without an error."""
    path = make_video(tmp_path / "a.mkv", VideoRecipe(num_frames=300))
    content = bytearray(path.read_bytes())
    middle = len(content) // 3
    content[middle : middle + 2000] = bytes(2000)
    path.write_bytes(content)
    _, report = clips_of(path)
    assert report.status == "partial"
    assert report.coverage < 0.9
    assert sum(gap.seconds for gap in report.gaps) > 1.0


@pytest.mark.slow
def test_packets_lost_from_a_transport_stream_make_it_partial(tmp_path):
    path = make_video(tmp_path / "a.ts", VideoRecipe(num_frames=120, width=320, height=240))
    content = path.read_bytes()
    middle = len(content) // 188 // 2 * 188
    path.write_bytes(content[:middle] + content[middle + 5 * 188 :])
    _, report = clips_of(path)
    assert report.bad_packets > 0
    assert report.status == "partial"


@pytest.mark.parametrize(("start", "sound_seconds"), [(0.0, 6.0), (2.0, 4.0), (2.0, 1.0)])
def test_audio_before_or_after_the_frames_is_no_loss(tmp_path, start, sound_seconds):
    path = tmp_path / "a.mkv"
    make_with_sound(path, VideoRecipe(start=start), sound_seconds=sound_seconds)
    _, report = clips_of(path)
    assert report.duration_seconds == pytest.approx(2.0, abs=0.01)
    assert report.status == "ok"

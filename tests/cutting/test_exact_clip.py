"""Clips encoded again: exact to the frame, whatever the source."""

from fractions import Fraction

import av
import numpy as np
import pytest

from tests.cutting.clips import exact, indices, shown, sound_of
from tests.support import videos
from tests.support.videos import VideoRecipe, make_video, make_with_sound, read_indices
from vswin_cli.cutting.frame_spans import FrameSpans
from vswin_cli.video.reader import VideoReader

NTSC = Fraction(30000, 1001)
SOURCES = {
    "mp4 with B-frames": ("a.mp4", VideoRecipe(b_frames=2)),
    "open groups": ("a.mp4", VideoRecipe(b_frames=2, options={"x264-params": "open-gop=1"})),
    "NTSC rate": ("a.mkv", VideoRecipe(rate=NTSC)),
    "mpeg-ts": ("a.ts", VideoRecipe(b_frames=2, start=3.0)),
    "avi": ("a.avi", VideoRecipe(codec="mpeg4")),
    "h264 in avi": ("a.avi", VideoRecipe(b_frames=2)),
    "webm": ("a.webm", VideoRecipe(codec="libvpx-vp9", options={"cpu-used": "8"})),
    "later start": ("a.mkv", VideoRecipe(start=5.0)),
    "odd size": ("a.mkv", VideoRecipe(codec="ffv1", width=67, height=65, pixel_format="yuv444p")),
    "ten bits": ("a.mkv", VideoRecipe(codec="libx265", pixel_format="yuv420p10le")),
    "rgb": ("a.mov", VideoRecipe(codec="png", pixel_format="rgb24", gop=1)),
    "on its side": ("a.mp4", VideoRecipe(rotation=90, width=96, height=64)),
}


@pytest.mark.parametrize(("name", "recipe"), SOURCES.values(), ids=SOURCES)
def test_every_frame_of_the_part_and_no_other(tmp_path, name, recipe):
    video = make_video(tmp_path / name, recipe)
    interval = float(1 / recipe.rate)
    clip = exact(video, round(20 * interval, 6), round(31 * interval, 6))
    found = shown(clip)
    assert [index for _, index in found] == list(range(20, 31))
    expected = [i * interval for i in range(11)]
    assert [seconds for seconds, _ in found] == pytest.approx(expected, abs=0.0011)


def test_frames_keep_their_own_times_and_the_last_its_length(tmp_path):
    times = [0, 0.1, 0.15, 0.9, 1.0, 1.05, 2.5, 2.6]
    recipe = VideoRecipe(num_frames=len(times), times=times, gop=3)
    clip = exact(make_video(tmp_path / "a.mp4", recipe), 0.1, 2.0)
    assert shown(clip) == [(0.0, 1), (0.05, 2), (0.8, 3), (0.9, 4), (0.95, 5)]
    with av.open(str(clip)) as opened:
        stream = opened.streams.video[0]
        assert stream.duration * stream.time_base == pytest.approx(1.9, abs=1e-4)


def test_a_part_between_two_frames_shows_the_earlier_one(tmp_path):
    recipe = VideoRecipe(num_frames=3, times=[0, 1.0, 5.0])
    clip = exact(make_video(tmp_path / "a.mp4", recipe), 2.0, 3.0)
    assert shown(clip) == [(0.0, 1)]


def test_a_part_at_the_end_of_the_video_ends_with_it(tmp_path):
    clip = exact(make_video(tmp_path / "a.mp4"), 1.8, 60.0)
    assert indices(clip) == [54, 55, 56, 57, 58, 59]
    with av.open(str(clip)) as opened:
        assert opened.duration / 1e6 == pytest.approx(0.2, abs=0.001)


def test_a_part_past_the_end_is_no_clip(tmp_path):
    assert exact(make_video(tmp_path / "a.mp4"), 2.5, 3.0) is None
    assert not (tmp_path / "clip.mp4").exists()


def test_parts_in_any_order_of_one_reader(tmp_path):
    video = make_video(tmp_path / "a.mp4", VideoRecipe(num_frames=300, gop=30))
    with VideoReader(video) as reader:
        spans = FrameSpans(reader)
        for first, stop in ((0, 5), (5, 8), (6, 9), (250, 260), (9, 12), (295, 300), (298, 300)):
            found = list(spans.between(first / 30, stop / 30))
            painted = read_indices(one.frame.to_ndarray(format="rgb24") for one in found)
            assert painted == list(range(first, stop))
            assert found[-1].end_seconds == pytest.approx((stop - first) / 30, abs=1e-3)


def test_a_part_that_was_not_read_to_its_end_loses_no_frame(tmp_path):
    with VideoReader(make_video(tmp_path / "a.mp4")) as reader:
        spans = FrameSpans(reader)
        for _ in range(2):
            assert next(spans.between(0.5, 1.0)).start_seconds == 0
        found = [one.frame.to_ndarray(format="rgb24") for one in spans.between(0.5, 0.6)]
        assert read_indices(found) == [15, 16, 17]


def test_rotation_pixel_shape_and_colours_stay(tmp_path):
    video = tmp_path / "a.mp4"
    with av.open(str(video), "w") as output:
        stream = output.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        context = stream.codec_context
        context.sample_aspect_ratio = Fraction(4, 3)
        context.color_primaries, context.color_trc, context.colorspace = 9, 16, 9
        context.color_range = 1
        stream.set_display_rotation(270)
        for _ in range(10):
            output.mux(stream.encode(av.VideoFrame(96, 64, "yuv420p")))
        output.mux(stream.encode(None))
    with av.open(str(exact(video, 0.1, 0.2))) as opened:
        stream = opened.streams.video[0]
        frame = next(opened.decode(stream))
        assert frame.rotation % 360 == 270
        assert stream.sample_aspect_ratio == Fraction(4, 3)
        context = stream.codec_context
        found = context.color_primaries, context.color_trc, context.colorspace, context.color_range
        assert tuple(map(int, found)) == (9, 16, 9, 1)


def beeps(path, *, rate=48000, codec="aac", layout="stereo", recipe=None, first_at=0.0):
    """A video whose sound is a click at every half second."""
    with av.open(str(path), "w") as output:
        recipe = recipe or VideoRecipe(num_frames=120)
        video = videos._add_stream(output, recipe)
        sound = output.add_stream(codec, rate=rate, layout=layout)
        videos._write_frames(output, video, recipe)
        samples = np.zeros(4 * rate, np.float32)
        for half in range(8):
            begin = half * rate // 2
            samples[begin : begin + rate // 100] = 0.5 * np.sin(np.arange(rate // 100) * 0.4)
        channels = 1 if layout == "mono" else 2
        resampler = av.AudioResampler(sound.format, layout, rate)
        for first in range(0, len(samples), 1024):
            block = np.tile(samples[None, first : first + 1024], (channels, 1))
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
            frame.sample_rate, frame.pts = rate, first + round(first_at * rate)
            frame.time_base = Fraction(1, rate)
            for converted in resampler.resample(frame):
                output.mux(sound.encode(converted))
        output.mux(sound.encode(None))
    return path


VP9 = VideoRecipe(num_frames=120, codec="libvpx-vp9", options={"cpu-used": "8"})
SOUNDS = {
    "mp4": ("a.mp4", {}),
    "matroska, in milliseconds": ("a.mkv", {}),
    "mpeg-ts": ("a.ts", {"recipe": VideoRecipe(num_frames=120, start=1.0), "first_at": 1.0}),
    "a rate that AAC lacks": ("a.avi", {"codec": "pcm_s16le", "rate": 6000, "layout": "mono"}),
    "opus": ("a.webm", {"codec": "libopus", "recipe": VP9}),
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), SOUNDS.values(), ids=SOUNDS)
def test_sound_begins_and_ends_with_the_part(tmp_path, name, options):
    video = beeps(tmp_path / name, **options)
    clip = exact(video, 0.9, 2.2)
    with av.open(str(clip)) as opened:
        stream = opened.streams.audio[0]
        rate = stream.rate
        assert stream.duration * stream.time_base == pytest.approx(1.3, abs=0.005)
        assert opened.streams.video[0].duration * opened.streams.video[0].time_base == (
            pytest.approx(1.3, abs=0.005)
        )
    loud = np.abs(sound_of(clip)[0]) > 0.1
    begins = [i for i in np.flatnonzero(loud) if not loud[max(0, i - rate // 10) : i].any()]
    assert np.array(begins) / rate == pytest.approx([0.1, 0.6, 1.1], abs=0.005)


def test_without_sound_there_is_no_silent_track(tmp_path):
    clip = exact(make_video(tmp_path / "a.mp4"), 0.5, 1.0)
    with av.open(str(clip)) as opened:
        assert not opened.streams.audio


def test_sound_that_ends_early_or_lies_elsewhere(tmp_path):
    video = make_with_sound(tmp_path / "a.mp4", VideoRecipe(), sound_seconds=1.0)
    assert sound_of(exact(video, 0.5, 1.5)).shape[1] / 16000 == pytest.approx(0.5, abs=0.1)
    with av.open(str(exact(video, 1.5, 1.9))) as opened:
        assert not opened.streams.audio

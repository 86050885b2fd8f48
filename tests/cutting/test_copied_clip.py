"""Clips copied without encoding: from the key frame before, every frame up to the end."""

import av
import pytest

from tests.cutting.clips import copied, indices, shown
from tests.cutting.test_exact_clip import beeps
from tests.support.videos import VideoRecipe, make_audio, make_video
from vswin_cli.cutting.copied_clip import is_playable, reason_not_to_copy

NO_CUTS = {"sc_threshold": "0"}
B_FRAMES = VideoRecipe(b_frames=2, options={**NO_CUTS, "b-adapt": "0"})
OPEN = VideoRecipe(
    num_frames=120,
    b_frames=2,
    codec="libx265",
    gop=24,
    options={"x265-params": "open-gop=1:keyint=24:min-keyint=24:scenecut=0:b-adapt=0"},
)
SOURCES = {
    "mp4": ("a.mp4", VideoRecipe(options=NO_CUTS)),
    "mp4 with B-frames": ("a.mp4", B_FRAMES),
    "matroska with B-frames": ("a.mkv", B_FRAMES),
    "mpeg-ts": ("a.ts", VideoRecipe(b_frames=2, start=3.0, options=NO_CUTS)),
    "flash video": ("a.flv", VideoRecipe(options=NO_CUTS)),
    "webm": ("a.webm", VideoRecipe(codec="libvpx-vp9", options={"cpu-used": "8"})),
    "later start": ("a.mkv", VideoRecipe(start=5.0, options=NO_CUTS)),
    "av1": ("a.webm", VideoRecipe(codec="libsvtav1", options={"preset": "12"})),
    "mpeg-4": ("a.mp4", VideoRecipe(codec="mpeg4")),
}


@pytest.mark.parametrize(("name", "recipe"), SOURCES.values(), ids=SOURCES)
def test_from_the_key_frame_before_to_the_end(tmp_path, name, recipe):
    video = make_video(tmp_path / name, recipe)
    clip, early = copied(video, 0.9, 1.3)
    found = shown(clip)
    assert [index for _, index in found[:15]] == list(range(24, 39))
    assert early == pytest.approx(0.1, abs=0.002)
    assert {index for _, index in found[15:]} <= {39, 40}  # frames that earlier ones refer to
    expected = [i / 30 for i in range(len(found))]
    assert [seconds - found[0][0] for seconds, _ in found] == pytest.approx(expected, abs=0.0021)


@pytest.mark.parametrize("name", ["a.mkv", "a.ts"])
def test_an_open_group_begins_at_its_key_frame(tmp_path, name):
    video = make_video(tmp_path / name, OPEN)
    clip, early = copied(video, 1.7, 2.0)
    assert indices(clip)[:12] == list(range(48, 60))
    with av.open(str(clip)) as opened:
        assert opened.streams.video[0].codec_context.codec_tag == "hvc1"
    assert early == pytest.approx(0.1, abs=0.002)


def test_rotation_stays(tmp_path):
    recipe = VideoRecipe(rotation=270, width=96, height=64, options=NO_CUTS)
    clip, _ = copied(make_video(tmp_path / "a.mp4", recipe), 0.9, 1.3)
    assert indices(clip)[0] == 24
    with av.open(str(clip)) as opened:
        assert next(opened.decode(video=0)).rotation % 360 == 270


def test_times_of_a_variable_rate_stay(tmp_path):
    times = [0, 0.1, 0.15, 0.9, 1.0, 1.05, 2.5, 2.6]
    recipe = VideoRecipe(num_frames=len(times), times=times, gop=3, options=NO_CUTS)
    clip, early = copied(make_video(tmp_path / "a.mp4", recipe), 0.95, 2.55)
    assert [round(s, 3) for s, _ in shown(clip)] == [0.0, 0.1, 0.15, 1.6]
    assert early == pytest.approx(0.05)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_sound_is_copied_with_the_frames(tmp_path, name):
    recipe = VideoRecipe(num_frames=120, options=NO_CUTS)
    clip, early = copied(beeps(tmp_path / name, recipe=recipe), 1.0, 2.0)
    with av.open(str(clip)) as opened:
        video, sound = opened.streams.video[0], opened.streams.audio[0]
        assert sound.duration * sound.time_base == pytest.approx(1.0 + early, abs=0.05)
        assert video.duration * video.time_base == pytest.approx(1.0 + early, abs=0.07)
        first = next(opened.decode(audio=0))
        assert float(first.time) == pytest.approx(0.0, abs=0.03)


def test_what_mp4_or_its_players_do_not_take_is_not_copied(tmp_path):
    assert "avi" in reason_not_to_copy(make_video(tmp_path / "a.avi", VideoRecipe(codec="mpeg4")))
    ffv1 = VideoRecipe(codec="ffv1", num_frames=3)
    assert "ffv1" in reason_not_to_copy(make_video(tmp_path / "a.mkv", ffv1))
    sound = beeps(tmp_path / "b.mkv", codec="pcm_s16le", rate=8000, layout="mono")
    assert "pcm_s16le" in reason_not_to_copy(sound)
    assert reason_not_to_copy(make_video(tmp_path / "a.mp4")) is None


def test_a_copy_without_frames_is_not_playable(tmp_path):
    video = make_video(tmp_path / "a.mp4", VideoRecipe(num_frames=3))
    assert is_playable(video)
    assert not is_playable(make_audio(tmp_path / "b.mp4"))
    (tmp_path / "c.mp4").write_bytes(video.read_bytes()[:200])
    assert not is_playable(tmp_path / "c.mp4")

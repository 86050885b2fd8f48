"""Frames and their times from files in every state; each frame proves which one it is."""

from fractions import Fraction
from pathlib import Path

import av
import pytest

from tests.support.events import probe
from tests.support.videos import (
    VideoRecipe,
    cut_short,
    make_audio,
    make_several_streams,
    make_still_and_audio,
    make_video,
    make_with_cover,
    make_with_sound,
    overwrite,
    read_indices,
)
from vswin_cli.errors import (
    DecodeError,
    NotAVideoError,
    NoVideoStreamError,
    SourceNotFoundError,
)
from vswin_cli.video.reader import VideoReader
from vswin_cli.video.resize import ImageResizer

QUICK_VP9 = {"deadline": "realtime", "cpu-used": "8"}
QUIET_HEVC = {"x265-params": "log-level=none", "preset": "ultrafast"}
VARIABLE = [i / 30 if i < 15 else 0.5 + (i - 15) / 10 for i in range(30)]

FORMATS = {
    "b_frames.mp4": VideoRecipe(b_frames=2),
    "start_offset.mkv": VideoRecipe(b_frames=2, start=5.0),
    "start_offset.ts": VideoRecipe(start=5.0),
    "fragmented.mp4": VideoRecipe(container_options={"movflags": "frag_keyframe+empty_moov"}),
    "flash.flv": VideoRecipe(),
    "vp8.webm": VideoRecipe(codec="libvpx", options=QUICK_VP9),
    "vp9.webm": VideoRecipe(codec="libvpx-vp9", options=QUICK_VP9),
    "hevc.mp4": VideoRecipe(codec="libx265", options=QUIET_HEVC),
    "packed.avi": VideoRecipe(codec="mpeg4", b_frames=1),
    "motion_jpeg.avi": VideoRecipe(codec="mjpeg", pixel_format="yuvj420p"),
    "program_stream.mpg": VideoRecipe(codec="mpeg2video", rate=Fraction(25)),
    "raw.h264": VideoRecipe(),
    "ten_bit.mp4": VideoRecipe(pixel_format="yuv420p10le"),
    "chroma_422.mkv": VideoRecipe(pixel_format="yuv422p"),
    "chroma_444.mkv": VideoRecipe(pixel_format="yuv444p"),
    "odd_size.mkv": VideoRecipe(codec="ffv1", width=67, height=51),
    "palette.gif": VideoRecipe(codec="gif", pixel_format="rgb8", rate=Fraction(10), num_frames=20),
    "variable.mp4": VideoRecipe(times=VARIABLE, num_frames=30),
    "variable.mkv": VideoRecipe(times=VARIABLE, num_frames=30),
    "upside_down.mp4": VideoRecipe(rotation=180, width=96),
    "portrait.mp4": VideoRecipe(rotation=90, width=96),
    "portrait.mov": VideoRecipe(rotation=-90, width=96),
}


def decode(path):
    """Painted numbers, times and the reader, after everything was decoded."""
    resizer = ImageResizer(32)
    numbers, times = [], []
    with VideoReader(path) as reader:
        for frame in reader.frames():
            image = resizer.resize(frame.frame, frame.rotation_degrees)
            numbers += read_indices([image])
            times.append(frame.seconds)
    return numbers, times, reader


@pytest.mark.parametrize("name", FORMATS)
def test_every_frame_comes_once_in_order_at_its_time(tmp_path, name):
    recipe = FORMATS[name]
    numbers, times, reader = decode(make_video(tmp_path / name, recipe))
    expected = recipe.times or [i / float(recipe.rate) for i in range(recipe.num_frames)]
    assert numbers == list(range(recipe.num_frames))
    assert times == pytest.approx(expected, abs=0.0011)  # Matroska and FLV count milliseconds
    assert (reader.bad_packets, reader.out_of_order_frames) == (0, 0)


@pytest.mark.parametrize(
    ("name", "turn"), [("portrait.mp4", 90), ("portrait.mov", 270), ("upside_down.mp4", 180)]
)
def test_rotation_is_reported_counter_clockwise(tmp_path, name, turn):
    info = probe(make_video(tmp_path / name, FORMATS[name]))
    assert info.rotation_degrees == turn
    upright = (64, 96) if turn % 180 else (96, 64)
    assert (info.display_width, info.display_height) == upright


def test_rotation_by_any_angle_becomes_the_nearest_quarter_turn(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.set_display_rotation(-80)
        output.mux(stream.encode(av.VideoFrame(96, 64, "yuv420p")))
        output.mux(stream.encode(None))
    assert probe(path).rotation_degrees == 270


def test_info_describes_the_file(tmp_path):
    info = probe(make_video(tmp_path / "a.mp4", VideoRecipe(width=96, start=2.0)))
    assert (info.container, info.codec, info.pixel_format) == ("mp4", "h264", "yuv420p")
    assert (info.width, info.height, info.bit_depth) == (96, 64, 8)
    assert (info.declared_frame_rate, info.sample_aspect_ratio) == ("30", "1:1")
    assert info.measured_frame_rate == pytest.approx(30)
    assert info.declared_duration_seconds == pytest.approx(2.0)
    assert info.size_bytes == (tmp_path / "a.mp4").stat().st_size
    assert info.seekable
    assert info.cut_off is False
    assert info.lead_seconds == 0.0
    assert info.warnings == ()


def test_declared_duration_of_matroska_does_not_count_the_start_offset(tmp_path):
    path = make_video(tmp_path / "a.mkv", VideoRecipe(start=5.0))
    info = probe(path)
    assert info.start_seconds == pytest.approx(5.0)
    assert info.declared_duration_seconds == pytest.approx(2.0, abs=0.01)


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.mov", "a.flv", "a.ts"])
def test_declared_duration_counts_from_the_first_frame_where_sound_begins_before(tmp_path, name):
    path = make_with_sound(tmp_path / name, VideoRecipe(start=2.0), sound_seconds=4.0)
    info = probe(path)
    assert info.declared_duration_seconds == pytest.approx(2.0, abs=0.1)
    assert info.lead_seconds == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize(
    ("name", "recipe"),
    [
        ("a.h264", VideoRecipe()),
        ("a.mjpeg", VideoRecipe(codec="mjpeg", pixel_format="yuvj420p")),  # stamped by FFmpeg
    ],
)
def test_raw_stream_without_timestamps_gives_a_warning(tmp_path, name, recipe):
    info = probe(make_video(tmp_path / name, recipe))
    assert [warning.code for warning in info.warnings] == ["NO_TIMESTAMPS"]
    assert not info.seekable


def test_one_of_several_streams_is_used_and_named_in_a_warning(tmp_path):
    small, large = VideoRecipe(), VideoRecipe(width=128, height=96, first_index=500)
    path = make_several_streams(tmp_path / "a.mkv", [small, large])
    numbers, _, reader = decode(path)
    assert numbers[0] == [0, 500][reader.info.stream_index]
    assert reader.info.num_video_streams == 2
    assert [warning.code for warning in reader.info.warnings] == ["SEVERAL_VIDEO_STREAMS"]


def test_cover_art_is_not_taken_for_the_video(tmp_path):
    numbers, _, reader = decode(make_with_cover(tmp_path / "a.mp4"))
    assert numbers == list(range(60))
    assert reader.info.num_video_streams == 1


@pytest.mark.parametrize(
    ("ratio", "codes"), [("4:3", ["NON_SQUARE_PIXELS"]), ("399:400", [])], ids=str
)
def test_non_square_pixels_are_left_alone_with_a_warning(tmp_path, ratio, codes):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(ratio.replace(":", "/"))
        output.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        output.mux(stream.encode(None))
    info = probe(path)
    assert info.sample_aspect_ratio == ratio
    assert [warning.code for warning in info.warnings] == codes


def test_reset_timestamps_continue_after_the_last_frame(tmp_path):
    first = make_video(tmp_path / "a.ts", VideoRecipe(start=10.0))
    second = make_video(tmp_path / "b.ts", VideoRecipe(first_index=60))
    joined = tmp_path / "joined.ts"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    numbers, times, reader = decode(joined)
    assert numbers == list(range(120))
    assert times == pytest.approx([i / 30 for i in range(120)], abs=0.002)
    assert [warning.code for warning in reader.warnings] == ["TIMESTAMP_RESET"]


def test_a_name_with_a_colon_is_no_address(tmp_path, monkeypatch):
    make_video(tmp_path / "12:30 talk.mp4")
    monkeypatch.chdir(tmp_path)
    assert probe(Path("12:30 talk.mp4")).codec == "h264"


def test_one_damaged_timestamp_moves_no_other_frame(tmp_path):
    path = make_video(tmp_path / "a.ts", VideoRecipe(gop=10, b_frames=2))
    content = bytearray(path.read_bytes())
    headers = [at for at in range(len(content)) if content[at : at + 4] == b"\0\0\1\xe0"]
    content[headers[30] + 9] ^= 0x02  # bit 30 of its presentation time: 11,930 seconds
    path.write_bytes(content)
    numbers, times, reader = decode(path)
    assert numbers == list(range(60))
    assert times == pytest.approx([i / 30 for i in range(60)], abs=0.002)
    assert [warning.code for warning in reader.warnings] == ["DAMAGED_TIMESTAMPS"]


def test_stream_that_turns_up_in_the_middle_does_no_harm(tmp_path):
    silent = make_video(tmp_path / "a.ts")
    recipe = VideoRecipe(first_index=60, start=2.0)
    sounding = make_with_sound(tmp_path / "b.ts", recipe, sound_seconds=2.0)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(silent.read_bytes() + sounding.read_bytes())
    numbers, _, _ = decode(joined)
    assert numbers[:60] == list(range(60))
    assert numbers[-1] == 119


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.avi"])
@pytest.mark.parametrize("target", [0.0, 0.35, 1.0, 1.72, 5.0])
def test_seek_lands_at_or_before_the_target(tmp_path, name, target):
    avi = name.endswith("avi")  # has no start offset
    recipe = VideoRecipe(codec="mpeg4") if avi else VideoRecipe(start=1.0)
    path = make_video(tmp_path / name, recipe)
    resizer = ImageResizer(32)
    with VideoReader(path) as reader:
        next(reader.frames())
        reader.seek(target)
        frames = list(reader.frames())
    assert frames[0].seconds <= target
    numbers = read_indices(resizer.resize(frame.frame, 0) for frame in frames)
    assert numbers == list(range(numbers[0], 60))
    assert [frame.seconds for frame in frames] == pytest.approx(
        [number / 30 for number in numbers], abs=0.0011
    )


def test_seek_on_a_raw_stream_starts_from_the_beginning(tmp_path):
    path = make_video(tmp_path / "a.h264")
    with VideoReader(path) as reader:
        reader.seek(1.0)
        assert len(list(reader.frames())) == 60


def test_seeking_is_worth_it_only_beyond_the_next_keyframe(tmp_path):
    recipe = VideoRecipe(num_frames=300, gop=150)
    with VideoReader(make_video(tmp_path / "a.mp4", recipe)) as reader:
        assert not reader.worth_seeking(0.0, 1.0)  # near
        assert not reader.worth_seeking(0.5, 4.0)  # would go back to the first keyframe
        assert reader.worth_seeking(0.5, 6.0)


def test_damaged_packets_are_counted_and_passed_over(tmp_path):
    path = make_video(tmp_path / "a.mp4", VideoRecipe(num_frames=300, width=128, height=128))
    numbers, times, reader = decode(overwrite(path, 0.45, 0.5))
    assert reader.bad_packets > 0
    assert 200 < len(times) < 300
    assert (numbers[0], numbers[-1]) == (0, 299)
    assert times == sorted(times)


def test_truncated_file_gives_what_is_there(tmp_path):
    path = make_video(tmp_path / "a.mkv", VideoRecipe(num_frames=300))
    numbers, _, reader = decode(cut_short(path, 0.5))
    assert numbers == list(range(len(numbers)))
    assert 100 < len(numbers) < 200
    assert reader.info.cut_off is True


def test_missing_file_fails(tmp_path):
    with pytest.raises(SourceNotFoundError, match="no such file"):
        probe(tmp_path / "none.mp4")


def test_unreadable_file_fails(tmp_path):
    path = make_video(tmp_path / "a.mp4")
    path.chmod(0)
    try:
        path.read_bytes()
    except PermissionError:
        with pytest.raises(SourceNotFoundError, match="not allowed"):
            probe(path)
    else:
        pytest.skip("this user may read everything")


def test_folder_fails(tmp_path):
    with pytest.raises(NotAVideoError, match="is a folder") as caught:
        probe(tmp_path)
    assert "vswin batch" in str(caught.value.hint)


@pytest.mark.parametrize("content", [b"", b"just text", bytes(5000), b"\x1aE\xdf\xa3broken"])
def test_file_that_is_no_video_fails(tmp_path, content):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(NotAVideoError):
        probe(path)


def test_mp4_without_its_index_fails_with_the_cause(tmp_path):
    path = cut_short(make_video(tmp_path / "a.mp4", VideoRecipe(num_frames=300)), 0.5)
    with pytest.raises(NotAVideoError) as caught:
        probe(path)
    assert "end of the file is missing" in str(caught.value.hint)


def test_audio_alone_fails(tmp_path):
    with pytest.raises(NoVideoStreamError, match="audio"):
        probe(make_audio(tmp_path / "a.mp4"))


def test_cover_art_alone_fails(tmp_path):
    with pytest.raises(NoVideoStreamError, match="no video stream"):
        probe(make_still_and_audio(tmp_path / "a.mp4"))


def test_video_without_one_good_packet_fails(tmp_path):
    path = make_video(
        tmp_path / "a.mp4", VideoRecipe(num_frames=120, container_options={"movflags": "faststart"})
    )
    content = path.read_bytes()
    begin = content.index(b"mdat") + 4
    path.write_bytes(content[:begin] + bytes(len(content) - begin))
    with pytest.raises(DecodeError, match="no frame of"):
        probe(path)

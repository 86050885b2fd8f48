"""What lies after the last frame and was not decoded counts as lost."""

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from tests.support.events import events_of
from tests.support.videos import (
    VideoRecipe,
    destroy_middle_of_ts,
    make_video,
    make_with_sound,
)
from vswin_cli.video.decode_options import DecodeOptions
from vswin_cli.video.sampling import SamplingPlan
from vswin_cli.video.structure import second_movie

PLAN = SamplingPlan(num_frames=8, stride=8, short_side=32, positions_per_second=5.0)
DELIMITER = b"\0\0\1\x09\xf0"  # of H.264 access units
RECIPE = VideoRecipe(num_frames=300, width=96, b_frames=2)  # 10 s
QUICK = {"deadline": "realtime", "cpu-used": "8"}
QUIET = {"libx265": {"x265-params": "log-level=none", "preset": "ultrafast"}}
RECIPES = {
    "a.ts": RECIPE,
    "a.mpg": replace(RECIPE, codec="mpeg2video", rate=Fraction(30), b_frames=0),
    "a.nut": RECIPE,
    "a.ogv": replace(RECIPE, codec="libvpx", b_frames=0, options=QUICK),
    "a.flv": replace(RECIPE, b_frames=0),
    "a.h264": RECIPE,
}


def report_of(path, decoders=1):
    return events_of(path, PLAN, DecodeOptions(decoders=decoders))[-1]


def zeros(size):
    return bytes(size)


def noise(size):
    return np.random.default_rng(1).integers(0, 256, size, dtype=np.uint8).tobytes()


@pytest.fixture(scope="module", params=RECIPES)
def made(request, tmp_path_factory):
    return make_video(tmp_path_factory.mktemp("made") / request.param, RECIPES[request.param])


@pytest.mark.slow
def test_a_whole_file_is_complete(made):
    report = report_of(made)
    assert (report.status, report.end_reason, report.gaps) == ("ok", "end", ())
    assert report.duration_seconds == pytest.approx(10.0, abs=0.2)


@pytest.mark.slow
@pytest.mark.parametrize("tail", [zeros, noise])
def test_a_tail_without_packets_is_a_gap(made, tmp_path, tail):
    content = made.read_bytes()
    path = tmp_path / made.name
    path.write_bytes(content + tail(len(content)))
    report = report_of(path)
    assert report.status == "partial"
    assert report.coverage < 0.7
    assert report.gaps[-1].end_seconds == report.end_seconds


def test_sound_that_lasts_longer_is_no_loss(tmp_path):
    path = make_with_sound(tmp_path / "a.ts", VideoRecipe(num_frames=60), sound_seconds=10.0)
    assert report_of(path).status == "ok"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.mp4", "a.mov"])
def test_a_second_movie_in_the_file_gives_a_warning(tmp_path, name):
    first = make_video(tmp_path / name, replace(RECIPE, b_frames=0)).read_bytes()
    path = tmp_path / f"joined{name}"
    path.write_bytes(first + first)
    report = report_of(path)
    assert report.status == "partial"
    assert report.coverage == pytest.approx(0.5, abs=0.05)
    assert "SECOND_MOVIE" in [warning.code for warning in report.warnings]


@pytest.mark.slow
@pytest.mark.parametrize("decoders", [1, 2])
@pytest.mark.parametrize("name", ["a.mkv", "a.avi", "a.webm"])
def test_a_second_movie_that_ffmpeg_reads_is_no_loss(tmp_path, name, decoders):
    codec = {"codec": "libvpx", "options": QUICK} if name == "a.webm" else {}
    recipe = replace(RECIPE, b_frames=0, **codec)
    first = make_video(tmp_path / name, recipe).read_bytes()
    path = tmp_path / f"joined{name}"
    path.write_bytes(first + first)
    report = report_of(path, decoders=decoders)
    assert report.frames_decoded == 2 * RECIPE.num_frames
    assert report.status == "ok"
    assert report.coverage == pytest.approx(1)
    (warning,) = [one for one in report.warnings if one.code == "SECOND_MOVIE"]
    assert "not read" not in warning.message
    path.write_bytes(first + first[: len(first) * 2 // 3])
    report = report_of(path, decoders=decoders)
    assert report.status == "partial"


def test_fragments_that_repeat_their_header_are_one_movie(tmp_path):
    fragments = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    path = make_video(tmp_path / "a.mp4", replace(RECIPE, container_options=fragments))
    assert second_movie(path) is None
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"moof") - 4] + content)
    assert second_movie(path) is None
    assert report_of(path).status == "ok"


@pytest.mark.slow
def test_a_stream_that_changes_its_codec_is_lost_from_there_on(tmp_path):
    first = make_video(tmp_path / "a.ts", RECIPE)
    second = make_video(tmp_path / "b.ts", replace(RECIPES["a.mpg"], container="mpegts"))
    path = tmp_path / "joined.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    report = report_of(path)
    assert report.status == "partial"
    assert report.gaps
    assert report.duration_seconds > 12.0


@pytest.mark.slow
def test_packets_that_give_no_frames_are_a_gap(tmp_path):
    path = tmp_path / "a.ts"
    source = make_video(tmp_path / "whole.ts", RECIPE)
    with av.open(str(source)) as whole, av.open(str(path), "w") as output:
        stream = output.add_stream_from_template(whole.streams.video[0])
        for number, packet in enumerate(whole.demux(whole.streams.video[0])):
            if packet.size == 0:
                continue
            content = bytes(packet) if number < 150 else DELIMITER + bytes(packet.size)
            changed = av.Packet(content)
            changed.pts, changed.dts, changed.time_base = (
                packet.pts,
                packet.dts,
                packet.time_base,
            )
            changed.stream = stream
            output.mux(changed)
    report = report_of(path)
    assert report.status == "partial"
    assert report.coverage == pytest.approx(0.5, abs=0.05)
    assert report.duration_seconds == pytest.approx(10.0, abs=0.6)


@pytest.mark.slow
@pytest.mark.parametrize("step", [0, -3000, 3])
def test_frames_whose_time_does_not_advance_are_lost(tmp_path, step):
    """As with timestamps that are all zero, run backwards, or stand still for a while."""
    source, path = make_video(tmp_path / "whole.ts", replace(RECIPE, b_frames=0)), tmp_path / "a.ts"
    content = bytearray(source.read_bytes())
    number = 0
    for at in range(0, len(content), 188):
        start = content.find(b"\0\0\1\xe0", at, at + 188)
        if start >= 0 and content[start + 7] & 0x80:
            stamp = 900_000 + step * number // (100 if step > 0 else 1)
            content[start + 9 : start + 14] = _pts(stamp)
            number += 1
    path.write_bytes(content)
    report = report_of(path)
    assert number == 300
    assert report.status == "partial"
    assert report.coverage < 0.5


def _pts(stamp):
    """A presentation time as MPEG streams write it (ISO 13818-1, 2.4.3.6)."""
    parts = [0x21 | stamp >> 29 & 0xE, stamp >> 22 & 0xFF, stamp >> 14 & 0xFE | 1]
    return bytes([*parts, stamp >> 7 & 0xFF, stamp << 1 & 0xFE | 1])


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_an_impossible_length_in_the_header_is_no_loss(tmp_path, codec):
    path = make_video(tmp_path / "a.avi", replace(RECIPE, codec=codec, b_frames=0))
    content = bytearray(path.read_bytes())
    at = content.index(b"strh") + 8 + 32
    content[at : at + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    report = report_of(path)
    assert (report.status, report.gaps, report.frames_decoded) == ("ok", (), 300)
    assert "DURATION_MISMATCH" in [warning.code for warning in report.warnings]


def test_a_damaged_middle_before_a_sound_last_packet_is_missing(tmp_path):
    path = make_video(tmp_path / "a.ts", replace(RECIPE, b_frames=0))
    content = bytearray(path.read_bytes())
    begin = len(content) // 2 // 188 * 188
    starts = [at for at in range(begin, len(content), 188) if content[at + 1] == 0x41]  # of a frame
    for at in range(begin, starts[-1], 188):  # the headers of transport packets stay
        content[at + 12 : at + 188] = noise(176)
    path.write_bytes(content)
    report = report_of(path)
    assert report.status == "partial"
    assert report.coverage < 0.8


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
@pytest.mark.parametrize("begin_share", [0.3, 0.5])
@pytest.mark.parametrize("kept", [1, 2])
def test_a_sound_last_packet_does_not_hide_a_destroyed_middle(tmp_path, codec, begin_share, kept):
    # A decoder yields the last B-frame before frames that it still holds.
    recipe = replace(RECIPE, codec=codec, num_frames=150)  # 5 s
    path = make_video(tmp_path / "a.ts", recipe)
    path.write_bytes(destroy_middle_of_ts(path.read_bytes(), begin_share, kept=kept))
    report = report_of(path)
    assert report.status == "partial"
    assert report.coverage < begin_share + 0.2
    assert report.end_seconds > 4.5


@pytest.mark.parametrize(("first", "second"), [("libx264", "libx265"), ("mpeg2video", "libx264")])
def test_a_part_in_another_codec_counts_as_missing(tmp_path, first, second):
    parts = [
        make_video(
            tmp_path / f"{codec}.ts",
            replace(RECIPE, codec=codec, num_frames=90, options=QUIET.get(codec, {})),
        )
        for codec in (first, second)
    ]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    report = report_of(path)
    assert report.status == "partial"
    assert report.coverage < 0.9


@pytest.mark.slow
def test_an_avi_without_its_end_keeps_the_length_that_its_header_declares(tmp_path):
    path = make_video(tmp_path / "a.avi", replace(RECIPE, codec="mpeg4", b_frames=0))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    report = report_of(path)
    assert report.end_reason == "truncated"
    assert report.end_seconds == pytest.approx(10.0)
    assert report.coverage < 0.7

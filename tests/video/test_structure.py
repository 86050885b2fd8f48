"""Files that are shorter than they say."""

import pytest

from tests.support.videos import VideoRecipe, cut_short, make_video
from vswin_cli.errors import DecodeError
from vswin_cli.video.reader import VideoReader
from vswin_cli.video.structure import is_animated_webp, is_cut_off

NAMES = ["a.mp4", "a.mov", "a.mkv", "a.avi"]


def recipe(name):
    return VideoRecipe(codec="mpeg4" if name.endswith("avi") else "libx264")


@pytest.mark.parametrize("name", NAMES)
def test_whole_file_is_not_cut_off(tmp_path, name):
    assert is_cut_off(make_video(tmp_path / name, recipe(name))) is False


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_file_without_its_end_is_cut_off(tmp_path, name, share):
    assert is_cut_off(cut_short(make_video(tmp_path / name, recipe(name)), share)) is True


def test_fragmented_file_is_followed_to_its_end(tmp_path):
    options = {"movflags": "frag_keyframe+empty_moov"}
    path = make_video(tmp_path / "a.mp4", VideoRecipe(container_options=options))
    assert is_cut_off(path) is False
    assert is_cut_off(cut_short(path, 0.9)) is True


@pytest.mark.parametrize(
    "tail", [b"\n", b"\n" * 40, b"TAG" + b"A title".ljust(125), bytes(range(200, 216)), bytes(64)]
)
def test_data_appended_after_the_last_part_is_no_loss(tmp_path, tail):
    path = make_video(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes() + tail)
    assert is_cut_off(path) is not True


@pytest.mark.parametrize("name", ["a.ts", "a.h264", "a.flv"])
def test_formats_without_lengths_give_none(tmp_path, name):
    assert is_cut_off(make_video(tmp_path / name)) is None


def test_live_matroska_gives_none(tmp_path):
    path = make_video(tmp_path / "a.mkv", VideoRecipe(container_options={"live": "1"}))
    assert is_cut_off(path) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\0",
        b"text",
        b"\x1aE\xdf\xa3",
        b"\x1aE\xdf\xa3\xff",
        b"\x1aE\xdf\xa3\x01\x7f\xff\xff\xff\xff\xff\xff",
        b"RIFF",
        b"RIFF\0\0\0\0AVI ",
        b"\0\0\0\x03ftypabcd",
        b"\0\0\0\x10ftypabcdefgh\0\0\0\0mdat",
    ],
)
def test_nonsense_is_not_walked_forever(tmp_path, content):
    path = tmp_path / "a"
    path.write_bytes(content)
    assert is_cut_off(path) in (None, True, False)


def webp(flags):
    """The head of an extended WebP file, and an animation whose frames no FFmpeg here decodes."""
    head = b"VP8X" + (10).to_bytes(4, "little") + bytes([flags, 0, 0, 0]) + b"\x0f\0\0" * 2
    anim = b"ANIM" + (6).to_bytes(4, "little") + bytes(6)
    body = b"WEBP" + head + anim
    return b"RIFF" + len(body).to_bytes(4, "little") + body


@pytest.mark.parametrize(("flags", "is_animated"), [(0x02, True), (0x12, True), (0x10, False)])
def test_animated_webp_is_recognized_by_its_flag(tmp_path, flags, is_animated):
    path = tmp_path / "a.webp"
    path.write_bytes(webp(flags))
    assert is_animated_webp(path) is is_animated


def test_a_format_without_decoder_is_not_called_damaged(tmp_path):
    (tmp_path / "a.webp").write_bytes(webp(0x02))
    with pytest.raises(DecodeError, match="animated WebP, for which FFmpeg has no decoder"):
        VideoReader(tmp_path / "a.webp")

import time
from pathlib import Path

import pytest

from tests.support.timelines import named
from vswin_cli.errors import OptionError
from vswin_cli.export.naming import escaped, media_url, video_ids, video_name


def test_ids_are_stems_with_as_many_folders_as_needed():
    uris = ["x/a.mp4", "y/a.mp4", "y/b.c.mp4", "s3://bucket/z/d.mkv?versionId=3"]
    assert video_ids(uris) == ["x/a", "y/a", "b.c", "d"]


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("videos/what?.mp4", "what?.mp4"),
        ("videos\\a?b=c.mp4", "a?b=c.mp4"),
        ("file:///videos/why?.mp4", "why?.mp4"),
        ("https://host/videos/a.mp4?token=x/y.z", "a.mp4"),
        ("s3://bucket/a.mp4?versionId=3", "a.mp4"),
    ],
)
def test_a_question_mark_ends_the_name_of_an_address_only(uri, name):
    assert video_name(named(uri)) == name
    assert video_ids([uri]) == [name.removesuffix(".mp4")]


def test_the_same_video_twice_has_no_id():
    with pytest.raises(OptionError, match="comes twice"):
        video_ids(["a.mp4", "a.mkv"])


@pytest.mark.parametrize("uri", ["", "/", ".", "..", "v_", "v_.mp4", "v_..mp4", "a/v_."])
def test_odd_names_have_an_id_too(uri):
    for prefix in ("", "v_"):
        (name,) = video_ids([uri], prefix=prefix)
        assert name


@pytest.mark.slow
def test_ids_of_many_videos_take_no_time():
    uris = [f"/archive/videos/{i // 100}/{i % 100}.mp4" for i in range(20_000)]
    started = time.perf_counter()
    assert len(set(video_ids(uris))) == len(uris)
    assert time.perf_counter() - started < 5  # looking through all for each takes a minute


def test_media_urls_are_absolute_and_quoted():
    assert media_url("/videos/a b#1.mp4") == "file:///videos/a%20b%231.mp4"
    assert media_url("s3://bucket/a b.mp4") == "s3://bucket/a b.mp4"
    assert media_url("a.mp4") == f"file://{Path.cwd().as_posix()}/a.mp4".replace(" ", "%20")


def test_escaped_names_have_no_controls_and_stay_different():
    names = [
        "a b", "a\nb", "a\rb", r"a\nb", r"a\\nb", "a\x1bb", r"a\x1bb", "a\udce9b", "aéb", "a\x85b",
        "a\udc85b", "a\u202eb", " a b", "a b ",
    ]  # fmt: skip
    found = [escaped(name) for name in names]
    assert found[:4] == ["a b", r"a\nb", r"a\rb", r"a\\nb"]
    assert found[7] == r"a\xe9b"
    assert len(set(found)) == len(names)
    assert all(text.isprintable() for text in found)
    assert escaped(r"C:\videos\a.mp4") == r"C:\videos\a.mp4"

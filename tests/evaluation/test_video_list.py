"""Lists of videos with their labels."""

from pathlib import Path

import pytest

from vswin_cli.errors import SourceError, SourceNotFoundError
from vswin_cli.evaluation.video_list import lists_parts, read_video_list

LABELS = ("archery", "playing Tennis", "7", "passing American football (in game)")


def read(tmp_path, text, **options):
    path = tmp_path / "list.csv"
    path.write_text(text, encoding="utf-8")
    listed = read_video_list(path, LABELS, **options)
    return [(Path(one.source.uri).name, one.class_id) for one in listed]


@pytest.mark.parametrize(
    "text",
    [
        "a.mp4,archery\nb.mp4,playing Tennis\n",
        "path,label\na.mp4,0\nb.mp4,1\n",
        "\ufeffvideo,label,note\r\na.mp4,archery,x\r\n\r\nb.mp4,playing_tennis,y\r\n",
        "video,start,end,label\na.mp4,0,1,archery\nb.mp4,2,3,1\n",
        "a.mp4\tarchery\nb.mp4\tplaying tennis\n",
        "a.mp4 0\nb.mp4 1",
        '"a.mp4","archery"\n"b.mp4","PLAYING TENNIS"\n',
    ],
)
def test_usual_forms_are_read(tmp_path, text):
    assert read(tmp_path, text) == [("a.mp4", 0), ("b.mp4", 1)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("path,label,start,end\n", True), ("path,label\na.mp4,0\n", False), ("", False)],
)
def test_a_list_of_parts_is_recognised(tmp_path, text, expected):
    (tmp_path / "list.csv").write_text(text)
    assert lists_parts(tmp_path / "list.csv") == expected


def test_a_space_separated_path_may_hold_spaces(tmp_path):
    assert read(tmp_path, "my clip.mp4 3\n") == [("my clip.mp4", 3)]


def test_a_name_that_looks_like_a_number_is_a_name_first(tmp_path):
    assert read(tmp_path, "a.mp4,7\nb.mp4,3\n") == [("a.mp4", 2), ("b.mp4", 3)]


def test_paths_start_from_the_list_or_from_the_root(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text(f"clips/a.mp4,0\n{tmp_path}/b.mp4,0\nhttps://host/c.mp4,0\n")
    uris = [one.source.uri for one in read_video_list(path, LABELS)]
    assert uris == [f"{tmp_path}/clips/a.mp4", f"{tmp_path}/b.mp4", "https://host/c.mp4"]
    (first, *_) = read_video_list(path, LABELS, root=tmp_path / "x")
    assert first.source.uri == f"{tmp_path}/x/clips/a.mp4"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lists no video"),
        ("path,label\n", "lists no video"),
        ("a.mp4,archery\nb.mp4,archer\n", "line 2: 'archer' is not a label"),
        ("a.mp4,4\n", "index below 4"),
        ("a.mp4,archery\nb.mp4\n", "line 2: a path and a label"),
        ("a.mp4,\n", "line 1: a path and a label"),
        ('a.mp4,0\n"b.mp4,1\n' + "c.mp4,0\n" * 20_000, "list.csv, line 2: field larger"),
    ],
)
def test_errors_name_the_line(tmp_path, text, message):
    with pytest.raises(SourceError, match=message):
        read(tmp_path, text)


def test_a_loose_name_must_be_unique(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("a.mp4,sing_ing\nb.mp4,SING ING\n")
    with pytest.raises(SourceError, match="fits several"):
        read_video_list(path, ("Sing ing", "sing Ing"))


def test_a_list_that_is_not_there_is_not_found(tmp_path):
    with pytest.raises(SourceNotFoundError):
        read_video_list(tmp_path / "list.csv", LABELS)

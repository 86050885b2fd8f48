"""Arguments become videos: paths, folders, patterns, addresses."""

import os

import pytest

from vswin_cli.errors import SourceError, SourceNotFoundError
from vswin_cli.storage.sources import VideoSource, expand_sources, find_sources


@pytest.fixture
def folder(tmp_path):
    for name in ("clip 10.mp4", "clip 2.mp4", "b.MKV", "notes.txt", ".hidden.mp4", "sub/c.webm"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path


def names(sources):
    return [source.path.name for source in sources]


def test_folder_stands_for_its_videos_with_numbers_in_order(folder):
    assert names(expand_sources([str(folder)])) == ["b.MKV", "clip 2.mp4", "clip 10.mp4"]


def test_recursive_looks_into_folders_of_the_folder(folder):
    found = names(expand_sources([str(folder)], recursive=True))
    assert found == ["b.MKV", "clip 2.mp4", "clip 10.mp4", "c.webm"]


def test_pattern_is_expanded_in_order(folder):
    assert names(expand_sources([f"{folder}/clip*"])) == ["clip 2.mp4", "clip 10.mp4"]
    assert names(expand_sources([f"{folder}/**/*.webm"])) == ["c.webm"]


def test_order_of_arguments_is_kept_and_each_video_comes_once(folder):
    inputs = [f"{folder}/clip 10.mp4", str(folder), f"{folder}/sub/../b.MKV"]
    assert names(expand_sources(inputs)) == ["clip 10.mp4", "b.MKV", "clip 2.mp4"]


def test_named_file_is_taken_whatever_its_name(folder):
    (source,) = expand_sources([f"{folder}/notes.txt"])
    assert source.uri == f"{folder}/notes.txt"


def test_file_whose_name_looks_like_a_pattern_is_taken_literally(tmp_path):
    path = tmp_path / "a[1].mp4"
    path.write_bytes(b"x")
    assert expand_sources([str(path)]) == [VideoSource(str(path), path)]


def test_numbers_are_digits_of_which_there_are_ten(tmp_path):
    for name in ("m10²5.mp4", "m9²5.mp4", "①2024.mp4", "٣.mp4"):
        (tmp_path / name).write_bytes(b"x")
    found = names(expand_sources([str(tmp_path)]))
    assert found.index("m9²5.mp4") < found.index("m10²5.mp4")
    assert len(found) == 4


def test_link_that_leads_to_itself_fails(tmp_path):
    loop = tmp_path / "loop.mp4"
    loop.symlink_to(loop)
    with pytest.raises(SourceNotFoundError, match=r"loop\.mp4") as caught:
        expand_sources([str(loop)])
    assert "points to itself" in str(caught.value.hint)
    assert VideoSource.of(str(loop)).id.startswith("loop-")


def test_missing_file_fails(tmp_path):
    with pytest.raises(SourceNotFoundError, match="no such file") as caught:
        expand_sources([str(tmp_path / "none.mp4")])
    assert "names with spaces in quotes" in (caught.value.hint or "")


def test_pattern_without_match_fails(folder):
    with pytest.raises(SourceNotFoundError, match="nothing matches"):
        expand_sources([f"{folder}/*.avi"])


def test_folder_without_videos_fails_and_points_to_a_pattern_that_looks_deeper(tmp_path):
    (tmp_path / "day1").mkdir()
    (tmp_path / "day1" / "a.mp4").touch()
    with pytest.raises(SourceError, match="no videos") as caught:
        expand_sources([str(tmp_path)])
    pattern = f"{tmp_path}/**/*.mp4"
    assert f"'{pattern}'" in str(caught.value.hint)
    assert [source.path.name for source in expand_sources([pattern])] == ["a.mp4"]


def test_an_empty_name_is_not_the_current_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)
    with pytest.raises(SourceNotFoundError, match="is empty"):
        expand_sources([""])


def test_folder_where_a_file_is_wanted_fails(folder):
    with pytest.raises(SourceError, match="is a folder") as caught:
        expand_sources([str(folder)], folders=False)
    assert "vswin batch" in str(caught.value.hint)


def test_ids_differ_for_equal_names_and_stay_the_same(folder, monkeypatch):
    (folder / "other").mkdir()
    (folder / "other" / "b.MKV").write_bytes(b"y")
    first, second = expand_sources([f"{folder}/b.MKV", f"{folder}/other/b.MKV"])
    assert first.id.startswith("b-")
    assert first.id != second.id
    monkeypatch.chdir(folder)
    assert expand_sources(["b.MKV"])[0].id == first.id


# Addresses, through fsspec's own in-memory file system


# Web addresses, through a server on loopback


@pytest.mark.parametrize("name", ["映" * 82, "🎬" * 62, "a" * 251], ids=len)
def test_an_id_leaves_room_for_an_ending(name):
    one = VideoSource.of(f"/videos/{name}.mp4").id
    assert one.startswith(name[:50])
    assert 200 < len(f"{one}.labelstudio.json".encode()) <= 255


def test_paths_outside_of_unicode_keep_their_id(tmp_path):
    strange = os.fsdecode(bytes(tmp_path) + b"/caf\xe9.mp4")
    assert VideoSource.of(strange).id


def test_an_empty_folder_is_reported_after_another_problem(tmp_path):
    (tmp_path / "empty").mkdir()
    found, problems = find_sources(
        [str(tmp_path / "none.mp4"), str(tmp_path / "empty")], recursive=True
    )
    assert found == []
    assert [type(problem) for problem in problems.values()] == [SourceNotFoundError, SourceError]


def test_two_names_of_one_file_are_two_videos(folder, monkeypatch):
    (folder / "a.mp4").write_bytes(b"x")
    (folder / "link.mp4").symlink_to("a.mp4")
    (folder / "same").symlink_to(folder, target_is_directory=True)
    monkeypatch.chdir(folder)
    given = ["link.mp4", "a.mp4", "./a.mp4", str(folder / "a.mp4"), "same/a.mp4"]
    found = expand_sources(given)
    assert [source.uri for source in found] == ["link.mp4", "a.mp4", "same/a.mp4"]
    assert len({source.id for source in found}) == 3
    assert {"a.mp4", "link.mp4"} <= {source.path.name for source in expand_sources([str(folder)])}


def test_lone_text_or_path_is_one_input(folder):
    several = expand_sources([str(folder)])
    assert len(several) == 3
    assert expand_sources(str(folder)) == expand_sources(folder) == several
    assert expand_sources([folder / "b.MKV"]) == [VideoSource.of(f"{folder}/b.MKV")]
    missing = folder / "missing.mp4"
    assert list(find_sources(missing)[1]) == [str(missing)]


def test_source_of_a_text_gets_its_path(folder):
    uri = f"{folder}/b.MKV"
    source = VideoSource(uri)
    assert source == VideoSource.of(uri) == VideoSource.of(folder / "b.MKV")
    assert source.path == folder / "b.MKV"
    with source.local() as path:
        assert path.read_bytes() == b"x"
    assert VideoSource("http://example.com/b.mkv").path is None

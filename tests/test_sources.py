"""Arguments become videos: paths, folders, patterns, addresses."""

import http.server
import importlib.util
import os
import re
import threading

import pytest

from tests.videos import make_video
from vswin_cli.errors import OptionError, SourceError, SourceNotFoundError
from vswin_cli.remote import as_local_path, is_remote, local_copy
from vswin_cli.sources import VideoSource, expand_sources


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


def test_missing_file_fails(tmp_path):
    with pytest.raises(SourceNotFoundError, match="no such file"):
        expand_sources([str(tmp_path / "none.mp4")])


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
    with pytest.raises(SourceNotFoundError, match="no name"):
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


def test_addresses_are_told_from_paths():
    assert is_remote("https://example.org/a.mp4")
    assert is_remote("s3://bucket/a.mp4")
    assert not is_remote("file:///tmp/a.mp4")
    assert not is_remote("C://videos/a.mp4")
    assert not is_remote("a.mp4")
    assert as_local_path("file:///tmp/a%20b.mp4") == as_local_path("/tmp/a b.mp4")
    assert VideoSource.of("https://example.org/a.mp4").path is None


# Addresses, through fsspec's own in-memory file system


@pytest.fixture
def memory():
    fsspec = pytest.importorskip("fsspec")
    system = fsspec.filesystem("memory")
    system.pipe("/films/b.mp4", b"second")
    system.pipe("/films/a.mp4", b"first")
    yield system
    system.store.clear()


def test_pattern_of_addresses_is_listed(memory):
    found = expand_sources(["memory://films/*.mp4"])
    assert [source.uri for source in found] == ["memory:///films/a.mp4", "memory:///films/b.mp4"]


def test_address_of_a_file_whose_name_looks_like_a_pattern_is_taken_literally(memory):
    memory.pipe("/films/a [1080p].mp4", b"third")
    (source,) = expand_sources(["memory://films/a [1080p].mp4"])
    assert source == VideoSource("memory://films/a [1080p].mp4")
    with pytest.raises(SourceNotFoundError, match="nothing matches"):
        expand_sources(["memory://films/c [1080p].mp4"])


def test_remote_video_is_copied_and_the_copy_removed(memory):
    told = []
    source = VideoSource.of("memory://films/a.mp4")
    with source.local(on_bytes=lambda done, total: told.append((done, total))) as path:
        assert (path.name, path.read_bytes()) == ("a.mp4", b"first")
    assert not path.exists()
    assert told == [(5, 5)]


def test_remote_file_that_is_missing_fails(memory):
    with (
        pytest.raises(SourceNotFoundError, match=r"nothing at memory://films/none\.mp4"),
        local_copy("memory://films/none.mp4"),
    ):
        pass


def test_copy_that_arrives_incomplete_fails(memory, monkeypatch):
    monkeypatch.setattr(type(memory), "info", lambda *_, **__: {"size": 99})
    with (
        pytest.raises(SourceError, match="5 of 99 bytes"),
        local_copy("memory://films/a.mp4"),
    ):
        pass


@pytest.mark.parametrize(
    ("scheme", "package", "extra"), [("s3", "s3fs", "s3"), ("gs", "gcsfs", "gcs")]
)
def test_protocol_without_its_package_names_the_extra(scheme, package, extra):
    if importlib.util.find_spec(package):
        pytest.skip(f"{package} is installed")
    with pytest.raises(OptionError, match="not installed") as caught:
        expand_sources([f"{scheme}://bucket/*.mp4"])
    assert f'pip install "vswin[{extra}]"' in str(caught.value.hint)


def test_unknown_protocol_fails():
    with pytest.raises(OptionError, match="unknown protocol"), local_copy("nonsense://a/b.mp4"):
        pass


@pytest.mark.parametrize("name", ["*.mp4", "a [1080p].mp4", "day*/a.mp4?token=x"])
def test_wildcards_in_web_addresses_fail(name):
    with pytest.raises(OptionError, match="no wildcards") as caught:
        expand_sources([f"https://example.org/{name}"])
    assert "%2A" in str(caught.value.hint)


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org/film.mp4?X-Amz-Signature=ab/c.d",
        "https://example.org/film.mp4?v=*#t=[1]",
        "http://[::1]:8000/film.mp4",
    ],
)
def test_query_and_host_of_a_web_address_are_no_pattern_and_no_part_of_a_name(address):
    (source,) = expand_sources([address])
    assert source == VideoSource(address)
    assert re.fullmatch("film-[0-9a-f]{10}", source.id)


# Web addresses, through a server on loopback


class _Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def web(tmp_path):
    def handler(*arguments):
        return _Files(*arguments, directory=str(tmp_path))

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield tmp_path, f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_web_address_is_copied(web):
    folder, address = web
    make_video(folder / "a b.mp4")
    with local_copy(f"{address}/a%20b.mp4") as path:
        assert path.name == "a b.mp4"
        assert path.read_bytes() == (folder / "a b.mp4").read_bytes()


def test_web_address_without_a_file_fails_as_a_source(web):
    _, address = web
    with pytest.raises(SourceError, match="cannot fetch"), local_copy(f"{address}/none.mp4"):
        pass


def test_web_address_that_answers_nothing_fails_as_a_source():
    with pytest.raises(SourceError), local_copy("http://127.0.0.1:9/a.mp4"):
        pass


@pytest.mark.parametrize("name", ["映" * 82, "🎬" * 62, "a" * 251], ids=len)
def test_an_id_leaves_room_for_an_ending(name):
    one = VideoSource.of(f"/films/{name}.mp4").id
    assert one.startswith(name[:50])
    assert 200 < len(f"{one}.labelstudio.json".encode()) <= 255


def test_paths_outside_of_unicode_keep_their_id(tmp_path):
    strange = os.fsdecode(bytes(tmp_path) + b"/caf\xe9.mp4")
    assert VideoSource.of(strange).id

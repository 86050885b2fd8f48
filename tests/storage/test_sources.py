"""Arguments become videos: paths, folders, patterns, addresses."""

import http.server
import importlib.util
import os
import re
import tempfile
import threading
from pathlib import Path

import pytest

from tests.support.videos import make_video
from vswin_cli.errors import OptionError, SourceError, SourceNotFoundError
from vswin_cli.storage import download
from vswin_cli.storage.remote import as_local_path, is_remote, local_copy
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


def test_addresses_are_distinguished_from_paths():
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
    system.pipe("/videos/b.mp4", b"second")
    system.pipe("/videos/a.mp4", b"first")
    yield system
    system.store.clear()


def test_pattern_of_addresses_is_listed(memory):
    found = expand_sources(["memory://videos/*.mp4"])
    assert [source.uri for source in found] == ["memory:///videos/a.mp4", "memory:///videos/b.mp4"]


def test_a_folder_at_an_address_means_the_videos_in_it(memory):
    for name in ("clip10.mp4", "clip2.MP4", "notes.txt", ".hidden.mp4", "day2/c.mp4"):
        memory.pipe(f"/archive/{name}", b"x")
    names = ["clip2.MP4", "clip10.mp4"]
    found = expand_sources(["memory://archive/"])
    assert [source.uri for source in found] == [f"memory:///archive/{name}" for name in names]
    found = expand_sources(["memory://archive"], recursive=True)
    names.append("day2/c.mp4")
    assert [source.uri for source in found] == [f"memory:///archive/{name}" for name in names]
    with pytest.raises(SourceError, match="is a folder"):
        expand_sources(["memory://archive/"], folders=False)
    memory.pipe("/empty/notes.txt", b"x")
    with pytest.raises(SourceError, match="no videos in memory://empty/"):
        expand_sources(["memory://empty/"])


def test_address_of_a_file_whose_name_looks_like_a_pattern_is_taken_literally(memory):
    memory.pipe("/videos/a [1080p].mp4", b"third")
    (source,) = expand_sources(["memory://videos/a [1080p].mp4"])
    assert source == VideoSource("memory://videos/a [1080p].mp4")
    with pytest.raises(SourceNotFoundError, match="nothing matches"):
        expand_sources(["memory://videos/c [1080p].mp4"])


def test_remote_video_is_copied_and_the_copy_removed(memory):
    told = []
    source = VideoSource.of("memory://videos/a.mp4")
    with source.local(on_bytes=lambda done, total: told.append((done, total))) as path:
        assert (path.suffix, path.read_bytes()) == (".mp4", b"first")
    assert not path.exists()
    assert told == [(5, 5)]


def test_remote_file_that_is_missing_fails(memory):
    with (
        pytest.raises(SourceNotFoundError, match=r"nothing at memory://videos/none\.mp4"),
        local_copy("memory://videos/none.mp4"),
    ):
        pass


def test_copy_that_arrives_incomplete_fails(memory, monkeypatch):
    monkeypatch.setattr(type(memory), "info", lambda *_, **__: {"size": 99})
    with (
        pytest.raises(SourceError, match="5 of 99 bytes"),
        local_copy("memory://videos/a.mp4"),
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
        "https://example.org/video.mp4?X-Amz-Signature=ab/c.d",
        "https://example.org/video.mp4?v=*#t=[1]",
        "http://[::1]:8000/video.mp4",
    ],
)
def test_query_and_host_of_a_web_address_are_no_pattern_and_no_part_of_a_name(address):
    (source,) = expand_sources([address])
    assert source == VideoSource(address)
    assert re.fullmatch("video-[0-9a-f]{10}", source.id)


# Web addresses, through a server on loopback


class _Files(http.server.SimpleHTTPRequestHandler):
    """A folder, and places that answer otherwise."""

    def do_GET(self):
        _, first, *rest = self.path.split("/")
        if first == "answers":
            self.send_error(int(rest[0]))
        elif first in ("same", "cut.mp4"):
            self.send_response(200)
            self.send_header("Content-Length", "4" if first == "same" else "400")
            self.end_headers()
            self.wfile.write(b"same")
        else:
            super().do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture
def web(tmp_path):
    def handler(*arguments):
        return _Files(*arguments, directory=str(tmp_path))

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield tmp_path, f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_web_address_is_copied(web):
    folder, address = web
    make_video(folder / "a b.mp4")
    with local_copy(f"{address}/a%20b.mp4") as path:
        assert path.suffix == ".mp4"
        assert path.read_bytes() == (folder / "a b.mp4").read_bytes()


@pytest.mark.parametrize(
    ("name", "kind", "message", "hint"),
    [
        ("none.mp4", SourceNotFoundError, "nothing at {}", "check the address"),
        ("answers/403", SourceNotFoundError, "no permission to read {}", "a signed one expires"),
        ("answers/418", SourceError, "cannot fetch {}: unexpected answer 418", "the address"),
        ("cut.mp4", SourceError, "cannot fetch {}: the download was interrupted", "file anew"),
    ],
)
def test_web_address_that_gives_no_file_fails_as_a_source(
    web, monkeypatch, name, kind, message, hint
):
    monkeypatch.setattr(download, "_RETRY_WAITS_SECONDS", (0.0,))
    address = f"{web[1]}/{name}"
    with pytest.raises(SourceError) as caught, local_copy(address):
        pass
    assert type(caught.value) is kind
    assert caught.value.message.startswith(message.format(address))
    assert hint in str(caught.value.hint)
    assert not re.search("--source|HF_|kept", f"{caught.value.hint}")


@pytest.mark.parametrize(
    "name", ["n" * 246 + ".mp4", "n" * 300 + ".mp4", "n." + "x" * 300, "a%00.mp4", ""]
)
def test_a_copy_has_a_name_that_every_disk_takes(web, name):
    with local_copy(f"{web[1]}/same/{name}") as path:
        assert path.read_bytes() == b"same"
    with pytest.raises(SourceError, match="cannot fetch"), local_copy("http://[/a.mp4"):
        pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize("scheme", ["http", "memory"])
def test_a_copy_that_finds_no_room_names_the_folder_that_may_be_moved(
    web, memory, monkeypatch, tmp_path, scheme
):
    class Full:
        def __init__(self, prefix):
            self.folder = tmp_path / "full"

        def __enter__(self):
            self.folder.mkdir()
            (self.folder / "video.mp4").symlink_to("/dev/full")
            return str(self.folder)

        def __exit__(self, *_):
            pass

    address = "memory://videos/a.mp4" if scheme == "memory" else f"{web[1]}/same/a.mp4"
    monkeypatch.setattr(tempfile, "TemporaryDirectory", Full)
    with pytest.raises(SourceError, match=re.escape(address)) as caught, local_copy(address):
        pass
    assert "TMPDIR" in str(caught.value.hint)
    monkeypatch.undo()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(SourceError, match="cannot copy") as caught, local_copy(address):
        pass
    assert "TMPDIR" in str(caught.value.hint)


def test_web_address_that_answers_nothing_fails_as_a_source():
    with pytest.raises(SourceError), local_copy("http://127.0.0.1:9/a.mp4"):
        pass


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

"""Addresses: listing, copies in temporary folders, and states of remote files."""

import http.server
import importlib.util
import re
import tempfile
import threading
from pathlib import Path

import pytest

from tests.support.videos import make_video
from vswin_cli.errors import OptionError, SourceError, SourceNotFoundError
from vswin_cli.storage import download
from vswin_cli.storage.remote import as_local_path, is_remote, local_copy
from vswin_cli.storage.sources import VideoSource, expand_sources


def names(sources):
    return [source.path.name for source in sources]


def test_addresses_are_distinguished_from_paths():
    assert is_remote("https://example.org/a.mp4")
    assert is_remote("s3://bucket/a.mp4")
    assert not is_remote("file:///tmp/a.mp4")
    assert not is_remote("C://videos/a.mp4")
    assert not is_remote("a.mp4")
    assert as_local_path("file:///tmp/a%20b.mp4") == as_local_path("/tmp/a b.mp4")
    assert VideoSource.of("https://example.org/a.mp4").path is None


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

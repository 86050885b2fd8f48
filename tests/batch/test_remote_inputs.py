"""Remote videos: a batch notices when they change, and does only those again."""

import http.server
import json
import os
import threading
import time
from urllib.parse import urlsplit

import pytest

from tests.support.videos import VideoRecipe, make_video
from vswin_cli.batch.inputs import collect_inputs, query_addresses
from vswin_cli.cli.app import run
from vswin_cli.errors import OptionError
from vswin_cli.storage.remote import RemoteState, look_at

pytestmark = pytest.mark.slow


class Server(http.server.ThreadingHTTPServer):
    """Serves a folder; can be told to forget how to answer HEAD, to send tags, to take time."""

    daemon_threads = True

    def __init__(self, folder):
        self.folder = folder
        self.answers_head = True
        self.tag = None
        self.pause_seconds = 0.0
        self.asked = []
        super().__init__(("127.0.0.1", 0), Answer)

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answer(http.server.SimpleHTTPRequestHandler):
    def __init__(self, request, client, server):
        super().__init__(request, client, server, directory=str(server.folder))

    def do_HEAD(self):
        self.server.asked.append(("HEAD", urlsplit(self.path).path))
        if self.server.answers_head:
            super().do_HEAD()
        else:
            self.send_error(501)

    def do_GET(self):
        self.server.asked.append(("GET", urlsplit(self.path).path))
        super().do_GET()

    def copyfile(self, source, outputfile):
        content = source.read()
        length = len(content) // 8 + 1
        for start in range(0, len(content), length):
            outputfile.write(content[start : start + length])
            time.sleep(self.server.pause_seconds)

    def end_headers(self):
        if self.server.tag:
            self.send_header("ETag", self.server.tag)
        super().end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    for i in range(2):
        make_video(folder / f"clip{i}.mp4", VideoRecipe(num_frames=20, first_index=100 * i))
    with Server(folder) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def batch(server, tiny_model, tmp_path, capfd):
    """Tag both videos by address; returns how many were done by earlier runs."""

    def call(code=0):
        addresses = [f"{server.address}/clip{i}.mp4" for i in range(2)]
        out = ["--out", str(tmp_path / "r.csv"), "--json"]
        assert run(["batch", *addresses, "--weights", str(tiny_model), *out]) == code
        return json.loads(capfd.readouterr().out)["resumed"]

    return call


def test_a_changed_file_is_done_again_and_the_others_are_not(server, batch):
    assert batch() == 0
    assert batch() == 2
    make_video(server.folder / "clip1.mp4", VideoRecipe(num_frames=40))
    os.utime(server.folder / "clip1.mp4", (1e9, 1e9))
    server.asked.clear()
    assert batch() == 1
    assert sorted(server.asked) == [
        ("GET", "/clip1.mp4"), ("HEAD", "/clip0.mp4"), ("HEAD", "/clip1.mp4"),
    ]  # fmt: skip
    assert batch() == 2


def test_a_new_tag_is_a_new_file(server, batch):
    server.tag = '"one"'
    assert batch() == 0
    assert batch() == 2
    server.tag = '"two"'
    assert batch() == 0


def test_a_file_whose_server_does_not_answer_counts_as_unchanged(server, batch):
    assert batch() == 0
    server.answers_head = False
    assert batch() == 2
    assert {method for method, _ in server.asked[-2:]} == {"HEAD"}


def test_a_server_that_states_no_version_is_trusted(server, batch):
    server.answers_head = False
    assert batch() == 0
    assert batch() == 2


def test_a_missing_file_is_looked_for_again(server, batch, tmp_path):
    server.answers_head = False  # so that nothing tells the difference
    (server.folder / "clip1.mp4").rename(tmp_path / "away.mp4")
    assert batch(code=3) == 0
    assert batch(code=3) == 1
    (tmp_path / "away.mp4").rename(server.folder / "clip1.mp4")
    assert batch() == 1
    assert batch() == 2


def test_a_download_in_progress_counts_as_a_heartbeat(server, tiny_model, tmp_path, capfd):
    server.pause_seconds = 0.8  # eight times, which is longer than the patience
    command = ["batch", f"{server.address}/clip0.mp4", "--weights", str(tiny_model)]
    out = ["--out", str(tmp_path / "r.csv"), "--workers", "2"]
    assert run([*command, *out, "--timeout", "4"]) == 0, capfd.readouterr().err
    assert [method for method, _ in server.asked] == ["HEAD", "GET"]


def test_size_and_version_are_those_that_the_server_states(server):
    server.tag = '"x"'
    size = (server.folder / "clip0.mp4").stat().st_size
    state = look_at(f"{server.address}/clip0.mp4")
    assert state.size_bytes == size
    assert state.version is not None
    assert all(part in state.version for part in ("ETag", "Last-Modified", str(size)))
    (one,) = query_addresses(collect_inputs([f"{server.address}/clip0.mp4"]))
    assert (one.identity, one.size_bytes) == (state.version, size)


@pytest.mark.parametrize("path", ["/none.mp4", ":1/none.mp4"])
def test_nothing_is_known_of_a_missing_file(server, path):
    assert look_at(f"{server.address}{path}") == RemoteState(None, None)
    assert look_at("http://127.0.0.1:9/a.mp4") == RemoteState(None, None)
    assert look_at("http://[/a.mp4") == RemoteState(None, None)


def test_changes_in_object_stores_are_found():
    fsspec = pytest.importorskip("fsspec")
    system = fsspec.filesystem("memory")
    system.pipe("/store/a.mp4", b"first")
    before = look_at("memory://store/a.mp4")
    assert before.size_bytes == 5
    assert look_at("memory://store/a.mp4") == before
    system.pipe("/store/a.mp4", b"other")
    assert look_at("memory://store/a.mp4").version != before.version
    system.rm("/store/a.mp4")
    assert look_at("memory://store/a.mp4") == RemoteState(None, None)


def test_an_unknown_protocol_is_refused_before_any_work():
    with pytest.raises(OptionError, match="unknown protocol"):
        query_addresses(collect_inputs(["nonsense://a/b.mp4"]))

"""No output holds the credentials or tokens of an address, and results still tell two apart."""

import http.server
import threading
from functools import partial

import pytest

from tests.support.videos import VideoRecipe, make_video
from vswin_cli.cli.app import run
from vswin_cli.export.formats import FORMATS

pytestmark = pytest.mark.slow

SECRETS = ("hunter2", "tok-one", "tok-two")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def addresses(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    make_video(folder / "clip.mp4", VideoRecipe(num_frames=20))
    handler = partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,)).start()
        host = f"127.0.0.1:{server.server_address[1]}"
        yield [
            f"http://user:hunter2@{host}/clip.mp4?X-Amz-Signature=tok-one",
            f"http://user:hunter2@{host}/clip.mp4?X-Amz-Signature=tok-two",
            f"http://user:hunter2@{host}/none.mp4?X-Amz-Signature=tok-one",
        ]
        server.shutdown()


def assert_hidden(capfd, *paths):
    out, err = capfd.readouterr()
    texts = [out, err]
    for path in paths:
        files = [one for one in path.rglob("*") if one.is_file()] if path.is_dir() else [path]
        assert files
        texts += [f"{one} {one.read_bytes().decode('latin-1')}" for one in files]
    for text in texts:
        assert not [secret for secret in SECRETS if secret in text], text[:2000]
    return out, err


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_no_format_of_tag_shows_them(addresses, tiny_model, tmp_path, capfd, name):
    if name == "parquet":
        pytest.importorskip("pyarrow")
    arguments = ["tag", addresses[0], "--weights", str(tiny_model), "--format", name, "--force"]
    assert run([*arguments, "--out", str(tmp_path / f"out{FORMATS[name].suffix}")]) in (0, 2)
    if name in ("json", "csv", "table"):
        assert run(arguments) == 0
    assert_hidden(capfd)
    for path in tmp_path.glob("out*"):
        assert_hidden(capfd, path)


def test_report_and_scores_do_not_show_them(addresses, tiny_model, tmp_path, capfd):
    page, scores = tmp_path / "page.html", tmp_path / "scores.npz"
    arguments = ["tag", addresses[0], "--weights", str(tiny_model)]
    assert run([*arguments, "--report", str(page), "--save-scores", str(scores)]) == 0
    assert run(["segment", str(scores), "--json"]) == 0
    assert_hidden(capfd, page, scores)


def test_batch_hides_them_in_tables_and_journal_and_resumes(addresses, tiny_model, tmp_path, capfd):
    table = tmp_path / "results" / "all.jsonl"
    table.parent.mkdir()
    arguments = ["batch", *addresses, "--weights", str(tiny_model), "--out", str(table)]
    assert run(arguments) == 3
    assert len(table.read_text().splitlines()) == 2  # two addresses, though they look alike
    assert_hidden(capfd, table.parent)
    assert run([*arguments, "--json"]) == 3
    out, _ = assert_hidden(capfd, table.parent)
    assert '"resumed":2' in out.replace(" ", "")


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_errors_and_probe_do_not_show_them(addresses, capfd, options, monkeypatch):
    monkeypatch.setenv("VSWIN_DEBUG", "1")
    assert run(["probe", addresses[0], *options]) == 0
    assert run(["probe", addresses[2], *options]) == 4
    assert run(["tag", addresses[2], *options]) == 4
    assert run(["tag", "rtsp://user:hunter2@host/live?token=tok-one", *options]) == 2
    assert run(["tag", "nosuch://user:hunter2@host/live?token=tok-one", *options]) == 2
    assert run(["tag", "http://user:hunter2@host/*.mp4?token=tok-one", *options]) == 2
    assert_hidden(capfd)

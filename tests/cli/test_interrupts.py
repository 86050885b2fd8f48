"""Ctrl-C and SIGTERM end a command at once, with what is finished written."""

import http.server
import signal
import subprocess
import sys
import threading

import pytest

from tests.support.videos import VideoRecipe, make_video

pytestmark = pytest.mark.slow


@pytest.fixture
def endless_address():
    """An address that promises a video and never sends it, and whether it was asked for it."""
    is_asked, is_over = threading.Event(), threading.Event()

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            self.wfile.flush()
            is_asked.set()
            is_over.wait()

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,)).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/endless.mp4", is_asked
        is_over.set()
        server.shutdown()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_tag_with_finished_videos_written(
    endless_address, tiny_model, tmp_path, number
):
    video, out = make_video(tmp_path / "a.mp4", VideoRecipe(num_frames=20)), tmp_path / "all.jsonl"
    address, is_asked = endless_address
    command = [sys.executable, "-m", "vswin_cli", "tag", str(video), address]
    options = ["--weights", str(tiny_model), "--out", str(out)]
    with subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True) as process:
        assert is_asked.wait(120)  # the first video is done
        process.send_signal(number)
        _, err = process.communicate()
    assert process.returncode == 128 + number
    assert "interrupted" in err
    assert "Traceback" not in err
    assert len(out.read_text().splitlines()) == 1

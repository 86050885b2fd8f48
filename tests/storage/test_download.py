"""One address into one file: ranges, cuts, retries, full disks, against a real server."""

from __future__ import annotations

import errno
import os
import resource
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.support.hub_server import HubServer, Repo, hub_environment
from vswin_cli.errors import DownloadError, IntegrityError, OfflineError
from vswin_cli.storage.download import check_free_space, transfer

CONTENT = os.urandom(300_000)


@pytest.fixture
def server(monkeypatch, tmp_path):
    with HubServer() as server, hub_environment(monkeypatch, tmp_path, server.endpoint):
        yield server


@pytest.fixture
def url(server):
    return server.serve_plain("w.pth", CONTENT) + "w.pth"


@pytest.fixture
def unfinished(tmp_path):
    return tmp_path / "new" / "w.pth.part"


def test_whole_file_arrives_and_progress_reaches_the_end(url, unfinished):
    steps = []
    transfer(url, unfinished, on_bytes=lambda done, total: steps.append((done, total)))
    assert unfinished.read_bytes() == CONTENT
    assert steps[0] == (0, len(CONTENT))
    assert steps[-1] == (len(CONTENT), len(CONTENT))
    assert steps == sorted(steps)
    assert [path.name for path in unfinished.parent.iterdir()] == ["w.pth.part"]


def test_cut_connection_is_continued_where_it_broke(server, url, unfinished):
    server.fault(CONTENT).cut_after_bytes = [100_000, 50_000]
    transfer(url, unfinished)
    assert unfinished.read_bytes() == CONTENT
    first, second, third = server.bodies()
    assert (first.range, first.sent_bytes) == (None, 100_000)
    assert (second.range, second.sent_bytes) == ("bytes=100000-", 50_000)
    assert (third.range, third.sent_bytes) == ("bytes=150000-", 150_000)


def test_next_run_requests_only_the_rest(server, url, unfinished):
    server.fault(CONTENT).cut_after_bytes = [120_000, 0, 0]
    with pytest.raises(DownloadError, match="was interrupted too often") as caught:
        transfer(url, unfinished)
    assert "0.1 MB have arrived and are kept" in str(caught.value.hint)
    assert unfinished.stat().st_size == 120_000
    server.log.clear()
    transfer(url, unfinished)
    assert unfinished.read_bytes() == CONTENT
    (request,) = server.bodies()
    assert (request.range, request.status, request.sent_bytes) == ("bytes=120000-", 206, 180_000)


def test_file_that_changed_meanwhile_is_fetched_from_the_start(server, url, unfinished):
    server.fault(CONTENT).cut_after_bytes = [120_000, 0, 0]
    with pytest.raises(DownloadError):
        transfer(url, unfinished)
    newer = os.urandom(len(CONTENT))
    server.serve_plain("w.pth", newer)
    transfer(url, unfinished)
    assert unfinished.read_bytes() == newer
    assert server.bodies()[-1].status == 200


def test_server_without_ranges_starts_over(server, url, unfinished):
    fault = server.fault(CONTENT)
    fault.cut_after_bytes, fault.ignores_ranges = [100_000], True
    transfer(url, unfinished)
    assert unfinished.read_bytes() == CONTENT
    assert [request.status for request in server.bodies()] == [200, 200]


def test_weak_tag_does_not_guard_a_range(server, url, unfinished):
    fault = server.fault(CONTENT)
    fault.cut_after_bytes, fault.etag = [100_000], 'W/"soft"'
    transfer(url, unfinished)
    assert unfinished.read_bytes() == CONTENT
    assert [request.range for request in server.bodies()] == [None, None]


def test_file_that_is_complete_already_costs_no_bytes(server, url, unfinished):
    server.fault(CONTENT).cut_after_bytes = [100_000, 0, 0]
    with pytest.raises(DownloadError):
        transfer(url, unfinished)
    unfinished.write_bytes(CONTENT)
    server.log.clear()
    transfer(url, unfinished)
    assert unfinished.read_bytes() == CONTENT
    assert [(request.status, request.sent_bytes) for request in server.bodies()] == [(416, 0)]


def test_too_long_remainder_is_thrown_away(server, url, unfinished):
    server.fault(CONTENT).cut_after_bytes = [100_000, 0, 0]
    with pytest.raises(DownloadError):
        transfer(url, unfinished)
    unfinished.write_bytes(CONTENT + b"more")
    transfer(url, unfinished)
    assert unfinished.read_bytes() == CONTENT


def test_request_to_a_busy_server_is_repeated(server, url, unfinished):
    server.fault(CONTENT).status = [503, 429]
    transfer(url, unfinished)
    assert unfinished.read_bytes() == CONTENT


def test_server_that_stays_busy_fails(server, url, unfinished):
    server.fault(CONTENT).status = [503] * 3
    with pytest.raises(DownloadError, match="answered 503"):
        transfer(url, unfinished)


@pytest.mark.parametrize(
    ("status", "message", "hint"),
    [
        (404, "not found", "--source"),
        (401, "access was refused", "HF_TOKEN"),
        (418, "unexpected answer 418", "--source"),
    ],
)
def test_client_error_fails_at_once_with_a_hint(server, url, unfinished, status, message, hint):
    server.fault(CONTENT).status = [status]
    with pytest.raises(DownloadError, match=message) as caught:
        transfer(url, unfinished)
    assert hint in str(caught.value.hint)
    assert len(server.bodies()) == 1


def test_unreachable_host_is_named(server, unfinished):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
    with pytest.raises(DownloadError, match=f"cannot reach 127.0.0.1:{port}") as caught:
        transfer(f"http://127.0.0.1:{port}/w.pth", unfinished)
    assert "proxy" in str(caught.value.hint)


@pytest.mark.slow
def test_silent_host_times_out(monkeypatch, tmp_path, unfinished):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/w.pth"
        with (
            hub_environment(monkeypatch, tmp_path, "http://x", HF_HUB_DOWNLOAD_TIMEOUT="1"),
            pytest.raises(DownloadError, match="cannot reach"),
        ):
            transfer(url, unfinished)


def test_offline_mode_sends_nothing(monkeypatch, tmp_path, unfinished):
    with (
        HubServer() as server,
        hub_environment(monkeypatch, tmp_path, server.endpoint, HF_HUB_OFFLINE="1"),
    ):
        url = server.serve_plain("w.pth", CONTENT) + "w.pth"
        with pytest.raises(OfflineError, match="HF_HUB_OFFLINE is set"):
            transfer(url, unfinished)
        assert server.log == []


def test_rejected_length_stops_before_the_body(server, url, unfinished):
    with pytest.raises(IntegrityError, match="got 300000 bytes, not 5"):
        transfer(url, unfinished, check_size=lambda size: f"got {size} bytes, not 5")
    assert unfinished.stat().st_size == 0


def test_credentials_stay_with_the_host_they_are_for(server, unfinished):
    server.serve_plain("w.pth", CONTENT)
    server.repos["a/b"] = Repo({"w.pth": CONTENT})
    url = f"{server.endpoint}/a/b/resolve/main/w.pth"
    transfer(url, unfinished, headers={"Authorization": "Bearer secret"})
    asked, stored = server.log
    assert asked.authorization == "Bearer secret"
    assert (stored.origin, stored.authorization) == ("store", None)


def test_download_larger_than_the_disk_fails_before_it_starts(tmp_path):
    with pytest.raises(DownloadError, match="the disk is full") as caught:
        check_free_space(tmp_path / "not" / "yet", 10**18, "the test")
    assert "needs 1000000000000.0 MB" in caught.value.message
    assert "MB are free" in caught.value.message
    assert "VSWIN_CACHE" in str(caught.value.hint)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_disk_that_fills_up_during_the_download_fails_with_a_hint(url, unfinished):
    unfinished.parent.mkdir()
    unfinished.symlink_to("/dev/full")
    with pytest.raises(DownloadError, match="the disk is full") as caught:
        transfer(url, unfinished)
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.ENOSPC


@pytest.mark.slow
def test_file_size_limit_keeps_what_has_arrived(server, url, unfinished):
    code = f"""
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, {resource.RLIM_INFINITY}))
        from pathlib import Path
        from vswin_cli.errors import DownloadError
        from vswin_cli.storage.download import transfer
        try:
            transfer({url!r}, Path({str(unfinished)!r}))
        except DownloadError as error:
            print(error.message)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert "a file may not grow that large here" in done.stdout
    assert 0 < unfinished.stat().st_size <= 200_000
    transfer(url, unfinished)
    assert unfinished.read_bytes() == CONTENT
    assert server.bodies()[-1].status == 206


def test_version_record_that_cannot_be_written_fails(url, unfinished, tmp_path):
    unfinished.parent.mkdir()
    unfinished.with_name(f"{unfinished.name}.version").symlink_to(tmp_path / "none" / "x")
    with pytest.raises(DownloadError, match="cannot be written"):
        transfer(url, unfinished)


def test_path_below_a_file_is_named(url, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DownloadError, match="cannot be written"):
        transfer(url, tmp_path / "file" / "w.part")

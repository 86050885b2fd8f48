"""Fetching files with the real Hub client from a real server, into the standard cache."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.support.hub_server import TOKEN, HubServer, Repo, git_hash, hub_environment, sha256
from vswin_cli.errors import DownloadError, IntegrityError, OfflineError
from vswin_cli.models.weights.hub import fetch, list_repo
from vswin_cli.models.weights.spec import FileHash, RemoteFile, WeightsSource

WEIGHTS = os.urandom(250_000)
INDEX = b"small and kept in git"
FILES = {"variables/w.index": INDEX, "variables/w.data": WEIGHTS}


@pytest.fixture
def server(monkeypatch, tmp_path):
    with HubServer() as server, hub_environment(monkeypatch, tmp_path, server.endpoint):
        server.repos["user/repo"] = Repo(FILES, tags=("v1",))
        yield server


def source(
    *files: RemoteFile, repo: str = "user/repo", revision: str | None = None
) -> WeightsSource:
    return WeightsSource("hub", files or (RemoteFile("variables/w.data"),), repo, None, revision)


def offline(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, endpoint: str
) -> AbstractContextManager[None]:
    return hub_environment(monkeypatch, tmp_path, endpoint, HF_HUB_OFFLINE="1")


def cache(tmp_path: Path) -> Path:
    return tmp_path / "hf" / "hub" / "models--user--repo"


def test_files_land_in_the_standard_cache_under_one_commit(server, tmp_path):
    index, data = fetch(source(RemoteFile("variables/w.index"), RemoteFile("variables/w.data")))
    commit = server.repos["user/repo"].commit
    assert data.path == cache(tmp_path) / "snapshots" / commit / "variables" / "w.data"
    assert index.path.parent == data.path.parent
    assert data.path.read_bytes() == WEIGHTS
    assert index.path.read_bytes() == INDEX
    assert (data.sha256, data.size_bytes) == (sha256(WEIGHTS), len(WEIGHTS))
    assert (index.commit, data.commit) == (commit, commit)
    assert data.uri == "hf://user/repo/variables/w.data"
    blobs = {path.name for path in (cache(tmp_path) / "blobs").iterdir()}
    assert blobs == {sha256(WEIGHTS), git_hash(INDEX)}
    assert (cache(tmp_path) / "refs" / "main").read_text() == commit


def test_hub_client_itself_finds_what_was_fetched(server):
    (data,) = fetch(source())
    from huggingface_hub import hf_hub_download, scan_cache_dir

    server.log.clear()
    assert hf_hub_download("user/repo", "variables/w.data") == str(data.path)
    assert server.bodies() == []
    (entry,) = scan_cache_dir().repos
    assert (entry.repo_id, entry.size_on_disk) == ("user/repo", len(WEIGHTS))


def test_second_fetch_transfers_nothing(server):
    fetch(source())
    server.log.clear()
    fetch(source())
    assert server.bodies() == []


def test_force_transfers_again(server):
    fetch(source())
    server.log.clear()
    fetch(source(), force=True)
    assert [request.sent_bytes for request in server.bodies()] == [len(WEIGHTS)]


def test_progress_covers_all_files(server):
    steps = []
    files = (RemoteFile("variables/w.index"), RemoteFile("variables/w.data"))
    fetch(source(*files), on_bytes=lambda done, total: steps.append((done, total)))
    whole = len(INDEX) + len(WEIGHTS)
    assert steps[-1] == (whole, whole)
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)


def test_cut_connection_resumes_with_a_range(server):
    server.fault(WEIGHTS).cut_after_bytes = [100_000]
    (data,) = fetch(source())
    assert data.path.read_bytes() == WEIGHTS
    first, second = server.bodies()
    assert (first.sent_bytes, second.range) == (100_000, "bytes=100000-")
    assert first.sent_bytes + second.sent_bytes == len(WEIGHTS)


@pytest.mark.slow
def test_next_process_resumes_where_the_last_one_ended(server, monkeypatch, tmp_path):
    server.fault(WEIGHTS).cut_after_bytes = [150_000, 0, 0]
    with pytest.raises(DownloadError, match="was interrupted too often"):
        fetch(source())
    assert not list(cache(tmp_path).glob("snapshots/*/variables/*"))
    server.log.clear()
    code = """
        from vswin_cli.models.weights.hub import fetch
        from vswin_cli.models.weights.spec import RemoteFile, WeightsSource
        (data,) = fetch(WeightsSource("hub", (RemoteFile("variables/w.data"),), "user/repo"))
        print(data.path)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert Path(done.stdout.strip()).read_bytes() == WEIGHTS
    (request,) = server.bodies()
    assert (request.range, request.sent_bytes) == ("bytes=150000-", 100_000)


def test_revision_is_resolved_to_its_commit(server):
    (data,) = fetch(source(revision="v1"))
    assert data.commit == server.repos["user/repo"].commit
    assert data.uri == "hf://user/repo@v1/variables/w.data"


def test_repository_on_the_new_storage_is_served_over_plain_http(server):
    server.repos["user/repo"].xet = True
    (data,) = fetch(source())
    assert data.path.read_bytes() == WEIGHTS
    assert not any("xet-read-token" in request.path for request in server.log)


@pytest.mark.slow
def test_missing_file_fails_naming_it(server):
    with pytest.raises(DownloadError, match=r"no such file \(404\)") as caught:
        fetch(source(RemoteFile("variables/absent")))
    assert "variables/absent" in caught.value.message


def test_missing_repository_fails_naming_it(server):
    with pytest.raises(DownloadError, match="user/other: no such Hub repository") as caught:
        fetch(source(repo="user/other"))
    assert "HF_TOKEN" in str(caught.value.hint)


def test_missing_revision_fails_naming_it(server):
    with pytest.raises(DownloadError, match="no revision 'v9'"):
        fetch(source(revision="v9"))


def test_invalid_repository_name_is_rejected(server):
    with pytest.raises(DownloadError, match="not the name of a Hub repository"):
        fetch(source(repo="a/b/c"))


def test_error_for_a_gated_repository_explains_how_to_get_access(server):
    server.repos["user/repo"].gated = True
    with pytest.raises(DownloadError, match="gated") as caught:
        fetch(source())
    assert "accept its terms" in str(caught.value.hint)
    assert "HF_TOKEN" in str(caught.value.hint)


def test_token_opens_a_gated_repository_and_stays_on_the_hub(server, monkeypatch, tmp_path):
    server.repos["user/repo"].gated = True
    with hub_environment(monkeypatch, tmp_path, server.endpoint, HF_TOKEN=TOKEN):
        (data,) = fetch(source())
    assert data.path.read_bytes() == WEIGHTS
    assert [request.authorization for request in server.bodies()] == [None]


def test_wrong_content_never_enters_the_cache(server, tmp_path):
    server.fault(WEIGHTS).content = WEIGHTS[::-1]
    with pytest.raises(IntegrityError, match=r"got hash .*, the Hub announced") as caught:
        fetch(source())
    assert "--force" in str(caught.value.hint)
    assert [path.name for path in (cache(tmp_path) / "blobs").iterdir()] == []
    server.faults.clear()
    (data,) = fetch(source())
    assert data.path.read_bytes() == WEIGHTS


def test_truncated_file_at_the_store_fails(server, tmp_path):
    server.fault(WEIGHTS).content = WEIGHTS[:-1]
    with pytest.raises(IntegrityError, match="got 249999 bytes, the Hub announced 250000"):
        fetch(source())
    assert not list(cache(tmp_path).glob("snapshots/*/variables/*"))


def test_damaged_copy_in_the_cache_is_noticed_and_force_mends_it(server):
    (data,) = fetch(source())
    data.path.resolve().write_bytes(WEIGHTS[::-1])
    with pytest.raises(IntegrityError, match="the Hub announced"):
        fetch(source())
    (data,) = fetch(source(), force=True)
    assert data.path.read_bytes() == WEIGHTS


def test_hash_that_differs_fails(server):
    file = RemoteFile("variables/w.data", sha256=FileHash("0" * 64, "confirmed"))
    with pytest.raises(IntegrityError, match="expected 00000000"):
        fetch(source(file))


def test_beginning_of_a_hash_is_enough(server):
    file = RemoteFile("variables/w.data", sha256=FileHash(sha256(WEIGHTS)[:8], "published"))
    (data,) = fetch(source(file))
    assert data.sha256 == sha256(WEIGHTS)


def test_hash_on_hearsay_only_warns(server):
    notes: list[str] = []
    file = RemoteFile("variables/w.data", sha256=FileHash("0" * 64, "reported"))
    fetch(source(file), on_note=notes.append)
    assert "expected 0000" in notes[0]


def test_announced_length_is_checked_before_the_transfer(server):
    file = RemoteFile("variables/w.data", tensor_bytes=300_000)
    with pytest.raises(IntegrityError, match="tensors alone take 300000"):
        fetch(source(file))
    assert server.bodies() == []


def test_offline_with_a_copy_uses_it(server, monkeypatch, tmp_path):
    (online,) = fetch(source())
    server.log.clear()
    with offline(monkeypatch, tmp_path, server.endpoint):
        (data,) = fetch(source())
    assert data == online
    assert server.log == []


def test_error_for_offline_without_a_copy_names_the_switch(server, monkeypatch, tmp_path):
    with (
        offline(monkeypatch, tmp_path, server.endpoint),
        pytest.raises(OfflineError, match="HF_HUB_OFFLINE"),
    ):
        fetch(source())
    assert server.log == []


def test_unreachable_hub_with_a_copy_uses_it(server, monkeypatch, tmp_path):
    (online,) = fetch(source())
    with hub_environment(monkeypatch, tmp_path, "http://127.0.0.1:9"):
        (data,) = fetch(source())
    assert data == online


def test_unreachable_hub_without_a_copy_is_named(server, monkeypatch, tmp_path):
    with (
        hub_environment(monkeypatch, tmp_path, "http://127.0.0.1:9"),
        pytest.raises(DownloadError, match=r"cannot reach 127\.0\.0\.1:9"),
    ):
        fetch(source())


@pytest.mark.slow
def test_full_disk_leaves_a_clear_error_and_no_snapshot(server, tmp_path):
    code = """
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
        from vswin_cli.errors import DownloadError
        from vswin_cli.models.weights.hub import fetch
        from vswin_cli.models.weights.spec import RemoteFile, WeightsSource
        try:
            fetch(WeightsSource("hub", (RemoteFile("variables/w.data"),), "user/repo"))
        except DownloadError as error:
            print(error.message, error.hint)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert "needs 0.1 MB" in done.stdout or "needs 0.2 MB" in done.stdout
    assert "HF_HOME" in done.stdout
    assert not list(cache(tmp_path).glob("snapshots/*/variables/*"))


@pytest.mark.slow
def test_two_processes_transfer_once(server):
    server.fault(WEIGHTS).cut_after_bytes = [200_000]
    code = """
        from vswin_cli.models.weights.hub import fetch
        from vswin_cli.models.weights.spec import RemoteFile, WeightsSource
        (data,) = fetch(WeightsSource("hub", (RemoteFile("variables/w.data"),), "user/repo"))
        print(data.sha256)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        out, _ = process.communicate(timeout=30)
        assert out.strip() == sha256(WEIGHTS)
    assert sum(request.sent_bytes for request in server.bodies()) == len(WEIGHTS)


def test_plain_url_is_kept_until_it_is_used(server, tmp_path):
    base = server.serve_plain("w.pth", WEIGHTS)
    plain = WeightsSource("authors", (RemoteFile("w.pth"),), base_url=base)
    (data,) = fetch(plain)
    assert data.path.is_relative_to(tmp_path / "vswin" / "downloads")
    assert data.commit is None
    server.log.clear()
    assert fetch(plain) == (data,)
    assert server.bodies() == []
    fetch(plain, force=True)
    assert len(server.bodies()) == 1


def test_wrong_file_at_a_plain_url_is_not_kept(server, tmp_path):
    base = server.serve_plain("w.pth", WEIGHTS)
    file = RemoteFile("w.pth", sha256=FileHash("1" * 64, "confirmed"))
    with pytest.raises(IntegrityError, match="expected 1111"):
        fetch(WeightsSource("authors", (file,), base_url=base))
    assert not list((tmp_path / "vswin" / "downloads").rglob("*.pth*"))


def test_truncated_file_at_a_plain_url_is_refused_by_its_length(server):
    base = server.serve_plain("w.pth", WEIGHTS)
    file = RemoteFile("w.pth", size_bytes=len(WEIGHTS) + 1)
    with pytest.raises(IntegrityError, match="got 250000 bytes, expected 250001"):
        fetch(WeightsSource("authors", (file,), base_url=base))


def test_listing_names_files_sizes_and_the_commit(server):
    listing = list_repo("user/repo", "v1")
    assert listing.commit == server.repos["user/repo"].commit
    assert [(file.path, file.size_bytes) for file in listing.files] == [
        ("variables/w.data", len(WEIGHTS)),
        ("variables/w.index", len(INDEX)),
    ]


def test_listing_a_missing_or_gated_repository_fails(server):
    with pytest.raises(DownloadError, match="no such Hub repository"):
        list_repo("user/other")
    server.repos["user/repo"].gated = True
    with pytest.raises(DownloadError, match="gated"):
        list_repo("user/repo")


@pytest.mark.slow
def test_offline_a_repository_in_the_hubs_cache_is_listed_from_there(server, monkeypatch, tmp_path):
    fetch(source())
    online = list_repo("user/repo")
    server.log.clear()
    with offline(monkeypatch, tmp_path, server.endpoint):
        listing = list_repo("user/repo")
        by_commit = list_repo("user/repo", listing.commit)
        with pytest.raises(OfflineError):
            list_repo("user/other")
        with pytest.raises(OfflineError):
            list_repo("user/repo", "../../..")
    assert listing == by_commit
    assert listing.commit == online.commit
    assert {file.path for file in listing.files} <= {file.path for file in online.files}
    assert listing.files
    assert server.log == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ALL_PROXY", "all_proxy", "HTTP_PROXY"])
def test_error_for_a_socks_proxy_without_its_package_names_it(server, monkeypatch, tmp_path, name):
    monkeypatch.setitem(sys.modules, "socksio", None)
    proxy = {"NO_PROXY": "example.org", name: "socks5://127.0.0.1:9"}
    with hub_environment(monkeypatch, tmp_path, server.endpoint, **proxy):
        for ask in (lambda: fetch(source()), lambda: list_repo("user/repo")):
            with pytest.raises(DownloadError, match=f"{name} names a SOCKS proxy") as caught:
                ask()
            assert "pip install socksio" in str(caught.value.hint)

"""A real HTTP server on loopback that speaks the parts of the Hub that a download uses.

Two origins, as in reality: the Hub answers questions and redirects large files to a store, which
knows ranges and entity tags. Faults can be set per blob. Every request is logged with the bytes
that the answer carried.
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

TOKEN = "hf_token-that-opens-gated-doors"


@dataclass
class Repo:
    """A model repository with one commit and a main branch that points to it."""

    files: dict[str, bytes]
    gated: bool = False
    small_bytes: int = 2000
    """Shorter files are kept in git itself and not redirected to the store."""
    xet: bool = False
    """Announce the store that the Hub's own transfer library would use."""
    commit: str = ""
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        content = repr(sorted((name, sha256(data)) for name, data in self.files.items()))
        self.commit = hashlib.sha1(content.encode()).hexdigest()

    def knows(self, revision: str) -> bool:
        return revision in ("main", self.commit, *self.tags)


@dataclass
class Fault:
    """What goes wrong with a blob, each entry once, in order."""

    cut_after_bytes: list[int] = field(default_factory=list)
    status: list[int] = field(default_factory=list)
    content: bytes | None = None
    """Delivered instead of the true content, every time."""
    ignores_ranges: bool = False
    etag: str | None = None


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    origin: str
    range: str | None
    authorization: str | None
    status: int
    sent_bytes: int


class HubServer:
    """Context manager: runs both origins until it is left."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.plain: dict[str, bytes] = {}
        self.faults: dict[str, Fault] = {}
        self.log: list[Request] = []
        self.delay_seconds = 0.0
        self._hub = _Listener(self, "hub", _HubHandler)
        self._store = _Listener(self, "store", _StoreHandler)

    @property
    def endpoint(self) -> str:
        return self._hub.address

    @property
    def store(self) -> str:
        return self._store.address

    def serve_plain(self, name: str, content: bytes) -> str:
        """Offer a file at a plain URL; returns the folder's URL."""
        self.plain[name] = content
        return f"{self.store}/plain/"

    def fault(self, content: bytes) -> Fault:
        """The faults of everything with this content."""
        return self.faults.setdefault(sha256(content), Fault())

    def bodies(self, method: str = "GET") -> list[Request]:
        """Logged requests to the store."""
        return [entry for entry in self.log if entry.origin == "store" and entry.method == method]

    def __enter__(self) -> HubServer:
        self._hub.start()
        self._store.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._hub.stop()
        self._store.stop()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, owner: HubServer, name: str, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.owner = owner
        self.name = name
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the tests' output clean."""

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        raise NotImplementedError

    @property
    def owner(self) -> HubServer:
        return self.server.owner

    def reply(
        self,
        status: int,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        *,
        cut_after_bytes: int | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        part = b"" if self.command == "HEAD" else body[:cut_after_bytes]
        self.owner.log.append(  # before the body, so that the order is that of the requests
            Request(
                self.command,
                self.path,
                self.server.name,
                self.headers.get("Range"),
                self.headers.get("Authorization"),
                status,
                len(part),
            )
        )
        self.end_headers()
        with suppress(ConnectionError):
            self.wfile.write(part)
        if self.command != "HEAD" and len(part) < len(body):
            self.close_connection = True

    def refuse(self, status: int, code: str, message: str, commit: str = "") -> None:
        headers = {"X-Error-Code": code, "X-Error-Message": message}
        if commit:
            headers["X-Repo-Commit"] = commit
        self.reply(status, json.dumps({"error": message}).encode(), headers)


class _HubHandler(_Handler):
    def answer(self) -> None:
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        if parts[:2] == ["api", "models"] and len(parts) in (4, 6):
            self._info("/".join(parts[2:4]), parts[5] if len(parts) == 6 else "main")
        elif len(parts) > 4 and parts[2] == "resolve":
            self._resolve("/".join(parts[:2]), parts[3], "/".join(parts[4:]))
        else:
            self.refuse(404, "NotFound", "no such endpoint")

    def _open(self, name: str, revision: str) -> Repo | None:
        """The repository, or None after an answer has been given."""
        repo = self.owner.repos.get(name)
        allowed = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if repo is None:
            # Without a token the Hub does not tell a missing repository from a private one.
            self.refuse(404 if allowed else 401, "RepoNotFound", "Invalid username or password.")
        elif repo.gated and not allowed:
            self.refuse(401, "GatedRepo", f"Access to model {name} is restricted.")
        elif not repo.knows(revision):
            self.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        else:
            return repo
        return None

    def _info(self, name: str, revision: str) -> None:
        repo = self._open(name, revision)
        if repo is None:
            return
        siblings = [
            {"rfilename": path, "size": len(data), "blobId": git_hash(data)}
            for path, data in repo.files.items()
        ]
        body = {"_id": "0", "id": name, "modelId": name, "sha": repo.commit, "siblings": siblings}
        self.reply(200, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def _resolve(self, name: str, revision: str, path: str) -> None:
        repo = self._open(name, revision)
        if repo is None:
            return
        if path not in repo.files:
            self.refuse(404, "EntryNotFound", "Entry not found", repo.commit)
            return
        data = repo.files[path]
        if len(data) < repo.small_bytes:
            self.reply(200, data, {"ETag": f'"{git_hash(data)}"', "X-Repo-Commit": repo.commit})
            return
        self.owner.plain[f"blob/{sha256(data)}"] = data
        headers = {
            "Location": f"{self.owner.store}/plain/blob/{sha256(data)}",
            "X-Repo-Commit": repo.commit,
            "X-Linked-Size": str(len(data)),
            "X-Linked-Etag": f'"{sha256(data)}"',
        }
        if repo.xet:
            route = f"{self.server.address}/api/models/{name}/xet-read-token/{repo.commit}"
            headers |= {"X-Xet-Hash": "0" * 64, "X-Xet-Refresh-Route": route}
        self.reply(302, b"", headers)


class _StoreHandler(_Handler):
    def answer(self) -> None:
        data = self.owner.plain.get(unquote(urlsplit(self.path).path).removeprefix("/plain/"))
        if data is None:
            self.reply(404, b"not here")
            return
        fault = self.owner.faults.get(sha256(data), Fault())
        if fault.status:
            self.reply(fault.status.pop(0))
            return
        etag = fault.etag or f'"{sha256(data)[:32]}"'
        body = data if fault.content is None else fault.content
        start = self._start(body, etag, ignores_ranges=fault.ignores_ranges)
        if start >= len(body) > 0:
            self.reply(416, b"", {"Content-Range": f"bytes */{len(body)}"})
            return
        headers = {"ETag": etag}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        cut = fault.cut_after_bytes.pop(0) if fault.cut_after_bytes else None
        self.reply(206 if start else 200, body[start:], headers, cut_after_bytes=cut)

    def _start(self, body: bytes, etag: str, *, ignores_ranges: bool) -> int:
        asked = self.headers.get("Range")
        same_version = self.headers.get("If-Range", etag) == etag
        if asked is None or ignores_ranges or not same_version:
            return 0
        return int(asked.removeprefix("bytes=").rstrip("-"))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def git_hash(data: bytes) -> str:
    return hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()


def forget_hub_client() -> None:
    """Unload the Hub client, which reads its environment once, when it is imported."""
    client = sys.modules.get("huggingface_hub.utils._http")
    if client is not None:
        client.close_session()
    for name in [name for name in sys.modules if name.split(".")[0] == "huggingface_hub"]:
        del sys.modules[name]


@contextmanager
def hub_environment(
    monkeypatch: pytest.MonkeyPatch, folder: Path, endpoint: str, **extra: str
) -> Iterator[None]:
    """Run the real Hub client as a new process with this environment would."""
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE", "HF_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    settings = {
        "HF_HOME": str(folder / "hf"),
        "HF_ENDPOINT": endpoint,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DOWNLOAD_TIMEOUT": "5",
        "VSWIN_CACHE": str(folder / "vswin"),
        "NO_PROXY": "127.0.0.1",
    }
    for name, value in (settings | extra).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("vswin_cli.storage.download._RETRY_WAITS_SECONDS", (0.01, 0.01))
    forget_hub_client()
    yield
    forget_hub_client()

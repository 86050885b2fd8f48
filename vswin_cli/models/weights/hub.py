"""Download the files of a source and check their sizes and hashes.

Files of a Hub repository are stored in the standard Hub cache, in the layout of `huggingface_hub`.
They are downloaded with `transfer`, because the Hub client deletes a partial file when the process
ends, and does not compare a file's hash with the one announced by the Hub.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vswin_cli.errors import DownloadError, IntegrityError
from vswin_cli.models.weights.spec import RemoteFile, WeightsSource
from vswin_cli.models.weights.store import download_folder, locked
from vswin_cli.storage.download import OnBytes, network_errors, network_failure, transfer
from vswin_cli.storage.files import file_sha256

if TYPE_CHECKING:
    from huggingface_hub import HfFileMetadata

__all__ = ["FetchedFile", "RepoFile", "RepoListing", "fetch", "list_repo"]

OnNote = Callable[[str], None]

# The Hub names a blob by its sha256 (large files) or its git hash; nothing else becomes a path.
_BLOB_NAME = re.compile(r"[0-9a-f]{64}|[0-9a-f]{40}")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """A downloaded file, complete and verified."""

    path: Path
    sha256: str
    size_bytes: int
    uri: str
    """Its address."""
    commit: str | None = None
    """Hub commit of the file."""


@dataclass(frozen=True, slots=True)
class RepoFile:
    """An entry of a Hub repository."""

    path: str
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class RepoListing:
    """Files of a Hub repository at one commit."""

    repo: str
    commit: str
    files: tuple[RepoFile, ...]


def fetch(
    source: WeightsSource,
    *,
    on_bytes: OnBytes | None = None,
    on_note: OnNote | None = None,
    force: bool = False,
) -> tuple[FetchedFile, ...]:
    """Download all files of a source, in their order.

    Args:
        source: the files, with sizes and hashes as far as known.
        on_bytes: progress over all files together.
        on_note: called if a hash differs from one that a third party reported.
        force: download again even if the files are cached.

    Raises:
        OfflineError: offline mode, and not in the cache.
        IntegrityError: a size or hash differs from the announced or known one.
        DownloadError: unreachable, rejected, not found, or the disk is full.
    """
    fetched: list[FetchedFile] = []
    revision = source.revision
    for number, file in enumerate(source.files):
        rest = sum(later.planned_bytes for later in source.files[number + 1 :])
        report = _shifted(on_bytes, sum(each.size_bytes for each in fetched), rest)
        if source.repo is not None:
            here = _fetch_from_hub(source, file, revision, report, force=force)
            revision = here.commit  # all files from the commit of the first one
        else:
            here = _fetch_from_url(source, file, report, force=force)
        _check_known(here, file, on_note)
        fetched.append(here)
    return tuple(fetched)


def list_repo(repo: str, revision: str | None = None) -> RepoListing:
    """List the files of a Hub repository, with the commit of a revision.

    If the Hub is unreachable, the files in its cache on this machine are listed.

    Raises:
        OfflineError: offline mode.
        DownloadError: unreachable, no such repository or revision, or gated.
    """
    from huggingface_hub import HfApi, constants

    api = HfApi()
    try:
        info = api.model_info(
            repo,
            revision=revision,
            files_metadata=True,
            timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT,
        )
    except _hub_errors() as error:
        listing = _cached_listing(repo, revision) if _is_unreachable(error) else None
        if listing is None:
            raise _hub_failure(f"{api.endpoint}/{repo}", repo, revision, error) from error
        return listing
    entries = sorted(info.siblings or (), key=lambda entry: entry.rfilename)
    files = tuple(RepoFile(entry.rfilename, entry.size) for entry in entries)
    if info.sha is None:
        raise DownloadError(f"{repo}: the Hub returned no commit for {revision or 'main'}")
    return RepoListing(repo, info.sha, files)


def _fetch_from_hub(
    source: WeightsSource,
    file: RemoteFile,
    revision: str | None,
    on_bytes: OnBytes | None,
    *,
    force: bool,
) -> FetchedFile:
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url

    repo, uri = str(source.repo), source.file_uri(file)
    url = uri
    try:
        url = hf_hub_url(repo, file.path, revision=revision)
        metadata = get_hf_file_metadata(url, timeout=constants.HF_HUB_ETAG_TIMEOUT)
    except _hub_errors() as error:
        failure = _hub_failure(url, repo, revision, error)
        refused = force or not _is_unreachable(error)
        cached = None if refused else _cached(repo, file.path, revision)
        if cached is None:
            raise failure from error
        return _describe(cached, uri, commit=_commit_of(cached))
    if metadata.size is not None and (problem := file.size_problem(metadata.size)):
        raise IntegrityError(f"{uri}: {problem}", hint="try another `--source`")
    if metadata.etag and _BLOB_NAME.fullmatch(metadata.etag):
        _fill_blob(url, repo, metadata, on_bytes, force=force)
    here = _describe(_link(repo, file.path, revision), uri, commit=metadata.commit_hash)
    _check_announced(here, metadata)
    return here


def _fill_blob(
    url: str, repo: str, metadata: HfFileMetadata, on_bytes: OnBytes | None, *, force: bool
) -> None:
    """Download a file to its place in the Hub's cache, unless it is there."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    folder = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repo, repo_type="model")
    blob = folder / "blobs" / str(metadata.etag)
    with locked(f"hub-{metadata.etag}"):
        if blob.exists() and not force:
            return
        unfinished = blob.with_name(f"{blob.name}.vswin-part")
        transfer(
            url,
            unfinished,
            headers=_authorization(),
            check_size=lambda size: _differs(size, metadata.size),
            on_bytes=on_bytes,
        )
        try:
            _check_announced(_describe(unfinished, url), metadata)
        except IntegrityError:
            unfinished.unlink()  # a damaged part must not be resumed
            raise
        unfinished.replace(blob)


def _authorization() -> dict[str, str]:
    """Build the header with the user's token, if implicit use of it is allowed."""
    from huggingface_hub import constants, get_token

    token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()
    return {"Authorization": f"Bearer {token}"} if token else {}


def _link(repo: str, path: str, revision: str | None) -> Path:
    """Link a downloaded blob into the Hub client's snapshot of the repository."""
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(repo, path, revision=revision))
    except _hub_errors() as error:
        raise _hub_failure(f"hf://{repo}/{path}", repo, revision, error) from error


def _cached(repo: str, path: str, revision: str | None) -> Path | None:
    """Find the last downloaded version of a file in the Hub's cache."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repo, path, revision=revision)
    return Path(found) if isinstance(found, str) else None


def _cached_listing(repo: str, revision: str | None) -> RepoListing | None:
    """List the files of a repository in the Hub's cache, downloaded by any program."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    try:
        folder = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repo, repo_type="model")
        commit = _cached_commit(folder, revision)
        if not _COMMIT.fullmatch(commit):
            return None
        snapshot = folder / "snapshots" / commit
        paths = sorted(path for path in snapshot.rglob("*") if path.is_file())
    except (OSError, UnicodeDecodeError):
        return None
    if not paths:
        return None
    files = (RepoFile(p.relative_to(snapshot).as_posix(), p.stat().st_size) for p in paths)
    return RepoListing(repo, commit, tuple(files))


def _cached_commit(folder: Path, revision: str | None) -> str:
    """Find the commit of a revision that is recorded in the Hub's cache.

    A download by commit records no branch; then the only commit in the cache is used.
    """
    if revision is not None and _COMMIT.fullmatch(revision):
        return revision
    ref = folder / "refs" / (revision or "main")
    commits = [path.name for path in (folder / "snapshots").iterdir()]
    if revision is None and not ref.exists() and len(commits) == 1:
        return commits[0]
    return ref.read_text(encoding="ascii").strip()


def _fetch_from_url(
    source: WeightsSource, file: RemoteFile, on_bytes: OnBytes | None, *, force: bool
) -> FetchedFile:
    uri = source.file_uri(file)
    target = download_folder(uri) / Path(file.path).name
    with locked(f"url-{target.parent.name}"):
        if force:
            target.unlink(missing_ok=True)
        if not target.exists():
            unfinished = target.with_name(f"{target.name}.part")
            transfer(uri, unfinished, check_size=file.size_problem, on_bytes=on_bytes)
            unfinished.replace(target)
        return _describe(target, uri)


def _check_known(here: FetchedFile, file: RemoteFile, on_note: OnNote | None) -> None:
    """Compare with the size and hash in the table; a bad file from a plain URL is deleted."""
    problem = file.size_problem(here.size_bytes)
    known = file.sha256
    if problem is None and known is not None and not known.matches(here.sha256):
        digits = len(known.hex)
        problem = f"got sha256 {here.sha256[:digits]}, expected {known.hex}"
        if known.certainty == "reported":
            if on_note:
                on_note(
                    f"{here.uri}: {problem}; used all the same: that is what one third party states"
                )
            return
    if problem is None:
        return
    if here.commit is None:
        shutil.rmtree(here.path.parent, ignore_errors=True)
    raise IntegrityError(
        f"{here.uri}: {problem}",
        hint="this is not the published file; try another `--source` or `--force`",
    )


def _check_announced(here: FetchedFile, metadata: HfFileMetadata) -> None:
    """Compare a file with the size and hash announced by the Hub."""
    problem = _differs(here.size_bytes, metadata.size)
    etag = metadata.etag or ""
    if problem is None and _BLOB_NAME.fullmatch(etag):
        found = here.sha256 if len(etag) == 64 else _git_hash_of(here.path)
        if found != etag:
            problem = f"got hash {found[:12]}, the Hub announced {etag[:12]}"
    if problem is not None:
        raise IntegrityError(
            f"{here.uri}: {problem}",
            hint="the copy is damaged; `--force` fetches it again, `--source` another one",
        )


def _differs(size_bytes: int, announced_bytes: int | None) -> str | None:
    if announced_bytes is None or size_bytes == announced_bytes:
        return None
    return f"got {size_bytes} bytes, the Hub announced {announced_bytes}"


def _describe(path: Path, uri: str, *, commit: str | None = None) -> FetchedFile:
    return FetchedFile(path, file_sha256(path), path.stat().st_size, uri, commit)


def _commit_of(path: Path) -> str | None:
    """Read the commit from `<cache>/models--user--repo/snapshots/<commit>/<path in repository>`."""
    in_snapshots = (folder.name for folder in path.parents if folder.parent.name == "snapshots")
    return next((name for name in in_snapshots if _COMMIT.fullmatch(name)), None)


def _git_hash_of(path: Path) -> str:
    """Compute the git hash of a small file, which the Hub uses: sha1 of a header and content."""
    content = path.read_bytes()  # small: the Hub identifies large files by their sha256
    header = f"blob {len(content)}\0".encode()
    return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()


def _shifted(on_bytes: OnBytes | None, before: int, after: int) -> OnBytes | None:
    """Convert the progress of one file to progress over all files."""
    if on_bytes is None:
        return None
    return lambda done, total: on_bytes(before + done, total and before + total + after)


def _is_unreachable(error: Exception) -> bool:
    """Return whether the Hub was unreachable, so that its cached answers may be used."""
    from huggingface_hub.errors import HFValidationError

    status = _status(error)
    return not isinstance(error, HFValidationError) and (status is None or status >= 500)


def _hub_failure(url: str, repo: str, revision: str | None, error: Exception) -> DownloadError:
    """Convert an exception of the Hub client to an error with a next step."""
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return DownloadError(
            f"{repo}: this Hub repository is gated and the Hub refused access",
            hint=f"accept its terms on the page of {repo}, then set HF_TOKEN to your token",
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return DownloadError(
            f"{repo}: no revision {revision!r} on the Hub", hint="check what follows the @"
        )
    if isinstance(error, errors.EntryNotFoundError) and not isinstance(
        error, errors.LocalEntryNotFoundError
    ):
        return DownloadError(
            f"{url}: the Hub repository has no such file (404)", hint="try another `--source`"
        )
    if isinstance(error, errors.RepositoryNotFoundError) or _status(error) in (401, 404):
        return DownloadError(
            f"{repo}: no such Hub repository, or a private one",
            hint="check the spelling of USER/REPO; for a private one set HF_TOKEN",
        )
    if isinstance(error, errors.HFValidationError):
        return DownloadError(f"{repo}: not the name of a Hub repository", hint="give USER/REPO")
    if (status := _status(error)) is not None:
        return DownloadError(f"{url}: the Hub answered {status}", hint="try again later")
    if isinstance(error, OSError) and error.filename:
        return DownloadError(
            f"{error.filename}: cannot be written ({error.strerror})",
            hint="set HF_HOME to a folder that you may write to",
        )
    return network_failure(url, error)


def _hub_errors() -> tuple[type[Exception], ...]:
    """Return the exception classes of the Hub client for failures outside this program."""
    from huggingface_hub.errors import HFValidationError

    return (*network_errors(), HFValidationError)


def _status(error: Exception) -> int | None:
    from huggingface_hub.errors import HfHubHTTPError

    return error.response.status_code if isinstance(error, HfHubHTTPError) else None

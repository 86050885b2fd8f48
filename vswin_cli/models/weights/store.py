"""Manage the cache of converted weights: folders, recorded hashes, locks.

    <cache>/models/<name>/       weights in our format
    <cache>/downloads/<id>/      files from plain URLs, until they are converted
    <cache>/hashes/<id>.json     hash and size of the first download of a file
    <cache>/references/<id>.json commit of a Hub reference when it was last resolved
    <cache>/locks/               one lock per name being written

The root is `user_config.cache_folder()`. Files from the Hub are in the Hub's own cache instead,
which other programs share.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from vswin_cli.errors import CheckpointError, DownloadError, OutputError
from vswin_cli.models.card import CARD_SCHEMA
from vswin_cli.storage.files import file_sha256, is_file, replacing_text, writing
from vswin_cli.storage.user_config import cache_folder

__all__ = [
    "EMBEDDED_MODEL",
    "MODEL_FILES",
    "SHARD_INDEXES",
    "TRAINING_FILE",
    "WEIGHTS_FILES",
    "SeenFile",
    "check_model",
    "check_replaceable",
    "download_folder",
    "embedded_folder",
    "is_model_folder",
    "locked",
    "model_folder",
    "recall_commit",
    "recall_file",
    "record_path",
    "remember_commit",
    "remember_file",
    "remember_model",
]

EMBEDDED_MODEL = "camera-motion"
"""Name of the weights in the package, which need no download."""

_CARD_FILE = "config.json"
MODEL_FILES = ("model.safetensors", _CARD_FILE)
"""Files of a folder in our format."""
TRAINING_FILE = "training.json"
"""How the weights were trained, in a folder of `vswin train`."""
SHARD_INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
WEIGHTS_FILES = ("model.safetensors", SHARD_INDEXES[0], "pytorch_model.bin", SHARD_INDEXES[1])
"""File names of weights beside a `config.json`, preferred first: safetensors cannot run code."""


@dataclass(frozen=True, slots=True)
class SeenFile:
    """Record of the first download of a file; later downloads must have the same hash."""

    uri: str
    sha256: str
    size_bytes: int
    first_seen: str
    """Date and time in UTC, ISO 8601."""


def embedded_folder() -> Path:
    """Return the folder of the weights in the package."""
    return Path(__file__).parents[2] / "data" / EMBEDDED_MODEL


def model_folder(name: str) -> Path:
    """Return the cache folder of converted weights; it need not exist.

    Args:
        name: a registry name, or `USER/REPO@COMMIT`.
    """
    return cache_folder() / "models" / name.replace("/", "--")


def is_model_folder(folder: Path) -> bool:
    """Return whether a folder has the two files of our format."""
    return all(is_file(folder / name) for name in MODEL_FILES)


def check_replaceable(folder: Path) -> None:
    """Check that new weights may be written here: no folder, an empty one, or only a model.

    Raises:
        OutputError: other files are there, or it may not be read.
    """
    with writing(f"{folder}"):
        if not folder.exists():
            return
        names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else None
        own = {*MODEL_FILES, TRAINING_FILE}
        if names == [] or (names and own.issuperset(names) and _has_our_card(folder)):
            return
    other = next((name for name in names or () if name not in own), None)
    raise OutputError(
        f"{folder}: exists and is not a model folder" + (f": {other} is in it" if other else ""),
        hint="choose another path",
    )


def _has_our_card(folder: Path) -> bool:
    """Return whether the card is in our format; a damaged one counts if weights are beside it."""
    try:
        content = json.loads((folder / _CARD_FILE).read_bytes())
    except FileNotFoundError:
        return False
    except ValueError:
        return is_model_folder(folder)
    return isinstance(content, dict) and content.get("schema") == CARD_SCHEMA


def download_folder(uri: str) -> Path:
    """Return the folder of a file from a plain URL until it is converted."""
    return cache_folder() / "downloads" / _short_id(uri)


def record_path(uri: str) -> Path:
    """Return the path of the hash record of a source file."""
    return cache_folder() / "hashes" / f"{_short_id(uri)}.json"


def recall_file(uri: str) -> SeenFile | None:
    """Return the record of the first download from an address, if there is one.

    Raises:
        DownloadError: the record is there but cannot be read; ignoring it would skip a check.
    """
    content = _read(record_path(uri))
    if content is None:
        return None
    try:
        seen = SeenFile(**content)
    except TypeError as error:
        raise _unreadable(record_path(uri)) from error
    return seen if seen.uri == uri else None


def remember_file(uri: str, sha256: str, size_bytes: int) -> None:
    """Record the hash of a downloaded file, for comparison with later downloads."""
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    _write(record_path(uri), asdict(SeenFile(uri, sha256, size_bytes, now)))


def remember_model(folder: Path) -> None:
    """Record the hashes of converted weights and their card, to verify them on every use."""
    for name in MODEL_FILES:
        path = folder / name
        remember_file(_model_uri(path), file_sha256(path), path.stat().st_size)


def check_model(folder: Path) -> None:
    """Compare converted weights and their card with the hashes from their conversion.

    Weights converted by an older version have no hashes and are used without this check.

    Raises:
        CheckpointError: a file has changed since.
        DownloadError: a record of hashes cannot be read.
    """
    for name in MODEL_FILES:
        path = folder / name
        seen = recall_file(_model_uri(path))
        if seen is not None and is_file(path) and file_sha256(path) != seen.sha256:
            raise CheckpointError(
                f"{path}: has changed since {seen.first_seen}, when it was converted",
                hint="fetch and convert it again with `vswin download --force`",
            )


def _model_uri(path: Path) -> str:
    """Make an identifier without the cache's path, because caches are moved and shared."""
    return f"converted:{path.parent.name}/{path.name}"


def recall_commit(reference: str) -> str | None:
    """Return the commit to which a Hub reference was last resolved."""
    content = _read(_reference_path(reference))
    commit = content.get("commit") if content else None
    return commit if isinstance(commit, str) else None


def remember_commit(reference: str, commit: str) -> None:
    """Record the commit of a Hub reference, so that it works offline."""
    _write(_reference_path(reference), {"reference": reference, "commit": commit})


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the lock for `name`, so that one process at a time writes it.

    Raises:
        OutputError: the cache folder cannot be written.
    """
    from filelock import FileLock

    folder = cache_folder() / "locks"
    with ExitStack() as stack:
        with writing(f"the cache folder {cache_folder()}"):
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(FileLock(folder / f"{name.replace('/', '--')}.lock"))
        yield


def _reference_path(reference: str) -> Path:
    return cache_folder() / "references" / f"{_short_id(reference)}.json"


def _short_id(text: str) -> str:
    """Make a file name from an address of any length and characters."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _unreadable(path) from error
    if not isinstance(content, dict):
        raise _unreadable(path)
    return content


def _write(path: Path, content: dict[str, Any]) -> None:
    with writing(f"the cache folder {cache_folder()}"):
        path.parent.mkdir(parents=True, exist_ok=True)
    with replacing_text(path) as file:
        json.dump(content, file, indent=2)
        file.write("\n")


def _unreadable(path: Path) -> DownloadError:
    return DownloadError(
        f"{path}: this record of an earlier download cannot be read",
        hint="delete it if you trust the source, then download again",
    )

"""Parse references to models, and choose the files of a Hub repository.

swin-t-k400                    a name of the registry
camera-motion                  the weights inside the package
USER/REPO[@REV]                a Hub repository
hf://USER/REPO[@REV][/PATH]    the same, or one checkpoint of several in it
./weights.pth, folder/         a file or folder here
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from vswin_cli.errors import CheckpointError, UnknownModelError
from vswin_cli.models.weights.hub import RepoFile, RepoListing
from vswin_cli.models.weights.registry import get_spec
from vswin_cli.models.weights.spec import RemoteFile, WeightsSource, WeightsSpec
from vswin_cli.models.weights.store import (
    EMBEDDED_MODEL,
    SHARD_INDEXES,
    WEIGHTS_FILES,
    embedded_folder,
    model_folder,
)
from vswin_cli.storage.files import absence, is_there, reading_hint

__all__ = [
    "HubReference",
    "LocalReference",
    "Reference",
    "check_there",
    "choose_files",
    "parse_reference",
]

_REPO = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[^\s/@]+))?(?P<path>/.+)?")
_CHECKPOINT_ENDINGS = (".pth", ".pt", ".bin", ".ckpt", ".tar", ".safetensors")
_BUNDLE_INDEX = ".index"
_BUNDLE_DATA = ".data-00000-of-00001"
# Files of training tools beside the weights in repositories of the Hub.
_TRAINING_FILES = ("optimizer", "scheduler", "training_args", "rng_state", "scaler")
_LISTED_CANDIDATES = 8


@dataclass(frozen=True, slots=True)
class HubReference:
    """A repository on the Hub, or one checkpoint in it."""

    repo: str
    revision: str | None = None
    """Branch, tag or commit; `None` is the main branch."""
    path: str = ""
    """File or folder in the repository; empty for the whole repository."""

    def __str__(self) -> str:
        at = f"@{self.revision}" if self.revision else ""
        return f"hf://{self.repo}{at}" + (f"/{self.path}" if self.path else "")

    def folder_at(self, commit: str) -> Path:
        """Return the cache folder of this checkpoint at one commit; it need not exist."""
        inside = f"/{self.path}" if self.path else ""
        return model_folder(f"{self.repo}@{commit}{inside}")


@dataclass(frozen=True, slots=True)
class LocalReference:
    """A checkpoint on this machine."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


Reference = WeightsSpec | HubReference | LocalReference


def parse_reference(text: str) -> Reference:
    """Parse a reference: a name, a Hub repository or a path.

    A registry name has precedence over a path of the same name, and an existing path over a Hub
    repository; a prefix `./` or `hf://` resolves the ambiguity.

    Raises:
        UnknownModelError: none of the three.
    """
    if text == EMBEDDED_MODEL:
        return LocalReference(embedded_folder())
    if text.startswith("hf://"):
        return _hub_reference(text, text.removeprefix("hf://"))
    if _looks_like_path(text):
        return LocalReference(Path(text).expanduser())
    if "/" not in text and "@" not in text:
        try:
            return get_spec(text)
        except UnknownModelError:
            if is_there(Path(text)):
                return LocalReference(Path(text))
            raise
    if is_there(Path(text)):
        return LocalReference(Path(text))
    return _hub_reference(text, text)


def check_there(path: Path, hint: str = "check the path") -> None:
    """Check that a checkpoint exists.

    Raises:
        CheckpointError: it does not, or may not be read.
    """
    absent = absence(path)
    if isinstance(absent, FileNotFoundError):
        raise CheckpointError(f"{path}: no such file", hint=hint)
    if absent is not None:
        raise CheckpointError(
            f"{path}: cannot be read ({absent.strerror})", hint=reading_hint(absent)
        )


def choose_files(reference: HubReference, listing: RepoListing) -> WeightsSource:
    """Choose the checkpoint of a reference, as a source pinned to its commit.

    A single folder in our own format has precedence; otherwise there must be exactly one file, or
    group of files, that could be a checkpoint.

    Raises:
        CheckpointError: no candidate, or several.
    """
    inside = [file for file in listing.files if _is_inside(file.path, reference.path)]
    candidates = _candidates(inside)
    own = [pair for pair in candidates if _is_ours(pair)]
    chosen = own if len(own) == 1 else candidates
    if len(chosen) != 1:
        raise _not_one(reference, chosen)
    files = tuple(RemoteFile(file.path, size_bytes=file.size_bytes) for file in chosen[0])
    return WeightsSource("hub", files, repo=listing.repo, revision=listing.commit)


def _candidates(files: list[RepoFile]) -> list[tuple[RepoFile, ...]]:
    """List possible checkpoints: single files, or files that belong together."""
    by_path = {file.path: file for file in files}
    found: list[tuple[RepoFile, ...]] = []
    taken: set[str] = set()
    for folder in dict.fromkeys(str(PurePosixPath(file.path).parent) for file in files):
        whole = _hugging_face_files(folder, by_path)
        if whole:
            found.append(whole)
            taken |= _same_weights(folder, by_path) | {file.path for file in whole}
    for file in files:
        if file.path in taken or PurePosixPath(file.path).name.startswith(_TRAINING_FILES):
            continue
        if file.path.endswith(_BUNDLE_INDEX):
            data = by_path.get(file.path.removesuffix(_BUNDLE_INDEX) + _BUNDLE_DATA)
            found += [(file, data)] if data else []
        elif file.path.endswith(_CHECKPOINT_ENDINGS):
            found.append((file,))
    return found


def _hugging_face_files(
    folder: str, by_path: Mapping[str, RepoFile]
) -> tuple[RepoFile, ...] | None:
    """Choose the weights of a folder with the file names of `save_pretrained`, and their card.

    Our own format has the same names. If a folder has several formats of the same weights,
    safetensors have precedence, as they cannot run code.
    """
    card = by_path.get(_joined(folder, "config.json"))
    for name in WEIGHTS_FILES:
        weights = by_path.get(_joined(folder, name))
        if weights is None or (card is None and name != WEIGHTS_FILES[0]):
            continue
        shards = _shards(folder, name, by_path) if name in SHARD_INDEXES else ()
        return (weights, *([card] if card else []), *shards)
    return None


def _shards(folder: str, index: str, by_path: Mapping[str, RepoFile]) -> list[RepoFile]:
    """List the shards beside an index; the index itself is read after the download."""
    stem, ending = index.removesuffix(".index.json").rsplit(".", 1)
    pattern = re.compile(re.escape(_joined(folder, stem)) + r"-\d+-of-\d+\." + ending)
    return [file for path, file in by_path.items() if pattern.fullmatch(path)]


def _same_weights(folder: str, by_path: Mapping[str, RepoFile]) -> set[str]:
    """List all files of a folder with the same weights in another format or in shards."""
    paths = {_joined(folder, name) for name in WEIGHTS_FILES}
    for index in SHARD_INDEXES:
        paths |= {file.path for file in _shards(folder, index, by_path)}
    return paths


def _joined(folder: str, name: str) -> str:
    return name if folder == "." else f"{folder}/{name}"


def _is_ours(files: tuple[RepoFile, ...]) -> bool:
    return len(files) >= 2 and PurePosixPath(files[0].path).name in WEIGHTS_FILES


def _is_inside(path: str, wanted: str) -> bool:
    folder = wanted.strip("/")
    return not folder or path == folder or path.startswith(f"{folder}/")


def _not_one(reference: HubReference, candidates: list[tuple[RepoFile, ...]]) -> CheckpointError:
    if not candidates:
        return CheckpointError(
            f"{reference}: contains no checkpoint",
            hint="expected a folder in vswin's format, a .pth or .safetensors file, or a "
            "TensorFlow bundle (.index and .data)",
        )
    paths = [files[0].path for files in candidates]
    listed = ", ".join(paths[:_LISTED_CANDIDATES])
    more = f" and {len(paths) - _LISTED_CANDIDATES} more" if len(paths) > _LISTED_CANDIDATES else ""
    at = f"@{reference.revision}" if reference.revision else ""
    return CheckpointError(
        f"{reference}: {len(paths)} checkpoints in it: {listed}{more}",
        hint=f"choose one, such as hf://{reference.repo}{at}/{paths[0]}",
    )


def _looks_like_path(text: str) -> bool:
    return text.startswith(("/", "./", "../", "~", ".\\")) or text.endswith(
        (*_CHECKPOINT_ENDINGS, _BUNDLE_INDEX)
    )


def _hub_reference(text: str, body: str) -> HubReference:
    match = _REPO.fullmatch(body)
    if match is None or (match["path"] and not text.startswith("hf://")):
        raise UnknownModelError(
            f"{text!r} is neither a name, nor a path that exists, nor USER/REPO[@REV]",
            hint="`vswin models` lists the names; hf://USER/REPO/PATH picks a file on the Hub",
        )
    return HubReference(match["repo"], match["revision"], (match["path"] or "").strip("/"))

"""Plan where a batch writes: every path follows from `--out`, `--format` and the inputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from vswin_cli.batch.inputs import BatchInput, Shard
from vswin_cli.errors import OptionError
from vswin_cli.export import check_distinct_ids, did_you_mean, format_by_name, get_format
from vswin_cli.storage.files import check_named, ends_as_folder, fitting, is_folder
from vswin_cli.storage.plain_text import text_sha256
from vswin_cli.storage.remote import as_local_path, check_can_upload, is_remote
from vswin_cli.storage.user_config import cache_folder

__all__ = [
    "FOLDER_STEM",
    "PARQUET",
    "Target",
    "check_names",
    "choose_target",
    "result_paths",
    "video_paths",
]

PARQUET = "parquet"
FOLDER_STEM = "results"
"""Common start of the names of the files beside the results in a folder."""
_STATE_SUFFIX = ".vswin"
_ADDRESS_DIGITS = 24


@dataclass(frozen=True, slots=True)
class Target:
    """Paths and format of the results of a batch."""

    path: Path
    """The table of segments, or the folder for one file per video."""
    format: str
    """A name of `FORMATS`, or `parquet`."""
    is_folder: bool
    stem: str
    """Common start of the names of the files beside the results."""
    shard: Shard | None = None
    address: str | None = None
    """Folder to which results are uploaded, without a final slash; `None` to keep them here."""

    @property
    def folder(self) -> Path:
        """The folder that contains the results."""
        return self.path if self.is_folder else self.path.parent

    @property
    def state(self) -> Path:
        """The folder of the journal; the same for all shards and formats."""
        return self.folder / f".{self.stem}{_STATE_SUFFIX}"

    @property
    def table(self) -> Path:
        """The table of segments; each shard has its own."""
        return self.path if self.shard is None else self._beside(self.path.name[len(self.stem) :])

    @property
    def files_table(self) -> Path:
        """The table of files."""
        return self._beside(".files.csv")

    def record_of(self, done: str) -> Path:
        """Return the file that records which results were `written` or `published`."""
        part = "" if self.shard is None else f"-{self.shard}"
        return self.state / f"{done}{part}.json"

    def _beside(self, ending: str) -> Path:
        part = "" if self.shard is None else f".{self.shard}"
        return self.folder / f"{self.stem}{part}{ending}"

    def destination_of(self, path: Path) -> str:
        """Return the path of a result or, after an upload, its address."""
        if self.address is None:
            return str(path)
        name = path.relative_to(self.folder).as_posix() if path != self.folder else ""
        return f"{self.address}/{name}"

    def sweep(self) -> None:
        """Delete half-written tables of a killed run."""
        for path in (self.table, self.files_table):
            for left in path.parent.glob(f".{path.name}.*.tmp"):
                with suppress(OSError):
                    left.unlink()


def choose_target(out: str, format: str | None, shard: Shard | None = None) -> Target:
    """Derive from `--out` and `--format` where to write what.

    A name that ends with a slash, has no ending, or is an existing folder means a folder. Results
    for an address are made in a folder of the cache, one for each address.

    Raises:
        OptionError: the name is empty, its ending belongs to no format, the format holds one video
            per file, or nothing can be written to the address.
    """
    check_named(out)
    if out == "-":
        raise OptionError("a batch cannot write to stdout", hint="give a file or a folder")
    if is_remote(out):
        return _remote_target(out, format, shard)
    path = as_local_path(out)
    if is_folder(path) or ends_as_folder(out) or not path.suffix:
        name = get_format(format or "json").name
        return Target(path, name, True, FOLDER_STEM, shard)
    form = format_by_name(path.name)
    if (format or path.suffix.lower()).lstrip(".") == PARQUET:
        return Target(path, PARQUET, False, path.stem, shard)
    if format is None and form is None:
        raise OptionError(
            f"the ending of {out} belongs to no format",
            hint=f"{did_you_mean(path.suffix)}name it .csv, .jsonl or .parquet, or give a folder "
            "for one file per video",
        )
    name = get_format(format).name if format is not None else form.name if form else ""
    if not get_format(name).holds_many:
        raise OptionError(
            f"`{name}` holds one video per file",
            hint=f"give a folder: --out {path.with_suffix('')}/ --format {name}",
        )
    suffix = form.suffix if form is not None else path.suffix
    return Target(path, name, False, path.name[: -len(suffix)], shard)


def _remote_target(out: str, format: str | None, shard: Shard | None) -> Target:
    check_can_upload(out)
    parent, _, name = out.rpartition("/")
    address = parent if PurePosixPath(name).suffix else out.rstrip("/")
    # The same address has the same folder in the cache, so that a later run finds its journal.
    folder = cache_folder() / "batch" / text_sha256(address)[:_ADDRESS_DIGITS]
    local = choose_target(f"{folder}/{out[len(address) + 1 :]}", format, shard)
    return replace(local, address=address)


def check_names(target: Target, inputs: Sequence[BatchInput]) -> None:
    """Check before the work that the names of the videos differ in a table of this format.

    Raises:
        OptionError: two videos have the same name.
    """
    if not target.is_folder and target.format != PARQUET:
        uris = [item.source.uri for item in inputs if item.problem is None]
        check_distinct_ids(target.format, uris)


def result_paths(target: Target, inputs: Sequence[BatchInput]) -> list[Path]:
    """List all files of the results, in the order in which they are uploaded."""
    results = video_paths(target, inputs).values() if target.is_folder else [target.table]
    return [*results, target.files_table]


def video_paths(target: Target, inputs: Sequence[BatchInput]) -> dict[str, Path]:
    """Plan a file for each entry, in the folders of the inputs; all paths differ."""
    suffix = get_format(target.format).suffix
    common = _common_folder(inputs)
    wanted = {item.entry: _relative(item, common) for item in inputs}
    counts = Counter(wanted.values())
    paths = {}
    for item in inputs:
        path = wanted[item.entry]
        # Such as a.mp4 and a.mkv, or a name too long for the ending: those get a hash.
        is_usable = counts[path] == 1 and fitting(path.name, suffix) == path.name
        name = path.name if is_usable else item.source.id
        paths[item.entry] = target.path / path.parent / f"{name}{suffix}"
    return paths


def _common_folder(inputs: Sequence[BatchInput]) -> tuple[str, ...]:
    """Return the parts of the deepest folder that contains all local inputs."""
    folders = [PurePosixPath(item.place).parent.parts for item in inputs if item.source.path]
    if not folders:
        return ()
    low, high = min(folders), max(folders)  # all others lie between them, so these two decide
    num_same = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), None)
    return low if num_same is None else low[:num_same]


def _relative(item: BatchInput, common: tuple[str, ...]) -> PurePosixPath:
    if item.source.path is None:
        return PurePosixPath(PurePosixPath(item.source.uri.split("?")[0]).stem or "video")
    # What is left of `..`, after a linked folder, must not lead out of the results.
    inside = [part for part in PurePosixPath(item.place).parts[len(common) :] if part != ".."]
    path = PurePosixPath(*inside)
    return path.with_suffix("") if path.suffix else path

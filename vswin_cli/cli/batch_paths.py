"""Check where a batch writes, and create its folders, before any work begins."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vswin_cli.cli.output_paths import OutputPath, check_distinct
from vswin_cli.cli.overwriting import check_overwrites, is_own_file, is_page_name
from vswin_cli.errors import OptionError, OutputError
from vswin_cli.storage.files import (
    check_destination,
    check_spares,
    ends_as_folder,
    is_symlink,
    writing,
)

if TYPE_CHECKING:
    from vswin_cli.batch.inputs import BatchInput
    from vswin_cli.batch.target import Target

__all__ = [
    "check_pages",
    "check_replaced_files",
    "prepare_features",
    "prepare_pages",
    "prepare_paths",
]

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:[\\/]")  # what `Path` leaves of `s3://`
_FOOTER_BYTES = 1 << 16


def prepare_paths(target: Target, wanted_scores: Path | None, *, keep: bool) -> Path | None:
    """Create the folders for results, and check that they can be written.

    Only folders that the user named are created, never their parents: otherwise a disk that is
    not mounted would be mistaken for an empty one.

    Args:
        target: of the batch.
        wanted_scores: folder of `--save-scores`.
        keep: whether score tracks are kept.

    Returns:
        The folder for score tracks, `None` to keep none.

    Raises:
        OptionError: options that exclude each other, or a package is missing.
        OutputError: a folder cannot be created or written.
    """
    if wanted_scores is not None:
        _check_scores(wanted_scores, keep=keep)
        files = (() if target.is_folder else (target.table,)) + (target.files_table,)
        named = (("--out", path) for path in files)
        check_distinct((*named, ("--save-scores", wanted_scores)))
        check_destination(wanted_scores)
        _make(wanted_scores)
    if target.address is not None:
        _make(target.folder)  # in the cache, where missing parents may be created
    # A link is replaced, whatever it leads to.
    is_replaced = is_symlink(target.path) and not target.is_folder
    check_destination(target.path.parent if is_replaced else target.path)
    _make(target.state)
    if target.format == "parquet":
        from vswin_cli.storage.parquet import check_parquet

        check_parquet(instead=".csv or .jsonl")
    scores = target.state / "scores" if wanted_scores is None else wanted_scores
    return scores.absolute() if keep else None


def prepare_features(target: Target, wanted: Path | None, scores: Path | None) -> Path | None:
    """Create the folder for features, and check that it can be written.

    Args:
        target: of the batch.
        wanted: folder of `--save-features`.
        scores: folder of `--save-scores`, in which files have the same names.

    Returns:
        The folder, absolute; `None` to save none.

    Raises:
        OptionError: an address, or the place of another result.
        OutputError: the folder cannot be created or written.
    """
    if wanted is None:
        return None
    _check_no_address("--save-features", wanted, "features")
    files = [] if target.is_folder else [target.table]
    named = [("--out", path) for path in (*files, target.files_table)]
    named += [("--save-scores", scores or target.state / "scores")]
    check_distinct((*named, ("--save-features", wanted)))
    check_destination(wanted)
    _make(wanted)
    return wanted.absolute()


def prepare_pages(
    target: Target, inputs: Sequence[BatchInput], wanted: str | None, *, force: bool
) -> Path | None:
    """Check where the pages of a batch go, and create their folder.

    Args:
        target: of the batch; each shard has a table of its own.
        inputs: the videos.
        wanted: a folder, or the name of the page to open first.
        force: whether files that vswin did not write may be replaced.

    Returns:
        The page to open first; `None` to make none.

    Raises:
        OptionError: an address, or a result or an input is there.
        OutputError: the folder cannot be created or written, or a file is there that vswin did not
            write.
    """
    if wanted is None:
        return None
    is_page = is_page_name(Path(wanted))
    output = OutputPath.parse(wanted if is_page or ends_as_folder(wanted) else f"{wanted}/")
    page = output.path / "index.html" if output.is_folder else output.path
    if target.shard is not None:
        page = page.with_name(f"{page.stem}.{target.shard}{page.suffix}")
    check_pages(target, inputs, page, force=force)
    output.make()
    return page


def check_pages(target: Target, inputs: Sequence[BatchInput], page: Path, *, force: bool) -> None:
    """Check that the pages of a batch replace nothing but pages of vswin.

    Raises:
        OptionError: a result or an input is there.
        OutputError: a file is there that vswin did not write.
    """
    from vswin_cli.batch.target import result_paths
    from vswin_cli.report import archive_files

    files = archive_files([item.source.uri for item in inputs], page)
    results = (("--out", path) for path in result_paths(target, inputs))
    check_distinct((*results, *(("--report", path) for path in files)))
    check_spares(files, (item.source.path for item in inputs))
    check_overwrites(files, force=force)


def check_replaced_files(target: Target, inputs: Sequence[BatchInput], *, force: bool) -> None:
    """Refuse to replace files that no run of vswin has written.

    A record in the journal's folder names the files per video that are ours, which may have been
    edited; other files must look like ours. A symbolic link is replaced itself: nothing is lost.
    At an address the record of uploads takes the place of that record.

    Raises:
        OutputError: a file is there already and is not one of ours.
    """
    from vswin_cli.batch.target import result_paths
    from vswin_cli.batch.video_files import written_names

    if target.address is not None:
        if not force:
            _check_uploads(target, result_paths(target, inputs))
        return
    known = {target.folder / name for name in written_names(target)}
    paths = (path for path in result_paths(target, inputs) if path not in known)
    check_overwrites(
        (path for path in paths if not (is_symlink(path) or _is_batch_table(path))), force=force
    )


def _check_uploads(target: Target, paths: Sequence[Path]) -> None:
    """Refuse to replace files at an address that no run of vswin has written.

    Raises:
        OutputError: one is there.
        SourceError: it is there and cannot be read.
    """
    from vswin_cli.batch.upload import uploaded_paths
    from vswin_cli.storage.remote import find_present, local_copy

    done = uploaded_paths(target)
    addresses = [target.destination_of(path) for path in paths if path not in done]
    for address in find_present(target.address or "", addresses):
        with local_copy(address) as copy:
            is_ours = _is_batch_table(copy) or is_own_file(copy)
        if not is_ours:
            raise OutputError(
                f"{address} exists and was not written by vswin",
                hint="choose another name, or add --force to replace it",
            )


def _is_batch_table(path: Path) -> bool:
    """Recognise a table of files by its header and a Parquet table by names of its columns."""
    from vswin_cli.batch.tables import FILES_COLUMNS

    header = ",".join(FILES_COLUMNS).encode()
    try:
        with path.open("rb") as file:
            head = file.read(len(header))
            # Parquet begins with its name and has the names of its columns in a footer.
            file.seek(max(0, path.stat().st_size - _FOOTER_BYTES))
            return head == header or (head[:4] == b"PAR1" and b"score_max" in file.read())
    except OSError:
        return False


def _check_scores(wanted: Path, *, keep: bool) -> None:
    if not keep:
        raise OptionError(
            "--save-scores and --no-scores exclude each other", hint="omit one of them"
        )
    _check_no_address("--save-scores", wanted, "scores")


def _check_no_address(option: str, wanted: Path, what: str) -> None:
    if _ADDRESS.match(str(wanted)):
        raise OptionError(
            f"{option} {wanted} is an address; {what} are kept on this machine",
            hint=f"give a folder, or omit {option}",
        )


def _make(folder: Path) -> None:
    with writing(f"{folder}"):
        folder.mkdir(parents=True, exist_ok=True)
    check_destination(folder)

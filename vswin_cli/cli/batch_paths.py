"""Check where a batch writes, and create its folders, before any work begins."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from vswin_cli.cli.output_paths import check_distinct
from vswin_cli.errors import OptionError
from vswin_cli.storage.files import check_destination, writing

if TYPE_CHECKING:
    from vswin_cli.batch.target import Target

__all__ = ["prepare_paths"]

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:[\\/]")  # what `Path` leaves of `s3://`


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
    is_replaced = target.path.is_symlink() and not target.is_folder
    check_destination(target.path.parent if is_replaced else target.path)
    _make(target.state)
    if target.format == "parquet":
        from vswin_cli.batch.parquet import check_parquet

        check_parquet()
    scores = target.state / "scores" if wanted_scores is None else wanted_scores
    return scores.absolute() if keep else None


def _check_scores(wanted: Path, *, keep: bool) -> None:
    if not keep:
        raise OptionError(
            "--save-scores and --no-scores exclude each other", hint="omit one of them"
        )
    if _ADDRESS.match(str(wanted)):
        raise OptionError(
            f"--save-scores {wanted} is an address; scores are kept on this machine",
            hint="give a folder, or omit the option to keep scores in the cache",
        )


def _make(folder: Path) -> None:
    with writing(f"{folder}"):
        folder.mkdir(parents=True, exist_ok=True)
    check_destination(folder)

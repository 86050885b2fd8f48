"""Paths of results on this machine, all settled and checked before any work begins.

A name that ends with a slash, or is that of a folder, means a folder. It is created when the first
result is ready; its parents never are: a disk that is not mounted must not be mistaken for an empty
one.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vswin_cli.cli.overwriting import check_media_names, check_overwrites, check_page_name
from vswin_cli.errors import OptionError
from vswin_cli.storage.files import (
    check_destination,
    check_named,
    check_spares,
    ends_as_folder,
    is_folder,
    is_there,
    writing,
)
from vswin_cli.storage.remote import as_local_path, is_remote
from vswin_cli.storage.result_names import unique_names
from vswin_cli.storage.sources import VideoSource

__all__ = [
    "OutputPath",
    "TagPaths",
    "check_distinct",
    "files_by_id",
    "plan_pages",
    "plan_tag_paths",
]


@dataclass(frozen=True, slots=True)
class OutputPath:
    """A file, or a folder for files named after their videos."""

    path: Path
    is_folder: bool

    @classmethod
    def parse(cls, text: str) -> OutputPath:
        """Read the value of an option; nothing is made.

        Raises:
            OptionError: it is an address, or empty.
            OutputError: nothing can be written there.
        """
        check_named(text)
        if is_remote(text):
            raise OptionError(
                f"{text} is an address; this result can only be written to this machine",
                hint="give a path; `vswin batch --out` writes to addresses",
            )
        path = as_local_path(text)
        output = cls(path, ends_as_folder(text) or is_folder(path))
        if output.is_folder and is_there(path) and not is_folder(path):
            with writing(text):  # turns it into the usual error with the usual hint
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), text)
        check_destination(path)
        return output

    def files(self, uris: Sequence[str], suffix: str) -> list[Path]:
        """Return a path for each video; outside of a folder it is the same for all."""
        if not self.is_folder:
            return [self.path] * len(uris)
        return [self.path / f"{name}{suffix}" for name in unique_names(uris, suffix)]

    def make(self) -> None:
        """Make the folder, if it is one that is missing.

        Raises:
            OutputError: it cannot be made.
        """
        if self.is_folder:
            with writing(f"{self.path}"):
                self.path.mkdir(exist_ok=True)


@dataclass(frozen=True, slots=True)
class TagPaths:
    """Every file that one `vswin tag` will write."""

    results: Mapping[str, Path]
    """A file for each video, by `VideoSource.id`; empty if all goes to stdout."""
    scores: Mapping[str, tuple[Path, ...]]
    """The same for scores, a file for each model; empty if they are not kept."""
    pages: Sequence[Path]
    """Files of the report, the one to open first ahead; empty without a report."""
    folders: Sequence[OutputPath]
    """Folders for scores and report that may have to be made."""

    def make_folders(self) -> None:
        """Make the folders for scores and report.

        Raises:
            OutputError: a folder cannot be made.
        """
        for folder in self.folders:
            folder.make()

    def named(self) -> Iterator[tuple[str, Path]]:
        """Yield every file with the option that names it."""
        yield from (("--out", path) for path in self.results.values())
        yield from (("--save-scores", path) for files in self.scores.values() for path in files)
        yield from (("--report", path) for path in self.pages)


def plan_tag_paths(
    results: Sequence[Path],
    save_scores: str | None,
    report: str | None,
    sources: Sequence[VideoSource],
    model_files: Iterable[Path],
    *,
    models: Sequence[str] = (),
    image_suffix: str = "",
    force: bool = False,
) -> TagPaths:
    """Plan every file of one `vswin tag`, and refuse those that would overwrite needed files.

    Args:
        results: a file for each source, or none.
        save_scores: value of the option.
        report: value of the option.
        sources: the videos.
        model_files: what the model is read from.
        models: names or paths of the models, where there are several.
        image_suffix: ending of the results' format, which may be that of an image.
        force: whether files that vswin did not write may be replaced.

    Raises:
        OptionError: several videos for one file, two results in one file, or an input in it; or a
            result is named like media.
        OutputError: a folder is missing or read-only, or a file is there that vswin did not write.
    """
    ids = [source.id for source in sources]
    scores = None if save_scores is None else OutputPath.parse(save_scores)
    page = None if report is None else OutputPath.parse(report)
    uris = [source.uri for source in sources]
    paths = TagPaths(
        results=dict(zip(ids, results, strict=False)),
        scores={} if scores is None else _score_files(scores, ids, models),
        pages=() if page is None else plan_pages(page, uris),
        folders=[folder for folder in (scores, page) if folder is not None],
    )
    check_distinct(paths.named())
    files = [path for _, path in paths.named()]
    check_spares(files, (source.path for source in sources), "a video to be tagged")
    check_spares(files, model_files)
    check_media_names(paths.named(), own_suffix=image_suffix)
    for file in paths.pages:
        check_page_name("--report", file)
    check_overwrites(files, force=force)
    return paths


def _score_files(
    scores: OutputPath, ids: Sequence[str], models: Sequence[str]
) -> dict[str, tuple[Path, ...]]:
    """Return the score files of each video; those of several models have their name in it."""
    files = files_by_id(scores, ids, ".npz", "--save-scores")
    if len(models) < 2:
        return {id: (file,) for id, file in zip(ids, files, strict=True)}
    names = unique_names([f"{model}.npz" for model in models])
    stems = [file.name.removesuffix(".npz") for file in files]
    return {
        id: tuple(file.with_name(f"{stem}.{name}.npz") for name in names)
        for id, file, stem in zip(ids, files, stems, strict=True)
    }


def plan_pages(output: OutputPath, uris: Sequence[str]) -> list[Path]:
    """List the files of a report: its page, and for several videos theirs in a folder beside it.

    In a folder the page is named after its video, or `index.html`.

    Raises:
        OutputError: the folder beside it is a file, or is not writable.
    """
    from vswin_cli.report import report_files

    page = output.files(uris, ".html")[0] if uris else output.path
    if output.is_folder and len(uris) != 1:
        page = output.path / "index.html"
    files = report_files(uris, page)
    folder = files[-1].parent
    if is_there(folder):
        with writing(f"{folder}"):
            if not is_folder(folder):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
        check_destination(folder)
    return files


def check_distinct(named: Iterable[tuple[str, Path]]) -> None:
    """Check before the work that no result would overwrite another.

    Args:
        named: options and the files that will be written because of them.

    Raises:
        OptionError: two of them are one file.
    """
    taken: dict[str, str] = {}
    for option, path in named:
        other = taken.setdefault(os.path.realpath(path), option)
        if other != option:
            raise OptionError(
                f"{other} and {option} would both write {path}",
                hint="give each of them its own path",
            )


def files_by_id(output: OutputPath, ids: Sequence[str], suffix: str, option: str) -> list[Path]:
    """Return a path for each video, in a folder under a name that is the same on every run.

    Args:
        output: file or folder.
        ids: `VideoSource.id` of each video.
        suffix: of the files in a folder.
        option: that names the output, for the error.

    Raises:
        OptionError: one file for several videos.
    """
    if output.is_folder:
        return [output.path / f"{name}{suffix}" for name in ids]  # as in the journal of a batch
    if len(ids) > 1:
        raise OptionError(
            f"{option} {output.path} is one file for {len(ids)} videos",
            hint="give a folder/; each video gets a file in it",
        )
    return [output.path]

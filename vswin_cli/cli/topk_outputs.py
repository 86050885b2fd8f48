"""Files that `vswin evaluate topk` writes on request: tables, scores and figures."""

from __future__ import annotations

import csv
import errno
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vswin_cli.cli import console
from vswin_cli.cli.options import ForceOption, PlotsOption
from vswin_cli.errors import OptionError

if TYPE_CHECKING:
    from vswin_cli.evaluation.topk import Outcome, TopkReport

__all__ = ["TopkOutputs", "check_plots"]

_SCORE_SUFFIXES = (".npz", ".csv")


@dataclass(frozen=True)
class TopkOutputs:
    """Options that name files to write."""

    predictions: Annotated[
        Path | None,
        typer.Option(
            "--predictions",
            metavar="FILE",
            help="CSV file for the predictions, one line per video.",
        ),
    ] = None
    confusion: Annotated[
        Path | None,
        typer.Option(
            "--confusion",
            metavar="FILE",
            help="CSV file for the confusion matrix: a row per true class.",
        ),
    ] = None
    save_scores: Annotated[
        Path | None,
        typer.Option(
            "--save-scores",
            metavar="FILE",
            help="File for the scores of all classes, .npz (NumPy) or .csv.",
        ),
    ] = None
    plots: PlotsOption = None
    force: ForceOption = False

    def check(self, inputs: Sequence[Path | None]) -> None:
        """Check before the work that all of them can be written.

        Args:
            inputs: files that must not be overwritten.

        Raises:
            OptionError: a name does not fit, or matplotlib is missing.
            OutputError: a file is there that vswin did not write, or nothing can be written there.
        """
        from vswin_cli.cli.output_paths import check_distinct
        from vswin_cli.cli.overwriting import check_media_names, check_overwrites
        from vswin_cli.evaluation.plots import TOPK_FIGURES
        from vswin_cli.storage.files import check_spares

        named = list(self._named())
        paths = [path for _, path in named]
        check_media_names(named)
        self._check_endings()
        for path in paths:
            _check_file(path)
        check_distinct(named)
        check_spares(paths, inputs)
        check_overwrites(paths, force=self.force)
        check_plots(self.plots, TOPK_FIGURES, force=self.force)

    def _named(self) -> Iterator[tuple[str, Path]]:
        """Yield every file with the option that names it."""
        options = ("--predictions", "--confusion", "--save-scores")
        paths = (self.predictions, self.confusion, self.save_scores)
        for option, path in zip(options, paths, strict=True):
            if path is not None:
                yield option, path

    def _check_endings(self) -> None:
        if self.confusion is not None and self.confusion.suffix.lower() != ".csv":
            raise OptionError(
                f"--confusion {self.confusion} must end with .csv",
                hint="it names a file for all counts; --confusions COUNT sets how many of the "
                "most frequent mistakes are shown",
            )
        scores = self.save_scores
        if scores is not None and scores.suffix.lower() not in _SCORE_SUFFIXES:
            raise OptionError(
                f"--save-scores {scores} must end with .npz or .csv",
                hint=f"use {scores.stem}.npz for NumPy or {scores.stem}.csv for spreadsheets",
            )

    @property
    def needs_scores(self) -> bool:
        """Whether scores of all classes are needed, which logs of version 0.1.0 lack."""
        return self.save_scores is not None or self.plots is not None

    @contextmanager
    def prediction_writer(self, labels: Sequence[str]) -> Iterator[Callable[[Outcome], None]]:
        """Yield a function that writes a line per video at once.

        So an interrupted run keeps its lines.
        """
        path = self.predictions
        if path is None:
            yield lambda outcome: None
            return
        from vswin_cli.storage.files import writing

        with writing(str(path)), path.open("w", encoding="utf-8", newline="") as file:
            lines = csv.writer(file, lineterminator="\n")
            lines.writerow(["path", "label", "rank", "predicted", "score", "problem"])

            def write(one: Outcome) -> None:
                predicted = labels[one.best[0]] if one.best else ""
                score = f"{one.scores[0]:.6f}" if one.scores else ""
                lines.writerow(
                    [one.uri, labels[one.truth], one.rank, predicted, score, one.problem]
                )
                file.flush()

            yield write

    def write(
        self,
        report: TopkReport,
        outcomes: Iterable[Outcome],
        labels: Sequence[str],
        *,
        quiet: bool,
    ) -> None:
        """Write confusion matrix, scores and figures, and say so.

        Raises:
            OutputError: a file cannot be written.
        """
        from vswin_cli.evaluation.class_figures import confusion_matrix
        from vswin_cli.evaluation.plots import plot_topk
        from vswin_cli.evaluation.topk_files import write_confusion, write_scores

        scored = [outcome for outcome in outcomes if outcome.rank is not None]
        if self.confusion is not None:
            truth, best = [one.truth for one in scored], [one.best[0] for one in scored]
            write_confusion(self.confusion, confusion_matrix(truth, best, len(labels)), labels)
        if self.save_scores is not None:
            write_scores(self.save_scores, scored, labels, report)
        if self.plots is not None:
            plot_topk(self.plots, report, scored, labels)
        written = [path for _, path in self._named()]
        written += [] if self.plots is None else [self.plots]
        for path in () if quiet else written:
            console.note(f"wrote {path}")


def check_plots(folder: Path | None, names: Iterable[str], *, force: bool) -> None:
    """Check before the work that figures can be written.

    Args:
        folder: value of `--plots`.
        names: of the figures, without ending.
        force: whether files that vswin did not write may be replaced.

    Raises:
        OptionError: the name is that of an image, or matplotlib is missing.
        OutputError: a file is there that vswin did not write, or nothing can be written there.
    """
    from vswin_cli.cli.output_paths import OutputPath
    from vswin_cli.cli.overwriting import MEDIA_SUFFIXES, check_overwrites
    from vswin_cli.evaluation.figure_files import FigureFolder, check_matplotlib

    if folder is None:
        return
    if folder.suffix.lower() in MEDIA_SUFFIXES:
        raise OptionError(
            f"--plots {folder} is named like an image, but several are written",
            hint=f"give a folder, such as {folder.stem}",
        )
    OutputPath.parse(f"{folder}/")
    check_matplotlib()
    check_overwrites(FigureFolder(folder).files(names), force=force)


def _check_file(path: Path) -> None:
    """Check in advance that a file can be written here.

    Raises:
        OutputError: it is a folder, or nothing can be written there.
    """
    from vswin_cli.storage.files import check_destination, is_folder, writing

    check_destination(path)
    if is_folder(path):
        with writing(f"{path}"):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))

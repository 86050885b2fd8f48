"""`vswin evaluate windows`: which label scores highest in labelled windows of videos."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vswin_cli.cli import console
from vswin_cli.cli.evaluation_text import windows_text, write_report
from vswin_cli.cli.model_choice import ModelChoice, make_engine
from vswin_cli.cli.option_groups import VideoEngineChoice, with_option_groups
from vswin_cli.cli.options import ExcludeOption, JsonOption, OnsetOption, QuietOption, RootOption
from vswin_cli.config import SegmentOptions
from vswin_cli.errors import SOME_FAILED, OptionError, SourceError
from vswin_cli.storage.files import is_there
from vswin_cli.storage.sources import VideoSource

if TYPE_CHECKING:
    from vswin_cli.evaluation.windows import WindowTest
    from vswin_cli.models.card import ModelCard

__all__ = ["windows"]

_SHOWN = 3


@with_option_groups
def windows(
    listed: Annotated[
        Path,
        typer.Argument(
            metavar="LIST",
            help="CSV or TSV video,start,end,label and optionally others, sure (yes or no).",
        ),
    ],
    *,
    choice: ModelChoice,
    root: RootOption = None,
    exclude: ExcludeOption = None,
    background: Annotated[
        str | None,
        typer.Option(
            "--background", metavar="LABEL", help="Label of windows in which nothing happens."
        ),
    ] = None,
    onset: OnsetOption = None,
    piece: Annotated[
        float,
        typer.Option(
            "--piece",
            metavar="SECONDS",
            help="Length of the windows where a row stands for a whole video.",
        ),
    ] = 2.0,
    running: VideoEngineChoice,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Test a model on labelled windows of videos: right labels and false alarms.

    The label with the highest mean score over a window is the prediction. A row without start and
    end stands for a whole video, cut into windows of --piece seconds. Windows of the label
    --background, in which nothing happens, are counted separately.

    Examples:
        vswin evaluate windows labels.tsv --background static --exclude fade --exclude dissolve

        vswin evaluate windows fixed_cameras.csv --background static --json
    """
    from vswin_cli.evaluation.reading import read_text
    from vswin_cli.evaluation.window_list import read_window_list
    from vswin_cli.evaluation.windows import evaluate_windows

    read_text(listed)  # a wrong path should not cost a download first
    if not 0 < piece < inf:
        raise OptionError(
            f"--piece must be positive and finite, got {piece:g}", hint="give seconds, such as 2"
        )
    engine = make_engine(choice, running.options(), crops=1, quiet=quiet)
    card = engine.model.card
    test = _test(card, exclude or (), background, onset, piece)
    left_out = set(card.labels) - set(test.names)
    found = read_window_list(listed, card.labels, exclude=left_out, root=root)
    with console.progress(str(listed), unit="videos", quiet=quiet) as on_progress:
        report = evaluate_windows(found, engine, test, on_done=on_progress)
    if not report.num_windows:
        first = report.failures[0]
        raise SourceError(
            f"no window could be scored; {first.video}: {first.problem}",
            hint=_failure_hint(first.video),
        )
    write_report("windows", report, windows_text, json=json)
    if report.failures:
        raise typer.Exit(SOME_FAILED)


def _test(
    card: ModelCard,
    exclude: Sequence[str],
    background: str | None,
    onset: float | None,
    piece_seconds: float,
) -> WindowTest:
    """Make the test of the options: which labels compete, and their thresholds."""
    from vswin_cli.evaluation.windows import WindowTest
    from vswin_cli.timeline.selection import match_labels

    if background is not None:
        background = _background(background, card.labels)
    excluded = tuple(card.labels[i] for i in match_labels(exclude, card.labels))
    chosen = SegmentOptions(exclude=excluded)
    if onset is not None:
        chosen = SegmentOptions(exclude=excluded, onset=onset)
    segments = chosen.over(card.segments)
    return WindowTest.of(card.labels, segments, background, piece_seconds)


def _background(text: str, labels: Sequence[str]) -> str:
    """Find the one label that the option means.

    Raises:
        OptionError: none, or several.
    """
    from vswin_cli.timeline.selection import match_labels

    found = [labels[i] for i in match_labels([text], labels)]
    if len(found) > 1:
        shown = ", ".join(f"`{name}`" for name in found[:_SHOWN])
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise OptionError(
            f"--background `{text}` fits several labels: {shown}{more}",
            hint="give the one label for windows in which nothing happens",
        )
    return found[0]


def _failure_hint(video: str) -> str:
    """Advise on a video of the list that gave no score."""
    path = VideoSource.of(video).path
    if path is not None and not is_there(path):
        return "relative paths start from the list's folder, or from --root"
    return f"`vswin probe --scan {video}` shows how long the video is and what is damaged"

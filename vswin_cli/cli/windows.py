"""`vswin evaluate windows`: which label scores highest in labelled windows of videos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Annotated, cast

import typer

from vswin_cli.cli import console
from vswin_cli.cli.evaluation_text import windows_text, write_report
from vswin_cli.cli.options import (
    BatchSizeOption,
    DeviceOption,
    ExcludeOption,
    JsonOption,
    LabelsOption,
    ModelOption,
    OnsetOption,
    PrecisionOption,
    QuietOption,
    WeightsOption,
)
from vswin_cli.config import EngineOptions, Precision
from vswin_cli.errors import SOME_FAILED, OptionError, SourceError
from vswin_cli.storage.files import is_there
from vswin_cli.storage.sources import VideoSource

__all__ = ["windows"]

_SHOWN = 3


def windows(
    listed: Annotated[
        Path,
        typer.Argument(
            metavar="LIST",
            help="CSV or TSV video,start,end,label and optionally others, sure (yes or no).",
        ),
    ],
    model: ModelOption = None,
    weights: WeightsOption = None,
    labels: LabelsOption = None,
    root: Annotated[
        Path | None,
        typer.Option(
            "--root", help="Folder that relative paths start from.", show_default="the list's own"
        ),
    ] = None,
    exclude: ExcludeOption = None,
    background: Annotated[
        str | None,
        typer.Option("--background", help="The label that means that nothing happens."),
    ] = None,
    onset: OnsetOption = None,
    piece: Annotated[
        float,
        typer.Option("--piece", help="Seconds per window where a row stands for a whole video."),
    ] = 2.0,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    batch_size: BatchSizeOption = None,
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
    from vswin_cli.cli.model_choice import ModelChoice, make_engine
    from vswin_cli.evaluation.reading import read_text
    from vswin_cli.evaluation.window_list import read_window_list
    from vswin_cli.evaluation.windows import WindowTest, evaluate_windows
    from vswin_cli.timeline.selection import match_labels

    read_text(listed)  # a wrong path should not cost a download first
    if not 0 < piece < inf:
        raise OptionError(
            f"--piece must be positive and finite, got {piece:g}", hint="give seconds, such as 2"
        )
    options = EngineOptions(device, cast("Precision", precision), batch_size)
    engine = make_engine(ModelChoice(model, weights, labels), options, crops=1, quiet=quiet)
    card = engine.model.card
    if background is not None:
        background = _background(background, card.labels)
    excluded = tuple(card.labels[i] for i in match_labels(exclude or (), card.labels))
    segments = replace(card.segments, exclude=excluded)
    if onset is not None:
        segments = replace(segments, onset=onset, offset=min(onset, segments.offset), onsets=())
    test = WindowTest.of(card.labels, segments, background, piece)
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
            hint="give the one label that means that nothing happens",
        )
    return found[0]


def _failure_hint(video: str) -> str:
    """Advise on a video of the list that gave no score."""
    path = VideoSource.of(video).path
    if path is not None and not is_there(path):
        return "relative paths start from the list's folder, or from --root"
    return f"`vswin probe --scan {video}` tells how long the video is and what is damaged"

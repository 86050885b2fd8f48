"""`vswin segment`: saved scores cut anew, without the model and without the video."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vswin_cli.cli import console
from vswin_cli.cli.option_values import segment_options
from vswin_cli.cli.options import (
    ExcludeOption,
    FormatOption,
    GroupOption,
    IncludeOption,
    MaxEntropyOption,
    MaxLabelsOption,
    MergeGapOption,
    MinDurationOption,
    MinMarginOption,
    OffsetOption,
    OnsetOption,
    OutOption,
    QuietOption,
    SmoothOption,
    TimelineJsonOption,
    WindowsOption,
)
from vswin_cli.errors import SOME_FAILED

if TYPE_CHECKING:
    from vswin_cli.config import SegmentOptions
    from vswin_cli.timeline.record import Timeline

__all__ = ["segment"]


def segment(
    scores: Annotated[
        list[Path],
        typer.Argument(
            metavar="SCORES",
            help="Files written by `vswin tag --save-scores`.",
            show_default=False,
        ),
    ],
    onset: OnsetOption = None,
    offset: OffsetOption = None,
    min_duration: MinDurationOption = None,
    merge_gap: MergeGapOption = None,
    max_labels: MaxLabelsOption = None,
    include: IncludeOption = None,
    exclude: ExcludeOption = None,
    group: GroupOption = None,
    smooth: SmoothOption = None,
    min_margin: MinMarginOption = None,
    max_entropy: MaxEntropyOption = None,
    format: FormatOption = None,
    out: OutOption = None,
    json: TimelineJsonOption = False,
    windows: WindowsOption = 0,
    quiet: QuietOption = False,
) -> None:
    """Find segments in saved scores with other thresholds or labels, in a second.

    Examples:
        vswin tag movie.mp4 --save-scores movie.npz

        vswin segment movie.npz --onset 0.3 --include "playing *"

        vswin segment movie.npz --group "sport=*ball*,skiing*" -o movie.csv
    """
    from vswin_cli.cli.find_video import with_found_video
    from vswin_cli.cli.output import choose_output

    choose = partial(
        segment_options,
        onset=onset,
        offset=offset,
        min_duration=min_duration,
        merge_gap=merge_gap,
        max_labels=max_labels,
        include=include,
        exclude=exclude,
        group=group,
        smooth=smooth,
        min_margin=min_margin,
        max_entropy=max_entropy,
    )
    output = choose_output(out, format, json=json)
    if windows:
        output.check_shows_windows()
    output.check_holds(len(scores))
    timelines = [_segment_one(path, choose, windows) for path in scores]
    if not quiet:
        for timeline in timelines:
            for notice in timeline.warnings:
                console.warn(f"{timeline.video.uri}: {notice.message}")
    output.check_spares(scores, timelines)
    pairs = zip(timelines, scores, strict=True)
    linked = [with_found_video(timeline, path) for timeline, path in pairs]
    if output.write(timelines, linked=linked, quiet=quiet):
        raise typer.Exit(SOME_FAILED)


def _segment_one(
    path: Path, choose: Callable[[SegmentOptions], SegmentOptions], top_classes: int
) -> Timeline:
    from vswin_cli.timeline.record import with_segments
    from vswin_cli.timeline.score_files import load_track

    track, timeline = load_track(path)
    with track:
        options = choose(timeline.postprocess.options())
        return with_segments(timeline, track, options, top_classes=top_classes)

"""`vswin segment`: find segments in saved scores, without the model and the video."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vswin_cli.cli import console
from vswin_cli.cli.option_groups import SegmentChoice, shows_saved_settings, with_option_groups
from vswin_cli.cli.options import (
    ExcelOption,
    ForceOption,
    FormatOption,
    OutOption,
    QuietOption,
    TimelineJsonOption,
    WindowsOption,
)
from vswin_cli.cli.start_timecode import (
    TimecodeStartOption,
    note_unused_start,
    parse_start,
    with_start,
)
from vswin_cli.errors import SOME_FAILED, SourceError
from vswin_cli.storage.humanize import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vswin_cli.cli.saved_results import SavedResult
    from vswin_cli.timeline.record import Timeline

__all__ = ["segment"]

_SHOWN_WARNINGS = 10


@shows_saved_settings
@with_option_groups
def segment(
    scores: Annotated[
        list[Path],
        typer.Argument(
            metavar="SCORES|TABLE|FOLDER",
            help="Files written by `vswin tag --save-scores`; a table of `vswin batch`, the folder "
            "of its results, or its journal.",
            show_default=False,
        ),
    ],
    *,
    segments: SegmentChoice,
    format: FormatOption = None,
    out: OutOption = None,
    json: TimelineJsonOption = False,
    excel: ExcelOption = False,
    windows: WindowsOption = 0,
    timecode_start: TimecodeStartOption = None,
    force: ForceOption = False,
    quiet: QuietOption = False,
) -> None:
    """Recompute segments from saved scores with other thresholds or labels.

    Examples:
        vswin tag movie.mp4 --save-scores movie.npz

        vswin segment movie.npz --onset 0.3 --include "playing *"

        vswin segment movie.npz --group "sport=*ball*,skiing*" -o movie.csv

        vswin segment results.csv --onset 0.3 -o other.csv
    """
    from vswin_cli.cli.find_video import with_found_video
    from vswin_cli.cli.output import choose_output
    from vswin_cli.cli.saved_results import read_scores

    output = choose_output(out, format, json=json, excel=excel, force=force)
    if windows:
        output.check_is_json("--windows")
    start = parse_start(timecode_start)
    note_unused_start(start, output, quiet=quiet)
    found = [one for path in scores for one in read_scores(path, quiet=quiet)]
    timelines = [with_start(_segment_one(one, segments, windows), start) for one in found]
    if not quiet:
        _warn_of_new(timelines, found)
    inputs = [*scores, *(one.path for one in found), *(one.scores for one in found)]
    files = output.plan([timeline.video.uri for timeline in timelines], inputs)
    pairs = zip(timelines, found, strict=True)
    linked = [with_found_video(timeline, one.path) for timeline, one in pairs]
    if output.write(timelines, files, linked=linked, quiet=quiet):
        raise typer.Exit(SOME_FAILED)


def _warn_of_new(timelines: Sequence[Timeline], found: Sequence[SavedResult]) -> None:
    """Print the warnings that the saved results do not have; what made those has printed them."""
    new = [
        f"{timeline.video.uri}: {notice.message}"
        for timeline, one in zip(timelines, found, strict=True)
        for notice in timeline.warnings
        if notice not in one.timeline.warnings
    ]
    for message in new[:_SHOWN_WARNINGS]:
        console.warn(message)
    if (rest := len(new) - _SHOWN_WARNINGS) > 0:
        console.warn(f"{counted(rest, 'more warning')}; JSON keeps all")


def _segment_one(result: SavedResult, choice: SegmentChoice, top_classes: int) -> Timeline:
    from vswin_cli.timeline.record import with_segments
    from vswin_cli.timeline.score_files import load_track

    assert result.scores is not None  # `read_scores` leaves out results without
    track, saved = load_track(result.scores)
    with track:
        if (saved.model, saved.sampling) != (result.timeline.model, result.timeline.sampling):
            raise SourceError(
                f"{result.scores} holds scores of another run than {result.path}",
                hint="give the score file itself, or repeat the batch",
            )
        options = choice.over(result.timeline.postprocess.options())
        return with_segments(result.timeline, track, options, top_classes=top_classes)

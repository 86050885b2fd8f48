"""The table of export formats, in the order in which help lists them."""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from vswin_cli.errors import OptionError
from vswin_cli.export import annotation, chapters, editorial, markers, subtitles, tabular, workbook
from vswin_cli.export.naming import video_ids
from vswin_cli.export.timecodes import EditRate, edit_rate, own_rate
from vswin_cli.storage.csv_rows import decimal
from vswin_cli.timeline.plotting import timeline_png
from vswin_cli.timeline.record import Notice, Timeline
from vswin_cli.timeline.svg import timeline_svg

__all__ = [
    "FORMATS",
    "Format",
    "caveats",
    "check_distinct_ids",
    "check_holds",
    "did_you_mean",
    "format_by_name",
    "get_format",
]


_OTHER_NAMES = {
    "excel": "xlsx",
    "xls": "xlsx",
    "webvtt": "vtt",
    "ndjson": "jsonl",
    "davinci": "resolve",
    "chapters": "ffmetadata",
}
"""What users call formats, and their names here."""


HeldModels = Literal["first", "each", "all"]
"""The first model only; a timeline of its own for each; or `Timeline.tracks`, told apart in it."""


@dataclass(frozen=True, slots=True)
class Format:
    """An export format."""

    name: str
    """Its name on the command line."""
    suffix: str
    """Suffix of its files, with the dot."""
    summary: str
    """Description for help, one line."""
    render: Callable[[Sequence[Timeline]], str | bytes]
    """Converts timelines to text, or to bytes if `is_binary`."""
    holds_many: bool = False
    """Whether one file can hold several videos."""
    is_played: bool = False
    """Whether it is shown by a video player, so that times are those of the player."""
    links: bool = False
    """Whether it contains the path of the video, from which a program opens it."""
    rate_of: Callable[[Timeline], EditRate] | None = None
    """For formats that count frames: returns the constant rate of a timeline."""
    ids_of: Callable[[Sequence[str]], list[str]] | None = None
    """For formats with ids of videos: gives the ids of paths or addresses."""
    notices_of: Callable[[Timeline], tuple[Notice, ...]] | None = None
    """For formats with rules of a site: returns warnings about those that a timeline breaks."""
    is_binary: bool = False
    """Whether its files are not text, and cannot go to a terminal."""
    package: str | None = None
    """The package that writes it."""
    extra: str | None = None
    """The extra that installs the package."""
    instead: str = "csv"
    """A format that needs no package."""
    models: HeldModels = "first"
    """What it contains of a timeline with several models."""


FORMATS: Mapping[str, Format] = {
    form.name: form
    for form in (
        Format("table", ".txt", "columns for reading", tabular.table, True, models="all"),
        Format(
            "json",
            ".json",
            "everything, schema vswin.timeline/1",
            tabular.json_document,
            models="all",
        ),
        Format(
            "jsonl",
            ".jsonl",
            "the same, one line per video",
            tabular.json_lines,
            holds_many=True,
            models="all",
        ),
        Format(
            "csv",
            ".csv",
            "a row per segment, seconds",
            tabular.csv_rows,
            holds_many=True,
            models="each",
        ),
        Format(
            "csv-bom",
            ".bom.csv",
            "csv for Excel, which needs a BOM",
            tabular.csv_bom,
            holds_many=True,
            models="each",
        ),
        Format(
            "csv-semicolon",
            ".semicolon.csv",
            "likewise, with decimal commas and semicolons",
            tabular.csv_semicolon,
            holds_many=True,
            models="each",
        ),
        Format("tsv", ".tsv", "likewise, whole milliseconds, per mille", tabular.tsv_rows, True),
        Format(
            "xlsx",
            ".xlsx",
            "Excel workbook: segments, files, summary",
            workbook.xlsx,
            holds_many=True,
            is_binary=True,
            package="xlsxwriter",
            extra="xlsx",
            models="each",
        ),
        Format("srt", ".srt", "SubRip subtitles", subtitles.srt, is_played=True),
        Format("vtt", ".vtt", "WebVTT subtitles", subtitles.vtt, is_played=True),
        Format(
            "vtt-metadata",
            ".meta.vtt",
            "WebVTT, JSON in each cue",
            subtitles.vtt_metadata,
            is_played=True,
        ),
        Format(
            "ffmetadata",
            ".ffmeta",
            "chapters for ffmpeg",
            chapters.ffmetadata,
            is_played=True,
        ),
        Format(
            "matroska-chapters",
            ".chapters.xml",
            "chapters for mkvmerge",
            chapters.matroska_chapters,
            is_played=True,
        ),
        Format(
            "youtube-chapters",
            ".youtube.txt",
            "chapters for a description on YouTube",
            chapters.youtube_chapters,
            is_played=True,
            notices_of=chapters.youtube_notices,
        ),
        Format(
            "edl", ".edl", "CMX3600 events and locators", editorial.edl, rate_of=editorial.edl_rate
        ),
        Format(
            "edl-df",
            ".df.edl",
            "in drop-frame time",
            editorial.edl_drop,
            rate_of=editorial.edl_drop_rate,
        ),
        Format(
            "resolve",
            ".resolve.edl",
            "markers for DaVinci Resolve (EDL)",
            markers.resolve,
            rate_of=editorial.edl_rate,
        ),
        Format(
            "premiere",
            ".premiere.csv",
            "marker list as Premiere exports it",
            markers.premiere,
            rate_of=editorial.edl_rate,
        ),
        Format("otio", ".otio", "OpenTimelineIO markers", editorial.otio, links=True, models="all"),
        Format(
            "fcpxml",
            ".fcpxml",
            "Final Cut Pro markers",
            editorial.fcpxml,
            links=True,
            rate_of=edit_rate,
        ),
        Format(
            "activitynet",
            ".activitynet.json",
            "detection results",
            annotation.activitynet,
            holds_many=True,
            ids_of=annotation.activitynet_ids,
        ),
        Format(
            "labelstudio",
            ".labelstudio.json",
            "predictions for TimelineLabels",
            annotation.label_studio,
            holds_many=True,
            rate_of=own_rate,
            models="all",
        ),
        Format(
            "fiftyone",
            ".fiftyone.json",
            "temporal detections",
            annotation.fiftyone,
            holds_many=True,
            ids_of=video_ids,
        ),
        Format(
            "svg",
            ".svg",
            "SVG image, a lane per label",
            timeline_svg,
            holds_many=True,
            models="each",
        ),
        Format(
            "png",
            ".png",
            "the same image as PNG",
            timeline_png,
            holds_many=True,
            is_binary=True,
            package="matplotlib",
            extra="plots",
            instead="svg",
            models="each",
        ),
        Format(
            "elan",
            ".eaf",
            "ELAN, a tier per label",
            annotation.elan,
            is_played=True,
            links=True,
            models="all",
        ),
        Format(
            "audacity", ".labels.txt", "Audacity label track", annotation.audacity, is_played=True
        ),
    )
}


def get_format(name: str) -> Format:
    """Return the format of this name.

    Raises:
        OptionError: there is none, or the package that writes it is not installed.
    """
    if name in FORMATS:
        form = FORMATS[name]
        if form.package is not None and importlib.util.find_spec(form.package) is None:
            raise OptionError(
                f"`{name}` needs {form.package}, which is not installed",
                hint=f'pip install "vswin[{form.extra}]", or choose {form.instead}',
            )
        return form
    raise OptionError(
        f"no format `{name}`", hint=f"{did_you_mean(name)}there are {', '.join(FORMATS)}"
    )


def did_you_mean(text: str) -> str:
    """Return a question with the format that a misspelt name or ending may stand for.

    It ends with a blank, and is empty if no format is near.
    """
    word = text.lower().lstrip(".")
    near = difflib.get_close_matches(word, FORMATS, n=1, cutoff=0.5)
    name = _OTHER_NAMES.get(word, near[0] if near else None)
    return f"did you mean `{name}`? " if name else ""


def format_by_name(file_name: str) -> Format | None:
    """Return the format whose suffix a file name has, the longest that fits."""
    lower = file_name.lower()
    fitting = [form for form in FORMATS.values() if lower.endswith(form.suffix)]
    return max(fitting, key=lambda form: len(form.suffix), default=None)


def check_distinct_ids(name: str, uris: Sequence[str]) -> None:
    """Check in advance that all videos have different ids in one file of this format.

    Raises:
        OptionError: two would have the same.
    """
    form = get_format(name)
    if form.ids_of is not None:
        form.ids_of(uris)


def check_holds(name: str, timeline: Timeline) -> None:
    """Check that a format can represent a timeline.

    Raises:
        OptionError: it counts frames, and the video has no rate to count them at.
    """
    form = get_format(name)
    if form.rate_of is not None:
        form.rate_of(timeline)


def caveats(timeline: Timeline, name: str) -> tuple[Notice, ...]:
    """Return warnings about information that this format loses, and rules that it breaks.

    Raises:
        OptionError: no such format, or one that cannot represent the timeline.
    """
    form = get_format(name)
    left_out = _left_out(timeline, form)
    written = timeline.each_model()[: 1 if form.models == "first" else None]
    if not any(one.segments for one in written):
        return left_out
    if form.notices_of is not None:
        return (*left_out, *form.notices_of(timeline))
    if form.rate_of is None:
        return left_out
    rate = form.rate_of(timeline)
    if rate.exact:
        return left_out
    shown = decimal(float(rate.frames_per_second), 3)
    why = (
        "has a variable frame rate"
        if timeline.video.variable_frame_rate
        else "has no constant standard frame rate"
    )
    return (
        *left_out,
        Notice(
            "FRAME_RATE",
            f"{timeline.video.uri} {why}, and `{form.name}` counts frames: "
            f"times are rounded to frames of {shown} per second",
        ),
    )


def _left_out(timeline: Timeline, form: Format) -> tuple[Notice, ...]:
    """Make the notice about models that a file does not contain, if there are any."""
    if form.models != "first" or not timeline.tracks:
        return ()
    others = ", ".join(track.model.id for track in timeline.tracks)
    text = (
        f"{timeline.video.uri}: `{form.name}` holds one model, {timeline.model.id}; {others} "
        f"{'are' if len(timeline.tracks) > 1 else 'is'} left out; csv, xlsx and elan hold all, and "
        "`vswin export --model` chooses one"
    )
    return (Notice("MODELS", text),)

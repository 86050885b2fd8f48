"""Options that several commands share, each declared once, so that a name means one thing.

A command adds an option by annotating a parameter with one of these aliases. Options that always
come together are fields of the records in `option_groups`.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from vswin_cli.cli.completion import complete_format, complete_label, complete_model

__all__ = [
    "EXCEL_HELP",
    "DeviceOption",
    "EmaOption",
    "EvidenceOption",
    "ExcelOption",
    "ExcludeOption",
    "ForceOption",
    "FormatOption",
    "IncludeOption",
    "InputFrameRateOption",
    "JsonOption",
    "LiveOption",
    "LogJsonOption",
    "MinCoverageOption",
    "ModelOption",
    "ModelsOption",
    "OnsetOption",
    "OutOption",
    "PlotsOption",
    "QuietOption",
    "ReportOption",
    "RootOption",
    "SaveScoresOption",
    "StrictOption",
    "SummaryJsonOption",
    "TimelineJsonOption",
    "WindowsOption",
    "model_option",
    "output_option",
    "running_option",
    "sampling_option",
    "segment_option",
]

model_option = partial(typer.Option, rich_help_panel="Model")
sampling_option = partial(typer.Option, rich_help_panel="Sampling")
segment_option = partial(typer.Option, rich_help_panel="Segments")
output_option = partial(typer.Option, rich_help_panel="Output")
running_option = partial(typer.Option, rich_help_panel="Running")

ModelOption = Annotated[
    str | None,
    model_option(
        "--model",
        "-m",
        metavar="NAME",
        envvar="VSWIN_MODEL",
        autocompletion=complete_model,
        help="Named weights (see `vswin models`), the folder of a model, or USER/REPO on the Hub.",
        show_default="camera-motion, or as `vswin models default` chose",
    ),
]
ModelsOption = Annotated[
    list[str] | None,
    model_option(
        "--model",
        "-m",
        metavar="NAME",
        autocompletion=complete_model,
        help="Named weights (see `vswin models`), the folder of a model, or USER/REPO on the Hub; "
        "repeat it for several models on one timeline. VSWIN_MODEL names one, too.",
        show_default="camera-motion, or as `vswin models default` chose",
    ),
]
EmaOption = Annotated[
    bool | None,
    model_option(
        "--ema/--no-ema",
        help="Averaged (EMA) or raw weights, where a checkpoint has both.",
        show_default="the set that the checkpoint marks as its weights",
    ),
]
IncludeOption = Annotated[
    list[str] | None,
    segment_option(
        "--include",
        "--label",
        metavar="LABEL",
        help="Only segments of this label; * matches any text. Repeatable.",
        autocompletion=complete_label,
    ),
]
InputFrameRateOption = Annotated[
    str | None,
    sampling_option(
        "--input-fps",
        metavar="RATE",
        help="Frames per second of raw streams, which hold no timestamps: 40 or 30000/1001.",
        show_default="as FFmpeg assumes",
    ),
]
OnsetOption = Annotated[
    float | None,
    segment_option(
        "--onset",
        metavar="SCORE",
        help="Threshold: score at which a segment begins.",
        show_default="set by the weights",
    ),
]
ExcludeOption = Annotated[
    list[str] | None,
    segment_option(
        "--exclude",
        metavar="LABEL",
        help="No segments of this label; * matches any text. Repeatable.",
        autocompletion=complete_label,
    ),
]
FormatOption = Annotated[
    str | None,
    output_option(
        "--format",
        "-f",
        metavar="FORMAT",
        help="Output format: table, json, jsonl, csv, csv-bom, csv-semicolon, tsv, xlsx, "
        "srt, vtt, vtt-metadata, ffmetadata, matroska-chapters, youtube-chapters, edl, edl-df, "
        "resolve, premiere, otio, fcpxml, activitynet, labelstudio, fiftyone, svg, png, elan or "
        "audacity.",
        show_default="by the ending of --out, JSON in a folder, else a table",
        autocompletion=complete_format,
    ),
]
EXCEL_HELP = (
    "Write CSV as Excel opens it here: csv-bom, or csv-semicolon where numbers have a "
    "decimal comma."
)
ExcelOption = Annotated[bool, output_option("--excel", help=EXCEL_HELP)]
ForceOption = Annotated[
    bool, output_option("--force", help="Replace files that vswin did not write.")
]
OutOption = Annotated[
    str | None,
    output_option(
        "--out",
        "-o",
        metavar="FILE|FOLDER",
        help="File to write, or a folder/ for a file per video; - for stdout.",
    ),
]
WindowsOption = Annotated[
    int,
    output_option(
        "--windows",
        min=0,
        metavar="COUNT",
        help="Add every clip with its COUNT best classes to the JSON.",
        show_default="none",
    ),
]
EvidenceOption = Annotated[
    bool,
    output_option(
        "--evidence",
        help="Add to each segment where in the frame its label's score comes from; in JSON and in "
        "the report.",
    ),
]
LiveOption = Annotated[
    bool,
    output_option(
        "--live",
        help="VIDEO is a stream that does not end: print a line of JSON for every segment when it "
        "ends, and connect again when the stream breaks off.",
    ),
]
SaveScoresOption = Annotated[
    str | None,
    output_option(
        "--save-scores",
        metavar="FILE|FOLDER",
        help="Save the scores for `vswin segment`; a folder/ for several videos. Several models "
        "get a file each: scores.npz becomes scores.MODEL.npz.",
    ),
]
ReportOption = Annotated[
    str | None,
    output_option(
        "--report", metavar="FILE|FOLDER", help="Also write a report to open in a browser (HTML)."
    ),
]
PlotsOption = Annotated[
    Path | None,
    output_option(
        "--plots",
        metavar="FOLDER",
        help="Folder for figures as PNG and SVG (extra `plots`: matplotlib).",
    ),
]
StrictOption = Annotated[
    bool,
    running_option(
        "--strict",
        help="Exit with code 7 if less than --min-coverage of a video could be analysed.",
    ),
]
MinCoverageOption = Annotated[
    float,
    running_option(
        "--min-coverage",
        min=0.0,
        max=1.0,
        metavar="SHARE",
        help="Share of a video that --strict requires.",
    ),
]
JsonOption = Annotated[
    bool, output_option("--json", help="Print JSON on stdout, and errors as JSON.")
]
TimelineJsonOption = Annotated[
    bool,
    output_option(
        "--json",
        help="Print JSON on stdout, even with --out, and errors as JSON; add -f jsonl for several "
        "videos.",
    ),
]
SummaryJsonOption = Annotated[
    bool, output_option("--json", help="Print a summary as JSON on stdout, and errors as JSON.")
]
LogJsonOption = Annotated[
    bool,
    output_option(
        "--log-json",
        help="Write a JSON object per line to stderr: videos started, finished, partial or failed; "
        "progress, notes and errors.",
    ),
]
QuietOption = Annotated[bool, output_option("--quiet", "-q", help="Show no progress and no notes.")]
DeviceOption = Annotated[
    str, running_option("--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:1 or mps.")
]
RootOption = Annotated[
    Path | None,
    typer.Option(
        "--root",
        metavar="FOLDER",
        help="Folder that relative paths start from.",
        show_default="the list's own",
    ),
]

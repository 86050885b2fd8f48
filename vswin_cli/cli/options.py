"""Options that several commands share, each declared once, so that a name means one thing.

A command adds an option by annotating a parameter with one of these aliases.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "BatchSizeOption",
    "CropsOption",
    "DeviceOption",
    "EmaOption",
    "EndOption",
    "ExcludeOption",
    "ForceOption",
    "FormatOption",
    "FrameIntervalOption",
    "FrameRateOption",
    "GroupOption",
    "IncludeOption",
    "JsonOption",
    "LabelsOption",
    "MaxEntropyOption",
    "MaxLabelsOption",
    "MergeGapOption",
    "MinCoverageOption",
    "MinDurationOption",
    "MinMarginOption",
    "ModelOption",
    "OffsetOption",
    "OnsetOption",
    "OutOption",
    "PrecisionOption",
    "QuietOption",
    "ReportOption",
    "SaveScoresOption",
    "SmoothOption",
    "StartOption",
    "StrictOption",
    "StrideOption",
    "SummaryJsonOption",
    "TimelineJsonOption",
    "WeightsOption",
    "WindowsOption",
]

_MODEL = "Model"
_SAMPLING = "Sampling"
_SEGMENTS = "Segments"
_OUTPUT = "Output"
_RUN = "Running"

ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        envvar="VSWIN_MODEL",
        help="Named weights (see `vswin models`) or USER/REPO on the Hub.",
        rich_help_panel=_MODEL,
    ),
]
WeightsOption = Annotated[
    Path | None,
    typer.Option(
        "--weights", help="Your own checkpoint, in any supported layout.", rich_help_panel=_MODEL
    ),
]
LabelsOption = Annotated[
    Path | None,
    typer.Option(
        "--labels",
        help="Label list for --weights: text, CSV or JSON, in index order.",
        rich_help_panel=_MODEL,
    ),
]
EmaOption = Annotated[
    bool | None,
    typer.Option(
        "--ema/--no-ema",
        help="Averaged (EMA) or raw weights, where a checkpoint has both.",
        show_default="the set that the checkpoint marks as its weights",
        rich_help_panel=_MODEL,
    ),
]
FrameRateOption = Annotated[
    float | None,
    typer.Option(
        "--fps",
        help="Sampled frames per second of video.",
        show_default="as the weights were trained",
        rich_help_panel=_SAMPLING,
    ),
]
FrameIntervalOption = Annotated[
    int | None,
    typer.Option(
        "--frame-interval",
        help="Sample every n-th frame instead, as the paper does.",
        rich_help_panel=_SAMPLING,
    ),
]
StrideOption = Annotated[
    str | None,
    typer.Option(
        "--stride",
        help="Distance of clip starts: seconds (1.5s), percent of a clip (50%) or frames (16f).",
        show_default="set by the weights",
        rich_help_panel=_SAMPLING,
    ),
]
CropsOption = Annotated[
    int,
    typer.Option(
        "--crops",
        metavar="1|3",
        help="1 uses the centre of the frame (56% of 16:9), 3 cover all of it.",
        rich_help_panel=_SAMPLING,
    ),
]
StartOption = Annotated[
    str | None,
    typer.Option("--start", help="Start here: 90, 1:30 or 00:01:30.5.", rich_help_panel=_SAMPLING),
]
EndOption = Annotated[
    str | None,
    typer.Option("--end", help="End here (exclusive).", rich_help_panel=_SAMPLING),
]
OnsetOption = Annotated[
    float | None,
    typer.Option(
        "--onset",
        help="Threshold: score at which a segment begins.",
        show_default="set by the weights",
        rich_help_panel=_SEGMENTS,
    ),
]
OffsetOption = Annotated[
    float | None,
    typer.Option(
        "--offset",
        help="Threshold: score below which a segment ends.",
        show_default="set by the weights",
        rich_help_panel=_SEGMENTS,
    ),
]
MinDurationOption = Annotated[
    float | None,
    typer.Option(
        "--min-duration",
        help="Drop shorter segments (seconds).",
        show_default="set by the weights",
        rich_help_panel=_SEGMENTS,
    ),
]
MergeGapOption = Annotated[
    float | None,
    typer.Option(
        "--merge-gap",
        help="Join segments of one label that are closer than this (seconds).",
        show_default="set by the weights",
        rich_help_panel=_SEGMENTS,
    ),
]
MaxLabelsOption = Annotated[
    int | None,
    typer.Option(
        "--max-labels",
        help="Most labels reported at the same time; 0 for any number.",
        show_default="set by the weights",
        rich_help_panel=_SEGMENTS,
    ),
]
IncludeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--include",
        help="Report only this label; * matches any text. Repeatable.",
        rich_help_panel=_SEGMENTS,
    ),
]
ExcludeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        help="Do not report this label; * matches any text. Repeatable.",
        rich_help_panel=_SEGMENTS,
    ),
]
GroupOption = Annotated[
    list[str] | None,
    typer.Option(
        "--group",
        metavar="NAME=LABEL,...",
        help="Report several labels as one; * matches any text. Repeatable.",
        rich_help_panel=_SEGMENTS,
    ),
]
SmoothOption = Annotated[
    float | None,
    typer.Option(
        "--smooth",
        help="Average scores over this many seconds; 0 for none.",
        show_default="set by the weights",
        rich_help_panel=_SEGMENTS,
    ),
]
MinMarginOption = Annotated[
    float | None,
    typer.Option(
        "--min-margin",
        help="Report nothing where the best label leads by less than this.",
        show_default="no limit",
        rich_help_panel=_SEGMENTS,
    ),
]
MaxEntropyOption = Annotated[
    float | None,
    typer.Option(
        "--max-entropy",
        help="Report nothing where the scores are less certain than this: 0 certain, 1 uniform.",
        show_default="no limit",
        rich_help_panel=_SEGMENTS,
    ),
]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format",
        "-f",
        help="Output format: table, json, jsonl, csv, csv-bom, tsv, srt, vtt, vtt-metadata, edl, "
        "edl-df, otio, fcpxml, activitynet, labelstudio, fiftyone, elan or audacity.",
        show_default="by the ending of --out, JSON in a folder, else a table",
        rich_help_panel=_OUTPUT,
    ),
]
ForceOption = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Replace files that vswin did not write.",
        rich_help_panel=_OUTPUT,
    ),
]
OutOption = Annotated[
    str | None,
    typer.Option(
        "--out",
        "-o",
        metavar="FILE|FOLDER",
        help="File to write, or a folder/ for a file per video; - for stdout.",
        rich_help_panel=_OUTPUT,
    ),
]
WindowsOption = Annotated[
    int,
    typer.Option(
        "--windows",
        min=0,
        metavar="COUNT",
        help="Add every clip with its COUNT best classes to the JSON.",
        show_default="none",
        rich_help_panel=_OUTPUT,
    ),
]
SaveScoresOption = Annotated[
    str | None,
    typer.Option(
        "--save-scores",
        metavar="FILE|FOLDER",
        help="Save the scores for `vswin segment`; a folder/ for several videos.",
        rich_help_panel=_OUTPUT,
    ),
]
ReportOption = Annotated[
    str | None,
    typer.Option(
        "--report",
        metavar="FILE|FOLDER",
        help="Also write a report to open in a browser (HTML).",
        rich_help_panel=_OUTPUT,
    ),
]
StrictOption = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="Exit with code 7 if less than --min-coverage of a video could be analysed.",
        rich_help_panel=_RUN,
    ),
]
MinCoverageOption = Annotated[
    float,
    typer.Option(
        "--min-coverage",
        min=0.0,
        max=1.0,
        help="Share of a video that --strict requires.",
        rich_help_panel=_RUN,
    ),
]
JsonOption = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print JSON on stdout, and errors as JSON.",
        rich_help_panel=_OUTPUT,
    ),
]
TimelineJsonOption = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print JSON on stdout, even with --out, and errors as JSON; add -f jsonl for several "
        "videos.",
        rich_help_panel=_OUTPUT,
    ),
]
SummaryJsonOption = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print a summary as JSON on stdout, and errors as JSON.",
        rich_help_panel=_OUTPUT,
    ),
]
QuietOption = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Show no progress and no notes.", rich_help_panel=_OUTPUT),
]
DeviceOption = Annotated[
    str,
    typer.Option("--device", help="auto, cpu, cuda, cuda:1 or mps.", rich_help_panel=_RUN),
]
PrecisionOption = Annotated[
    str,
    typer.Option(
        "--precision",
        help="auto, float32, bfloat16 or float16.",
        rich_help_panel=_RUN,
    ),
]
BatchSizeOption = Annotated[
    int | None,
    typer.Option(
        "--batch-size",
        min=1,
        help="Views per forward pass.",
        show_default="by device",
        rich_help_panel=_RUN,
    ),
]

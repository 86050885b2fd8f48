"""`vswin probe`: show what is in a video and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vswin_cli.cli import console
from vswin_cli.cli.options import InputFrameRateOption, JsonOption, QuietOption
from vswin_cli.config import parse_frame_rate
from vswin_cli.errors import SOME_FAILED, SourceError
from vswin_cli.storage.csv_rows import decimal
from vswin_cli.storage.humanize import clock_text, counted
from vswin_cli.storage.json_records import clean_json

if TYPE_CHECKING:
    from vswin_cli.storage.sources import VideoSource
    from vswin_cli.video.info import DecodeReport, VideoInfo
    from vswin_cli.video.probe import Inspection

    Finding = Inspection | SourceError

__all__ = ["probe"]

_SAME_RATE = 0.01  # relative difference that timestamps in milliseconds make


def probe(
    videos: Annotated[
        list[str],
        typer.Argument(
            metavar="VIDEO", help="Video files, folders (searched for videos), or URLs."
        ),
    ],
    scan: Annotated[
        bool, typer.Option("--scan", help="Decode everything, to find damage and gaps.")
    ] = False,
    input_fps: InputFrameRateOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show what is in video files and what is wrong with them.

    Without --scan only the headers and the first frames are read.

    Examples:
        vswin probe movie.mp4

        vswin probe --scan recordings/ --json
    """
    from vswin_cli.storage.sources import VideoSource, find_sources

    sources, missing = find_sources(videos, recursive=True)
    rate = None if input_fps is None else parse_frame_rate(input_fps)
    findings = [_inspect(source, rate, scan=scan, quiet=quiet) for source in sources]
    sources += [VideoSource.of(name) for name in missing]
    findings += missing.values()
    failures = [finding for finding in findings if isinstance(finding, SourceError)]
    is_hopeless = len(failures) == len(findings)
    if is_hopeless and (len(failures) == 1 or not json):
        for failure in failures[:-1]:
            console.error(failure)
        raise failures[-1]
    if json:
        _write_json(sources, findings)
    else:
        _write_text(sources, findings)
    if failures:
        raise typer.Exit(SourceError.exit_code if is_hopeless else SOME_FAILED)


def _inspect(
    source: VideoSource, input_frame_rate: float | None, *, scan: bool, quiet: bool
) -> Finding:
    from vswin_cli.video.probe import inspect

    try:
        with console.progress(source.uri, quiet=quiet or not scan) as on_progress:
            return inspect(
                source, scan=scan, input_frame_rate=input_frame_rate, on_progress=on_progress
            )
    except SourceError as failure:
        return failure


def _write_json(
    sources: Sequence[VideoSource], findings: Sequence[Inspection | SourceError]
) -> None:
    entries = [
        {"uri": source.uri, **_entry(finding)}
        for source, finding in zip(sources, findings, strict=True)
    ]
    body = {"schema": "vswin.probe/1", "videos": entries}
    console.write(clean_json(body, indent=2))


def _entry(finding: Finding) -> dict[str, Any]:
    if isinstance(finding, SourceError):
        error = {"code": finding.code, "message": finding.message, "hint": finding.hint}
        return {"status": "failed", "error": error}
    info, report = finding.info, finding.report
    warnings = info.warnings if report is None else report.warnings
    return {
        "status": report.status if report else None,
        "video": _info_json(info),
        "scan": _report_json(report) if report else None,
        "warnings": [{"code": item.code, "message": item.message} for item in warnings],
    }


def _info_json(info: VideoInfo) -> dict[str, Any]:
    rate = info.declared_frame_rate
    return {
        "size": info.size_bytes,
        "container": info.container,
        "codec": info.codec,
        "width": info.width,
        "height": info.height,
        "rotation": info.rotation_degrees,
        "sample_aspect_ratio": info.sample_aspect_ratio,
        "pixel_format": info.pixel_format,
        "bit_depth": info.bit_depth,
        "fps": float(Fraction(rate)) if rate else None,
        "fps_rational": rate,
        "fps_measured": info.measured_frame_rate,
        "duration_declared": info.declared_duration_seconds,
        "start_time": info.start_seconds,
        "lead": info.lead_seconds,
        "video_streams": info.num_video_streams,
        "stream": info.stream_index,
        "cut_off": info.cut_off,
    }


def _report_json(report: DecodeReport) -> dict[str, Any]:
    return {
        "duration": report.duration_seconds,
        "fps": report.frame_rate,
        "vfr": report.variable_frame_rate,
        "frames_decoded": report.frames_decoded,
        "bad_packets": report.bad_packets,
        "corrupt_frames": report.corrupt_frames,
        "out_of_order_frames": report.out_of_order_frames,
        "coverage": report.coverage,
        "end": report.end_reason,
        "gaps": [
            {"start": gap.start_seconds, "end": gap.end_seconds, "reason": gap.reason}
            for gap in report.gaps
        ],
    }


def _write_text(
    sources: Sequence[VideoSource], findings: Sequence[Inspection | SourceError]
) -> None:
    blocks = []
    for source, finding in zip(sources, findings, strict=True):
        if isinstance(finding, SourceError):
            console.error(finding)
            continue
        lines = [*_info_lines(finding.info, finding.report)]
        if finding.report is not None:
            lines += _report_lines(finding.report)
        warnings = finding.report.warnings if finding.report else finding.info.warnings
        lines += [("warning", f"{item.code}: {item.message}") for item in warnings]
        texts = [source.uri, *(f"  {name:<11} {value}" for name, value in lines)]
        blocks.append("\n".join(console.printable(text) for text in texts))
    console.write("\n\n".join(blocks))


def _info_lines(info: VideoInfo, report: DecodeReport | None) -> list[tuple[str, str]]:
    codec = f"{info.codec} {info.width}×{info.height}, {info.pixel_format} {info.bit_depth} bit"
    if info.rotation_degrees:
        upright = f"{info.display_width}×{info.display_height}"
        codec += f", rotated {info.rotation_degrees}° counter-clockwise, shown as {upright}"
    if info.sample_aspect_ratio != "1:1":
        codec += f", pixels {info.sample_aspect_ratio}"
    duration = info.declared_duration_seconds
    end = ", the end of the file is missing" if info.cut_off else ""
    timecode = [("timecode", f"starts at {info.start_timecode}")] if info.start_timecode else []
    return [
        ("container", f"{info.container}, {info.size_bytes:,} bytes{end}"),
        ("video", codec),
        ("frame rate", _rate_at_a_glance(info) if report is None else _rate_found(info, report)),
        ("duration", f"{clock_text(duration, 3)} declared" if duration else "not declared"),
        *timecode,
    ]


def _report_lines(report: DecodeReport) -> list[tuple[str, str]]:
    lines = [
        ("status", report.status),
        (
            "found",
            f"{clock_text(report.duration_seconds, 3)}, {counted(report.frames_decoded, 'frame')}",
        ),
        (
            "coverage",
            f"{100 * report.coverage:.1f} %, {counted(report.bad_packets, 'damaged packet')}",
        ),
    ]
    for gap in report.gaps:
        span = f"{clock_text(gap.start_seconds, 3)} to {clock_text(gap.end_seconds, 3)}"
        lines.append(("gap", f"{span}, {gap.reason.replace('_', ' ')}"))
    return lines


def _rate_at_a_glance(info: VideoInfo) -> str:
    """Describe the frame rate by the container and the first frames."""
    declared, first = _declared_rate(info), info.measured_frame_rate
    if declared is None or first is None:
        known = declared or first
        return "unknown" if known is None else f"{decimal(known, 2)} per second"
    if _agree(declared, first):
        return f"{decimal(declared, 2)} per second"
    return (
        f"{decimal(declared, 2)} per second by the container, {decimal(first, 2)} by the first "
        "frames; --scan measures it"
    )


def _rate_found(info: VideoInfo, report: DecodeReport) -> str:
    """Describe the frame rate by the times of all frames."""
    declared, usual = _declared_rate(info), report.frame_rate
    average = report.frames_decoded / report.analysed_seconds if report.analysed_seconds else None
    if report.variable_frame_rate and average and usual:
        found, text = average, f"variable, {decimal(average, 2)} per second on average"
        if not _agree(average, usual):
            text += f", mostly {decimal(usual, 2)}"
    elif usual:
        found, text = usual, f"{decimal(usual, 2)} per second"
    else:
        return _rate_at_a_glance(info)
    stated = None if declared is None else decimal(declared, 2)
    if declared and stated != "0" and not _agree(declared, found):
        text += f"; the container states {stated}"
    return text


def _declared_rate(info: VideoInfo) -> float | None:
    return float(Fraction(info.declared_frame_rate)) if info.declared_frame_rate else None


def _agree(rate: float, other: float) -> bool:
    return abs(rate - other) <= _SAME_RATE * max(rate, other)

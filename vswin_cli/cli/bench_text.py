"""Render the results of `vswin bench` as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from vswin_cli.storage.humanize import counted

if TYPE_CHECKING:
    from rich.console import RenderableType

    from vswin_cli.bench.record import (
        BenchReport,
        DecodeCeiling,
        Machine,
        Memory,
        NetworkReport,
        NetworkRow,
        PeerVideo,
        PrecisionRow,
        Stage,
        SubjectRecord,
        Timing,
        VideoReport,
    )

__all__ = ["bench_tables"]


def bench_tables(report: BenchReport) -> RenderableType:
    """Render machine, network and video, one under the other."""
    parts: list[RenderableType] = [
        _lines(_machine_lines(report.machine)),
        _lines(_subject_lines(report.subject, report.passes)),
        _lines(_choice_lines(report)),
        _network_table(report.network),
        _lines(_precision_line(row) for row in report.network.precisions),
        _lines([_video_line(report.video)]),
        _video_table(report.video),
        _lines(_video_conclusions(report.video)),
        _lines(f"note: {note}" for note in (*report.network.notes, *report.video.notes)),
    ]
    filled = [part for part in parts if not (isinstance(part, Text) and not part.plain)]
    spaced = [piece for part in filled for piece in (part, Text(""))]
    return Group(*spaced[:-1])


def _lines(lines: Iterator[str] | list[str]) -> Text:
    return Text("\n".join(lines))


def _machine_lines(machine: Machine) -> list[str]:
    peers = f", {', '.join(machine.peers)}" if machine.peers else ""
    memory = f", {machine.memory_bytes / 2**30:.0f} GiB" if machine.memory_bytes else ""
    lines = [
        f"{machine.processor}, {machine.usable_cores} of {counted(machine.logical_cores, 'core')}, "
        f"{counted(machine.threads, 'thread')}{memory}",
        f"vswin {machine.vswin}, torch {machine.torch}{peers}, Python {machine.python}, "
        f"{machine.system}",
    ]
    if machine.device != "cpu":
        lines.insert(1, f"{machine.device}: {machine.device_name}")
    return lines


def _subject_lines(subject: SubjectRecord, passes: int) -> list[str]:
    frames, height, width = subject.input
    weights = ", random weights" if subject.random_weights else ""
    saved = 1 - subject.unmasked_macs / subject.reference_macs
    return [
        f"{subject.id} ({subject.architecture}{weights}), clips of {frames}×{height}×{width}",
        f"{subject.reference_macs / 1e9:.3g} G multiply-adds per clip as the reference counts "
        f"them, {saved:.1%} of these for pairs of tokens that masks rule out",
        f"fastest of {counted(passes, 'pass')}, all in turns; a multiply-add counts two FLOPs",
    ]


def _choice_lines(report: BenchReport) -> list[str]:
    reason = report.precision_reason
    return [f"precision {report.video.precision}: {reason}"] if reason else []


def _table(columns: Sequence[str], rows: Sequence[_Row]) -> Table:
    """Make a table without its empty columns; the first two hold words and align left."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    used = [any(row.cells[at] for row in rows) for at in range(len(columns))]
    for at, column in compress(enumerate(columns), used):
        table.add_column(column, justify="left" if at < 2 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*compress(row.cells, used), style="bold" if row.is_ours else None)
    return table


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of a table; a cell for each column, maybe empty."""

    cells: tuple[str, ...]
    is_ours: bool = False
    """Whether to print it in bold."""


_NETWORK_COLUMNS = (
    "network",
    "precision",
    "clips/s",
    "s/clip",
    "median s",
    "clips at once",
    "GFLOP/s",
    "of ceiling",
    "vswin faster",
    "at its best",
    "logits differ",
)


def _network_table(network: NetworkReport) -> Table:
    rows = [_network_row(row) for row in network.rows]
    for ceiling in network.ceilings:
        name = f"matrix product {ceiling.shape}"
        rate = _number(ceiling.gflops)
        cells = (name, ceiling.precision, *("",) * 4, rate, "100.0%", *("",) * 3)
        rows.append(_Row(cells))
    return _table(_NETWORK_COLUMNS, rows)


def _network_row(row: NetworkRow) -> _Row:
    is_ours = row.difference is None
    beside = (f"{row.slower:.2f}×", f"{row.slower_than_best:.2f}×", f"{row.difference or 0:.1e}")
    cells = (
        row.name,
        row.precision,
        _number(row.clips_per_second),
        *_seconds(row.timing),
        f"{row.clips_at_once}",
        _number(row.gflops),
        f"{row.share:.1%}",
        *(("",) * 3 if is_ours else beside),
    )
    return _Row(cells, is_ours)


def _precision_line(row: PrecisionRow) -> str:
    return (
        f"{row.precision} against float32 on {counted(row.clips, 'clip')}: logits differ by at "
        f"most {row.largest_difference:.2g} (they reach {row.largest_logit:.2g}), the best label "
        f"is the same on {row.agreement:.1%} of clips and {row.step_agreement:.1%} of time steps"
    )


def _video_line(video: VideoReport) -> str:
    made = " (made for this)" if video.synthesised else ""
    return (
        f"{video.uri}{made}: {video.codec} {video.width}×{video.height}, "
        f"{video.duration_seconds:.1f} s, {counted(video.frames, 'frame')}, "
        f"{counted(video.clips, 'clip')}"
    )


_VIDEO_COLUMNS = ("video", "precision", "seconds", "median s", "× real time", "vswin faster")


def _video_table(video: VideoReport) -> Table:
    rows = [
        _Row(("decoding alone", "", *_stage(video.decode), "")),
        _Row(("network alone", video.precision, *_stage(video.model), "")),
        _Row(("end to end", video.precision, *_stage(video.end_to_end), ""), is_ours=True),
    ]
    if video.float32 is not None:
        rows.append(_Row(("end to end", "float32", *_stage(video.float32), "")))
    for peer in video.peers:
        speed = _number(peer.times_real_time)
        timing = _seconds(peer.timing)
        rows.append(_Row((peer.name, peer.precision, *timing, speed, f"{peer.slower:.2f}×")))
    return _table(_VIDEO_COLUMNS, rows)


def _video_conclusions(video: VideoReport) -> Iterator[str]:
    yield (
        f"end to end takes {video.to_slower:.2f}× the slower of the two and {video.to_sum:.2f}× "
        f"their sum; decoding gives {video.frames_per_second:.0f} frames/s"
    )
    if video.decode_ceiling is not None:
        yield _decode_ceiling_line(video.decode_ceiling)
    if video.memory is not None:
        yield _memory_line(video.memory)
    for peer in video.peers:
        yield from _peer_lines(video, peer)


def _decode_ceiling_line(ceiling: DecodeCeiling) -> str:
    card = ""
    if ceiling.hardware_frames_per_second is not None:
        card = (
            f" and {counted(ceiling.hardware_decoders, 'decoder')} on NVDEC "
            f"{ceiling.hardware_frames_per_second:.0f}"
        )
    return (
        f"decode ceiling, with nothing else to do and no frame skipped: "
        f"{counted(ceiling.decoders, 'single-threaded decoder')} "
        f"{ceiling.frames_per_second:.0f} frames/s{card}; decoding alone is at {ceiling.share:.0%}"
    )


def _memory_line(memory: Memory) -> str:
    device = "" if memory.device_bytes is None else f", {_mega(memory.device_bytes)} on the device"
    return (
        f"peak memory {_mega(memory.total_bytes)} in total; each at its own peak, the network "
        f"{_mega(memory.main_bytes)} and decoding {_mega(memory.decoder_bytes)}{device}"
    )


def _peer_lines(video: VideoReport, peer: PeerVideo) -> Iterator[str]:
    yield f"{peer.name}: {peer.settings}; {counted(peer.clips, 'clip')}, vswin {video.clips}"
    exact = (
        "" if video.float32 is None else f"; vswin in float32 is {peer.slower_float32:.2f}× faster"
    )
    yield f"its logits of the same pixels differ by at most {peer.difference:.1e}{exact}"


def _seconds(timing: Timing) -> tuple[str, str]:
    return _number(timing.fastest_seconds), _number(timing.median_seconds)


def _stage(stage: Stage) -> tuple[str, str, str]:
    return (*_seconds(stage.timing), _number(stage.times_real_time))


def _number(value: float) -> str:
    """Format with three digits or more, without an exponent for large numbers."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _mega(amount: int) -> str:
    return f"{amount / 1e6:.0f} MB"

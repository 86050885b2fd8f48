"""What `vswin bench` found, in tables for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from vswin_cli.bench.record import (
        BenchReport,
        FilmReport,
        Machine,
        Memory,
        NetworkReport,
        PeerFilm,
        PrecisionRow,
        Stage,
        SubjectRecord,
        Timing,
    )

__all__ = ["bench_tables"]


def bench_tables(report: BenchReport) -> RenderableType:
    """Machine, network and film, one under the other."""
    parts: list[RenderableType] = [
        _lines(_machine_lines(report.machine)),
        _lines(_subject_lines(report.subject, report.passes)),
        _network_table(report.network),
        _lines(_precision_line(row) for row in report.network.precisions),
        _lines([_film_line(report.film)]),
        _film_table(report.film),
        _lines(_film_conclusions(report.film)),
        _lines(f"note: {note}" for note in (*report.network.notes, *report.film.notes)),
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
        f"{machine.processor}, {machine.usable_cores} of {machine.logical_cores} cores, "
        f"{machine.threads} threads{memory}",
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
        f"them, {saved:.1%} of them masked out",
        f"fastest of {passes} passes, all in turns; a multiply-add counts two FLOPs",
    ]


def _table(*columns: str, texts: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number < texts else "right", no_wrap=True)
    return table


def _network_table(network: NetworkReport) -> Table:
    table = _table(
        "network",
        "precision",
        "clips/s",
        "s/clip",
        "median",
        "at once",
        "GFLOP/s",
        "of ceiling",
        "vswin faster",
        "at its best",
        "logits differ",
        texts=2,
    )
    for row in network.rows:
        is_ours = row.difference is None
        table.add_row(
            row.name,
            row.precision,
            _number(row.clips_per_second),
            *_seconds(row.timing),
            f"{row.clips_at_once}",
            _number(row.gflops),
            f"{row.share:.1%}",
            "" if is_ours else f"{row.slower:.2f}×",
            "" if is_ours else f"{row.slower_than_best:.2f}×",
            "" if row.difference is None else f"{row.difference:.1e}",
            style="bold" if is_ours else None,
        )
    for ceiling in network.ceilings:
        name = f"matrix product {ceiling.shape}"
        table.add_row(name, ceiling.precision, "", "", "", "", _number(ceiling.gflops), "100.0%")
    return table


def _precision_line(row: PrecisionRow) -> str:
    return (
        f"{row.precision} against float32 on {row.clips} clips: logits differ by at most "
        f"{row.largest_difference:.2g} (they reach {row.largest_logit:.2g}), the best label is the "
        f"same on {row.agreement:.1%} of clips and {row.step_agreement:.1%} of time steps"
    )


def _film_line(film: FilmReport) -> str:
    made = " (made for this)" if film.synthesised else ""
    return (
        f"{film.uri}{made}: {film.codec} {film.width}×{film.height}, "
        f"{film.duration_seconds:.1f} s, {film.frames} frames, {film.clips} clips"
    )


def _film_table(film: FilmReport) -> Table:
    table = _table("film", "precision", "seconds", "median", "× real time", "vswin faster", texts=2)
    table.add_row("decoding alone", "", *_stage(film.decode))
    table.add_row("network alone", film.precision, *_stage(film.model))
    table.add_row("end to end", film.precision, *_stage(film.end_to_end), style="bold")
    if film.float32 is not None:
        table.add_row("end to end", "float32", *_stage(film.float32))
    for peer in film.peers:
        speed = _number(peer.times_real_time)
        table.add_row(
            peer.name, peer.precision, *_seconds(peer.timing), speed, f"{peer.slower:.2f}×"
        )
    return table


def _film_conclusions(film: FilmReport) -> Iterator[str]:
    yield (
        f"end to end takes {film.to_slower:.2f}× the slower of the two and {film.to_sum:.2f}× "
        f"their sum; decoding gives {film.frames_per_second:.0f} frames/s"
    )
    if film.memory is not None:
        yield _memory_line(film.memory)
    for peer in film.peers:
        yield from _peer_lines(film, peer)


def _memory_line(memory: Memory) -> str:
    device = "" if memory.device_bytes is None else f", {_mega(memory.device_bytes)} on the device"
    return (
        f"peak memory {_mega(memory.total_bytes)}: {_mega(memory.main_bytes)} and, decoding, "
        f"{_mega(memory.decoder_bytes)}{device}"
    )


def _peer_lines(film: FilmReport, peer: PeerFilm) -> Iterator[str]:
    yield f"{peer.name}: {peer.settings}; {peer.clips} clips, vswin {film.clips}"
    exact = (
        "" if film.float32 is None else f"; vswin in float32 is {peer.slower_float32:.2f}× faster"
    )
    yield f"its logits of the same pixels differ by at most {peer.difference:.1e}{exact}"


def _seconds(timing: Timing) -> tuple[str, str]:
    return _number(timing.fastest_seconds), _number(timing.median_seconds)


def _stage(stage: Stage) -> tuple[str, str, str]:
    return (*_seconds(stage.timing), _number(stage.times_real_time))


def _number(value: float) -> str:
    """Three digits or more, never an exponent for what people count."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _mega(amount: int) -> str:
    return f"{amount / 1e6:.0f} MB"

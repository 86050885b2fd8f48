"""`vswin bench`: measure the speed of network, decoder and both on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vswin_cli.cli import console
from vswin_cli.cli.model_choice import ModelChoice, make_engine
from vswin_cli.cli.option_groups import VideoEngineChoice, with_option_groups
from vswin_cli.cli.options import JsonOption, ModelOption, QuietOption, model_option
from vswin_cli.config import EngineOptions
from vswin_cli.errors import OptionError

if TYPE_CHECKING:
    from vswin_cli.bench.record import BenchReport
    from vswin_cli.bench.subject import Subject
    from vswin_cli.storage.sources import VideoSource

__all__ = ["bench"]


@with_option_groups
def bench(
    *,
    model: ModelOption = None,
    architecture: Annotated[
        str | None,
        model_option(
            "--architecture",
            "-a",
            metavar="NAME",
            help="Random weights of this architecture instead of a model: swin3d_t, swin3d_s, "
            "swin3d_b or swin3d_l.",
        ),
    ] = None,
    video: Annotated[
        Path | None,
        typer.Option(
            "--video", metavar="FILE", help="Video to measure with.", show_default="a synthetic one"
        ),
    ] = None,
    synthetic_size: Annotated[
        str,
        typer.Option("--film-size", metavar="WxH", help="Size of the synthetic video in pixels."),
    ] = "1280x720",
    synthetic_seconds: Annotated[
        float,
        typer.Option("--film-seconds", metavar="SECONDS", help="Length of the synthetic video."),
    ] = 20.0,
    peer: Annotated[
        list[str] | None,
        typer.Option(
            "--peer",
            metavar="NAME",
            help="Also measure torchvision (its network) or mmaction2 (its long-video demo). "
            "Repeatable.",
        ),
    ] = None,
    compiled: Annotated[
        bool, typer.Option("--compiled", help="Also measure networks after torch.compile.")
    ] = False,
    passes: Annotated[
        int,
        typer.Option("--passes", min=1, metavar="COUNT", help="Number of measurements of each."),
    ] = 5,
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads",
            min=1,
            metavar="COUNT",
            help="Number of PyTorch threads.",
            show_default="PyTorch's choice",
        ),
    ] = None,
    running: VideoEngineChoice,
    memory: Annotated[bool, typer.Option(help="Measure peak memory in a separate process.")] = True,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure the speed of the network, of decoding and of both, and the machine's peak.

    All measurements take turns within one run, so ratios are reliable even where seconds vary.
    FLOPs are those of the reference implementation, even where an implementation skips some.

    Examples:
        vswin bench

        vswin bench --video movie.mp4 --model swin-b-k400 --json

        vswin bench --architecture swin3d_t --peer torchvision --compiled
    """
    from vswin_cli.bench.run import BenchOptions, run_bench
    from vswin_cli.bench.synthesis import VideoSize

    options = BenchOptions(
        peers=tuple(dict.fromkeys(peer or ())),
        compiled=compiled,
        passes=passes,
        threads=threads,
        engine=running.options(),
        video=None if video is None else _source(str(video)),
        synthetic=VideoSize.parse(synthetic_size, synthetic_seconds),
        memory=memory,
    )
    subject = _subject(model, architecture, options.engine, quiet=quiet)
    _show(run_bench(subject, options, on_step=console.note_unless(quiet)), json=json)


def _show(report: BenchReport, *, json: bool) -> None:
    if json:
        from vswin_cli.bench.record import BENCH_SCHEMA
        from vswin_cli.storage.json_records import clean_json, to_json

        console.write(clean_json({"schema": BENCH_SCHEMA, **to_json(report)}, indent=2))
    else:
        from vswin_cli.cli.bench_text import bench_tables

        console.show(bench_tables(report))


def _source(video: str) -> VideoSource:
    from vswin_cli.storage.sources import expand_sources

    return expand_sources([video], folders=False)[0]


def _subject(
    model: str | None, architecture: str | None, options: EngineOptions, *, quiet: bool
) -> Subject:
    """Choose the network to measure; missing weights are downloaded."""
    from vswin_cli.bench.subject import Subject

    if architecture is None:
        choice = ModelChoice(model, None, None)
        make_engine(choice, options, crops=1, quiet=quiet)
        return Subject(choice.reference)
    if model is not None:
        raise OptionError(
            f"--model {model} and --architecture {architecture} exclude each other",
            hint="leave one out; VSWIN_MODEL counts as --model",
        )
    return Subject(architecture, random=True)

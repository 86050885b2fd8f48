"""Check a machine with an NVIDIA GPU: run the tests that need one, then measure vswin on it.

One command, at most five minutes, no internet: the networks get random weights, the videos are made
here. Prints a table of what was seen beside what is expected of an H100 or H200 with 16 cores. All
figures are ratios within this run, so other cards can be judged as well. What cannot be measured
here is in the table too, with the reason.

    python examples/check_gpu.py
    python examples/check_gpu.py --device cpu --quick    # tries the script itself, without a GPU
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import av
import torch
from torch import Tensor

from vswin_cli.bench.machine import describe_machine, synchronise
from vswin_cli.bench.memory import MemoryRequest, measure_memory
from vswin_cli.bench.networks import measure_networks
from vswin_cli.bench.record import NetworkReport, VideoReport
from vswin_cli.bench.subject import random_model
from vswin_cli.bench.synthesis import VideoSize, synthesise
from vswin_cli.bench.timing import Workload, measure
from vswin_cli.bench.torchvision_peer import build_torchvision
from vswin_cli.bench.videos import BenchVideo, decode_once, measure_video
from vswin_cli.config import EngineOptions, Precision, SamplingOptions
from vswin_cli.errors import VswinError
from vswin_cli.inference.engine import Engine
from vswin_cli.models.checkpoints.load import LoadedModel
from vswin_cli.models.network.swin3d import VideoSwin
from vswin_cli.models.weights.loading import load_model
from vswin_cli.storage.sources import VideoSource
from vswin_cli.video.clips import open_clips
from vswin_cli.video.cores import usable_cores
from vswin_cli.video.decode_options import DecodeOptions
from vswin_cli.video.decoder_pool import DecoderPool

ROOT = Path(__file__).parents[1]
TESTS_SECONDS = 180
SMALL = "camera-motion"  # the embedded weights: a network that a CPU runs at once
BATCH_VIDEOS = 16
PASSES = 3


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    seen: str
    expected: str = ""
    is_met: bool | None = None
    """`None` where nothing is expected, or nothing was measured."""


@dataclass(frozen=True)
class Bound:
    """What a figure should be at least, or at most."""

    figure: float
    is_least: bool = True

    def row(self, what: str, value: float, unit: str, note: str = "") -> Row:
        """Compare a value, which is written with its unit."""
        met = value >= self.figure if self.is_least else value <= self.figure
        sign = "≥" if self.is_least else "≤"
        expected = f"{sign} {_written(self.figure, unit)}"
        return Row(what, f"{_written(value, unit)}{note and f' ({note})'}", expected, met)


class NotMeasuredError(Exception):
    """Raised where this machine or this version cannot give a figure; says why."""


class Check:
    """What all measurements share: device, precision, networks, videos.

    Args:
        device: such as `cuda` or `cpu`.
        quick: use a small network and short videos, to try this script.
        folder: for the videos.
    """

    def __init__(self, device: str, quick: bool, folder: Path) -> None:
        self.device, self.quick, self.folder = torch.device(device), quick, folder
        self.precision: Precision = "bfloat16" if self.device.type == "cuda" else "float32"

    def model(self, name: str) -> LoadedModel:
        """Draw a network of an architecture, or take the small one."""
        return load_model(SMALL) if self.quick else random_model(name)

    def engine(self, name: str, batch_size: int | None = None) -> Engine:
        """Set up an engine for a network of its own."""
        return Engine(self.model(name), EngineOptions(str(self.device), self.precision, batch_size))

    @cached_property
    def base(self) -> Engine:
        """Swin-B with the batch size that is measured for it."""
        return self.engine("swin3d_b")

    @cached_property
    def once(self) -> Path:
        """A few seconds of 1080p H.264."""
        size = VideoSize(320, 240, 4) if self.quick else VideoSize(1920, 1080, 10)
        return synthesise(self.folder / "once.mp4", size)

    @cached_property
    def short_video(self) -> Path:
        """A video of one minute."""
        return repeat_video(self.once, self.folder / "short.mp4", 2 if self.quick else 6)

    @cached_property
    def video(self) -> Path:
        """A video of four minutes, so that its start hardly counts."""
        return repeat_video(self.once, self.folder / "video.mp4", 2 if self.quick else 24)

    @cached_property
    def decoded(self) -> BenchVideo:
        """The same, decoded once, with its first clips."""
        source = VideoSource.of(str(self.video))
        return decode_once(source, self.base.model.card.input, synthesised=True)

    @cached_property
    def stages(self) -> VideoReport:
        """Decoding alone, the network alone and both, on the video."""
        return measure_video(self.decoded, {self.precision: self.base}, self.precision, passes=1)


def repeat_video(once: Path, path: Path, times: int) -> Path:
    """Write a video several times in a row, without encoding anything again."""
    with av.open(str(once)) as source, av.open(str(path), "w") as output:
        stream = source.streams.video[0]
        assert stream.time_base is not None
        assert stream.duration is not None
        copy = output.add_stream_from_template(stream)
        packets = [packet for packet in source.demux(stream) if packet.dts is not None]
        times_of = [(packet.pts, packet.dts) for packet in packets]
        for number in range(times):
            shift = number * stream.duration
            for packet, (pts, dts) in zip(packets, times_of, strict=True):
                assert pts is not None
                assert dts is not None
                packet.pts, packet.dts, packet.stream = pts + shift, dts + shift, copy
                output.mux(packet)
    return path


def compare_with_torchvision(check: Check, name: str, batch_size: int) -> NetworkReport:
    """Run our network and torchvision's eager one on the same clips and weights, in turns."""
    model = check.model(name)
    peer = build_torchvision(model.network)  # before the engine moves the network
    options = EngineOptions(str(check.device), check.precision, batch_size)
    engine = Engine(model, options)
    peer = peer.to(engine.device, engine.dtype)
    return measure_networks(
        {check.precision: engine},
        check.decoded.first_clips,
        {"torchvision": {check.precision: peer}},
        batch_size=batch_size,
        passes=PASSES,
    )


def against_torchvision(check: Check) -> Iterator[Row]:
    """Swin-B and Swin-T against torchvision, and Swin-B against the matrix rate."""
    batch = 2 if check.quick else 8
    for name, title, least in [("swin3d_b", "Swin-B", 5.5), ("swin3d_t", "Swin-T", 6.0)]:
        report = compare_with_torchvision(check, name, batch)
        ours, peer = report.rows
        what = f"{title} {check.precision}, {batch} clips a pass, against torchvision eager"
        note = f"{1e3 * ours.timing.fastest_seconds:.3g} ms a clip"
        yield Bound(least).row(what, peer.slower, "×", note)
        if name == "swin3d_b":
            yield Row(f"{title}, share of the matrix rate, {batch} clips", f"{ours.share:.0%}")


def matrix_share(check: Check) -> Iterator[Row]:
    """Swin-B's best share of the measured matrix rate."""
    shares = {}
    rate = 0.0
    for batch in sorted({check.base.batch_size, 2 if check.quick else 32}):
        report = measure_networks(
            {check.precision: check.base},
            check.decoded.first_clips,
            {},
            batch_size=batch,
            passes=PASSES,
        )
        shares[batch] = report.rows[0].share
        rate = max(rate, report.ceilings[0].gflops / 1e3)
    best = max(shares, key=lambda batch: shares[batch])
    note = f"{best} clips a pass, of {rate:.3g} TFLOP/s"
    yield Bound(0.45).row("Swin-B, share of the matrix rate, best batch", shares[best], "%", note)
    yield Row("Swin-B, batch size chosen by measurement", str(check.base.batch_size))


def single_clips(check: Check) -> Iterator[Row]:
    """One clip a pass by kernels and graph, against plain PyTorch: the way it was before."""
    network = check.base.model.network
    plain, fast = _seconds_of(check, network, 1)
    note = f"{1e3 * fast:.3g} ms"
    yield Bound(2.5).row("Swin-B, one clip a pass, against plain PyTorch", plain / fast, "×", note)
    if not _uses_kernels(network):
        yield Row("CUDA kernels", "not used: see the warning above, if any", "used", False)


def float32_kernels(check: Check) -> Iterator[Row]:
    """The kernels in exact float32, which vswin does not use: would they be faster?"""
    from vswin_cli.models.network.triton_network import TritonNetwork

    if check.device.type != "cuda":
        raise NotMeasuredError("needs an NVIDIA GPU")
    network = check.model("swin3d_b").network.to(check.device)
    fast = TritonNetwork(network)
    batch = _noise(check, 4, torch.float32)
    work = [
        _workload("plain", network.plain_features, batch),
        _workload("kernels", fast.forward_features, batch),
    ]
    timings = measure(work, PASSES, pass_seconds=0.3)
    ratio = timings["plain"].fastest_seconds / timings["kernels"].fastest_seconds
    yield Row("Swin-B float32: kernels (unused) against plain PyTorch", f"{ratio:.2f}×")


def decode_shares(check: Check) -> Iterator[Row]:
    """Decoding in software against what the machine could do, and with NVDEC."""
    ceiling = check.stages.decode_ceiling
    if ceiling is None:
        raise NotMeasuredError("the video could not be decoded for a ceiling")
    seconds, _ = _decode_seconds(check, "software")
    rate = check.decoded.report.frames_decoded / seconds
    note = f"{rate:.0f} of {ceiling.frames_per_second:.0f} frames/s, {ceiling.decoders} decoders"
    what = "decoding one video in software, share of the decode ceiling"
    yield Bound(0.85).row(what, rate / ceiling.frames_per_second, "%", note)
    what = "decoding with NVDEC beside software"
    if ceiling.hardware_frames_per_second is None:
        yield Row(what, "not measured: PyAV cannot open NVDEC here", "≥ 200× real time")
        return
    seconds, obstacle = _decode_seconds(check, "nvdec")
    note = f"NVDEC ceiling {ceiling.hardware_frames_per_second:.0f} frames/s"
    yield Bound(200).row(what, check.decoded.seconds / seconds, "× real time", obstacle or note)


def end_to_end(check: Check) -> Iterator[Row]:
    """All of the work on a video against the slower of its two stages."""
    report = check.stages
    note = f"{report.end_to_end.times_real_time:.0f}× real time"
    bound = Bound(1.15, is_least=False)
    yield bound.row("end to end against the slower stage", report.to_slower, "×", note)


def batch_of_videos(check: Check) -> Iterator[Row]:
    """What more videos of a `vswin batch` take; its start does not count."""
    ceiling = check.stages.decode_ceiling
    if ceiling is None:
        raise NotMeasuredError("there is no decode ceiling to compare with")
    few, many = 2, 4 if check.quick else 2 + BATCH_VIDEOS
    seconds = {count: _batch_seconds(check, count) for count in (few, many)}
    more = seconds[many] - seconds[few]
    if more < 1:
        raise NotMeasuredError("too few seconds to tell them from the start")
    short = check.decoded.report.frames_decoded // (1 if check.quick else 4)
    rate = (many - few) * short / more
    note = f"{rate:.0f} frames/s"
    what = f"`batch`, {many - few} videos more, share of the decode ceiling in software"
    yield Bound(0.85).row(what, rate / ceiling.frames_per_second, "%", note)


def host_memory(check: Check) -> Iterator[Row]:
    """Memory of the processes on a long video against a short one."""
    once = synthesise(check.folder / "ten-seconds.mp4", VideoSize(320, 240, 10))
    lengths = (1, 3) if check.quick else (1, 60)
    totals = []
    for minutes in lengths:
        path = repeat_video(once, check.folder / f"{minutes}-minutes.mp4", 6 * minutes)
        notes: list[str] = []
        request = MemoryRequest(
            subject=SMALL,
            random=False,
            video=str(path),
            device=str(check.device),
            precision=check.precision,
            batch_size=None,
            threads=torch.get_num_threads(),
        )
        memory = measure_memory(request, notes)
        if memory is None:
            raise NotMeasuredError(notes[-1])
        totals.append(memory.total_bytes)
    what = f"host memory, {lengths[1]} min against {lengths[0]} min of video"
    note = f"{totals[1] / 1e6:.0f} MB, {SMALL}"
    yield Bound(1.1, is_least=False).row(what, totals[1] / totals[0], "×", note)


def run_tests(check: Check) -> Iterator[Row]:
    """`pytest -m gpu`, failing where it would skip for lack of a GPU."""
    if check.device.type != "cuda":
        raise NotMeasuredError("needs an NVIDIA GPU")
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider"]
    command.append("tests/gpu")  # the other tests need packages that a GPU machine may lack
    begin = time.perf_counter()
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, "VSWIN_REQUIRE_GPU": "1"},
            capture_output=True,
            text=True,
            timeout=TESTS_SECONDS,
        )
    except subprocess.TimeoutExpired as late:
        raise NotMeasuredError(f"not finished after {TESTS_SECONDS} s") from late
    lines = done.stdout.splitlines() or done.stderr.splitlines() or ["no output"]
    if done.returncode:
        print("\n".join(lines[-60:]), file=sys.stderr)
    seen = f"{lines[-1].strip('= ')}, {time.perf_counter() - begin:.0f} s in all"
    yield Row("pytest -m gpu", seen, "all pass", done.returncode == 0)


CHECKS: tuple[Callable[[Check], Iterator[Row]], ...] = (
    run_tests,
    against_torchvision,
    matrix_share,
    single_clips,
    float32_kernels,
    decode_shares,
    end_to_end,
    batch_of_videos,
    host_memory,
)


def _written(value: float, unit: str) -> str:
    return f"{value:.0%}" if unit == "%" else f"{value:.3g}{unit}"


def _noise(check: Check, batch: int, dtype: torch.dtype) -> Tensor:
    spec = check.base.model.card.input
    shape = (batch, 3, spec.num_frames, spec.crop_size, spec.crop_size)
    return torch.randn(shape, device=check.device).to(dtype)


def _workload(name: str, run: Callable[[Tensor], object], batch: Tensor) -> Workload:
    @torch.inference_mode()
    def once() -> None:
        run(batch)
        synchronise(batch.device)

    return Workload(name, once)


def _seconds_of(check: Check, network: VideoSwin, batch: int) -> tuple[float, float]:
    """Return the seconds of a pass in plain PyTorch, and as vswin runs it."""
    clips = _noise(check, batch, next(network.parameters()).dtype)
    work = [
        _workload("plain", network.plain_features, clips),
        _workload("fast", network.forward_features, clips),
    ]
    timings = measure(work, PASSES, pass_seconds=0.3)
    return timings["plain"].fastest_seconds, timings["fast"].fastest_seconds


def _uses_kernels(network: VideoSwin) -> bool:
    return network.cuda_path is not None and network.cuda_path.uses_kernels


def _decode_seconds(check: Check, decoder: Literal["software", "nvdec"]) -> tuple[float, str]:
    """Decode the video with as many decoders as a GPU leaves cores to.

    One process decodes it several times, as in a batch: the first time loads what NVDEC needs.

    Returns:
        The seconds, and why NVDEC stood aside, if it did.
    """
    options = DecodeOptions(decoders=max(1, usable_cores() - 1), decoder=decoder)
    source, spec = check.decoded.source, check.base.model.card.input
    said = [""]

    def decode() -> None:
        with open_clips(source, spec, SamplingOptions(), options, pool=pool) as stream:
            for _ in stream:
                pass
            warnings = stream.report.warnings
        said[0] = next((one.message for one in warnings if one.code == "SOFTWARE_DECODING"), "")

    with DecoderPool() as pool:
        timings = measure([Workload("decode", decode)], 2, warm_up=True)
    return timings["decode"].fastest_seconds, said[0]


def _batch_seconds(check: Check, count: int) -> float:
    """Run `vswin batch` over copies of the video in a process of its own."""
    folder = check.folder / f"batch-{count}"
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:02}.mp4").hardlink_to(check.short_video)
    command = [sys.executable, "-m", "vswin_cli", "batch", str(folder), "--out"]
    command += [str(check.folder / f"batch-{count}.csv"), "--model", SMALL, "--quiet"]
    command += ["--device", str(check.device), "--precision", check.precision]
    begin = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise NotMeasuredError(f"`vswin batch` failed: {(done.stderr.splitlines() or ['?'])[-1]}")
    return time.perf_counter() - begin


def measure_all(check: Check, wanted: Sequence[str]) -> Iterator[Row]:
    """Run the checks one after the other; one that fails leaves the others alone."""
    for one in CHECKS:
        if wanted and one.__name__ not in wanted:
            continue
        print(f"{one.__name__} ...", file=sys.stderr, flush=True)
        begin = time.perf_counter()
        try:
            yield from one(check)
        except NotMeasuredError as reason:
            yield Row(one.__name__, f"not measured: {reason}")
        except (VswinError, RuntimeError, OSError, ImportError, AssertionError) as problem:
            yield Row(one.__name__, f"failed: {type(problem).__name__}: {problem}", "", False)
        print(f"  {time.perf_counter() - begin:.0f} s", file=sys.stderr, flush=True)


def print_table(rows: Sequence[Row]) -> None:
    """Print aligned columns."""
    marks = {True: "met", False: "MISSED", None: ""}
    cells = [("", "what", "expected", "seen")]
    cells += [(marks[row.is_met], row.what, row.expected, row.seen) for row in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(4)]
    for line in cells:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(padded).rstrip())


def main() -> None:
    """Run the checks and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true", help="small network, short videos")
    names = [one.__name__ for one in CHECKS]
    parser.add_argument("--only", nargs="+", default=[], choices=names)
    arguments = parser.parse_args()
    if arguments.device.startswith("cuda") and not torch.cuda.is_available():
        sys.exit("PyTorch finds no CUDA device; --device cpu --quick tries the script itself")
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="vswin-check-") as folder:
        check = Check(arguments.device, arguments.quick, Path(folder))
        rows = list(measure_all(check, arguments.only))
    machine = describe_machine(check.device)
    print(f"{machine.device_name}; {machine.processor}, {machine.usable_cores} cores")
    if arguments.quick:
        print(f"{SMALL} stands for all networks: the figures say nothing about them")
    print(f"torch {machine.torch}, Python {machine.python}; {time.perf_counter() - begin:.0f} s\n")
    print_table(rows)
    sys.exit(1 if any(row.is_met is False for row in rows) else 0)


if __name__ == "__main__":
    main()

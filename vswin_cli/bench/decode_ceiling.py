"""Measure how many frames a second the machine can decode: the ceiling of decoding alone.

Independent decoders decode the same frames and discard them: as many
single-threaded ones as there are cores, and as many on the graphics card's own decoder where PyAV
can open it. Nothing is scaled, converted or passed on, and no frame is skipped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from vswin_cli.bench.record import DecodeCeiling, Timing
from vswin_cli.bench.timing import Workload
from vswin_cli.video.cores import usable_cores
from vswin_cli.video.nvdec import nvdec_device

__all__ = ["DecodersAtOnce", "ceiling_of_decoding", "hardware_decoders", "software_decoders"]

_MOST_FRAMES = 600  # per decoder and pass; enough for the start of a decoder not to count
_MOST_HARDWARE_DECODERS = 14  # more gained nothing on the card that was measured


@dataclass(frozen=True, slots=True, eq=False)
class DecodersAtOnce:
    """Several decoders of one kind at work on the same frames, each for itself."""

    count: int
    num_frames: int
    """Of each decoder, per pass."""
    workload: Workload

    def frames_per_second(self, timing: Timing) -> float:
        """Return the rate of all decoders together in the fastest pass."""
        return self.count * self.num_frames / timing.fastest_seconds


def software_decoders(path: Path, num_frames: int) -> DecodersAtOnce:
    """Return one single-threaded decoder per core.

    Args:
        path: the video; FFmpeg's choice of its streams is decoded.
        num_frames: of the video.
    """
    return _at_once("decode ceiling", path, num_frames, usable_cores())


def hardware_decoders(path: Path, num_frames: int) -> DecodersAtOnce | None:
    """Return decoders on an NVIDIA card's NVDEC; `None` where there is none for this video.

    Args:
        path: the video.
        num_frames: of the video.
    """
    import av

    try:
        _decode(path, 1, on_nvdec=True)
    except (ImportError, TypeError, RuntimeError, NotImplementedError, av.error.FFmpegError):
        return None  # an older PyAV, no driver, or a codec that the chip does not decode
    count = min(_MOST_HARDWARE_DECODERS, usable_cores())
    return _at_once("NVDEC ceiling", path, num_frames, count, on_nvdec=True)


def ceiling_of_decoding(
    frames_per_second: float, measured: Sequence[DecodersAtOnce], timings: Mapping[str, Timing]
) -> DecodeCeiling | None:
    """Return the ceilings and the share of them that decoding alone has reached.

    Args:
        frames_per_second: of decoding alone.
        measured: software decoders, then those on the graphics card if there are any; or none.
        timings: of their workloads, by name.
    """
    if not measured:
        return None
    rates = [ceiling.frames_per_second(timings[ceiling.workload.name]) for ceiling in measured]
    return DecodeCeiling(
        frames_per_second=rates[0],
        decoders=measured[0].count,
        share=frames_per_second / sum(rates),
        hardware_frames_per_second=rates[1] if len(rates) > 1 else None,
        hardware_decoders=measured[1].count if len(rates) > 1 else 0,
    )


def _at_once(
    name: str, path: Path, num_frames: int, count: int, *, on_nvdec: bool = False
) -> DecodersAtOnce:
    frames = min(num_frames, _MOST_FRAMES)

    def run() -> None:
        with ThreadPoolExecutor(count) as threads:
            list(threads.map(lambda _: _decode(path, frames, on_nvdec=on_nvdec), range(count)))

    return DecodersAtOnce(count, frames, Workload(name, run))


def _decode(path: Path, num_frames: int, *, on_nvdec: bool) -> None:
    """Decode the first frames of a video with one thread; damage ends it early."""
    import av

    with av.open(str(path), hwaccel=nvdec_device(0) if on_nvdec else None) as container:
        stream = container.streams.best("video")
        assert stream is not None
        stream.codec_context.thread_count = 1
        for _ in islice(container.decode(stream), num_frames):
            pass

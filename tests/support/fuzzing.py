"""Damaged files by the hundred, and what decoding makes of each.

Run `python -m tests.support.fuzzing --count 400` for a table; `test_fuzzing.py` runs a seeded few.
"""

import argparse
import collections
import json
import random
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from tests.support.videos import VideoRecipe, make_video
from vswin_cli.config import SamplingOptions
from vswin_cli.errors import SourceError
from vswin_cli.models.architecture import InputSpec
from vswin_cli.storage.sources import VideoSource
from vswin_cli.video.clips import open_clips
from vswin_cli.video.decode_options import DecodeOptions

SPEC = InputSpec(
    num_frames=8, frame_rate=10.0, resize_short_side=32, crop_size=32, stride_percent=100.0
)
STALL_SECONDS = 20.0
SLOW_SECONDS = 60.0
QUICK_VPX = {"deadline": "realtime", "cpu-used": "8"}
QUIET_HEVC = {"x265-params": "log-level=none", "preset": "ultrafast"}

BASES = {
    "h264.mp4": VideoRecipe(num_frames=120, b_frames=2, width=128, height=96),
    "rotated.mov": VideoRecipe(num_frames=90, rotation=90),
    "hevc_fragmented.mp4": VideoRecipe(
        codec="libx265",
        options=QUIET_HEVC,
        container_options={"movflags": "frag_keyframe+empty_moov"},
    ),
    "h264.mkv": VideoRecipe(num_frames=120, b_frames=2, start=2.0),
    "vp9.webm": VideoRecipe(codec="libvpx-vp9", options=QUICK_VPX),
    "vp8.webm": VideoRecipe(codec="libvpx", options=QUICK_VPX),
    "h264.ts": VideoRecipe(num_frames=120, start=5.0),
    "mpeg4.avi": VideoRecipe(codec="mpeg4", b_frames=1),
    "motion_jpeg.avi": VideoRecipe(codec="mjpeg", pixel_format="yuvj420p"),
    "mpeg2.mpg": VideoRecipe(codec="mpeg2video", rate=Fraction(25)),
    "h264.flv": VideoRecipe(),
    "raw.h264": VideoRecipe(),
    "palette.gif": VideoRecipe(codec="gif", pixel_format="rgb8", rate=Fraction(10), num_frames=20),
    "ten_bit.mp4": VideoRecipe(
        pixel_format="yuv420p10le", container_options={"movflags": "faststart"}
    ),
}


def flip_bits(content: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice([1, 8, 64, 512])):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def flip_header_bits(content: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice([1, 4, 16])):
        content[chance.randrange(min(len(content), 512))] ^= 1 << chance.randrange(8)


def set_extreme_numbers(content: bytearray, chance: random.Random) -> None:
    extremes = [b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\0"]
    for _ in range(chance.choice([1, 2, 8])):
        at = chance.randrange(max(1, len(content) - 4))
        content[at : at + 4] = chance.choice(extremes)


def damage_the_index(content: bytearray, chance: random.Random) -> None:
    """MP4 and AVI keep their tables at the end, unless they were written for streaming."""
    for _ in range(chance.choice([1, 4, 16])):
        content[-chance.randrange(1, min(len(content), 1500))] = chance.randrange(256)


def cut_the_end(content: bytearray, chance: random.Random) -> None:
    del content[chance.randrange(len(content)) :]


def cut_a_piece(content: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(content))
    del content[at : at + chance.choice([1, 3, 188, 1000, len(content) // 5])]


def cut_the_beginning(content: bytearray, chance: random.Random) -> None:
    del content[: chance.choice([1, 4, 32, 500, len(content) // 3])]


def overwrite_with_noise(content: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(content))
    length = min(len(content) - at, chance.choice([4, 64, 1024, len(content) // 4]))
    content[at : at + length] = chance.randbytes(length)


def overwrite_with_zeros(content: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(content))
    length = min(len(content) - at, chance.choice([4, 64, 1024, len(content) // 4]))
    content[at : at + length] = bytes(length)


def repeat_a_piece(content: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(content))
    piece = content[at : at + chance.choice([16, 188, 2000])]
    content[at:at] = piece * chance.choice([1, 20])


def insert_noise(content: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(content))
    content[at:at] = chance.randbytes(chance.choice([1, 100, 5000]))


MUTATIONS = (
    flip_bits,
    flip_header_bits,
    set_extreme_numbers,
    damage_the_index,
    cut_the_end,
    cut_a_piece,
    cut_the_beginning,
    overwrite_with_noise,
    overwrite_with_zeros,
    repeat_a_piece,
    insert_noise,
)


def make_bases(folder: Path) -> dict[str, bytes]:
    """The undamaged files."""
    return {name: make_video(folder / name, recipe).read_bytes() for name, recipe in BASES.items()}


def damaged(bases: dict[str, bytes], seed: int) -> tuple[str, str, bytes]:
    """One damaged file: name of its base, of the mutation, and its content."""
    chance = random.Random(seed)
    name = list(bases)[seed % len(bases)]
    mutation = MUTATIONS[seed // len(bases) % len(MUTATIONS)]
    content = bytearray(bases[name])
    mutation(content, chance)
    return name, mutation.__name__, bytes(content)


def outcome(path: Path) -> tuple[str, str]:
    """How decoding ends: `ok`, `partial`, `failed` or `error`, and why.

    Whatever else is raised passes through: it is a fault.
    """
    options = DecodeOptions(stall_timeout_seconds=STALL_SECONDS)
    try:
        with open_clips(VideoSource.of(str(path)), SPEC, SamplingOptions(), options) as stream:
            last = -1.0
            for clip in stream:
                begin, end = clip.step_edges_seconds[[0, clip.num_valid_steps]]
                assert last - 0.8 < begin <= end, f"{clip} after {last}"
                last = max(last, end)
    except SourceError as error:
        if not error.hint or ("crashed" in error.message and "SIG" not in error.message):
            raise AssertionError(error.message) from error
        return "error", type(error).__name__
    report = stream.report
    assert 0.0 <= report.coverage <= 1.0
    for gap, following in pairwise(report.gaps):
        assert gap.start_seconds < gap.end_seconds <= following.start_seconds
    if report.end_reason == "decode_crashed":
        assert "SIG" in report.warnings[-1].message, report.warnings[-1].message
    return report.status, report.end_reason


def run(count: int, first_seed: int, folder: Path) -> Iterator[dict[str, object]]:
    """Decode damaged files one after the other and tell of each."""
    bases = make_bases(folder)
    for seed in range(first_seed, first_seed + count):
        name, mutation, content = damaged(bases, seed)
        path = folder / f"damaged_{name}"
        path.write_bytes(content)
        began = time.monotonic()
        try:
            status, why = outcome(path)
        except Exception as fault:
            status, why = "FAULT", f"{type(fault).__name__}: {fault}"
        seconds = time.monotonic() - began
        yield {
            "seed": seed,
            "base": name,
            "mutation": mutation,
            "status": status,
            "why": why,
            "seconds": round(seconds, 2),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--first-seed", type=int, default=0)
    arguments = parser.parse_args()
    ends: collections.Counter[tuple[object, object]] = collections.Counter()
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for result in run(arguments.count, arguments.first_seed, Path(folder)):
            ends[result["status"], result["why"]] += 1
            seconds = float(str(result["seconds"]))
            slowest = max(slowest, seconds)
            noteworthy = result["why"] in ("decode_crashed", "decode_timeout", "DecodeError")
            if result["status"] == "FAULT" or noteworthy or seconds > SLOW_SECONDS:
                print(json.dumps(result), flush=True)  # noqa: T201
    for (status, why), number in sorted(ends.items(), key=str):
        print(f"{number:5} {status} ({why})")  # noqa: T201
    print(f"{sum(ends.values())} files, slowest {slowest:.1f} s")  # noqa: T201


if __name__ == "__main__":
    main()

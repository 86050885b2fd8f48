"""Kill a batch at random moments, resume it, and compare its results with an undisturbed run.

Makes short videos, some of them broken, tags them once without and once with SIGKILLs, and compares
the tables byte by byte; also counts finished videos that were done twice (there must be none).

    python examples/batch_endurance.py FOLDER --weights MODEL --files 500 --kills 10
"""

from __future__ import annotations

import argparse
import csv
import random
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

SIZE = 64
RATE = 30
BROKEN_EVERY = 10


def draw_frame(number: int, draw: np.random.Generator) -> NDArray[np.uint8]:
    """Draw a bright block that moves over a gradient."""
    rows, columns = np.mgrid[0:SIZE, 0:SIZE]
    grey = 60 + 80 * np.sin(0.1 * rows + 0.3 * number) * np.cos(0.07 * columns)
    grey[number % SIZE : number % SIZE + 8] = draw.integers(150, 255)
    return np.repeat(grey[:, :, None], 3, axis=2).astype(np.uint8)


def make_video(path: Path, num_frames: int, seed: int) -> None:
    """Encode a short H.264 file."""
    draw = np.random.default_rng(seed)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=Fraction(RATE))
        stream.width, stream.height, stream.pix_fmt = SIZE, SIZE, "yuv420p"
        for number in range(num_frames):
            frame = av.VideoFrame.from_ndarray(draw_frame(seed + number, draw), format="rgb24")
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def make_folder(folder: Path, count: int) -> set[str]:
    """Make short videos, every tenth broken in one of four ways; returns the broken ones."""
    folder.mkdir(parents=True, exist_ok=True)
    broken = set()
    for i in range(count):
        path = folder / f"clip{i:04}.mp4"
        if path.exists():
            pass
        elif i % BROKEN_EVERY:
            make_video(path, 30 + i % 20, i)
        elif i // BROKEN_EVERY % 4 == 0:
            path.write_bytes(b"")
        elif i // BROKEN_EVERY % 4 == 1:
            path.write_bytes(np.random.default_rng(i).bytes(20_000))
        elif i // BROKEN_EVERY % 4 == 2:
            path.write_text("not a video at all\n" * 100)
        else:  # the index at the end is cut off
            make_video(path, 30, i)
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        if i % BROKEN_EVERY == 0:
            broken.add(str(path))
    return broken


def start(folder: Path, out: Path, options: list[str]) -> subprocess.Popen[bytes]:
    """Start a batch."""
    command = [sys.executable, "-m", "vswin_cli", "batch", str(folder), "--out", str(out), *options]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


def finished(out: Path) -> dict[str, int]:
    """Return the entries of the journal with the times at which they were written."""
    entries = (out.parent / f".{out.stem}.vswin" / "entries").glob("*.json")
    return {path.name: path.stat().st_mtime_ns for path in entries}


def run_with_kills(folder: Path, out: Path, options: list[str], kills: int) -> int:
    """Kill and resume the batch, then let it end; returns how many entries were written twice."""
    draw = random.Random(7)
    total = sum(1 for _ in folder.iterdir())
    num_again = 0
    seen: dict[str, int] = {}
    for number in range(kills):
        process = start(folder, out, options)
        goal = min(total - 1, len(seen) + draw.randint(1, max(1, total // kills)))
        while process.poll() is None and len(finished(out)) < goal:
            time.sleep(draw.uniform(0.0, 0.3))
        process.send_signal(signal.SIGKILL)
        process.wait()
        time.sleep(0.5)  # workers notice that their parent is gone
        now = finished(out)
        num_again += sum(now.get(name) != written for name, written in seen.items())
        seen = now
        print(f"kill {number + 1}: {len(seen)} of {total} files done", flush=True)
    start(folder, out, options).wait()
    now = finished(out)
    return num_again + sum(now.get(name) != written for name, written in seen.items())


def rows_of(path: Path) -> list[str]:
    """Return the sorted lines of a file."""
    return sorted(path.read_text(encoding="utf-8").splitlines())


def files_rows(path: Path) -> list[tuple[str, ...]]:
    """Return the rows of a table of files without the time that each video took."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            tuple(value for key, value in row.items() if key != "elapsed")
            for row in csv.DictReader(file)
        ]


def main() -> None:
    """Run both batches and compare them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--workers", default="auto", help="of the run that is killed")
    chosen = parser.parse_args()
    videos = chosen.folder / "videos"
    broken = make_folder(videos, chosen.files)
    options = ["--weights", chosen.weights, "--onset", "0.2", "--offset", "0.1"]
    undisturbed, killed = chosen.folder / "undisturbed.csv", chosen.folder / "killed.csv"
    began = time.monotonic()
    code = start(videos, undisturbed, options).wait()
    print(f"undisturbed: exit code {code}, {time.monotonic() - began:.0f} s", flush=True)
    options += ["--workers", chosen.workers]
    num_again = run_with_kills(videos, killed, options, chosen.kills)
    beside = [path.with_name(f"{path.stem}.files.csv") for path in (undisturbed, killed)]
    failed = {row[0] for row in files_rows(beside[1]) if row[1] == "failed"}
    print(f"entries written twice: {num_again}")
    print(f"segment tables equal as they are: {undisturbed.read_bytes() == killed.read_bytes()}")
    print(f"segment tables equal when sorted: {rows_of(undisturbed) == rows_of(killed)}")
    print(f"file tables equal but for `elapsed`: {files_rows(beside[0]) == files_rows(beside[1])}")
    print(f"rows: {len(files_rows(beside[1]))}")
    print(f"failed files are the broken ones: {failed == broken} ({len(failed)})")


if __name__ == "__main__":
    main()

"""Measure `vswin search` on an index of many hours: time of a query, and memory.

Writes synthetic features as `vswin features` does for a large network (a row per 0.133 s, a clip
per 1.6 s, half precision), an hour per file, with one moment of the first file repeated in the
last. Then searches for it: as the whole command in a process of its own, the second time with the
files in the system's cache, and inside this process, which the search alone takes. A hundred hours
of width 1024 take 6 GB on disk.

    python examples/search_speed.py FOLDER --hours 100 --width 1024
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vswin_cli.search.index import load_index
from vswin_cli.search.query import make_query
from vswin_cli.search.search import search
from vswin_cli.storage.array_archive import write_array
from vswin_cli.timeline.feature_files import metadata_text
from vswin_cli.timeline.features import FeatureRecord
from vswin_cli.timeline.provenance import ModelRecord, SamplingRecord, VideoRecord
from vswin_cli.timeline.record import Coverage

STEP = 2 / 15  # seconds
CLIP_STEPS, STRIDE_STEPS = 16, 12
STEPS_PER_HOUR = round(3600 / STEP)
MOMENT = (600, 630)  # steps of the first file: 4 s
COPY = (1234, 0.8)  # where it is repeated: first step of the last file, and how much of it is alike


def make_rows(width: int, seed: int) -> NDArray[np.float32]:
    """Draw an hour of features (n, C) that change slowly, as those of a video do."""
    draw = np.random.default_rng(seed)
    scenes = draw.standard_normal((STEPS_PER_HOUR // 75 + 2, width), np.float32)  # 10 s each
    rows = np.repeat(scenes, 75, axis=0)[:STEPS_PER_HOUR]
    rows += 0.7 * draw.standard_normal(rows.shape, np.float32)
    return rows


def write_hour(path: Path, rows: NDArray[np.float32]) -> None:
    """Write a features file."""
    starts = np.arange(len(rows)) * STEP
    firsts = np.arange(0, len(rows) - CLIP_STEPS + 1, STRIDE_STEPS)
    sums = np.cumsum(np.concatenate([np.zeros((1, rows.shape[1]), np.float32), rows]), axis=0)
    clips = (sums[firsts + CLIP_STEPS] - sums[firsts]) / CLIP_STEPS
    record = FeatureRecord(
        VideoRecord(f"{path.stem}.mp4", duration_seconds=len(rows) * STEP),
        ModelRecord("synthetic", weights_sha256="0" * 64),
        SamplingRecord(32, 15.0, CLIP_STEPS * STEP, STRIDE_STEPS * STEP, step_seconds=STEP),
        Coverage(1.0, len(rows) * STEP),
    )
    with zipfile.ZipFile(path, "w", compresslevel=1) as archive:
        write_array(archive, "metadata", np.array(metadata_text(record)))
        write_array(archive, "features", rows.astype(np.float16), compress=False)
        write_array(archive, "start_seconds", starts)
        write_array(archive, "end_seconds", starts + STEP)
        write_array(archive, "clip_features", clips.astype(np.float16), compress=False)
        write_array(archive, "clip_start_seconds", starts[firsts])
        write_array(archive, "clip_end_seconds", starts[firsts + CLIP_STEPS - 1] + STEP)


def make_index(folder: Path, hours: int, width: int) -> None:
    """Write the index, unless it is there."""
    folder.mkdir(exist_ok=True)
    moment = make_rows(width, 0)[slice(*MOMENT)]
    for hour in range(hours):
        path = folder / f"hour{hour:03}.npz"
        if path.exists():
            continue
        rows = make_rows(width, hour)
        if hour == hours - 1:
            first, share = COPY
            part = rows[first : first + len(moment)]
            part[:] = share * moment + (1 - share) * part
        write_hour(path, rows)


def time_search(folder: Path, repeats: int) -> tuple[float, list[float]]:
    """Return the seconds of opening the index and of each search in this process."""
    begin = time.perf_counter()
    files, _ = load_index([folder])
    opened = time.perf_counter() - begin
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        first = files[0]
        query = make_query(
            first.features,
            first.start_seconds,
            first.end_seconds,
            first.record,
            start_seconds=MOMENT[0] * STEP,
            end_seconds=MOMENT[1] * STEP,
        )
        search(query, files)
        seconds.append(time.perf_counter() - begin)
    return opened, seconds


def time_command(folder: Path) -> tuple[float, float, list[dict[str, object]]]:
    """Run the command; returns its seconds, peak memory in MB and the moments."""
    query = [str(folder / "hour000.npz"), "--start", f"{MOMENT[0] * STEP}"]
    query += ["--end", f"{MOMENT[1] * STEP}"]
    command = [sys.executable, "-m", "vswin_cli", "search", *query[:1], str(folder), *query[1:]]
    begin = time.perf_counter()
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return seconds, peak, json.loads(done.stdout)["matches"]


def main() -> None:
    """Make the index and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--hours", type=int, default=100)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    make_index(options.folder, options.hours, options.width)
    command = [time_command(options.folder) for _ in range(2)]
    opened, seconds = time_search(options.folder, options.repeats)
    print(f"{options.hours} h of width {options.width}")
    print(f"opening the index   {opened:.2f} s")
    print(f"a query             {np.median(seconds):.2f} s (median of {len(seconds)})")
    for name, (spent, peak, _) in zip(("first", "again"), command, strict=True):
        print(f"command, {name}      {spent:.2f} s, {peak:.0f} MB at its peak")
    for match in command[0][2][:2]:
        print(f"{match['similarity']:.3f}  {match['start']:.2f} s  {match['video']}")


if __name__ == "__main__":
    main()

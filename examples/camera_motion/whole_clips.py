"""Count on whole clips what `vswin tag` prints: cuts, false dissolves and fades, false motion.

    python examples/camera_motion/whole_clips.py --data ../shared

`boundaries.csv` holds what is true; `none` marks a clip without a boundary. A reported cut within
`TOLERANCE` of a doubtful boundary is left out. One viewer judged each boundary once, with the
scores of the model in view, so that a second, blind look is still due. With
`scenedetect` and OpenCV installed, PySceneDetect's content detector is counted beside ours.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vswin_cli.evaluation.accuracy import Rate

BOUNDARIES = Path(__file__).with_name("boundaries.csv")
TOLERANCE = 0.25  # seconds: a time step of the model is 1/6 s
STILL = ("static", "cut", "fade", "dissolve")
GRADUAL = ("fade", "dissolve")


@dataclass(frozen=True, slots=True)
class Boundary:
    """A boundary seen by eye, `none` for a clip without any."""

    clip: str
    time: float
    kind: str
    half: str


def read_boundaries(path: Path = BOUNDARIES) -> list[Boundary]:
    """Read the list of true boundaries."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Boundary(row["clip"], float(row["time_seconds"] or "nan"), row["kind"], row["half"])
            for row in csv.DictReader(file)
        ]


def half_of(clip: str) -> str:
    """Return the half of a clip, by a hash of its file name."""
    digest = hashlib.sha256(Path(clip).name.encode()).digest()
    return "other" if digest[0] % 2 else "dev"


def match(found: Iterable[float], truth: Iterable[float], doubtful: Iterable[float]) -> list[int]:
    """Count true, false and missed cuts; each true cut matches once, in order of time."""
    left, unsure = sorted(truth), list(doubtful)
    hits = wrong = 0
    for at in sorted(found):
        near = min(left, key=lambda true: abs(true - at), default=None)
        if near is not None and abs(near - at) <= TOLERANCE:
            left.remove(near)
            hits += 1
        elif not any(abs(one - at) <= TOLERANCE for one in unsure):
            wrong += 1
    return [hits, wrong, len(left)]


def count_cuts(found: dict[str, list[float]], truth: Sequence[Boundary], half: str) -> str:
    """Write precision and recall with their intervals over the clips of a half."""
    total = [0, 0, 0]
    for clip in sorted({one.clip for one in truth if one.half == half}):
        own = [one for one in truth if one.clip == clip]
        times = {kind: [o.time for o in own if o.kind == kind] for kind in ("cut", "doubtful")}
        counts = match(found.get(clip, []), times["cut"], times["doubtful"])
        total = [a + b for a, b in zip(total, counts, strict=True)]
    hits, wrong, missed = total
    precision, recall = Rate.of(hits, hits + wrong), Rate.of(hits, hits + missed)
    return f"{half}: {hits} true, {wrong} false, {missed} missed; precision {precision}; " + (
        f"recall {recall}"
    )


def vswin(command: str, *arguments: object) -> list[dict[str, Any]]:
    """Run a command of vswin and return its timelines."""
    words = [sys.executable, "-m", "vswin_cli", command, *map(str, arguments), "-q", "-f", "jsonl"]
    text = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line) for line in text.splitlines()]


def times_of(timelines: Iterable[dict[str, Any]], data: Path) -> dict[str, list[float]]:
    """Return the times of the cuts by clip."""
    return {
        str(Path(one["video"]["uri"]).relative_to(data)): [
            segment["start"] for segment in one["segments"] if segment["label"] == "cut"
        ]
        for one in timelines
    }


def content_cuts(clips: Iterable[str], data: Path) -> dict[str, list[float]]:
    """Return the cuts of PySceneDetect's content detector with its defaults."""
    from scenedetect import ContentDetector, detect  # type: ignore[import-not-found,import-untyped,unused-ignore]

    return {
        clip: [start.seconds for start, _ in detect(str(data / clip), ContentDetector())][1:]
        for clip in clips
    }


def seconds_of_motion(timelines: Iterable[dict[str, Any]]) -> tuple[float, float]:
    """Return the seconds that some motion segment covers, and the seconds of video."""
    covered = total = 0.0
    for one in timelines:
        total += one["video"]["duration"]
        end = 0.0
        for segment in sorted(one["segments"], key=lambda segment: float(segment["start"])):
            if segment["label"] not in STILL:
                covered += max(0.0, segment["end"] - max(end, segment["start"]))
                end = max(end, segment["end"])
    return covered, total


def false_gradual(
    timelines: Iterable[dict[str, Any]], truth: Sequence[Boundary], data: Path
) -> int:
    """Count the dissolves and fades that contain no true or doubtful boundary of that kind."""
    false = 0
    for one in timelines:
        clip = str(Path(one["video"]["uri"]).relative_to(data))
        known = [o.time for o in truth if o.clip == clip and o.kind in (*GRADUAL, "doubtful")]
        false += sum(
            not any(s["start"] - TOLERANCE <= at <= s["end"] + TOLERANCE for at in known)
            for s in one["segments"]
            if s["label"] in GRADUAL
        )
    return false


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data.resolve()
    truth = read_boundaries()
    clips = sorted({one.clip for one in truth})
    with tempfile.TemporaryDirectory() as folder:
        scores = Path(folder, "scores")
        printed = vswin("tag", *(data / c for c in clips), "--save-scores", f"{scores}/")
        strict = vswin("segment", *sorted(scores.iterdir()), "--onset", 0.5)
    methods = {"onset of the card": times_of(printed, data), "onset 0.5": times_of(strict, data)}
    try:
        methods["PySceneDetect"] = content_cuts(clips, data)
    except ImportError:
        print("install scenedetect and opencv-python-headless to compare with PySceneDetect")
    for name, found in methods.items():
        for half in ("dev", "other"):
            print(f"cuts, {name}, {count_cuts(found, truth, half)}")
    minutes = sum(one["video"]["duration"] for one in printed) / 60
    false = false_gradual(printed, truth, data)
    print(
        f"false dissolves and fades: {false} in {minutes:.1f} min, {10 * false / minutes:.2f} / 10"
    )
    fixed = vswin("tag", *sorted((data / "static_clips").glob("*.mp4")))
    covered, total = seconds_of_motion(fixed)
    print(
        f"false motion, static_clips: {covered:.2f} s in {total:.1f} s, "
        f"{60 * covered / total:.2f} s/min"
    )


if __name__ == "__main__":
    main()

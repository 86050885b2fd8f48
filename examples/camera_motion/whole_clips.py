"""Count on whole clips what `vswin tag` prints: cuts, dissolves and fades, motion, per half.

    python examples/camera_motion/whole_clips.py --data ../shared

The minimum durations of the card and the onset of `shake` were chosen on the half `dev`, and
`other` measures them. The onsets of `cut` and `dissolve` were chosen with both halves in view,
because `dev` alone does not tell 0.25 from 0.5, or 0.5 from 0.9, and the clips that training
synthesises were devised from the failures in both: for these, `other` is no independent measure.

`boundaries.csv` holds what is true; `none` marks a clip without a boundary. A reported cut within
`TOLERANCE` of a doubtful boundary is left out. The first look at the clips had the scores of the
model in view. The second was at contact sheets of all 58 clips without names, times or scores
(coarse ones, and eight frames around each of the 124 places where neighbouring frames differ much),
by a viewer who had read the list before. It agrees on all 37 cuts and the dissolve, and on 122 of
the 124 places; it takes two doubtful ones for fast zooms, and two more doubtful ones did not stand
out enough to be among the places. These four stay doubtful.

With `scenedetect` and OpenCV installed, PySceneDetect's content detector is counted beside ours.
Recall of dissolves and fades is that on synthetic ones between real clips, see `transitions.py`.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from transitions import Transition, make_transitions

from vswin_cli.config import SegmentOptions
from vswin_cli.evaluation.accuracy import Rate
from vswin_cli.models.card import ModelCard
from vswin_cli.timeline.score_files import load_track
from vswin_cli.timeline.segments import Segment, find_segments

BOUNDARIES = Path(__file__).with_name("boundaries.csv")
TOLERANCE = 0.25  # seconds: a time step of the model is 1/6 s
STILL = ("static", "cut", "fade", "dissolve")
GRADUAL = ("fade", "dissolve")
LEAST_MOTION = 0.25  # seconds in a window that count as motion
HALVES = ("dev", "other")
NOTE = "Whole clips"
CHOICE = (
    "as `vswin tag` prints them, in the halves dev and other, with 95 % intervals. Minimum "
    "durations and the onset of shake were chosen on dev; the onsets of cut and dissolve, the "
    "share of new weights, and what is synthesised for training, with both in view."
)


@dataclass(frozen=True, slots=True)
class Boundary:
    """A boundary seen by eye, `none` for a clip without any."""

    clip: str
    time: float
    kind: str
    half: str


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a clip that was labelled by eye: the dominant label first, then the others."""

    clip: str
    start_seconds: float
    end_seconds: float
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tagged:
    """A clip with the segments that were found in it."""

    clip: str
    seconds: float
    segments: tuple[Segment, ...]


def read_boundaries(path: Path = BOUNDARIES) -> list[Boundary]:
    """Read the list of true boundaries."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Boundary(row["clip"], float(row["time_seconds"] or "nan"), row["kind"], row["half"])
            for row in csv.DictReader(file)
        ]


def read_windows(path: Path) -> list[Window]:
    """Read the labelled windows about which the viewer was sure."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Window(
                f"camera_dev/{row['clip']}".replace("camera_dev/../", ""),
                float(row["start_s"]),
                float(row["end_s"]),
                (row["label"], *(row["extra_labels"] or "").replace(";", " ").split()),
            )
            for row in csv.DictReader(file, delimiter="\t")
            if row["verified"] == "yes"
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
    return f"{hits} true, {wrong} false, {missed} missed, precision {precision}, recall {recall}"


def score(clips: Iterable[str], data: Path, weights: Path, scores: Path) -> None:
    """Tag clips and keep their scores in a folder; what it holds already stays as it is."""
    if scores.exists():
        return
    words = ["tag", *(data / clip for clip in clips), "--weights", weights, "-q", "-f", "jsonl"]
    command = [sys.executable, "-m", "vswin_cli", *map(str, words), "--save-scores", f"{scores}/"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def segments_of(scores: Path, options: SegmentOptions, data: Path) -> dict[str, Tagged]:
    """Find the segments that `tag` prints in the scores of a folder, by clip."""
    tagged = {}
    for path in sorted(scores.iterdir()):
        track, timeline = load_track(path)
        with track:
            clip = str(Path(timeline.video.uri).relative_to(data))
            found = tuple(find_segments(track, options))
        tagged[clip] = Tagged(clip, timeline.video.duration_seconds, found)
    return tagged


def cut_times(tagged: Iterable[Tagged]) -> dict[str, list[float]]:
    """Return the times of the cuts by clip."""
    return {one.clip: [s.start_seconds for s in one.segments if s.label == "cut"] for one in tagged}


def content_cuts(clips: Iterable[str], data: Path) -> dict[str, list[float]]:
    """Return the cuts of PySceneDetect's content detector with its defaults."""
    from scenedetect import ContentDetector, detect  # type: ignore[import-not-found,import-untyped,unused-ignore]

    return {
        clip: [start.seconds for start, _ in detect(str(data / clip), ContentDetector())][1:]
        for clip in clips
    }


def seconds_of_motion(one: Tagged) -> float:
    """Return the seconds of a clip that some motion segment covers."""
    covered = end = 0.0
    for segment in sorted(one.segments, key=lambda segment: segment.start_seconds):
        if segment.label not in STILL:
            covered += max(0.0, segment.end_seconds - max(end, segment.start_seconds))
            end = max(end, segment.end_seconds)
    return covered


def false_gradual(tagged: Iterable[Tagged], truth: Sequence[Boundary]) -> int:
    """Count the dissolves and fades that contain no true or doubtful boundary of that kind."""
    false = 0
    for one in tagged:
        known = [o.time for o in truth if o.clip == one.clip and o.kind in (*GRADUAL, "doubtful")]
        spans = [
            (s.start_seconds - TOLERANCE, s.end_seconds + TOLERANCE)
            for s in one.segments
            if s.label in GRADUAL
        ]
        false += sum(not any(start <= at <= end for at in known) for start, end in spans)
    return false


def motion_in(window: Window, tagged: Tagged) -> dict[str, float]:
    """Return the seconds of each motion label in a window."""
    seconds: dict[str, float] = {}
    for one in tagged.segments:
        shared = min(one.end_seconds, window.end_seconds)
        shared -= max(one.start_seconds, window.start_seconds)
        if one.label not in STILL and shared > 0:
            seconds[one.label] = seconds.get(one.label, 0.0) + shared
    return seconds


def per_ten_minutes(count: int, minutes: float) -> str:
    """Write a rate of events with its 95 % interval (Garwood's, for a Poisson count)."""
    means = np.arange(0.0, 4 * count + 20, 0.001)
    terms = [np.exp(-means)]
    for k in range(1, count + 1):
        terms.append(terms[-1] * means / k)
    at_most, below = sum(terms), sum(terms[:-1], np.zeros_like(means))
    high = means[at_most > 0.025][-1]
    low = means[1 - below < 0.025][-1] if count else 0.0
    rates = (10 * value / minutes for value in (count, low, high))
    return "{:.2f} (95 %: {:.2f} to {:.2f})".format(*rates)


def motion_per_minute(fixed: Sequence[Tagged]) -> str:
    """Write the seconds of motion per minute of video, with a 95 % interval over clips."""
    covered = np.array([seconds_of_motion(one) for one in fixed])
    minutes = np.array([one.seconds / 60 for one in fixed])
    drawn = np.random.default_rng(0).integers(len(fixed), size=(10_000, len(fixed)))
    low, high = np.quantile(covered[drawn].sum(1) / minutes[drawn].sum(1), [0.025, 0.975])
    return (
        f"{covered.sum() / minutes.sum():.2f} s/min (95 % over clips: {low:.2f} to {high:.2f}), "
        f"{covered.sum():.2f} s of {minutes.sum():.1f} min, in {(covered > 0).sum()} of "
        f"{len(fixed)} clips"
    )


def of_windows(windows: Iterable[Window], tagged: dict[str, Tagged], half: str) -> list[str]:
    """Write how many windows of a half get the right labels of motion."""
    still, dominant, some = [], [], []
    for window in windows:
        if half_of(window.clip) != half or window.clip not in tagged:
            continue
        found = motion_in(window, tagged[window.clip])
        if window.labels[0] == "static":
            still.append(sum(found.values()) >= LEAST_MOTION)
        elif window.labels[0] not in STILL:
            best = max(found, key=lambda label: found[label], default=None)
            dominant.append(best == window.labels[0])
            some.append(best in window.labels)
    return [
        f"static windows with {LEAST_MOTION} s of motion or more: {_rate(still)}",
        f"moving windows, dominant label: {_rate(dominant)}",
        f"moving windows, some true label: {_rate(some)}",
    ]


def _rate(flags: Sequence[bool]) -> str:
    return f"{sum(flags)}/{len(flags)} = {Rate.of(sum(flags), len(flags))}"


def of_gradual(tagged: Sequence[Tagged], truth: Sequence[Boundary]) -> str:
    """Write how many dissolves and fades are false in clips whose boundaries are known."""
    minutes = sum(one.seconds for one in tagged) / 60
    false = false_gradual(tagged, truth)
    return (
        f"false dissolves and fades: {false} in {minutes:.1f} min, "
        f"{per_ten_minutes(false, minutes)} in 10 min"
    )


def of_transitions(made: Iterable[Transition], tagged: dict[str, Tagged], half: str) -> list[str]:
    """Write how many synthetic dissolves and fades between real clips of a half are found."""
    flags: dict[str, list[bool]] = {}
    for one in made:
        if one.half == half:
            found = any(
                s.label == one.kind and s.start_seconds < one.end and s.end_seconds > one.start
                for s in tagged[one.path.name].segments
            )
            flags.setdefault(one.kind, []).append(found)
    return [f"synthetic {kind}s found: {_rate(found)}" for kind, found in sorted(flags.items())]


def measure(data: Path, weights: Path, folder: Path) -> dict[str, list[str]]:
    """Score what the folder does not hold scores of, and write the figures of each half."""
    truth, windows = read_boundaries(), read_windows(data / "camera_dev" / "labels.tsv")
    options = ModelCard.read(weights / "config.json").segments
    clips = sorted({one.clip for one in truth})
    fixed = [f"static_clips/{path.name}" for path in sorted((data / "static_clips").glob("*.mp4"))]
    watched = sorted({*clips, *fixed, *(window.clip for window in windows)})
    score(watched, data, weights, folder / "scores")
    tagged = segments_of(folder / "scores", options, data)
    methods = {"the card's onset": cut_times(tagged[clip] for clip in clips)}
    try:
        methods["PySceneDetect"] = content_cuts(clips, data)
    except ImportError:
        print("install scenedetect and opencv-python-headless to compare with PySceneDetect")
    made = make_transitions(data, folder / "transitions", half_of)
    score([one.path.name for one in made], folder / "transitions", weights, folder / "made")
    made_tagged = segments_of(folder / "made", options, folder / "transitions")
    figures = {}
    for half in HALVES:
        still = [tagged[clip] for clip in fixed if half_of(clip) == half]
        figures[half] = [
            *(f"cuts, {name}: {count_cuts(cuts, truth, half)}" for name, cuts in methods.items()),
            of_gradual([tagged[clip] for clip in clips if half_of(clip) == half], truth),
            *of_transitions(made, made_tagged, half),
            f"false motion of fixed cameras: {motion_per_minute(still)}",
            *of_windows(windows, tagged, half),
        ]
    return figures


def write_card(path: Path, figures: dict[str, list[str]]) -> None:
    """Put the figures into the card, before the notes on limits."""
    card = ModelCard.from_json(path.read_text(encoding="utf-8"), path)
    others = [note for note in card.notes if not note.startswith((NOTE, "Limits"))]
    limits = [note for note in card.notes if note.startswith("Limits")]
    found = [f"{NOTE}, {half}: {'; '.join(lines)}." for half, lines in figures.items()]
    written = replace(card, notes=(*others, f"{NOTE} {CHOICE}", *found, *limits))
    path.write_text(written.to_json(), encoding="utf-8")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, default=Path("vswin_cli/data/camera-motion"))
    parser.add_argument("--run", type=Path, help="folder that keeps scores; later runs reuse them")
    parser.add_argument("--write-card", action="store_true", help="figures into the card")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = (options.run or Path(folder)).resolve()
        run.mkdir(parents=True, exist_ok=True)
        figures = measure(options.data.resolve(), options.weights, run)
    for half, lines in figures.items():
        print(f"{half}:", *lines, sep="\n  ")
    if options.write_card:
        write_card(options.weights / "config.json", figures)


if __name__ == "__main__":
    main()
